"""Means and intervals of a network's seeds, against the scores' own tables and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import Battery, evaluate
from modcog.evaluation import levels
from modcog.experiments.benchmark.measure import cost, curve, mean_interval, report_rows, score_table


def guesses(share: float):
    """A network that is right in about this share of trials of goes: it answers with the stimulus, or not at all."""
    rng = np.random.default_rng(0)

    def predict(observations):
        seen = observations[..., 1:].sum(axis=1).reshape(len(observations), 2, -1).sum(axis=1)
        answer = np.where(rng.random(len(seen)) < share, 1 + seen.argmax(axis=-1), 0)
        return np.where(observations[..., 0] > 0.5, 0, answer[:, None])

    return predict


@pytest.fixture(scope="module")
def alone():
    """One network's scores on two tasks, as the evaluation tells them, and as a record."""
    battery = Battery(["go", "dmc"])
    known = levels(battery)
    table = evaluate(guesses(0.7), battery, 300, seed=1).table(known)
    return table, score_table([record({task: table[task].as_dict() for task in battery.tasks})], known)


def test_of_one_network_the_intervals_are_those_of_the_bootstrap(alone) -> None:
    table, measured = alone
    found = {row.name: row for row in report_rows(measured, {})}
    for name, row in (("go", found["go"]), ("battery", found["all tasks"])):
        score = table[name]
        for ours, accuracy, interval in (
            (row.decision, score["decision"].value, score["decision"].interval),
            (row.trial, score["trial"].value, score["trial"].interval),
            (row.share, score["decision"].share, score["decision"].share_interval),
            (row.others["angular_error"], score["angular_error"].value, score["angular_error"].interval),
        ):
            assert ours.mean == pytest.approx(accuracy)
            assert (ours.low, ours.high) == pytest.approx(interval, abs=0.01 if ours.mean <= 1 else 2)
        levels = score["decision"].levels
        assert (row.chance, row.ceiling) == pytest.approx((levels["blind"], levels["ideal"]))


def record(scores: dict, name: str = "one") -> dict:
    return {"cell": {"name": name, "config": {}}, "status": "finished", "error": None, "scores": scores}


def records(*accuracies: float) -> list[dict]:
    """Networks with these accuracies on one task."""
    rest = {"decision_interval": (0, 1), "trial_accuracy": 0, "trial_interval": (0, 0)}
    return [record({"go": {"decision_accuracy": a, **rest}}, str(k)) for k, a in enumerate(accuracies)]


def test_over_seeds_the_interval_is_students() -> None:
    found = mean_interval(score_table(records(0.5, 0.6, 0.7)), "decision")
    assert found is not None
    half = 4.302653 * 0.1 / np.sqrt(3)  # the t of 2 degrees of freedom, from a table
    assert (found.mean, found.low, found.high) == pytest.approx((0.6, 0.6 - half, 0.6 + half))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_intervals_hold_the_mean_and_keep_to_what_is_possible(accuracies: list[float]) -> None:
    table = score_table(records(*accuracies), levels(Battery(["go"])))
    decision, share = mean_interval(table, "decision"), mean_interval(table, "share")
    assert decision is not None
    assert 0 <= decision.low <= decision.mean + 1e-12
    assert decision.mean - 1e-12 <= decision.high <= 1
    assert share is not None
    assert -1 / 15 - 1e-9 <= share.low <= share.high <= 1 + 1e-9  # chance is 1/16, the ceiling 1
    assert share.mean == pytest.approx((decision.mean - 1 / 16) * 16 / 15)


def test_without_levels_there_are_no_shares() -> None:
    (battery, *_) = report_rows(score_table(records(0.5)), {"other": {"go": (0.25, 0.5)}, "less": {}})
    assert (battery.share, battery.chance, battery.ceiling) == (None, None, None)
    assert battery.references == {"other": 0.25}


def test_cost_is_the_mean_and_counts_who_reached_what() -> None:
    progress = [
        {"trials": 100, "seconds": 2.0, "milestones": {"50": {"trials": 10, "seconds": 1}}},
        {"trials": 300, "seconds": 4.0, "milestones": {"50": {"trials": 30, "seconds": 1}, "75": {"trials": 200}}},
    ]
    found = cost([{"network": {"parameters": 7, "synapses": None}, "progress": one} for one in progress])
    assert (found.parameters, found.synapses, found.trials, found.seconds) == (7, None, 200, 3)
    assert {percent: (one.trials, one.seeds, one.of) for percent, one in found.reached.items()} == {
        "50": (20, 2, 2),
        "75": (200, 1, 2),
    }


def test_the_curve_has_the_points_that_all_seeds_have() -> None:
    seeds = [
        {"curve": [{"trials": t, "decision_accuracy": a} for t, a in points]}
        for points in ([(0, 0.1), (8, 0.4), (16, 0.9)], [(0, 0.3), (8, 0.2)])
    ]
    assert [(one.trials, one.mean, one.low, one.high) for one in curve(seeds)] == [
        (0, pytest.approx(0.2), 0.1, 0.3),
        (8, pytest.approx(0.3), 0.2, 0.4),
    ]
    assert curve([{"scores": {}}]) == ()


def test_the_curve_of_some_tasks_is_their_mean_in_the_seeds_that_have_them() -> None:
    seeds = [
        {
            "curve": [
                {"trials": 8, "decision_accuracy": 0.1, "decision_accuracy_per_task": {"go": a, "dms": b, "dmc": 1}}
            ]
        }
        for a, b in ((0.2, 0.4), (0.6, 0.4))
    ]
    seeds.append({"curve": [{"trials": 8, "decision_accuracy": 0.9}]})
    (point,) = curve(seeds, ["go", "dms"])
    assert (point.trials, point.mean, point.low, point.high) == (8, *map(pytest.approx, (0.4, 0.3, 0.5)))
    assert curve(seeds[2:], ["go"]) == ()
