"""The corrected rules: every trial must say the right answer, and be drawn as described.

The oracle decodes what was painted and recomputes the labels; see ``oracle.py``. What it cannot
see in single trials (distributions, noise, whether two tasks are one) is tested below by counting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import (
    BASES,
    DLYDM,
    DM,
    GO,
    MATCH,
    TASKS,
    Array,
    Reading,
    Setting,
    bump,
    combined,
    disagreements,
    evenness,
    evidence,
    indistinguishable,
    is_match,
    parse,
    read,
)

import modcog

GRID = [(dt, n) for dt in (100, 50, 20, 30) for n in (8, 16, 32)]
on_grid = pytest.mark.parametrize(("dt", "n"), GRID)


def battery(setting: Setting, tasks: tuple[str, ...] = TASKS, sigma: float = 0.0, **more: Any) -> modcog.Battery:
    """A battery, without noise unless asked for."""
    return modcog.Battery(list(tasks), sigma=sigma, **setting.keywords(), **more)


@cache
def sampled(dt: float, n: int) -> modcog.trials.arrays.Trials:
    """Noise-free trials of all tasks."""
    return battery(Setting(dt=dt, n=n)).sample(per_task=12, seed=7)


def readings(task: str, count: int, setting: Setting, seed: int = 3) -> Reading:
    """Decode many noise-free trials of one task."""
    trials = battery(setting, (task,)).sample(count, seed=seed)
    return read(task, trials.observations, setting)


# --- the oracle itself: answers worked out by hand ---------------------------------------------

FIX = (1, {})
WAIT = (0, {})


def trial(n: int, *segments: tuple[int, int, dict[int, dict[int, float]]]) -> Array:
    """Build one trial from (steps, cue, {modality: {direction: strength}}) segments."""
    rows = []
    for steps, cue, stimuli in segments:
        row = np.zeros(1 + 2 * n)
        row[0] = cue
        for modality, bumps in stimuli.items():
            for direction, strength in bumps.items():
                ring = strength * bump(np.array(2 * np.pi * direction / n), n)
                row[1 + modality * n : 1 + (modality + 1) * n] += ring
        rows += [row] * steps
    return np.array(rows, np.float32)[None]


def seen(steps: int, **rings: dict[int, float]) -> tuple[int, int, dict[int, dict[int, float]]]:
    """Write a segment with the cue on: seen(5, mod1={direction: strength})."""
    return steps, 1, {int(name[-1]) - 1: bumps for name, bumps in rings.items()}


CONSTANT = {
    "go": (16, [(5, *FIX), seen(5, mod2={3: 1}), (5, *WAIT)], 4),
    "rtanti": (16, [(5, *FIX), (5, 0, {0: {10: 1}})], 3),
    "dlyanti": (8, [(5, *FIX), seen(5, mod1={7: 1}), (5, *FIX), (5, *WAIT)], 4),
    "gointr": (16, [(5, *FIX), seen(12, mod1={9: 1}), (5, *WAIT)], 1 + 5),
    "gointl": (16, [(5, *FIX), seen(1, mod1={0: 1}), (5, *WAIT)], 1 + 15),
    "dm1": (16, [(3, *FIX), seen(5, mod1={2: 0.46, 9: 0.54}), (2, *WAIT)], 10),
    "ctxdm2": (
        16,
        [(2, *FIX), seen(5, mod1={2: 0.82, 3: 0.18}, mod2={2: 0.34, 3: 0.66}), (2, *WAIT)],
        4,
    ),
    "multidm": (
        16,
        [(5, *FIX), seen(5, mod1={0: 0.46, 15: 0.54}, mod2={0: 0.58, 15: 0.42}), (2, *WAIT)],
        1,
    ),
    "dlydm2intl": (
        16,
        [(4, *FIX), seen(5, mod2={1: 0.6}), (3, *FIX), seen(5, mod2={5: 0.3}), (2, *WAIT)],
        1 + 14,
    ),
    "multidlydm": (
        8,
        [
            (4, *FIX),
            seen(5, mod1={1: 0.6}, mod2={1: 0.6}),
            (5, *FIX),
            seen(5, mod1={5: 0.3}, mod2={5: 1}),
            (2, *WAIT),
        ],
        6,
    ),
    "dms": (8, [(3, *FIX), seen(5, mod1={6: 1}), (2, *FIX), seen(5, mod1={6: 1}), (9, *WAIT)], 7),
    "dnms": (8, [(3, *FIX), seen(5, mod1={6: 1}), (2, *FIX), seen(5, mod1={6: 1}), (9, *WAIT)], 0),
    "dnmsintr": (
        8,
        [(3, *FIX), seen(5, mod1={6: 1}), (11, *FIX), seen(5, mod1={2: 1}), (9, *WAIT)],
        1 + 5,
    ),
    "dmc": (8, [(3, *FIX), seen(5, mod2={4: 1}), (7, *FIX), seen(5, mod2={7: 1}), (9, *WAIT)], 8),
    "dnmc": (8, [(3, *FIX), seen(5, mod2={3: 1}), (7, *FIX), seen(5, mod2={4: 1}), (9, *WAIT)], 5),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_oracle_gives_the_answer_worked_out_by_hand(name: str) -> None:
    """At dt 100, every decision step of these trials asks for the same action."""
    n, segments, answer = CONSTANT[name]
    observations = trial(n, *segments)
    assert_oracle_says(name, observations, Setting(n=n), [answer] * segments[-1][0])


@pytest.mark.parametrize(
    ("name", "setting", "segments", "answers"),
    [
        (
            "dlygointrseql",
            Setting(),
            [(5, *FIX), seen(5, mod1={14: 1}), (4, *FIX), (10, *WAIT)],
            [3, 2, 1, 16, 15, 14, 13, 12, 11, 10],
        ),
        (
            "dlyantiintlseqr",  # the delay of 100 ms lasts 90, which is less than one position
            Setting(dt=30, n=8),
            [(16, *FIX), seen(16, mod1={0: 1}), (3, *FIX), (33, *WAIT)],
            [5] * 4
            + [6] * 3
            + [7] * 3
            + [8] * 4
            + [1] * 3
            + [2] * 3
            + [3] * 4
            + [4] * 3
            + [5] * 3
            # from 900 ms on
            + [6] * 3,
        ),
        (
            "dmsseqr",  # a non-match holds fixation through the whole sequence
            Setting(n=8),
            [(3, *FIX), seen(5, mod1={1: 1}), (2, *FIX), seen(5, mod1={5: 1}), (10, *WAIT)],
            [0] * 10,
        ),
        (
            "rtgoseql",
            Setting(dt=50, n=8),
            [(10, *FIX), (20, 0, {1: {1: 1}})],
            [2, 2, 1, 1, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_oracle_follows_a_sequence_worked_out_by_hand(
    name: str, setting: Setting, segments: list[Any], answers: list[int]
) -> None:
    """Sequences step by step, also where dt does not divide 100 ms."""
    assert_oracle_says(name, trial(setting.n, *segments), setting, answers)


def assert_oracle_says(name: str, observations: Array, setting: Setting, answer: list[int]) -> None:
    """Compare as a batch of one, with two steps of padding."""
    length, start = observations.shape[1], observations.shape[1] - len(answer)
    observations = np.pad(observations, ((0, 0), (0, 2), (0, 0)))
    labels = np.array([[0] * start + answer + [-100] * 2])
    batch = SimpleNamespace(
        observations=observations,
        labels=labels,
        task=np.array([0]),
        decision_start=np.array([start]),
        lengths=np.array([length]),
    )
    assert disagreements([name], batch, setting) == {}
    for step in range(length + 2):
        batch.labels = labels.copy()
        batch.labels[0, step] += 1
        assert name in disagreements([name], batch, setting)


# --- the oracle itself: it must object to what is wrong ----------------------------------------


def _copy(trials: Any) -> SimpleNamespace:
    names = ("observations", "labels", "task", "decision_start", "lengths")
    return SimpleNamespace(**{name: np.array(getattr(trials, name)) for name in names})


def _labels(change: Callable[[Array], Array]) -> Callable[[Any], None]:
    def corrupt(batch: Any) -> None:
        deciding = np.arange(batch.labels.shape[1]) >= batch.decision_start[:, None]
        deciding &= batch.labels != -100
        batch.labels = np.where(deciding, change(batch.labels), batch.labels)

    return corrupt


def _rings(change: Callable[[Array], Array]) -> Callable[[Any], None]:
    def corrupt(batch: Any) -> None:
        batch.observations[:, :, 1:] = change(batch.observations[:, :, 1:])

    return corrupt


def _one_step_less(batch: Any) -> None:
    first = (batch.observations[:, :, 1:] != 0).any(2).argmax(1)
    batch.observations[np.arange(len(first)), first, 1:] = 0


def _cue_stays(batch: Any) -> None:
    batch.observations[np.arange(len(batch.task)), batch.decision_start, 0] = 1


def _cue_flickers(batch: Any) -> None:
    batch.observations[:, 1, 0] = 0


def _early_response(batch: Any) -> None:
    batch.labels[:, 0] = 1


def _one_step_more(batch: Any) -> None:
    for name in ("observations", "labels"):
        array = getattr(batch, name)
        setattr(batch, name, np.concatenate([array[:, :1], array], 1))
    batch.decision_start += 1
    batch.lengths += 1


def _off_channel(rings: Array) -> Array:
    rings = rings.copy()
    rings[:, 3, 5] = 1e-4
    return rings


CORRUPTIONS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "next direction": ("dlygo", _labels(lambda x: x % 16 + 1)),
    "counted from 0": ("dm1", _labels(lambda x: x - 1)),
    "modulo after adding one": ("go", _labels(lambda x: x % 16)),
    "responds instead of holding": ("dms", _labels(lambda x: np.where(x == 0, 3, x))),
    "holds instead of responding": ("dmc", _labels(np.zeros_like)),
    "sequence one step late": ("goseqr", _labels(lambda x: np.roll(x, 1, 1))),
    "sequence held": ("goseqr", _labels(lambda x: np.broadcast_to(x[:, -1:], x.shape))),
    "response in fixation": ("anti", _early_response),
    "stimulus one channel on": ("ctxdm1", _rings(lambda x: np.roll(x, 1, 2))),
    "stimulus stronger by 1 %": ("multidlydm", _rings(lambda x: x * 1.01)),
    "stimulus narrower": ("dlygo", _rings(lambda x: 0.8 * (x / 0.8) ** 1.01)),
    "the other modality": ("dlydm1", _rings(lambda x: np.roll(x, 16, 2))),
    "a trace in one channel": ("dms", _rings(_off_channel)),
    "stimulus one step short": ("dnms", _one_step_less),
    "fixation one step long": ("rtgo", _one_step_more),
    "cue on in the decision": ("dmcintr", _cue_stays),
    "cue flickers": ("go", _cue_flickers),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_oracle_objects_to_corrupted_trials(corruption: str) -> None:
    """A test that cannot fail is worth nothing."""
    task, corrupt = CORRUPTIONS[corruption]
    batch = _copy(battery(Setting(), (task,)).sample(250, seed=1))
    assert disagreements([task], batch, Setting()) == {}
    corrupt(batch)
    assert task in disagreements([task], batch, Setting())


@pytest.mark.parametrize(
    ("made", "called"),
    [
        ("go", "anti"),
        ("go", "dlygo"),
        ("dlygo", "go"),
        ("rtgo", "go"),
        ("dlygointr", "dlygointl"),
        ("gointr", "dlygointr"),
        ("goseqr", "goseql"),
        ("dlygointrseqr", "dlygointrseql"),
        ("dm1", "dm2"),
        ("ctxdm1", "ctxdm2"),
        ("ctxdlydm2", "multidlydm"),
        ("dms", "dnms"),
        ("dmc", "dms"),
        ("dnmcintl", "dnmc"),
    ],
)
def test_oracle_objects_to_the_trials_of_another_task(made: str, called: str) -> None:
    """Under a wrong name, the trials or their answers are wrong."""
    trials = battery(Setting(), (made,)).sample(250, seed=1)
    assert called in disagreements([called], trials, Setting())


# --- all tasks against the oracle --------------------------------------------------------------


def test_the_battery_holds_these_132_tasks_in_this_order() -> None:
    """The names are spelled out independently of the package."""
    assert modcog.Battery().tasks == TASKS
    assert len(set(TASKS)) == 132


@on_grid
def test_periods_stimuli_and_labels_of_all_tasks_are_right(dt: float, n: int) -> None:
    """Every step of every task: periods, bumps, fixation cue, answers, decision_start, lengths."""
    assert disagreements(TASKS, sampled(dt, n), Setting(dt=dt, n=n)) == {}


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    dt=st.integers(100, 1000).map(lambda tenths: tenths / 10),
    half=st.integers(2, 32),
    omega=st.integers(0, 60).map(lambda thousandths: thousandths / 1000),
    seed=st.integers(0, 2**32 - 1),
)
@example(dt=33.3, half=2, omega=0.01, seed=0)
@example(dt=100 / 3, half=8, omega=0.01, seed=0)
@example(dt=1, half=2, omega=0.01, seed=0)
@example(dt=62.5, half=32, omega=0.016, seed=0)
@example(dt=50, half=8, omega=0.036, seed=0)  # 0.036 · 750 is 27, and not 26.999999999999996
def test_any_time_step_ring_and_speed(dt: float, half: int, omega: float, seed: int) -> None:
    """Where dt divides no period, steps and positions are still rounded down exactly."""
    setting = Setting(dt=dt, n=2 * half, omega=omega)
    trials = battery(setting).sample(per_task=2, seed=seed)
    assert disagreements(TASKS, trials, setting) == {}


@pytest.mark.parametrize("dt", [125, 150, 200])
def test_time_steps_longer_than_the_shortest_interval(dt: float) -> None:
    """A delay may then last no step at all; the answers still follow."""
    setting = Setting(dt=dt, n=8)
    tasks = tuple(name for name in TASKS if not name.startswith("goint"))
    trials = battery(setting, tasks).sample(per_task=12, seed=5)
    assert disagreements(tasks, trials, setting) == {}


@on_grid
def test_shapes_types_mask_and_padding(dt: float, n: int) -> None:
    """Steps beyond a trial's length are zero, labelled −100 and masked; no other step is."""
    trials = sampled(dt, n)
    count, steps = trials.labels.shape
    assert count == 12 * len(TASKS)
    assert steps == trials.lengths.max()
    assert trials.observations.shape == (count, steps, 1 + 2 * n)
    assert trials.observations.dtype == np.float32
    assert (trials.labels.dtype, trials.mask.dtype) == (np.int64, np.bool_)
    inside = np.arange(steps) < trials.lengths[:, None]
    np.testing.assert_array_equal(trials.mask, inside)
    assert not trials.observations[~inside].any()
    assert (trials.labels[~inside] == -100).all()
    assert ((trials.labels[inside] >= 0) & (trials.labels[inside] <= n)).all()
    assert (~inside).any(), "nothing was padded"


