"""``modcog sample``."""

from __future__ import annotations

import json

import numpy as np
import pytest

import modcog
from modcog.cli import data as module


def load(path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_the_file_holds_what_the_battery_samples(run, tmp_path) -> None:
    out = tmp_path / "new" / "trials.npz"
    code, said, err = run("sample", "modcog132", "--per-task", "2", "--seed", "7", "--dt", "50", "--out", out)
    assert (code, err) == (0, "")
    assert said.startswith("264 trials of 132 tasks")
    found = load(out)
    battery = modcog.Battery("modcog132", dt=50)
    trials = battery.sample(per_task=2, seed=7)
    for name in ("observations", "labels", "lengths", "mask", "task", "decision_start"):
        np.testing.assert_array_equal(found.pop(name), getattr(trials, name))
    assert tuple(found.pop("tasks")) == modcog.TASKS
    assert modcog.BatteryConfig(**json.loads(str(found.pop("settings")))) == battery.config
    assert (int(found.pop("seed")), str(found.pop("version"))) == (7, modcog.__version__)
    conditions = {name.removeprefix("condition_"): column for name, column in found.items()}
    assert set(conditions) == set(trials.conditions)
    for name, column in trials.conditions.items():
        np.testing.assert_array_equal(conditions[name], column)


def test_a_number_of_trials_of_some_tasks(run, tmp_path) -> None:
    out = tmp_path / "t.npz"
    assert run("sample", "dms", "goseqr", "-n", "600", "--out", out, "--rule-input").code == 0
    trials = modcog.Battery(["dms", "goseqr"], rule_input=True).sample(600, seed=0)
    np.testing.assert_array_equal(load(out)["observations"], trials.observations)


@pytest.mark.parametrize(
    ("words", "tasks"),
    [
        ((), modcog.TASKS),
        (("go",), ("go",)),
        (("match",), modcog.collection("match")),
        (("dms", "match"), ("dms", *(task for task in modcog.collection("match") if task != "dms"))),
    ],
)  # fmt: skip
def test_names_stand_for_tasks_and_collections(run, tmp_path, words, tasks) -> None:
    out = tmp_path / "t.npz"
    assert run("sample", *words, "-n", "1", "--out", out).code == 0
    assert tuple(load(out)["tasks"]) == tuple(tasks)


def test_settings_from_a_file_with_options_before_them(run, tmp_path) -> None:
    (tmp_path / "b.toml").write_text(
        'tasks = "yang19"\ndt = 20\nsigma = 0.5\ntiming = { delay = ["uniform", [300, 900]] }\n', encoding="utf-8"
    )
    out = tmp_path / "t.npz"
    assert run("sample", "--config", tmp_path / "b.toml", "--sigma", "0", "-n", "5", "--out", out).code == 0
    battery = modcog.Battery("yang19", dt=20, sigma=0, timing={"delay": ("uniform", (300, 900))})
    assert modcog.BatteryConfig(**json.loads(str(load(out)["settings"]))) == battery.config
    np.testing.assert_array_equal(load(out)["labels"], battery.sample(5, seed=0).labels)


def test_the_same_request_gives_the_same_bytes(run, tmp_path) -> None:
    for name in ("a.npz", "b.npz"):
        run("sample", "yang19", "-n", "50", "--out", tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failure_leaves_the_old_file_and_no_other(run, tmp_path, monkeypatch) -> None:
    out = tmp_path / "t.npz"
    out.write_bytes(b"old")

    def full(file, array, **options) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_array", full)
    assert run("sample", "go", "-n", "1", "--out", out) == (2, "", f"modcog: No space left on device: {out}\n")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("t.npz", b"old")]


def test_a_bar_appears_only_when_it_takes_long(run, tmp_path, monkeypatch) -> None:
    words = ("sample", "yang19", "-n", "1500", "--out", tmp_path / "t.npz")
    assert run(*words).err == ""
    monkeypatch.setattr(module, "MANY", 1e6)
    assert "1500/1500" in run(*words).err
