"""The command in a report, read back as a shell and as Python read it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from modcog import Battery, collection
from modcog.cli import load
from modcog.experiments.benchmark.command import called, of_object, of_run


def given(words: str) -> dict[str, Any]:
    """What the program makes of a command."""
    program, command, *rest = shlex.split(words)
    assert (program, command) == ("modcog", "benchmark")
    return load("benchmark").make_context("benchmark", rest).params


def test_options_are_read_as_they_were_given() -> None:
    options = {
        "tasks": ["go", "dms"], "steps": 5, "learning_rate": 0.004, "model": {"init": "identity", "noise": 0.1},
        "battery": {"rule_input": False, "interval": [100, 300]}, "ceiling": False, "out": "a folder",
    }  # fmt: skip
    found = given(of_run("my.module:net", options))
    assert found["network"] == "my.module:net"
    assert (found["tasks"], found["steps"], found["learning_rate"]) == ("go,dms", "5", "0.004")
    assert list(found["model"]) == ["init=identity", "noise=0.1"]
    assert list(found["battery"]) == ["rule_input=false", "interval=100,300"]
    assert (found["ceiling"], str(found["out"])) == (False, "a folder")


def test_a_table_in_a_table_is_given_in_python() -> None:
    options = {"tasks": ["dlygo"], "battery": {"timing": {"delay": ("uniform", (300, 600))}}, "ceiling": False}
    seen: dict[str, Any] = {}

    class Recorder:
        """Stands where modcog stands, and notes the call."""

        class benchmark:  # noqa: N801
            @staticmethod
            def run(arch: str, **settings: Any) -> None:
                seen.update(settings, arch=arch)

    eval(of_run("autapse", options), {"modcog": Recorder})
    assert seen == {**options, "arch": "autapse"}


@pytest.mark.parametrize(("rule_input", "words"), [(True, []), (False, ["rule_input=false"])])
def test_the_command_for_a_trained_network_makes_the_same_battery(rule_input: bool, words: list[str]) -> None:
    settings = Battery("yang19", dt=50, rule_input=rule_input).settings
    found = given(of_object("my:net", settings, {"seeds": 2}, {"hidden": 9, "gain": 2}))
    assert sorted(found["battery"]) == ["dt=50.0", *words]
    assert (found["tasks"], found["train"], found["seeds"], found["hidden"]) == ("yang19", False, 2, "9")
    assert list(found["model"]) == ["gain=2"]


def test_tasks_are_called_by_their_collection() -> None:
    assert called(collection("modcog82")) == "modcog82"
    assert called(("go",)) == ["go"]
    assert called(collection("go")) == list(collection("go"))  # where one word would mean the task
    assert called(collection("match")) == "match"