@on_grid
def test_the_fixation_cue_is_on_until_the_decision(dt: float, n: int) -> None:
    """The cue is 1 in every step before the decision and 0 in it."""
    trials = sampled(dt, n)
    before = np.arange(trials.labels.shape[1]) < trials.decision_start[:, None]
    np.testing.assert_array_equal(trials.observations[:, :, 0], before)
    assert (trials.labels[before] == 0).all()


@pytest.mark.parametrize("n", [8, 16, 32])
def test_every_response_is_asked_for_somewhere(n: int) -> None:
    """The n directions are the labels 1..n, the last one included."""
    trials = battery(Setting(n=n), ("goseqr",)).sample(100, seed=0)
    deciding = trials.mask & (np.arange(trials.mask.shape[1]) >= trials.decision_start[:, None])
    assert set(trials.labels[deciding].tolist()) == set(range(1, n + 1))


@pytest.mark.parametrize(
    ("n", "profile"),
    [
        (8, [0.8, 0.108268, 0.000268, 0.0, 0.0]),
        (16, [0.8, 0.485225, 0.108268, 0.008887, 0.000268, 0.000003, 0.0]),
        (32, [0.8, 0.705998, 0.485225, 0.259722, 0.108268, 0.035149, 0.008887]),
    ],
)
def test_bump_formula(n: int, profile: list[float]) -> None:
    """0.8 · exp(−½ (d / (π/8))²): at n = 16 the channels are one standard deviation apart."""
    trials = battery(Setting(n=n), ("rtgo",)).sample(50, seed=2)
    rings = trials.observations[:, -1, 1:].reshape(50, 2, n).sum(1)
    peak = trials.labels[:, -1] - 1
    for distance, value in enumerate(profile):
        for channel in ((peak + distance) % n, (peak - distance) % n):
            np.testing.assert_allclose(rings[np.arange(50), channel], value, atol=1e-6)


