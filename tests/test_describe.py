"""What is said about a task holds for the trials that are sampled of it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import modcog
from modcog.describe import describe
from modcog.tasks.names import parse, summary

SETTINGS = [{}, {"dt": 30}, {"dt": 50, "omega": 0.004, "interval": (200, 450, 1000)}, {"rules": "published"}]


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def sampled(request) -> tuple[dict, modcog.Trials]:
    return request.param, modcog.Battery("modcog132", **request.param).sample(per_task=150, seed=0)


def numbers(text: str) -> tuple[int, int]:
    found = [int(number) for number in re.findall(r"\d+", text)]
    return found[0], found[-1]


def test_periods_last_as_many_steps_as_is_said(sampled) -> None:
    settings, trials = sampled
    for index, task in enumerate(trials.tasks):
        mine = trials.task == index
        for period in describe(task, **settings).periods:
            low, high = numbers(period.steps)
            steps = trials.conditions[f"steps_{period.name}"][mine]
            assert low <= steps.min() <= steps.max() <= high, (task, period)
            if "uniform" not in period.ms and " to " not in period.ms:  # fixed, or one of a few
                assert (steps.min(), steps.max()) == (low, high), (task, period)


def test_the_interval_moves_the_answer_by_the_positions_said(sampled) -> None:
    settings, trials = sampled
    first = trials.labels[np.arange(len(trials)), trials.decision_start]
    for index, task in enumerate(trials.tasks):
        spec, text = parse(task), describe(task, **settings).interval
        assert bool(text) == bool(spec.interval)
        if not spec.interval:
            continue
        published_go = settings.get("rules") == "published" and spec.family == "go"
        assert ("move the stimulus" in text) == published_go, task
        responds = (trials.task == index) & (trials.conditions["respond"] == 1)
        moved = (first[responds] - 1 - trials.conditions["target"][responds]) * spec.interval % 16
        said = re.search(r"whole positions: (.*?) position", text)
        assert (moved.min(), moved.max()) == (numbers(said[1]) if said else (0, 0)), task
        assert ("right" in text) == (spec.interval == 1), task


def test_a_sequence_moves_the_answer_by_the_positions_said(sampled) -> None:
    settings, trials = sampled
    for index, task in enumerate(trials.tasks):
        spec, text = parse(task), describe(task, **settings).sequence
        assert bool(text) == bool(spec.sequence)
        if not spec.sequence:
            continue
        trial = np.flatnonzero((trials.task == index) & (trials.conditions["respond"] == 1))[0]
        labels = trials.labels[trial, trials.decision_start[trial] : trials.lengths[trial]]
        moved = (labels - labels[0]) * spec.sequence % 16
        said = text.rpartition("whole positions: ")[2]
        assert numbers(said) == (moved[0], moved[-1]), task
        assert f"moving to the {'right' if spec.sequence == 1 else 'left'}" in text


def test_the_answer_is_the_formula(sampled) -> None:
    settings, trials = sampled
    rows = trials.rows
    for index, task in enumerate(trials.tasks):
        formula = describe(task, **settings).answer
        holds = formula.endswith(", or 0 where fixation is to be held")
        code = formula.removesuffix(", or 0 where fixation is to be held")
        code = code.replace("−", "-").replace("·", "*").replace("mod", "%").replace("floor", "math.floor")
        code = re.sub(r"math.floor\(", "math.floor(1e-9 + ", code)
        assert holds == (parse(task).family == "match"), task
        code = compile(code, task, "eval")
        for trial in np.flatnonzero(trials.task == index)[:4]:
            start, end = trials.decision_start[trial], trials.lengths[trial]
            row = rows[trial]
            for j, label in enumerate(trials.labels[trial, start:end]):
                right = eval(code, {"math": math, "target": row["target"], "T": row.get("interval_ms"), "j": j})
                assert label == (right if row["respond"] else 0), (task, formula)


def test_the_stimuli_are_seen_in_the_periods_said() -> None:
    trials = modcog.Battery("yang19", sigma=0).sample(per_task=1, seed=0)
    for index, task in enumerate(trials.tasks):
        ends = np.cumsum([0, *trials.period_steps(index).values()])
        for period, start, end in zip(describe(task).periods, ends, ends[1:], strict=False):
            observations = trials.observations[index, start:end]
            assert (observations[:, 1:].max() > 0.1) == ("stimul" in period.shows), (task, period)
            assert observations[:, 0].all() == ("cue off" not in period.shows)


def test_noise_is_where_it_is_said() -> None:
    for rules, task, said in [
        ("corrected", "go", "no noise"),
        ("corrected", "dm1", "noise on both rings"),
        ("corrected", "dms", "noise on the ring that shows it"),
        ("published", "dm1", "noise on all channels"),
    ]:
        shows = [period.shows for period in describe(task, rules=rules).periods]
        assert any(text.endswith(said) for text in shows), (task, shows)


def test_conditions_channels_and_place() -> None:
    described = describe("dmc", dim_ring=8, rule_input=True)
    trials = modcog.Battery(["dmc"], dim_ring=8, rule_input=True).sample(1, seed=0)
    drawn = {name for name in trials.conditions if not name.startswith(("steps_", "duration_"))}
    assert set(described.conditions) == drawn
    rings = {"modality 1": (1, 8), "modality 2": (9, 16)}
    assert described.channels == {"fixation cue": (0, 0), **rings, "rule input": (17, 17)}
    assert (described.n_actions, described.index) == (9, 18)


def test_every_condition_of_the_battery_has_a_meaning() -> None:
    for rules in ("corrected", "published"):
        for condition in modcog.Battery(rules=rules).sample(1, seed=0).declared:
            assert len(condition.meaning) > 10, condition.name


def test_a_summary_says_both_moves() -> None:
    assert summary(parse("dms")) == parse("dms").row.summary
    assert summary(parse("dmsseql")).endswith(" The answer keeps moving left during the decision.")
    assert "moves left with the length of the delay, then keeps moving right" in summary(parse("dmsintlseqr"))


def test_a_wrong_name_or_setting() -> None:
    with pytest.raises(modcog.UnknownNameError, match="nearest: 'dms'"):
        describe("dmss")
    with pytest.raises(modcog.ModcogError, match="dt: got 0"):
        describe("dms", dt=0)
