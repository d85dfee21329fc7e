"""Reference networks: taken from the leaderboard, and shown where they can be compared."""

from __future__ import annotations

import numpy as np
import pytest

from modcog import Battery
from modcog.battery import BatteryConfig
from modcog.experiments.benchmark import Reference, stored
from modcog.experiments.benchmark.entries import stored_entries
from modcog.experiments.benchmark.protocol import PROTOCOLS
from modcog.experiments.benchmark.references import REFERENCES, comparable
from modcog.experiments.benchmark.report import Cost, Point, Reached
from modcog.training.config import TrainConfig

ARMS = (("lm-rnn 50 % 6", "lm-rnn"), ("random 50 % 6", "random"))


def reference(name: str, arch: str) -> Reference:
    """Return a network that was trained on three tasks."""
    scores = {task: (0.5, 0.25) for task in ("go", "dm1", "dms")}
    settings = {
        "arch": arch, "tasks": list(scores), "hidden": 6, "density": 0.5, "steps": 2, "batch_size": 4,
        "layout": "trials",
    }  # fmt: skip
    points = tuple(Point(trials=trials, mean=0.4, low=0.3, high=0.5) for trials in (0, 4, 8))
    return Reference(
        name=name, settings=settings, seeds=(0, 1), n_trials=6, score_seed=1_000, scores=scores, curve=points,
        cost=Cost(reached={"50": Reached(trials=4, seeds=1, of=2)}),
    )  # fmt: skip


@pytest.fixture
def found() -> tuple[Reference, ...]:
    return tuple(reference(*arm) for arm in ARMS)


def shown(found, tasks=("go", "dm1", "dms"), settings=None, n_trials=6, score_seed=1_000, **battery):
    made = Battery(tasks, **{"rule_input": True, **battery})
    return comparable(found, made, settings or {}, n_trials, score_seed)


def test_a_reference_stands_beside_its_own_tasks(found) -> None:
    (local, scattered), notes = shown(found)
    assert (local.name, scattered.name, notes) == ("lm-rnn 50 % 6", "random 50 % 6", [])
    assert local.curve == found[0].curve
    assert local.differs == ()


def test_other_tasks_are_said_and_leave_no_curve(found) -> None:
    (local, _), _ = shown(found, tasks=("go", "dlygo"))
    assert local.differs == ("tasks 3, not 2",)
    assert (local.curve, local.cost.reached) == ((), {})
    assert shown(found, tasks=("anti",)) == ([], [])


def test_other_settings_are_said(found) -> None:
    (local, _), _ = shown(found, settings={"steps": 1000, "batch_size": 4}, n_trials=50, rule_input=False)
    assert local.differs == (
        "rule_input True, not False",
        "n_trials 6, not 50",
        "steps 2, not 1000",
    )


def test_other_trials_cannot_be_compared(found) -> None:
    assert shown(found, dt=50)[0] == []
    (note,) = shown(found, dt=50)[1]
    assert "lm-rnn 50 % 6 (dt 100, not 50)" in note


def test_of_several_results_those_on_the_nearest_tasks_are_shown(found) -> None:
    one = found[0]
    fewer = one.model_copy(update={"scores": {task: one.scores[task] for task in ("go", "dm1")}, "seeds": (7,)})
    for known in ([one, fewer], [fewer, one]):
        assert [len(column.seeds) for column in shown(known)[0]] == [2]
        assert [len(column.seeds) for column in shown(known, tasks=("go", "dm1"))[0]] == [1]
        assert [len(column.seeds) for column in shown(known, tasks=("dms",))[0]] == [2]


def test_the_stored_references_are_means_over_the_seeds_of_entries() -> None:
    by_name = {(one.name, len(one.scores)): one for one in stored()}
    assert {one.settings["arch"] for one in stored()} <= set(REFERENCES)
    assert len(by_name) == len(stored()) > 0
    for entry in stored_entries().values():
        tasks = PROTOCOLS[entry.protocol].battery.tasks
        one = by_name.get((entry.name, len(tasks)))
        if one is None or PROTOCOLS[entry.protocol].rules != "corrected":
            continue
        for task in tasks:
            means = [np.mean([getattr(run.scores[task], kind) for run in entry.runs]) for kind in ("decision", "trial")]
            assert one.scores[task] == pytest.approx(means)
        assert one.curve[-1].trials == one.cost.trials == PROTOCOLS[entry.protocol].trials
        assert one.curve[-1].mean == pytest.approx(np.mean([run.curve[-1][1] for run in entry.runs]))
        assert TrainConfig.of(**one.settings).battery_settings() == BatteryConfig(tasks=tasks, rule_input=True)