def test_no_two_tasks_make_the_same_trials() -> None:
    """go with a delay would be dlygo: each pair must be told apart by some trial of one of them."""
    trials = battery(Setting()).sample(per_task=24, seed=11)
    assert indistinguishable(TASKS, trials, Setting()) == set()


# --- how long periods last ---------------------------------------------------------------------


@pytest.mark.parametrize("base", [*DM, *DLYDM])
def test_fixation_of_decision_tasks_is_uniform_from_200_to_500_ms(base: str) -> None:
    """At dt 20 that is 10 to 24 steps, all equally likely."""
    steps = readings(base, 1500, Setting(dt=20, n=8)).steps["fixation"]
    assert evenness(steps - 10, 15) == ""


@pytest.mark.parametrize("base", MATCH)
def test_delay_of_match_tasks_is_uniform_from_200_to_1200_ms_per_trial(base: str) -> None:
    """At dt 50 that is 4 to 23 steps, drawn for each trial anew."""
    steps = readings(base, 2000, Setting(dt=50, n=8)).steps["delay"]
    assert evenness(steps - 4, 20) == ""
    assert evenness((steps[:-1] < 14) * 2 + (steps[1:] < 14), 4) == ""


@pytest.mark.parametrize("dt", [100, 30])
@pytest.mark.parametrize("task", ["gointr", "dlygointl", "dlyantiintr", "dlydm1intr", "multidlydmintl", "dmsintr"])
def test_the_timed_period_is_uniform_over_100_to_1200_ms(task: str, dt: float) -> None:
    """Twelve durations, in whole steps; the target does not depend on them."""
    reading = readings(task, 2400, Setting(dt=dt, n=8))
    timed = reading.steps["stimulus" if task.startswith("go") else "delay"]
    possible = [100 * k // dt for k in range(1, 13)]
    assert set(timed.tolist()) == set(possible)
    index = np.searchsorted(possible, timed)
    assert evenness(index, 12) == ""
    assert evenness(index * 8 + reading.directions[:, -1], 96) == ""


@pytest.mark.parametrize("base", BASES)
def test_a_sequence_lasts_1000_ms_and_changes_nothing_else(base: str) -> None:
    """At dt 20: 50 steps of decision; the other periods are those of the base task."""
    setting = Setting(dt=20, n=8)
    plain, sequence = readings(base, 400, setting), readings(base + "seqr", 400, setting)
    assert set(sequence.steps["decision"].tolist()) == {50}
    for name in plain.steps.keys() - {"decision"}:
        assert set(plain.steps[name].tolist()) == set(sequence.steps[name].tolist())


# --- what is drawn -----------------------------------------------------------------------------


def test_tasks_are_drawn_uniformly() -> None:
    """A sample without per_task draws a task for each trial."""
    trials = battery(Setting(dt=100, n=4)).sample(4000, seed=4)
    assert evenness(trials.task, 132) == ""


def test_per_task_gives_so_many_trials_of_each() -> None:
    """A sample of one task holds no other."""
    assert (np.bincount(sampled(100, 8).task, minlength=132) == 12).all()
    one = battery(Setting(n=4)).sample(30, task="dms", seed=0)
    assert {TASKS[index] for index in one.task} == {"dms"}


@pytest.mark.parametrize("task", [*GO, "gointr", "dlyantiintlseqr"])
def test_go_directions_and_modalities_are_uniform_and_independent(task: str) -> None:
    """Also from one trial to the next."""
    reading = readings(task, 2000, Setting(n=8))
    direction = reading.directions[:, 0]
    assert evenness(direction * 2 + reading.modality, 16) == ""
    assert evenness(direction[:-1] * 8 + direction[1:], 64) == ""


@pytest.mark.parametrize("base", DM)
def test_dm_draws_two_different_directions_coherence_and_sign_uniformly(base: str) -> None:
    """28 pairs; four coherences and two signs in each shown modality; ties are drawn again."""
    reading = readings(base, 4000, Setting(n=8))
    low, high = reading.directions.T
    assert (low < high).all()
    assert evenness(combined(low, high), 28) == ""
    strengths = reading.strengths[:, :, 0]
    cells = {"dm1": 8, "dm2": 8, "multidm": 56}.get(base, 64)
    assert evenness(combined(strengths[:, 0], strengths[:, 1]), cells) == ""
    sums = evidence(reading)
    assert evenness(sums.argmax(1), 2) == ""


@pytest.mark.parametrize("base", DLYDM)
def test_dlydm_draws_directions_and_ordered_strengths_uniformly(base: str) -> None:
    """56 ordered pairs of directions; six ordered pairs of strengths in each shown modality."""
    reading = readings(base, 4000, Setting(n=8))
    first, second = reading.directions.T
    assert evenness(combined(first, second), 56) == ""
    cells = {"dlydm1": 6, "dlydm2": 6, "multidlydm": 30}.get(base, 36)
    strengths = reading.strengths
    assert evenness(combined(*strengths.reshape(-1, 4).T), cells) == ""
    shown = strengths[:, strengths.any((0, 2))]
    assert (shown[:, :, 0] != shown[:, :, 1]).all()


@pytest.mark.parametrize("task", ["multidm", "multidmseqr", "multidlydm", "multidlydmintlseqr"])
def test_summed_strengths_never_tie(task: str) -> None:
    """Exactly, in fractions: a tie in floating point would differ by a rounding."""
    sums = evidence(readings(task, 3000, Setting(n=8)))
    assert (sums[:, 0] != sums[:, 1]).all()


@pytest.mark.parametrize("base", ["dms", "dnms"])
def test_sample_match_and_modality_are_uniform(base: str) -> None:
    """Half the tests are the sample, the other half its opposite."""
    reading = readings(base, 3000, Setting(n=8))
    cells = (reading.directions[:, 0] * 2 + is_match(reading)) * 2 + reading.modality
    assert evenness(cells, 32) == ""


@pytest.mark.parametrize("base", ["dmc", "dnmc"])
def test_sample_and_test_of_category_tasks_are_uniform(base: str) -> None:
    """Half match, and within a category all directions are alike: all 64 pairs are."""
    reading = readings(base, 4000, Setting(n=8))
    sample, test = reading.directions.T
    assert evenness(sample * 8 + test, 64) == ""
    assert evenness(is_match(reading) * 2 + reading.modality, 4) == ""
    np.testing.assert_array_equal(is_match(reading), (sample < 4) == (test < 4))


@pytest.mark.parametrize("base", MATCH)
def test_holding_and_responding_are_equally_likely(base: str) -> None:
    """Counted on the labels alone."""
    trials = battery(Setting(n=8), (base,)).sample(2000, seed=6)
    last = trials.labels[np.arange(2000), trials.lengths - 1]
    assert evenness((last > 0).astype(int), 2) == ""


# --- noise -------------------------------------------------------------------------------------


def noisy(task: str, count: int, dt: float, sigma: float = 1.0) -> tuple[Array, Array, Array]:
    """Fixation channel (m, T), rings (m, T, 2, 8), and where a ring is not silent (m, T, 2)."""
    trials = battery(Setting(dt=dt, n=8), (task,), sigma).sample(count, seed=8)
    observations = trials.observations.astype(float)
    rings = observations[:, :, 1:].reshape(*observations.shape[:2], 2, 8)
    assert trials.mask.any()
    return observations[:, :, 0], rings, (rings != 0).any(3)


def test_sigma_is_1_unless_given() -> None:
    """The default is the noise of the battery."""
    same = [modcog.Battery(["dms"], **more).sample(5, seed=0) for more in ({}, {"sigma": 1.0})]
    np.testing.assert_array_equal(same[0].observations, same[1].observations)


def test_the_go_family_has_no_noise() -> None:
    """With sigma 1 its trials are as exact as without."""
    tasks = tuple(name for name in TASKS if parse(name).family == "go")
    trials = battery(Setting(), tasks, sigma=1.0).sample(per_task=12, seed=9)
    assert disagreements(tasks, trials, Setting()) == {}


@pytest.mark.parametrize("family", ["decision", "match"])
def test_noise_stands_in_the_stimulus_periods_only_and_leaves_the_answers(family: str) -> None:
    """Little noise, so that the oracle can still read: it finds periods by silence elsewhere."""
    tasks = tuple(name for name in TASKS if parse(name).family == family)
    setting = Setting(n=8)
    trials = battery(setting, tasks, sigma=0.02).sample(per_task=12, seed=10)
    assert disagreements(tasks, trials, setting, tolerance=0.02) == {}
    assert len(disagreements(tasks, trials, setting)) == len(tasks), "there was no noise"


@pytest.mark.parametrize("task", [*DM, *DLYDM, *MATCH, "dlydm1intrseql", "dmcintl"])
def test_the_fixation_channel_has_no_noise(task: str) -> None:
    """It holds nothing but 0 and 1."""
    cue, _, _ = noisy(task, 50, 100)
    assert set(np.unique(cue)) == {0.0, 1.0}


@pytest.mark.parametrize("task", [*DM, *DLYDM])
def test_decision_noise_is_on_both_rings_while_a_stimulus_is_visible(task: str) -> None:
    """Also on the ring that shows nothing, in all channels, for 500 ms or twice that."""
    _, rings, active = noisy(task, 50, 20)
    np.testing.assert_array_equal(active[:, :, 0], active[:, :, 1])
    assert set(active[:, :, 0].sum(1).tolist()) == {25 if task in DM else 50}
    assert (rings[active] == 0).mean() < 1e-3  # float32 noise is exactly 0 now and then


@pytest.mark.parametrize("task", MATCH)
def test_match_noise_is_on_the_ring_of_the_stimuli_only(task: str) -> None:
    """The other modality stays silent, and so does the delay."""
    _, rings, active = noisy(task, 50, 20)
    assert (active.any(1).sum(1) == 1).all()
    assert set(active.sum((1, 2)).tolist()) == {50}
    assert (rings[active] == 0).mean() < 1e-3  # float32 noise is exactly 0 now and then


@pytest.mark.parametrize("dt", [100, 20])
@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_noise_is_white_and_gaussian_with_sd_sigma_over_root_dt(dt: float, sigma: float) -> None:
    """Seen pure in modality 2 of dm1, which shows nothing there."""
    _, rings, active = noisy("dm1", 1000, dt, sigma)
    noise = rings[:, :, 1][active[:, :, 1]] / (sigma / np.sqrt(dt))
    count = noise.size
    assert abs(noise.mean()) < 4 / np.sqrt(count)
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * count))
    np.testing.assert_allclose(noise.std(0), 1, atol=4 / np.sqrt(2 * len(noise)))
    within = [np.mean(np.abs(noise) < bound) for bound in (0.5, 1, 2, 3)]
    np.testing.assert_allclose(within, [0.38292, 0.68269, 0.9545, 0.9973], atol=4 / np.sqrt(count))
    channels = np.corrcoef(noise.T) - np.eye(8)
    assert np.abs(channels).max() < 5 / np.sqrt(len(noise))
    successive = np.mean(noise[:-1] * noise[1:])
    assert abs(successive) < 4 / np.sqrt(count)


