"""The published rules: the trials of the authors' code, with everything in it that is odd.

All tasks are held against the oracle, as under the corrected rules. Then there is one test for each
deviation P1 to P10. Each measures the deviation directly, under both rule sets, so that it fails
if the published rules do what the corrected ones do, and the other way round.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import (
    DLYDM,
    DM,
    MATCH,
    TASKS,
    TASKS82,
    Array,
    Reading,
    Setting,
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

RULES = ("published", "corrected")


def battery(setting: Setting, tasks: tuple[str, ...] = TASKS, sigma: float = 0.0, **more: Any) -> modcog.Battery:
    """A battery, without noise unless asked for."""
    return modcog.Battery(list(tasks), sigma=sigma, **setting.keywords(), **more)


def both(task: str, count: int, seed: int = 3, **setting: Any) -> dict[str, SimpleNamespace]:
    """Trials of a task under each rule set, as observed and as read by the oracle."""
    found = {}
    for rules in RULES:
        under = Setting(**{"n": 8} | setting, rules=rules)
        trials = battery(under, (task,)).sample(count, seed=seed)
        reading = read(task, trials.observations, under)
        found[rules] = SimpleNamespace(trials=trials, reading=reading, steps=reading.steps, answers=answers(trials))
    return found


def answers(trials: Any) -> Array:
    """Labels of the decision (n, D); all decisions of a task are of one length."""
    rows = np.arange(len(trials.labels))[:, None]
    steps = np.arange(int((trials.lengths - trials.decision_start)[0]))
    return trials.labels[rows, trials.decision_start[:, None] + steps]


def values(array: Array) -> set[int]:
    """The different values in an array."""
    return set(np.asarray(array).ravel().tolist())


# --- all tasks against the oracle --------------------------------------------------------------


@pytest.mark.parametrize("n", [8, 16, 32])
@pytest.mark.parametrize("dt", [100, 50, 20, 30])
def test_periods_stimuli_and_labels_of_all_tasks_are_the_published_ones(dt: float, n: int) -> None:
    """Also of the 39 tasks that have no published constructor: they follow the same formulas."""
    setting = Setting(dt=dt, n=n, rules="published")
    trials = battery(setting).sample(per_task=12, seed=7)
    assert disagreements(TASKS, trials, setting) == {}
    outside = ~trials.mask
    assert outside.any()
    assert not trials.observations[outside].any()
    assert (trials.labels[outside] == -100).all()


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    dt=st.integers(100, 1000).map(lambda tenths: tenths / 10),
    half=st.integers(2, 32),
    omega=st.integers(0, 60).map(lambda thousandths: thousandths / 1000),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_time_step_ring_and_speed(dt: float, half: int, omega: float, seed: int) -> None:
    """Speed is in positions per ms, but for the go family's interval: in radians per ms."""
    setting = Setting(dt=dt, n=2 * half, omega=omega, rules="published")
    trials = battery(setting).sample(per_task=2, seed=seed)
    assert disagreements(TASKS, trials, setting) == {}


@pytest.mark.parametrize("rules", RULES)
def test_oracle_objects_to_the_trials_of_the_other_rules(rules: str) -> None:
    """No task is the same under both: P1 alone tells them apart."""
    other = RULES[1 - RULES.index(rules)]
    trials = battery(Setting(n=8, rules=other)).sample(per_task=300, seed=1)
    assert disagreements(TASKS, trials, Setting(n=8, rules=rules)).keys() == set(TASKS)


# --- P1 to P10 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["go", "rtanti", "ctxdm1", "dlydm2", "dlyantiintl"])
def test_p1_the_last_direction_is_labelled_as_holding_fixation(task: str) -> None:
    """(1 + direction) mod n: 0 takes the place of n, in one of n responses."""
    found = both(task, 2000)
    assert values(found["published"].answers) == set(range(8))
    assert values(found["corrected"].answers) == set(range(1, 9))
    assert evenness(found["published"].answers[:, 0], 8) == ""


@pytest.mark.parametrize(("task", "sign"), [("goseqr", 1), ("dm1seql", -1)])
def test_p1_every_sequence_passes_through_holding_fixation(task: str, sign: int) -> None:
    """Ten positions on a ring of eight: the labels 0..7 in a circle, 8 never."""
    found = both(task, 100)
    steps = found["published"].answers
    np.testing.assert_array_equal(steps[:, 1:], (steps[:, :-1] + sign) % 8)
    assert (steps == 0).any(1).all()
    assert (found["corrected"].answers > 0).all()


