"""Measures of continual learning by hand, and studies of networks that learn little or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modcog import ModcogError, UnknownNameError, collection, parse
from modcog.experiments.studies import plan_study, study
from modcog.experiments.studies.continual import draw, groups_of, summary, transfer

TASKS = ["go", "dm1", "dlygo", "dms"]
TINY = {"tasks": TASKS, "arch": "autapse", "hidden": 8, "steps": 2, "eval_every": 2, "eval_trials": 2, "batch_size": 4,
        "warmup": 0, "seeds": 1, "n_trials": 3}  # fmt: skip


def test_the_measures_of_a_matrix_worked_out_by_hand() -> None:
    matrix = np.array([[0.1, 0.2, 0.3], [0.9, 0.3, 0.2], [0.6, 0.8, 0.5], [0.4, 0.7, 1.0]])
    found = transfer(matrix)
    assert found.accuracy == pytest.approx((0.4 + 0.7 + 1.0) / 3)
    assert found.forgetting == pytest.approx(((0.9 - 0.4) + (0.8 - 0.7)) / 2)
    assert found.backward == pytest.approx(((0.4 - 0.9) + (0.7 - 0.8)) / 2)
    assert found.forward == pytest.approx(((0.3 - 0.2) + (0.5 - 0.3)) / 2)


def test_a_group_that_gains_after_its_stage_is_forgotten_less_than_nothing() -> None:
    found = transfer(np.array([[0.0, 0.0], [0.5, 0.0], [0.8, 0.9]]))
    assert (found.forgetting, found.backward) == (pytest.approx(-0.3), pytest.approx(0.3))


def test_the_best_earlier_accuracy_counts_and_not_that_of_the_own_stage() -> None:
    matrix = np.array([[0, 0, 0], [0.5, 0, 0], [0.7, 0.5, 0], [0.4, 0.5, 1]], float)
    found = transfer(matrix)
    assert found.forgetting == pytest.approx(0.3 / 2)
    assert found.backward == pytest.approx(-0.1 / 2)


def test_the_summary_has_intervals_over_seeds() -> None:
    rows = pd.DataFrame(
        [["none", seed, stage, group, value + 0.1 * seed]
         for seed in (0, 1)
         for stage, values in enumerate([[0, 0], [0.5, 0], [0.2, 0.5]])
         for group, value in zip("ab", values, strict=True)],
        columns=["method", "seed", "stage", "group", "accuracy"],
    )  # fmt: skip
    found = summary(rows).loc["none"]
    assert (found["forgetting"], found["seeds"]) == (pytest.approx(0.3), 2)
    assert found["accuracy"] == pytest.approx(0.4)
    assert found["accuracy_low"] == pytest.approx(0.4 - 12.706 * 0.05, abs=1e-3)  # Student's t of one degree of freedom
    assert len(draw(rows).axes) == 2


def test_the_groups_of_each_order() -> None:
    tasks = collection("modcog132")
    assert list(groups_of(TASKS, "family", 0)) == ["go", "decision", "match"]
    assert groups_of(TASKS, "family", 0)["go"] == ("go", "dlygo")
    assert list(groups_of(TASKS[::-1], "family", 0)) == ["match", "go", "decision"]
    by_extension = groups_of(tasks, "extension", 0)
    assert list(by_extension) == ["none", "interval", "sequence", "interval-sequence"]
    assert [len(of) for of in by_extension.values()] == [20, 24, 40, 48]
    assert all(parse(task).interval and not parse(task).sequence for task in by_extension["interval"])
    mixed, again, other = (groups_of(tasks, "random", seed) for seed in (0, 0, 1))
    assert mixed == again != other
    assert sorted(sum(mixed.values(), ())) == sorted(tasks)
    assert [len(of) for of in groups_of(tasks, "random", 0, 5).values()] == [27, 27, 26, 26, 26]


def test_a_network_that_learns_nothing_forgets_nothing_and_transfers_nothing(tmp_path: Path) -> None:
    found = study("continual", tmp_path, learning_rate=1e-30, **{**TINY, "tasks": ["go", "dm1"]})
    assert found.summary[["forgetting", "backward"]].to_numpy() == pytest.approx(0)
    after = found.table[found.table["stage"] > 0]
    assert (after.groupby(["method", "group"])["accuracy"].nunique() == 1).all()


def test_runs_that_methods_share_are_trained_once(tmp_path: Path) -> None:
    stages = plan_study("continual", tmp_path, **TINY)
    assert [len({cell.name for cell in stage.values()}) for stage in stages] == [1, 4, 4]
    assert {key[1] for key in stages[1]} == {"decision"}
    configs = {name: stages[2][name, "match", 0].config for name in ("none", "replay", "ewc", "si")}
    assert configs["none"].task_shares.tolist() == [0, 0, 0, 1]
    assert configs["replay"].task_shares == pytest.approx([0.5 / 3, 0.5 / 3, 0.5 / 3, 0.5])
    assert [configs[name].penalty for name in configs] == ["none", "none", "ewc", "si"]
    assert all([run.trained for run in config.earlier] == [("go", "dlygo"), ("dm1",)] for config in configs.values())
    assert configs["si"].earlier[0] == configs["none"].earlier[0]


def test_a_study_that_was_stopped_goes_on_and_ends_alike(tmp_path: Path) -> None:
    values = {**TINY, "tasks": ["go", "dm1"], "methods": ["none", "si"]}
    whole = study("continual", tmp_path / "whole", **values)
    study("continual", tmp_path / "part", **{**values, "methods": "none"})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("part/runs/*/result.json")}
    resumed = study("continual", tmp_path / "part", **values)
    pd.testing.assert_frame_equal(whole.table, resumed.table)
    assert len(before) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    for name in ("table.csv", "summary.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"order": "familly"}, "unknown order 'familly' .nearest: 'family'"),
        ({"methods": ["ewk"]}, "unknown method 'ewk' .nearest: 'ewc'"),
        ({"order": "extension"}, "order: got 'extension', by which the 4 tasks make one group"),
        ({"order": "random", "n_groups": 1}, "n_groups: got 1, must be a whole number, at least 2"),
        ({"train_on": ["go"]}, "train_on: is decided by the study"),
        ({"odrer": "family"}, "unknown option or setting 'odrer' .nearest: 'order'"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"hidden": 0}, "hidden: got 0"),
    ],
)
def test_wrong_values_are_refused_before_training(values: dict, says: str, tmp_path: Path) -> None:
    with pytest.raises(ModcogError, match=says):
        study("continual", tmp_path, **{**TINY, **values})
    assert not list(tmp_path.iterdir())


def test_an_unknown_study() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown study 'contnual' .nearest: 'continual'"):
        plan_study("contnual")


def test_a_network_forgets_and_replay_of_earlier_tasks_keeps_them(tmp_path) -> None:
    found = study(
        "continual", tmp_path, seeds=1, n_trials=30, tasks=["go", "dm1"], arch="autapse", hidden=32, steps=100,
        batch_size=32, eval_every=100, eval_trials=2, learning_rate=0.01, warmup=0, methods=["none", "replay"],
        progress=False,
    ).summary["forgetting"]  # fmt: skip
    assert found["none"] > 0.3
    assert found["replay"] == pytest.approx(0, abs=0.05)
