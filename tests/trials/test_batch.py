"""What the conditions say is what the trial is: it can be built again from them, and held to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import BASES, DELAYED, DLYDM, DM, MATCH, TASKS, Setting, evenness, parse
from retelling import difference, matches

import modcog
from modcog.errors import ModcogError, UnknownNameError
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, concatenate
from modcog.trials.source import TrialSource

RULES = ("corrected", "published")
SHOWS = ("stimulus", "stim1", "stim2", "sample", "test", "decision")


def battery(setting: Setting, tasks: tuple[str, ...] = TASKS, **more: Any) -> modcog.Battery:
    """A battery, without noise unless asked for."""
    return modcog.Battery(list(tasks), **{"sigma": 0.0, **setting.keywords(), **more})


def differences(tasks: tuple[str, ...], trials: Trials, setting: Setting) -> list[str]:
    """What is otherwise in the trials than their conditions say."""
    found = [difference(tasks[task], trials, row, setting) for row, task in enumerate(trials.task)]
    return [complaint for complaint in found if complaint]


# --- built again -------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
def test_conditions_are_enough_to_build_every_task_again(rules: str) -> None:
    """Observations and labels of all 132 tasks, from nothing but the columns."""
    setting = Setting(dt=40, n=8, rules=rules)
    trials = battery(setting).sample(per_task=5, seed=21)
    assert differences(TASKS, trials, setting) == []


@st.composite
def odd_settings(draw: st.DrawFn) -> Setting:
    """Settings far from the defaults: several periods of drawn length, zero-length delays, strengths beyond 1 …"""
    dt = draw(st.sampled_from([100, 62.5, 50, 100 / 3, 33.3, 30, 12.5, 7]))

    def lasting(period: str) -> Any:
        ms = st.integers(int(dt) + 1 if period in SHOWS else 0, 700)
        pair = st.tuples(ms, ms).map(lambda ends: (min(ends), max(ends)))
        several = st.lists(ms, min_size=1, max_size=4)
        uniform, choice = pair.map(lambda p: ("uniform", p)), several.map(lambda s: ("choice", s))
        return st.one_of(ms, several, uniform, choice)

    periods = draw(st.lists(st.sampled_from(["fixation", "delay", *SHOWS]), max_size=4, unique=True))
    hundredths = st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True)
    return Setting(
        dt=dt,
        n=2 * draw(st.integers(2, 20)),
        rules=draw(st.sampled_from(RULES)),
        omega=draw(st.sampled_from([0, 0.01, 0.0037, 0.05, 1.0])),
        interval=draw(st.none() | st.lists(st.integers(int(dt) + 1, 1500), min_size=1, max_size=5).map(tuple)),
        coherences=tuple(c / 100 for c in draw(hundredths)),
        strengths=tuple(s / 50 for s in draw(hundredths.filter(lambda found: len(found) > 1))),
        timing={period: draw(lasting(period)) for period in periods},
    )


@settings(deadline=None, max_examples=40, derandomize=True)
@given(setting=odd_settings(), tasks=st.lists(st.sampled_from(TASKS), min_size=4, max_size=7, unique=True))
def test_trials_can_be_built_again_under_any_settings(setting: Setting, tasks: list[str]) -> None:
    """Any time step, ring, speed, interval set, coherences, strengths and timing, in all four forms."""
    timed = [name for name in tasks if not (name.startswith("goint") and setting.dt > 100 and not setting.interval)]
    periods = {period for name in timed for period in battery(Setting(), (name,)).sample(1, seed=0).period_steps(0)}
    periods |= {"delay"} if setting.rules == "published" and {"go", "anti"} & {parse(k).base for k in timed} else set()
    kept = {period: value for period, value in setting.timing.items() if period in periods}
    setting = Setting(**{**vars(setting), "timing": kept})
    trials = battery(setting, tuple(timed)).sample(per_task=3, seed=5)
    assert differences(tuple(timed), trials, setting) == []


@pytest.mark.parametrize("rules", RULES)
def test_a_trial_given_its_own_conditions_is_the_same_trial(rules: str) -> None:
    """All conditions back in: the same observations and labels, for every task."""
    setting = Setting(n=8, rules=rules)
    trials = battery(setting).sample(per_task=1, seed=22)
    tables = battery(setting).tables
    for row, task in enumerate(trials.task.tolist()):
        again = TrialSource(tables, Seed.of(99, Purpose.SAMPLE), task).one(0, trials.rows[row])
        np.testing.assert_array_equal(again.packed_observations, trials[row].packed_observations)
        np.testing.assert_array_equal(again.packed_labels, trials[row].packed_labels)


# --- the columns -------------------------------------------------------------------------------


def test_a_column_is_missing_where_a_task_has_no_such_thing() -> None:
    """−1 among whole numbers, NaN among others; never anywhere else."""
    tasks = ("go", "dm1", "dmsintr")
    found = battery(Setting(), tasks).sample(per_task=4, seed=0).conditions
    of = {name: slice(4 * k, 4 * k + 4) for k, name in enumerate(tasks)}
    for name, missing in [("direction", ("dm1", "dmsintr")), ("match", ("go", "dm1")), ("modality", ("dm1",))]:
        assert found[name].dtype.kind == "i"
        for task, rows in of.items():
            assert (found[name][rows] == -1).all() == (task in missing), (name, task)
    assert (found["steps_delay"][of["go"]] == -1).all()
    for name, own in [("strength1_mod1", "dm1"), ("interval_ms", "dmsintr"), ("duration_sample", "dmsintr")]:
        assert found[name].dtype.kind == "f"
        for task, rows in of.items():
            assert np.isnan(found[name][rows]).all() == (task != own), (name, task)


@pytest.mark.parametrize("rules", RULES)
def test_all_samples_of_a_battery_have_the_same_columns(rules: str) -> None:
    """Names and types do not depend on which tasks were drawn, so that parts can be joined."""
    made = battery(Setting(rules=rules))
    kinds = [
        {name: column.dtype for name, column in made.sample(n, seed=seed, task=task).conditions.items()}
        for n, seed, task in [(1, 0, "go"), (1, 1, "dmc"), (2, 2, None), (900, 3, None), (1, 4, "multidlydmintl")]
    ]
    assert all(kind == kinds[0] for kind in kinds)


@pytest.mark.parametrize("rules", RULES)
def test_coherence_and_evidence_are_what_the_strengths_make_them(rules: str) -> None:
    """By task name: the modality that counts, or both; in a dm task of one modality, coherence is the c drawn."""
    counts = {"dm1": "1", "dm2": "2", "ctxdm1": "1", "ctxdm2": "2", "multidm": "12"}
    counts |= {"dlydm1": "1", "dlydm2": "2", "ctxdlydm1": "1", "ctxdlydm2": "2", "multidlydm": "12"}
    trials = battery(Setting(rules=rules), tuple(counts)).sample(per_task=60, seed=3)
    for task, said in zip(trials.task, trials.rows, strict=True):
        name = trials.tasks[task]
        one, two = (sum(said[f"strength{i}_mod{m}"] for m in counts[name]) for i in (1, 2))
        assert said["evidence"] == pytest.approx(one - two, abs=1e-12)
        assert said["coherence"] == pytest.approx(max(one, two) - min(one, two), abs=1e-12)
        if said["coherence"] > 1e-9:
            assert said["target"] == said["direction1" if said["evidence"] > 0 else "direction2"]
        if name in ("dm1", "ctxdm2"):
            assert min(abs(said["coherence"] - c) for c in (0.08, 0.16, 0.32, 0.64)) < 1e-12


@pytest.mark.parametrize("rules", RULES)
def test_match_is_what_sample_and_test_are(rules: str) -> None:
    setting = Setting(n=8, rules=rules)
    trials = battery(setting, tuple(MATCH)).sample(per_task=100, seed=3)
    for task, said in zip(trials.task, trials.rows, strict=True):
        assert bool(said["match"]) == matches(parse(MATCH[task]), said, setting)


@pytest.mark.parametrize("base", BASES)
def test_target_and_respond_are_what_the_first_step_of_the_base_task_asks_for(base: str) -> None:
    trials = battery(Setting(n=8), (base,)).sample(100, seed=1)
    first = trials.packed_labels[trials.offsets[:-1] + trials.decision_start]
    np.testing.assert_array_equal(first > 0, trials.conditions["respond"] == 1)
    responds = first > 0
    np.testing.assert_array_equal(trials.conditions["target"][responds], first[responds] - 1)


def test_interval_ms_is_what_the_timed_period_really_lasts() -> None:
    """Realised under the corrected rules, nominal under the published ones."""
    for rules, step in (("corrected", 30), ("published", 100)):
        trials = battery(Setting(dt=30, rules=rules), ("dmsintr", "dms")).sample(per_task=200, seed=2)
        ms = trials.conditions["interval_ms"]
        assert np.isnan(ms[200:]).all()
        assert (ms[:200] % step == 0).all()
        assert (ms[:200] % 100 != 0).any() == (rules == "corrected")


# --- trials with some conditions fixed ---------------------------------------------------------


def given_trials(task: str, fixed: dict[str, Any], count: int, rules: str = "corrected") -> list[Trials]:
    """Trials that have the fixed conditions."""
    source = TrialSource(battery(Setting(rules=rules), (task,)).tables, Seed.of(0, Purpose.SAMPLE))
    return [source.one(index, fixed) for index in range(count)]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(
    ("task", "fixed"),
    [
        ("dlyantiintl", {"modality": 2, "duration_delay": 700}),
        ("goseqr", {"modality": 1, "duration_fixation": 0, "duration_stimulus": 100}),
        ("dm1", {"direction1": 3}),
        ("dm1", {"direction2": 3}),
        ("dm1", {"strength1_mod1": 0.46}),
        ("ctxdm2", {"strength2_mod2": 0.66, "direction2": 0}),
        ("ctxdlydm1", {"strength1_mod1": 0.6, "strength2_mod1": 0.3, "strength1_mod2": 1.0}),
        ("multidlydm", {"direction1": 15, "direction2": 14, "strength1_mod1": 1.0}),
        ("dms", {"sample_direction": 3}),
        ("dms", {"test_direction": 3}),
        ("dnms", {"match": 1, "test_direction": 0}),
        ("dms", {"sample_direction": 3, "test_direction": 3}),
        ("dms", {"sample_direction": 3, "test_direction": 11}),
        ("dmc", {"test_direction": 9, "match": 0}),
        ("dnmcintr", {"sample_direction": 1, "test_direction": 7, "duration_delay": 300}),
        ("dmc", {"sample_direction": 3, "test_direction": 12, "modality": 2}),
    ],
    ids=str,
)
def test_what_is_fixed_holds_and_the_rest_goes_with_it(rules: str, task: str, fixed: dict[str, Any]) -> None:
    """With every seed: what is left to draw must not contradict what is fixed."""
    for trial in given_trials(task, fixed, 40, rules):
        assert {name: trial.rows[0][name] for name in fixed} == fixed
        assert difference(task, trial, 0, Setting(rules=rules)) == ""


def test_a_kept_delay_is_that_of_the_modality_whatever_else_is_fixed() -> None:
    """P5: the modality belongs to the delay that was kept for it, when another condition is fixed, too."""
    made = battery(Setting(rules="published"), ("dms",))
    source = TrialSource(made.tables, Seed.of(3, Purpose.SAMPLE))
    drawn = source.take(60).conditions
    kept = dict(zip(drawn["modality"].tolist(), drawn["duration_delay"].tolist(), strict=True))
    for index in range(40):
        trial = source.one(index, {"sample_direction": 3}).rows[0]
        assert trial["duration_delay"] == kept[trial["modality"]]


@pytest.mark.parametrize("modality", [1, 2])
def test_a_fixed_modality_keeps_its_own_delay_under_the_published_rules(modality: int) -> None:
    """P5: one delay for each modality, whether it was drawn or fixed."""
    made = battery(Setting(rules="published"), ("dms",))
    source = TrialSource(made.tables, Seed.of(3, Purpose.SAMPLE))
    drawn = source.take(60).conditions
    own = set(drawn["duration_delay"][drawn["modality"] == modality].tolist())
    assert len(own) == 1
    fixed = concatenate([source.one(index, {"modality": modality}) for index in range(12)]).conditions
    assert set(fixed["duration_delay"].tolist()) == own
    assert set(fixed["modality"].tolist()) == {modality}


def test_what_is_not_fixed_is_still_drawn_evenly() -> None:
    """Match, sample and direction 1 given what comes after them in the trial."""
    found = drawn_given("dmc", 400, test_direction=9)
    assert evenness(found["match"], 2) == ""
    assert evenness(found["sample_direction"], 16) == ""
    assert evenness((drawn_given("dm1", 300, direction2=3)["direction1"] - 4) % 16, 15) == ""
    found = drawn_given("multidm", 200, strength1_mod1=0.66)
    assert set(found["strength2_mod1"].round(9)) == {0.34}
    assert evenness(np.unique(found["strength1_mod2"], return_inverse=True)[1], 7) == ""


def drawn_given(task: str, count: int, **fixed: Any) -> dict[str, Any]:
    """The conditions, as columns, of trials that have the fixed ones."""
    return concatenate(given_trials(task, fixed, count)).conditions


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("go", {"direction": 16}, ["direction", "16", "from 0 to 15"]),
    ("go", {"direction": -1}, ["direction", "-1", "from 0 to 15"]),
    ("go", {"direction": 1.5}, ["direction", "1.5", "whole"]),
    ("go", {"direction": float("nan")}, ["direction", "nan", "from 0 to 15"]),
    ("go", {"direction": "3"}, ["direction", "'3'", "one number"]),
    ("go", {"direction": [3, 4]}, ["direction", "[3, 4]", "one number"]),
    ("go", {"direction": None}, ["direction", "None", "one number"]),
    ("go", {"modality": 0}, ["modality", "0", "from 1 to 2"]),
    ("go", {"modality": 3}, ["modality", "3", "from 1 to 2"]),
    ("go", {"directio": 3}, ["directio", "nearest: 'direction'", "modality"]),
    ("go", {"direction1": 3}, ["direction1", "allowed: direction"]),
    ("go", {"target": 3, "direction": 4}, ["target", "3", "contradicts", "4"]),
    ("go", {"respond": 0}, ["respond", "contradicts", "1"]),
    ("go", {"steps_stimulus": 4}, ["steps_stimulus", "4", "contradicts", "5"]),
    ("go", {"duration_delay": 500}, ["duration_delay", "duration_stimulus"]),
    ("go", {"duration_fixation": -1}, ["duration_fixation", "-1", "at least 0 ms"]),
    ("go", {"duration_fixation": float("inf")}, ["duration_fixation", "inf", "finite"]),
    ("go", {"duration_fixation": float("nan")}, ["duration_fixation", "nan", "finite"]),
    ("go", {"duration_fixation": 1e12}, ["duration_fixation", "1e+12", "1000000 steps"]),
    ("go", {"duration_stimulus": 99}, ["duration_stimulus", "99", "at least one step of 100 ms"]),
    ("go", {"duration_decision": 0}, ["duration_decision", "0", "at least one step of 100 ms"]),
    ("dlygointr", {"interval_ms": 750, "duration_delay": 700}, ["interval_ms", "750", "700"]),
    ("dm1", {"direction1": 3, "direction2": 3}, ["direction1, direction2: got 3, 3, which never occur together"]),
    ("dm1", {"strength1_mod1": 0.5, "strength2_mod1": 0.5}, ["strengths", "tie"]),
    ("dm1", {"strength1_mod1": float("nan")}, ["strength1_mod1", "nan", "from 0 to"]),
    ("dm1", {"strength1_mod1": float("inf")}, ["strength1_mod1", "inf", "from 0 to"]),
    ("dm1", {"strength1_mod1": -0.1}, ["strength1_mod1", "-0.1", "from 0 to"]),
    ("dms", {"match": 2}, ["match", "2", "from 0 to 1"]),
    ("dms", {"match": 0, "sample_direction": 3, "test_direction": 4}, ["test_direction", "never occur together"]),
    ("dms", {"match": 1, "sample_direction": 3, "test_direction": 4}, ["test_direction", "never occur together"]),
    ("dmc", {"match": 1, "sample_direction": 3, "test_direction": 12}, ["test_direction", "never occur together"]),
]


@pytest.mark.parametrize(("task", "fixed", "says"), WRONG, ids=str)
def test_conditions_that_cannot_be_are_refused_in_one_line(task: str, fixed: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ModcogError) as caught:
        given_trials(task, fixed, 1)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in says if word not in message] == [], message


def test_an_unknown_condition_is_a_key_error_too() -> None:
    with pytest.raises(UnknownNameError):
        given_trials("go", {"colour": 3}, 1)


def test_every_task_has_its_own_columns_and_no_others() -> None:
    """Spelled out for each family, apart from durations and steps."""
    families = {"go": {"direction", "modality"}, "match": {"match", "modality", "sample_direction", "test_direction"}}
    strengths = {f"strength{k}_mod{m}" for k in (1, 2) for m in (1, 2)}
    for name in ("go", "dlyantiintr", *DM, *DLYDM, *MATCH, *(f"{base}intlseqr" for base in DELAYED)):
        row = battery(Setting(), (name,)).sample(1, seed=0).rows[0]
        drawn = {key for key in row if not key.startswith(("duration_", "steps_"))}
        own = families.get(parse(name).family, strengths | {"direction1", "direction2", "coherence", "evidence"})
        assert drawn == own | {"target", "respond"} | ({"interval_ms"} if parse(name).interval else set()), name