@pytest.mark.parametrize("task", ["go", "anti", "goseqr", "antiseql"])
def test_p2_go_and_anti_have_the_delay_of_500_ms_too(task: str) -> None:
    """The stimulus goes off 500 ms before the go cue."""
    for rules, gap in (("published", 25), ("corrected", 0)):
        setting = Setting(dt=20, n=8, rules=rules)
        trials = battery(setting, (task,)).sample(40, seed=2)
        shown = (trials.observations[:, :, 1:] != 0).any(2)
        last = shown.shape[1] - 1 - shown[:, ::-1].argmax(1)
        assert values(trials.decision_start - 1 - last) == {gap}


@pytest.mark.parametrize("rules", RULES)
def test_p2_six_of_the_82_tasks_are_duplicates(rules: str) -> None:
    """go is dlygo and anti is dlyanti, and so are their sequences; no other two tasks are one."""
    setting = Setting(rules=rules)
    trials = battery(setting, TASKS82).sample(per_task=24, seed=11)
    twins = {(base + suffix, f"dly{base}{suffix}") for base in ("go", "anti") for suffix in ("", "seqr", "seql")}
    found = indistinguishable(TASKS82, trials, setting)
    assert found == (twins if rules == "published" else set())


@pytest.mark.parametrize("rules", RULES)
def test_gointr_is_dlygointr_only_under_the_published_rules(rules: str) -> None:
    """With its delay, go has the interval tasks of dlygo, in all six forms."""
    setting = Setting(rules=rules)
    suffixes = ("intr", "intl", "intrseqr", "intrseql", "intlseqr", "intlseql")
    tasks = tuple(base + suffix for suffix in suffixes for base in ("go", "dlygo"))
    trials = battery(setting, tasks).sample(per_task=30, seed=12)
    twins = set(zip(tasks[::2], tasks[1::2], strict=True))
    assert indistinguishable(tasks, trials, setting) == (twins if rules == "published" else set())


def angle_shown(trials: Any, n: int) -> Array:
    """Angle of the stimulus (m,) in units of the grid, from the ratio of the peak's neighbours.

    The logarithm of a Gaussian is a parabola: its slope at the peak channel is the distance.
    """
    m = len(trials.labels)
    step = 5 + np.zeros(m, int)  # the first step after 500 ms of fixation, at dt 100
    rings = trials.observations[np.arange(m), step, 1:].astype(float).reshape(m, 2, n).sum(1)
    peak = rings.argmax(1)
    after, before = (rings[np.arange(m), (peak + k) % n] for k in (1, -1))
    grid = 2 * np.pi / n
    offset = (np.pi / 8) ** 2 * np.log(after / before) / (2 * grid)
    return (peak + offset / grid) % n


