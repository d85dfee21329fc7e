"""``modcog doctor``: it describes the installation, and its exit code says whether the tests pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modcog import extras
from modcog.cli import doctor, main


def test_a_sound_installation_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "132 tasks played" in said
    assert said.endswith("all tests passed\n")
    assert str(Path.home()) not in said  # nobody has to look through it before it is posted


def test_a_fault_is_found_and_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from modcog.envs.env import ModCogEnv

    monkeypatch.setattr(doctor, "TESTS", {"environments": doctor.play_all_tasks, "nothing": lambda: "nothing to do"})
    original = ModCogEnv.step
    monkeypatch.setattr(ModCogEnv, "step", lambda self, action: original(self, 0))  # always holds fixation
    assert main(["doctor", "--json"]) == 1
    tests = json.loads(capsys.readouterr().out)["tests"]
    assert tests["environments"].startswith("failed: AssertionError: go: ")
    assert tests["nothing"].startswith("nothing to do (")


def test_what_is_missing_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (doctor, extras):
        monkeypatch.setattr(module, "EXTRAS", {"hdf5": ("no_such_module",)})
    assert doctor.extras() == {"[hdf5]": 'without no_such_module: pip install "modcog-battery[hdf5]"'}
    assert doctor.version("no-such-package") == "not installed"
