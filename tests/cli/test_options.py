"""Options made from the fields of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pytest
from pydantic import BaseModel, Field

import modcog
from modcog.cli.options import duration, settings_options, tasks_of, value


class Model(BaseModel):
    tasks: tuple[str, ...] = Field(("go",), description="Names.")
    speed: Annotated[float, Field(gt=0)] = Field(1.5, description="How fast.")
    count: Annotated[int, Field(ge=1)] | None = None
    kind: Literal["a", "b"] = "a"
    deep: bool = Field(False, description="Or shallow.")
    shares: Mapping[str, float] = {}
    data: Path | None = None
    seed: int = 0


def call(*words: str) -> tuple[dict[str, Any], int, str]:
    got: list[Any] = []

    @click.command
    @click.argument("name")
    @click.option("--seed", default=3)
    @settings_options(Model, exclude=("seed",), speed="--pace")
    def command(name: str, settings: dict[str, Any], seed: int) -> None:
        got.append((settings, seed, name))

    command.main(list(words), standalone_mode=False)
    return got[0]


def test_nothing_said_is_nothing_chosen() -> None:
    assert call("x") == ({}, 3, "x")


def test_each_kind_of_field() -> None:
    chosen, seed, _ = call(
        "x", "--tasks", "dms,yang19", "--pace", "2e-1", "--count", "7", "--kind", "b", "--deep", "--seed", "9",
        "--shares", "train=0.8", "--shares", "test=0.2", "--data", "2024",
    )  # fmt: skip
    assert chosen.pop("tasks") == ["dms", *(task for task in modcog.collection("yang19") if task != "dms")]
    assert chosen == {
        "speed": 0.2, "count": 7, "kind": "b", "deep": True, "shares": {"train": 0.8, "test": 0.2},
        "data": "2024",
    }  # fmt: skip
    assert Model(**chosen).data == Path("2024")
    assert seed == 9


def test_a_flag_can_be_taken_back(tmp_path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("deep = true\nspeed = 3.0\n", encoding="utf-8")
    assert call("x", "--config", str(file))[0] == {"deep": True, "speed": 3.0}
    assert call("x", "--config", str(file), "--no-deep")[0] == {"deep": False, "speed": 3.0}


def test_help_comes_from_the_model(capsys) -> None:
    with pytest.raises(IndexError):  # help is shown instead of a call
        call("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--pace NUMBER How fast. [default: 1.5]" in text
    assert "--kind a|b" in text
    assert "--deep / --no-deep Or shallow. [default: --no-deep]" in text


@pytest.mark.parametrize(
    ("text", "read"),
    [("3", 3), ("-2.5", -2.5), ("1e3", 1000.0), ("true", True), ("false", False), ("adam", "adam"), (" 4 ", 4)],
)
def test_a_value_is_a_number_a_truth_value_or_text(text, read) -> None:
    assert (value(text), type(value(text))) == (read, type(read))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("500", 500),
        ("300,600.5", [300, 600.5]),
        ("uniform:300,900", ("uniform", [300, 900])),
        ("choice:300,600,900", ("choice", [300, 600, 900])),
        ("module:function", "module:function"),
    ],
)
def test_durations_in_all_their_forms(text, read) -> None:
    assert duration(text) == read


def test_a_name_that_is_task_and_family_stands_for_the_task() -> None:
    assert tasks_of(["go"]) == ["go"]
    assert tasks_of(["decision"]) == list(modcog.collection("decision"))
    with pytest.raises(modcog.UnknownNameError, match="nearest: 'yang19'"):
        tasks_of(["go", "yang"])