@pytest.mark.parametrize(
    ("task", "sign", "turned"),
    [("dlygointr", 1, 0), ("dlygointl", -1, 0), ("dlyantiintr", 1, 8), ("gointlseqr", -1, 0)],
)
def test_p3_go_interval_shows_the_stimulus_off_the_grid(task: str, sign: int, turned: int) -> None:
    """The label is drawn; the stimulus stands 0.01 rad per ms of the delay ahead of it."""
    setting = Setting(rules="published")
    trials = battery(setting, (task,)).sample(2000, seed=4)
    delay_ms = 100 * (trials.decision_start - 10)
    assert values(delay_ms) == set(range(0, 1200, 100))
    target = (answers(trials)[:, 0] - 1) % 16
    ahead = sign * 0.01 * delay_ms / (2 * np.pi / 16) + turned
    error = (angle_shown(trials, 16) - target - ahead + 8) % 16 - 8
    np.testing.assert_allclose(error, 0, atol=1e-4)
    assert evenness(delay_ms // 100 * 16 + target, 12 * 16) == ""


@pytest.mark.parametrize("task", ["dlygointr", "dlyantiintl"])
def test_p3_does_not_hold_under_the_corrected_rules(task: str) -> None:
    """There the stimulus stands on the grid, and no delay is zero."""
    trials = battery(Setting(), (task,)).sample(600, seed=4)
    shown = angle_shown(trials, 16)
    np.testing.assert_allclose(shown, shown.round(), atol=1e-4)
    assert values(trials.decision_start - 10) == set(range(1, 13))


@pytest.mark.parametrize("base", DLYDM)
@pytest.mark.parametrize(("suffix", "move"), [("intr", 5), ("intl", -5), ("intlseqr", -5)])
def test_p4_decision_interval_always_lasts_500_ms(base: str, suffix: str, move: int) -> None:
    """The target moves by five positions in every trial."""
    found = both(base + suffix, 300)
    published = found["published"]
    assert values(published.steps["delay"]) == {5}
    assert values(found["corrected"].steps["delay"]) == set(range(1, 13))
    sums = evidence(published.reading)
    clear = sums[:, 0] != sums[:, 1]
    winner = published.reading.directions[np.arange(300), sums.argmax(1)]
    moved = (published.answers[:, 0] - 1 - winner) % 8
    assert values(moved[clear]) == {move % 8}


@pytest.mark.parametrize("task", [*MATCH, "dmsseqr", "dnmcseql"])
def test_p5_match_delay_is_constant_in_a_call_and_modality(task: str) -> None:
    """Two delays per call of sample, one for each modality; under the corrected rules many."""
    found = both(task, 200, dt=10)
    published = found["published"]
    delays = [published.steps["delay"][published.reading.modality == k] for k in (0, 1)]
    assert [len(values(delay)) for delay in delays] == [1, 1]
    assert values(delays[0]) != values(delays[1])
    assert len(values(found["corrected"].steps["delay"])) > 50


def test_p5_match_delay_is_drawn_anew_for_each_call_task_and_modality() -> None:
    """U(200, 1200): at dt 50 that is 4 to 23 steps, all equally likely."""
    setting = Setting(dt=50, n=4, rules="published")
    tasks = tuple(base + suffix for base in MATCH for suffix in ("", "seqr", "seql"))
    made = battery(setting, tasks)
    delays = []
    for seed in range(40):
        trials = made.sample(per_task=12, seed=seed)
        for index, task in enumerate(tasks):
            reading = read(task, trials.observations[trials.task == index], setting)
            delays.append([the_delay(reading, modality) for modality in (0, 1)])
    delay = np.array(delays)
    assert evenness(delay[delay >= 0] - 4, 20) == ""
    by_call = delay.reshape(40, len(tasks), 2)
    assert all(len(values(by_call[:, index])) > 10 for index in range(len(tasks)))
    assert all(len(values(call)) > 8 for call in by_call), "tasks share their delays"


def the_delay(reading: Reading, modality: int) -> int:
    """The one delay of a modality in steps; −1 if no trial shows that modality."""
    steps = reading.steps["delay"][reading.modality == modality]
    assert len(values(steps)) <= 1
    return int(steps[0]) if len(steps) else -1


@pytest.mark.parametrize("rules", RULES)
def test_p5_match_delay_is_constant_in_a_stream(rules: str) -> None:
    """Two delays in all lanes of all batches of a stream, other ones in another stream."""
    made = battery(Setting(dt=10, n=4, rules=rules), ("dms",))
    seeds = [
        [silences(next(stream)[0]) for _ in range(3)]
        for stream in (made.stream(8, 1200, seed=seed, batch_first=True) for seed in (0, 1))
    ]
    for batches in seeds:
        delays = set.union(*batches)
        assert delays <= set(range(20, 121))
        assert (len(delays) == 2) == (rules == "published")
        assert (len(delays) > 30) == (rules == "corrected")
    assert set.union(*seeds[0]) != set.union(*seeds[1])


def silences(observations: Array) -> set[int]:
    """Lengths of the gaps between two stimuli of a trial, in lanes of trials back to back."""
    lengths = set()
    for lane in observations:
        visible = (lane[:, 1:] != 0).any(1).astype(int)
        on, off = (np.flatnonzero(np.diff(visible) == change) + 1 for change in (1, -1))
        for begin in off:
            end = on[on > begin][:1]
            if len(end) and lane[begin : end[0], 0].all():  # no go cue: within one trial
                lengths.add(int(end[0] - begin))
    return lengths


@pytest.mark.parametrize("task", ["dmsintr", "dnmsintlseqr", "dmcintl", "dnmcintrseql"])
def test_p6_match_interval_draws_from_0_to_1100_ms(task: str) -> None:
    """Delays of no length at all, and none of 1200 ms."""
    found = both(task, 1200)
    assert values(found["published"].steps["delay"]) == set(range(12))
    assert values(found["corrected"].steps["delay"]) == set(range(1, 13))
    assert evenness(found["published"].steps["delay"], 12) == ""


@pytest.mark.parametrize(("task", "sign"), [("dmsintr", 1), ("dnmcintl", -1)])
def test_p6_match_target_moves_by_the_nominal_duration(task: str, sign: int) -> None:
    """At dt 30 a delay of 100 ms lasts 90: still one position, and not none."""
    moves = {}
    for rules, found in both(task, 600, dt=30, n=16).items():
        reading = found.reading
        responds = is_match(reading) ^ task.startswith("dn")
        moved = sign * (found.answers[:, 0] - 1 - reading.directions[:, 1]) % 16
        pairs = zip(reading.steps["delay"][responds].tolist(), moved[responds], strict=True)
        moves[rules] = {steps: int(move) for steps, move in set(pairs)}
    assert moves["published"] == {100 * k // 30: k for k in range(12)}
    assert moves["corrected"] == {s: s * 30 // 100 for s in (100 * k // 30 for k in range(1, 13))}
    assert moves["corrected"][3] == 0


@pytest.mark.parametrize(("task", "sign"), [("dmsintr", 1), ("dmsintl", -1)])
def test_p6_match_target_is_rounded_down_after_moving(task: str, sign: int) -> None:
    """At half the speed, to the left: direction − 0.5 is rounded down to direction − 1."""
    for rules, found in both(task, 600, omega=0.005, n=16).items():
        reading = found.reading
        odd = is_match(reading) & (reading.steps["delay"] == 1)
        moved = (found.answers[odd, 0] - 1 - reading.directions[odd, 1] + 8) % 16 - 8
        assert values(moved) == {-1 if (sign, rules) == (-1, "published") else 0}


@pytest.mark.parametrize("omega", [0.035, 0.07])
def test_p6_match_target_is_not_tipped_by_binary_rounding(omega: float) -> None:
    """0.035 · 200 is 7 and not 7.000000000000001, so the target moves by 7 to either side."""
    tasks = ("dmsintr", "dmsintl", "dnmcintl")
    setting = Setting(omega=omega, rules="published")
    trials = battery(setting, tasks).sample(per_task=200, seed=6)
    assert disagreements(tasks, trials, setting) == {}


@pytest.mark.parametrize("task", ["dmc", "dnmc", "dmcseqr"])
def test_p7_direction_n_half_is_in_both_categories(task: str) -> None:
    """As a sample it belongs to the lower half, as a test to the upper one."""
    same = {}
    for rules, found in both(task, 1500).items():
        sample, test = found.reading.directions.T
        seen = test != 7  # whose label is that of holding fixation, under the published rules
        responds = found.answers[:, 0] != 0
        matches = seen & (responds ^ task.startswith("dn"))
        same[rules] = values(test[matches & (sample == 4)])
        assert values(sample[matches & (test == 4)]) >= {5, 6, 7}
    assert same == {"published": {0, 1, 2, 3}, "corrected": {4, 5, 6}}


def cue_noise(task: str, rules: str) -> tuple[Array, Array]:
    """The fixation channel less its cue, where a ring is not silent and where all are."""
    trials = battery(Setting(n=8, rules=rules), (task,), sigma=1.0).sample(800, seed=8)
    active = (trials.observations[:, :, 1:] != 0).any(2)
    cue = np.arange(active.shape[1]) < trials.decision_start[:, None]
    rest = trials.observations[:, :, 0] - cue
    return rest[active].astype(float), rest[~active]


@pytest.mark.parametrize("task", [*DM, *DLYDM, "dm2seqr", "multidlydmintlseqr"])
def test_p8_decision_family_has_noise_on_the_fixation_channel(task: str) -> None:
    """With the sd of the rings, 0.1 at dt 100, while a stimulus is visible."""
    noise, rest = cue_noise(task, "published")
    assert noise.std() == pytest.approx(0.1, rel=0.06)
    assert abs(noise.mean()) < 4 * 0.1 / np.sqrt(noise.size)
    assert not rest.any()
    assert not cue_noise(task, "corrected")[0].any()


@pytest.mark.parametrize("task", ["go", "rtgo", "dlygointr", *MATCH])
def test_p8_is_of_the_decision_family_only(task: str) -> None:
    """The fixation channel of the others holds nothing but the cue."""
    noise, rest = cue_noise(task, "published")
    assert noise.size
    assert not noise.any()
    assert not rest.any()


@pytest.mark.parametrize("rules", RULES)
def test_ring_noise_is_the_same_under_both_rules(rules: str) -> None:
    """Both rings in the decision family, the stimuli's ring in the match family, none in go."""
    rings = {}
    for task in ("dm1", "dms", "go"):
        trials = battery(Setting(n=8, rules=rules), (task,), sigma=1.0).sample(500, seed=9)
        observed = trials.observations[:, :, 1:].astype(float).reshape(500, -1, 2, 8)
        rings[task] = observed[(observed != 0).any((2, 3))]
    assert rings["dm1"][:, 1].std() == pytest.approx(0.1, rel=0.04)
    assert (rings["dms"] != 0).all(2).sum(1).max() == 1
    assert (rings["go"].min((1, 2)) >= 0).all()


@pytest.mark.parametrize("task", ["rtgoseqr", "rtgoseql", "rtantiseqr", "rtantiseql"])
def test_p9_sequences_of_the_reaction_time_tasks_last_500_ms(task: str) -> None:
    """Half of what the others last."""
    found = both(task, 30, dt=20)
    assert values(found["published"].steps["decision"]) == {25}
    assert values(found["corrected"].steps["decision"]) == {50}


def test_p9_sequences_of_all_other_tasks_last_1000_ms() -> None:
    """Under the published rules as well."""
    tasks = tuple(name for name in TASKS if parse(name).sequence and not name.startswith(("rtgo", "rtanti")))
    trials = battery(Setting(dt=20, n=4, rules="published"), tasks).sample(per_task=4, seed=5)
    assert values(trials.lengths - trials.decision_start) == {50}


@pytest.mark.parametrize(
    ("task", "rate"),
    [("multidm", 1 / 8), ("multidmseqr", 1 / 8), ("multidlydm", 1 / 6), ("multidlydmintr", 1 / 6)],
)
def test_p10_ties_are_kept_and_the_target_is_a_coin_flip(task: str, rate: float) -> None:
    """Either direction, in half of the ties each; under the corrected rules there are none."""
    count = 4000
    found = both(task, count)
    ties = {}
    for rules, side in found.items():
        sums = evidence(side.reading)
        ties[rules] = sums[:, 0] == sums[:, 1]
    assert not ties["corrected"].any()
    tied = ties["published"]
    assert abs(tied.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / count)
    directions = found["published"].reading.directions[tied]
    moved = 5 if parse(task).interval else 0
    target = (found["published"].answers[tied, 0] - 1 - moved) % 8
    is_first, is_second = target == directions[:, 0], target == directions[:, 1]
    assert (is_first ^ is_second).all()
    assert evenness(is_first.astype(int), 2) == ""


# --- what is drawn otherwise as under the corrected rules ---------------------------------------


@pytest.mark.parametrize("task", ["multidm", "multidlydm", "ctxdm1", "dlydm2"])
def test_strengths_are_uniform_ties_included(task: str) -> None:
    """64 combinations of two coherences and signs, 36 of two ordered pairs."""
    reading = both(task, 4000)["published"].reading
    cells = {"multidm": 64, "ctxdm1": 64, "multidlydm": 36, "dlydm2": 6}[task]
    assert evenness(combined(*reading.strengths.reshape(-1, 4).T), cells) == ""


@pytest.mark.parametrize("task", ["dmc", "dnmc", "dms", "dnmsintr"])
def test_samples_and_tests_are_uniform_and_half_of_them_match(task: str) -> None:
    """Within the categories of P7."""
    reading = both(task, 4000)["published"].reading
    sample, test = reading.directions.T
    assert evenness(sample * 2 + is_match(reading), 16) == ""
    assert evenness(combined(sample, test), 64 if "mc" in task else 16) == ""
    assert evenness(reading.modality, 2) == ""


@pytest.mark.parametrize("task", ["go", "dlygo", "rtanti", "dlyantiintl"])
def test_go_targets_and_modalities_are_uniform(task: str) -> None:
    """As under the corrected rules."""
    reading = both(task, 2000)["published"].reading
    assert evenness(reading.directions[:, 0] * 2 + reading.modality, 16) == ""