@pytest.mark.parametrize("task", ["ctxdm1", "multidlydm", "dms", "dnmc", "dlydm2intr"])
def test_noise_on_top_of_a_stimulus_has_the_same_sd_in_every_channel(task: str) -> None:
    """The spread from step to step, within the first stimulus period of each trial."""
    _, rings, active = noisy(task, 1000, 20)
    first = active.any(2).argmax(1)
    steps = first[:, None] + np.arange(25)
    block = rings[np.arange(1000)[:, None], steps]
    shown = active[np.arange(1000), first]
    spread = block.var(1, ddof=1)[shown]
    np.testing.assert_allclose(spread.mean(0), 1 / 20, rtol=0.05)


def test_noise_of_the_two_modalities_is_independent() -> None:
    """ctxdm shows the same directions in both; the noise must not be shared."""
    _, rings, active = noisy("dlydm1", 1000, 100)
    pairs = rings[active.all(2)]
    differences = pairs[1:] - pairs[:-1]
    assert abs(np.corrcoef(differences[:, 0, 0], differences[:, 1, 0])[0, 1]) < 0.05


# --- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("omega", [0, 0.0025, 0.007, 0.02, 0.033])
def test_omega_moves_interval_and_sequence(omega: float) -> None:
    """Positions per ms, whatever n is."""
    setting = Setting(dt=20, n=8, omega=omega)
    trials = battery(setting).sample(per_task=24, seed=12)
    assert disagreements(TASKS, trials, setting) == {}
    if omega:
        assert disagreements(TASKS, trials, Setting(dt=20, n=8)).keys() == {
            name for name in TASKS if parse(name).interval or parse(name).sequence
        }


