"""Levels of strategies against values worked out by hand, and against players who act on trials."""

import numpy as np
import pytest

import modcog
from modcog import TASKS, Battery
from modcog.evaluation import IdealObserver, levels, score
from modcog.settings import RULES
from modcog.tasks.names import parse

DECISION = [task for task in TASKS if parse(task).family == "decision"]
MATCH = [task for task in TASKS if parse(task).family == "match"]
GO = [task for task in TASKS if parse(task).family == "go"]


@pytest.fixture(scope="module", params=RULES)
def known(request):
    return request.param, levels(Battery("modcog132", rules=request.param))


def decision(level, strategy):
    return level.values[strategy]["decision"]


# --- by hand ---


def test_without_a_comparison_decisions_are_a_coin(known):
    _, found = known
    for task in DECISION:
        assert decision(found[task], "no-comparison") == pytest.approx(0.5), task


def test_without_a_comparison_match_tasks_are_always_or_never_answered(known):
    rules, found = known
    for task in MATCH:
        collides = 1 / 32 if rules == "published" else 0  # holding is right for the last direction, too
        assert 0.5 - 1e-9 <= decision(found[task], "no-comparison") <= 0.5 + collides + 1e-6, task


def test_go_tasks_have_nothing_to_compare(known):
    _, found = known
    for task in GO:
        assert found[task].values["no-comparison"] == found[task].values["ideal"], task


def test_without_a_clock_one_of_twelve_intervals_is_right():
    found = levels(Battery())
    for task in TASKS:
        spec, level = parse(task), found[task]
        if not spec.interval:
            assert level.values["no-clock"] == level.values["ideal"], task
        elif spec.family == "match":  # half of the trials ask to hold
            assert decision(level, "no-clock") == pytest.approx(0.5 + 0.5 / 12, abs=0.02), task
        else:
            assert decision(level, "no-clock") == pytest.approx(1 / 12, abs=1e-3), task


def test_published_intervals_need_no_clock_in_two_families():
    """P4: the delay of the decision family never varies. P3: the place of the stimulus, off the grid, tells T."""
    found = levels(Battery(rules="published"))
    for task in TASKS:
        if parse(task).interval and parse(task).family in ("go", "decision"):
            assert decision(found[task], "no-clock") == pytest.approx(decision(found[task], "ideal")), task


def test_who_stays_at_the_first_answer_is_right_at_the_first_of_ten_steps():
    found = levels(Battery())
    for task in TASKS:
        spec, level = parse(task), found[task]
        if not spec.sequence:
            assert level.values["no-sequence"] == level.values["ideal"], task
        elif spec.family == "match":
            assert decision(level, "no-sequence") == pytest.approx(0.5 + 0.5 / 10, abs=0.01), task
        else:
            first = decision(level, "ideal") / 10  # an answer that is wrong at first can be right later
            assert first - 1e-6 <= decision(level, "no-sequence") <= first + (1 - 10 * first) / 10 + 1e-4, task
            assert level.values["no-sequence"]["trial"] == 0, task
            assert level.values["no-sequence"]["last_step"] == pytest.approx(0, abs=0.01), task


def test_only_a_stimulus_in_view_helps_who_remembers_nothing():
    found = levels(Battery())
    for task in TASKS:
        spec, level = parse(task), found[task]
        in_view = spec.base in ("rtgo", "rtanti")
        hand = (1 / 10 if spec.sequence else 1) if in_view else (0.5 if spec.family == "match" else 1 / 16)
        assert decision(level, "no-memory") == pytest.approx(hand), task
        if in_view and spec.sequence:  # an answer that is right at one step is wrong at the others
            assert level.values["no-memory"]["trial"] == 0
            assert level.values["no-memory"]["last_step"] == 1


def test_directions_within_36_degrees_are_three_of_sixteen(known):
    _, found = known
    for task in GO + DECISION:
        assert found[task].values["blind"]["directional"] == pytest.approx(3 / 16), task
    for task in DECISION:  # or the stimulus that was not picked is beside the one that was: 2 of 15
        if known[0] == "corrected":
            assert found[task].values["no-comparison"]["directional"] == pytest.approx(0.5 + 0.5 * 2 / 15), task
            assert found[task].values["no-comparison"]["angular_error"] == pytest.approx(0.5 * 96), task
    assert found["go"].values["ideal"]["angular_error"] == 0


def test_no_strategy_beats_the_ideal_observer(known):
    _, found = known
    for task, level in found.items():
        for strategy, values in level.values.items():
            for kind in ("decision", "trial", "last_step", "directional", "pooled"):
                assert values[kind] <= level.values["ideal"][kind] + 2e-3, (task, strategy, kind)


# --- players ---


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["dlydm1intrseql", "dmsintl", "dnmcseqr", "dlyantiintlseqr"])
def test_a_player_without_clock_scores_its_level(task, rules):
    """It takes what the ideal observer of the base task believes, and the same T in every trial."""
    battery, base = Battery([task], rules=rules), parse(task).base
    trials = battery.sample(2000, seed=4)
    spec, steps = parse(task), np.arange(trials.labels.shape[1]) - trials.decision_start[:, None]
    if rules == "published" and spec.family == "go":
        pytest.skip("the place of the stimulus tells the time")
    answer = IdealObserver(base, battery.settings).posterior(trials).argmax(axis=1)
    ms = trials.conditions["interval_ms"] if rules == "published" and spec.family == "decision" else 600
    target = answer - 1 + spec.interval * np.floor(0.01 * np.asarray(ms))
    moved = (target[:, None] + spec.sequence * np.maximum(steps, 0)) % 16
    action = 1 + moved if rules == "corrected" else (1 + moved) % 16
    acted = np.where((steps >= 0) & (answer > 0)[:, None], action, 0).astype(int)
    found = score(acted, trials).per_task()[task]
    level = decision(levels(battery)[task], "no-clock")
    assert found == pytest.approx(level, abs=4 * np.sqrt(0.25 / 2000))


def test_a_users_task_says_what_it_compares():
    place = modcog.Condition("place", "direction", "where it stands")
    left = modcog.Condition("loud", "flag", "which of two lights is the stronger one")
    periods = {"fixation": 200, "light": 300, "decision": 200}

    def draw(t):
        other = (t["place"] + 4) % t.dim_ring
        lights = [modcog.Stimulus(0, 1, t["place"], 1 + t["loud"]), modcog.Stimulus(1, 2, other, 2 - t["loud"])]
        return modcog.Outcome(np.where(t["loud"] == 1, t["place"], other), lights)

    for compares, expected in ((("loud",), 0.5), ((), 1.0)):
        modcog.add_base(
            modcog.Base("lights", "own", "Look.", periods, ("light", "light"), (place, left), draw, compares=compares)
        )
        try:
            found = levels(Battery(["lights"]), 10)["lights"]
        finally:
            modcog.remove_base("lights")
        assert decision(found, "no-comparison") == pytest.approx(expected)
        assert (decision(found, "blind"), decision(found, "ideal")) == pytest.approx((1 / 16, 1))


def test_times_of_a_continuum_have_their_probabilities():
    """U(100, 250) ms at 100 ms a step: one step in two thirds of the trials, and then the target moves by 1."""
    level = levels(Battery(["dlygointr"], timing={"delay": ("uniform", (100, 250))}))["dlygointr"]
    assert decision(level, "no-clock") == pytest.approx(2 / 3)
