"""Few-shot studies: which runs they are made of, and what their table says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from modcog import Battery, ModcogError
from modcog.evaluation import levels
from modcog.experiments.studies import plan_study, study
from modcog.experiments.studies.fewshot import draw, summary

TASKS = ["go", "goseqr", "goseql", "dlygo", "dlygointr", "dlygointl"]
HELD_OUT = ("dlygointr",)
TINY = {"tasks": TASKS, "arch": "autapse", "hidden": 8, "steps": 3, "eval_every": 3, "eval_trials": 2, "batch_size": 4,
        "seeds": 1, "n_trials": 3, "split": "composition-2", "updates": [1]}  # fmt: skip


def test_each_run_trains_what_it_should_from_where_it_should(tmp_path: Path) -> None:
    base, few = plan_study("few-shot", tmp_path, **{**TINY, "seeds": 2})
    first = base["zero-shot", 0, 1, HELD_OUT].config
    assert first.trained == tuple(task for task in TASKS if task not in HELD_OUT)
    assert first.battery_settings().rule_input == "compositional"
    assert first.steps == 3
    assert len(few) == 3 * 1 * 2
    for (name, n, seed, group), cell in few.items():
        config = cell.config
        assert (config.steps, config.seed, config.trained, config.warmup) == (n, seed, group, 0)
        assert config.trainable == ("rules" if name == "rule weights" else "all")
        assert [run.out for run in config.earlier] == (
            [] if name == "from scratch" else [base["zero-shot", 0, seed, HELD_OUT].config.out]
        )
        assert config.tasks == tuple(TASKS)  # all are scored


def test_each_held_out_task_alone(tmp_path: Path) -> None:
    tasks = [*TASKS, "dm1", "dm1seqr", "dlydm1", "dlydm1intl", "dlydm1seqr"]
    _, few = plan_study("few-shot", tmp_path, **{**TINY, "tasks": tasks, "updates": 5, "each": True})
    held_out = ("dlygointr", "dlydm1intl", "dlydm1seqr")
    assert {key[3] for key in few} == {(task,) for task in held_out}
    assert len(few) == 3 * 3


def test_the_table_is_the_way_from_chance_to_ceiling(tmp_path: Path) -> None:
    found = study("few-shot", tmp_path, **TINY)
    assert len(found.table) == (1 + 3) * len(TASKS)
    known = levels(Battery(TASKS))
    for row in found.table.itertuples():
        chance, ceiling = known[row.task].ends("decision")
        assert row.share == pytest.approx((row.accuracy - chance) / (ceiling - chance))
        assert (row.tasks == "held out") == (row.task in HELD_OUT)
    assert set(found.summary.index.get_level_values("condition")) == {
        "zero-shot", "all weights", "rule weights", "from scratch"
    }  # fmt: skip
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    again = study("few-shot", tmp_path, **TINY)
    pd.testing.assert_frame_equal(found.table, again.table)


def test_the_summary_averages_over_tasks_and_then_over_seeds() -> None:
    rows = pd.DataFrame(
        [["all weights", 1, seed, "a+b", "held out", task, 0.0, value]
         for seed, task, value in [(0, "a", 0.2), (0, "b", 0.4), (1, "a", 0.6), (1, "b", 0.6)]],
        columns=["condition", "updates", "seed", "trained_on", "tasks", "task", "accuracy", "share"],
    )  # fmt: skip
    found = summary(rows).loc[("all weights", 1, "held out")]
    assert found["share"] == pytest.approx(0.45)
    assert found["share_high"] == pytest.approx(0.45 + 12.706 * 0.15, abs=1e-3)
    assert found["seeds"] == 2


def test_the_figure_shows_one_seed_without_intervals(tmp_path: Path) -> None:
    rows = [[name, n, 0, "a", which, "a", 0.0, 0.5] for which in ("held out", "trained")
            for name, n in [("zero-shot", 0), *((c, n) for c in ("all weights", "rule weights", "from scratch") for n in (1, 10))]]  # noqa: E501  # fmt: skip
    columns = ["condition", "updates", "seed", "trained_on", "tasks", "task", "accuracy", "share"]
    figure = draw(pd.DataFrame(rows, columns=columns))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["tasks held out", "tasks trained"]
    figure.savefig(tmp_path / "figure.png")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"split": "composition-9"}, "unknown split 'composition-9'"),
        ({"tasks": ["go", "dlygo"]}, "split: composition-2 holds out 0 of the 2 tasks"),
        ({"tasks": ["dlygointr"]}, "split: composition-2 holds out 1 of the 1 tasks"),
        ({"updates": [0]}, "updates: got 0"),
        ({"trainable": "rules"}, "trainable: is decided by the study"),
        ({"order": "family"}, "unknown option or setting 'order'"),
        ({"weight_decay": 0.1}, "weight_decay: got 0.1, must be 0"),
        ({"battery": 3}, "battery"),
        ({"battery": {"dtt": 3}}, "dtt"),
    ],
)
def test_wrong_values_are_refused_before_training(values: dict, says: str, tmp_path: Path) -> None:
    with pytest.raises(ModcogError, match=says):
        study("few-shot", tmp_path, **{**TINY, **values})
    assert not list(tmp_path.iterdir())