def test_interval_set_is_drawn_from_uniformly() -> None:
    """Other durations than the twelve, not multiples of the time step."""
    setting = Setting(dt=40, n=8, interval=(130, 470, 950))
    trials = battery(setting).sample(per_task=6, seed=13)
    assert disagreements(TASKS, trials, setting) == {}
    for task, period in (("gointl", "stimulus"), ("dlydm2intr", "delay"), ("dmcintr", "delay")):
        steps = readings(task, 900, setting).steps[period]
        assert set(steps.tolist()) == {3, 11, 23}
        assert evenness(np.searchsorted([3, 11, 23], steps), 3) == ""


def test_coherences_and_strengths_are_drawn_from_uniformly() -> None:
    """dm tasks take the coherences, dlydm tasks the strengths; no tie among them either."""
    setting = Setting(n=8, coherences=(0.1, 0.25, 0.5), strengths=(0.2, 0.5, 0.8, 0.9))
    trials = battery(setting).sample(per_task=12, seed=14)
    assert disagreements(TASKS, trials, setting) == {}
    dm, dlydm = readings("dm2", 1500, setting), readings("dlydm1", 1500, setting)
    shown = dm.strengths[:, 1, 0]
    assert {Fraction(int(s), dm.denominator) for s in shown} == {Fraction(k, 40) for k in (10, 15, 18, 22, 25, 30)}
    assert evenness(combined(shown), 6) == ""
    assert evenness(combined(*dlydm.strengths[:, 0].T), 12) == ""


@pytest.mark.parametrize(
    ("timing", "period", "task", "steps"),
    [
        ({"delay": 700}, "delay", "dlygointr", [23]),
        ({"delay": [250, 850]}, "delay", "dms", [8, 28]),
        ({"delay": ("choice", [250, 850])}, "delay", "dlydm1", [8, 28]),
        ({"delay": ("uniform", (300, 900))}, "delay", "dnmcintlseqr", range(10, 30)),
        ({"fixation": 120}, "fixation", "multidm", [4]),
        ({"fixation": ("uniform", (100, 500))}, "fixation", "rtgo", range(3, 16)),
        ({"stimulus": 250}, "stimulus", "gointr", [8]),
        ({"sample": 150, "test": 330}, "test", "dnms", [11]),
        ({"stim1": 90, "stim2": 220}, "stim1", "ctxdlydm2intl", [3]),
        ({"decision": 410}, "decision", "dmsseql", [13]),
    ],
    ids=str,
)
def test_timing_replaces_the_durations_of_a_period(
    timing: dict[str, Any], period: str, task: str, steps: Sequence[int]
) -> None:
    """In all tasks that have the period and no other; the interval follows what was realised."""
    setting = Setting(dt=30, n=8, timing=timing)
    trials = battery(setting).sample(per_task=6, seed=15)
    assert disagreements(TASKS, trials, setting) == {}
    found = readings(task, 600, setting).steps[period]
    if len(steps) < 3:
        assert set(found.tolist()) == set(steps)
    else:  # the last step of a range is shorter than the others
        assert set(steps) - set(found.tolist()) <= {steps[-1]}


def test_rule_input_appends_a_column_for_each_task() -> None:
    """One-hot in every step of the trial, without noise, 0 in padding."""
    tasks = ("dms", "go", "ctxdlydm1intr", "rtgo", "dm2seql")
    setting = Setting(n=8)
    made = battery(setting, tasks, sigma=1.0, rule_input=True)
    trials = made.sample(per_task=20, seed=16)
    assert made.n_channels == trials.observations.shape[2] == 1 + 16 + len(tasks)
    expected = np.eye(len(tasks))[trials.task][:, None, :] * trials.mask[:, :, None]
    np.testing.assert_array_equal(trials.observations[:, :, 17:], expected)


def test_rule_input_leaves_the_trials_as_they_are() -> None:
    """The oracle reads them like any others."""
    trials = battery(Setting(n=8), rule_input=True).sample(per_task=6, seed=17)
    assert disagreements(TASKS, trials, Setting(n=8)) == {}


def test_without_rule_input_there_are_no_more_channels() -> None:
    """1 + 2n channels and n + 1 actions."""
    made = modcog.Battery(["go", "dms"], dim_ring=8)
    assert (made.n_channels, made.n_actions) == (17, 9)
    assert made.sample(2, seed=0).observations.shape[2] == 17


# --- what the trials say about themselves ------------------------------------------------------


@pytest.mark.parametrize("task", [*BASES, "gointl", "dlydm2intr", "dmcintrseql"])
def test_conditions_are_what_the_observations_show(task: str) -> None:
    """Durations in steps, directions, modality (1 or 2), strengths and match."""
    setting = Setting(dt=20, n=8)
    trials = battery(setting, (task,)).sample(60, seed=18)
    reading, said = read(task, trials.observations, setting), trials.conditions
    for name, steps in reading.steps.items():
        np.testing.assert_array_equal(said[f"steps_{name}"], steps)
        np.testing.assert_array_equal(np.floor(said[f"duration_{name}"] / 20 + 1e-9), steps)
    if reading.task.interval:
        timed = "stimulus" if reading.task.kind == "go" else "delay"
        np.testing.assert_array_equal(np.floor(said["interval_ms"] / 20), reading.steps[timed])
    for name, column in drawn_columns(reading).items():
        np.testing.assert_array_equal(said[name], column, err_msg=name)
    if reading.task.family == "decision":
        directions = np.stack([said["direction1"], said["direction2"]], 1)
        strengths = np.stack(
            [[said[f"strength{k}_mod{modality}"] for k in (1, 2)] for modality in (1, 2)], 0
        ).transpose(2, 0, 1)
        if reading.task.kind == "dm":  # shown at once: there is no first or second to see
            order = directions.argsort(1)
            directions = np.take_along_axis(directions, order, 1)
            strengths = np.take_along_axis(strengths, order[:, None], 2)
        np.testing.assert_array_equal(directions, reading.directions)
        np.testing.assert_allclose(strengths, reading.strengths / reading.denominator, atol=1e-9)


def drawn_columns(reading: Reading) -> dict[str, Array]:
    """What the conditions must say of the trials of a go or match task."""
    first, last = reading.directions[:, 0], reading.directions[:, -1]
    if reading.task.family == "go":
        return {"direction": first, "modality": reading.modality + 1}
    if reading.task.family == "match":
        columns = {"sample_direction": first, "test_direction": last, "match": is_match(reading)}
        return columns | {"modality": reading.modality + 1}
    return {}
