"""The ideal observer against closed forms, a slow posterior written from the definitions, and its own accuracy."""

from itertools import product

import closed_form
import numpy as np
import pytest

from modcog import TASKS, Battery, ModcogError
from modcog.evaluation import IdealObserver, levels, score
from modcog.settings import RULES
from modcog.tasks.names import parse
from tests.evaluation.simulated import Simulated, simulate


def observer(task: str, **settings) -> IdealObserver:
    return IdealObserver(task, Battery([task], **settings).settings)


def ceiling(task: str, n_trials: int = 4000, **settings) -> Simulated:
    return simulate(observer(task, **settings), n_trials)


# --- closed forms: four directions are so far apart that they are as good as known ---

WEAK = {"dim_ring": 4, "coherences": (0.01, 0.03, 0.07), "strengths": (0.6, 0.63, 0.7)}


@pytest.mark.parametrize("task", ["dm1", "dm2", "ctxdm1", "ctxdm2", "multidm", "dlydm1", "dlydm2", "ctxdlydm2"])
@pytest.mark.parametrize("rules", RULES)
def test_it_matches_the_closed_form_where_the_directions_are_as_good_as_known(task, rules):
    found = ceiling(task, 3000, rules=rules, **WEAK)
    known = closed_form.accuracy(task, n=4, coherences=WEAK["coherences"], strengths=WEAK["strengths"],
                                 ties=rules == "published")  # fmt: skip
    assert 0.6 < known < 0.95  # far from both ends, or the comparison says little
    assert found.error < 0.006
    assert found.decision_ceiling == pytest.approx(known, abs=4 * found.error)
    assert found.trial_ceiling == pytest.approx(found.decision_ceiling)


def test_finding_the_directions_costs_little_under_the_default_settings():
    found, known = ceiling("dm1", 8000), closed_form.accuracy("dm1")
    assert known - 0.002 - 4 * found.error < found.decision_ceiling < known + 4 * found.error


# --- the posterior, step by step and hypothesis by hypothesis ---


def slow_posterior(rings, cue, hypotheses, sigma, n):
    """Answers' probabilities for one trial, from every channel of every step before the decision.

    ``hypotheses``: (what each stimulus shows in each ring, (S, 2, n); answer); ``rings`` (T, 2, n).
    """
    shown = np.flatnonzero(np.any(rings != 0, axis=(1, 2)) & (cue != 0))
    noisy = np.any(rings != 0, axis=(0, 2))
    log = np.zeros(len(hypotheses))
    for h, (means, _) in enumerate(hypotheses):
        for count, step in enumerate(shown):
            mean = means[count * len(means) // len(shown)]
            for ring in np.flatnonzero(noisy):
                log[h] += np.sum(-((rings[step, ring] - mean[ring]) ** 2) / (2 * sigma**2 / 100))
    weight = np.exp(log - log.max())
    answers = np.zeros(n + 1)
    for w, (_, answer) in zip(weight, hypotheses, strict=True):
        answers[answer] += w
    return answers / answers.sum()


def compare(task, rules, hypotheses, n, sigma, trials=6):
    ideal = observer(task, rules=rules, dim_ring=n, sigma=sigma)
    sampled = ideal.battery.sample(trials, seed=11)
    found = ideal.posterior(sampled)
    for i in range(trials):
        x = sampled[i].packed_observations.astype(float)
        steps = x[: sampled.decision_start[i]]
        rings = steps[:, 1:].reshape(len(steps), 2, n)
        modality = int(np.any(rings[:, 1] != 0))
        slow = slow_posterior(rings, steps[:, 0], hypotheses(modality), sigma, n)
        np.testing.assert_allclose(found[i], slow, atol=2e-5)
    assert found.max(axis=1).min() < 0.99  # there is something to weigh


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["dms", "dnmc"])
def test_the_posterior_of_a_match_task(task, rules):
    n, half = 6, 3

    def hypotheses(modality):
        found = []
        for sample, test in product(range(n), range(n)):
            means = np.zeros((2, 2, n))
            means[0, modality], means[1, modality] = closed_form.bump(sample, n), closed_form.bump(test, n)
            if task == "dms" and test in (sample, (sample + half) % n):
                found.append((means, 1 + test if test == sample else 0))
            if task == "dnmc":
                category = sample >= half if rules == "corrected" else sample > half
                found.append((means, 1 + test if (test >= half) != category else 0))
        return found

    compare(task, rules, hypotheses, n, sigma=12)


@pytest.mark.parametrize("rules", RULES)
def test_the_posterior_of_multidm_with_and_without_ties(rules):
    n = 4
    signed = [s * c for c in (0.08, 0.16, 0.32, 0.64) for s in (1, -1)]

    def hypotheses(modality):
        found = []
        for a, b in product(range(n), range(n)):
            if a == b:
                continue
            for c1, c2 in product(signed, signed):
                means = np.array([[(1 + c) / 2 * closed_form.bump(a, n) + (1 - c) / 2 * closed_form.bump(b, n)
                                   for c in (c1, c2)]])  # fmt: skip
                if abs(c1 + c2) > 1e-9:
                    found += 2 * [(means, 1 + a if c1 + c2 > 0 else 1 + b)]
                elif rules == "published":
                    found += [(means, 1 + a), (means, 1 + b)]
        return found

    compare("multidm", rules, hypotheses, n, sigma=3, trials=2)


# --- every task, both rule sets ---


@pytest.fixture(scope="module", params=RULES)
def everything(request):
    """For every task, with four directions and much noise: its level, and its trials played by the observer."""
    found = {}
    for seed, task in enumerate(TASKS):  # trials of one seed are alike in tasks that are alike
        ideal = observer(task, rules=request.param, dim_ring=4, sigma=6.0)
        trials = ideal.battery.sample(300, seed=seed)
        found[task] = simulate(ideal, 500, seed=5), score(ideal.act(trials), trials, 5)
    return request.param, found


def test_what_it_expects_is_what_it_gets(everything):
    """A wrong hypothesis, prior or label would make it expect more than its actions earn, or less."""
    _, found = everything
    gaps = []
    for task, (level, played) in found.items():
        error = np.hypot(level.error, np.sqrt(0.25 / 300))
        gap = played.decision_accuracy - level.decision_ceiling
        gaps.append(gap)
        assert abs(gap) < 4.5 * error, task
        assert played.trial_accuracy <= level.trial_ceiling + 4.5 * error, task
        assert level.decision_chance <= level.decision_ceiling + 1e-9
        assert level.trial_chance <= level.trial_ceiling + 1e-9
    assert abs(np.mean(gaps)) < 4 * np.sqrt(0.25 / 300) / np.sqrt(len(gaps))


def test_the_extensions_leave_the_ceiling_of_the_base_except_where_labels_collide(everything):
    """Published rules: holding and a response to the last direction have one label, which a sequence parts."""
    rules, found = everything
    for task, (level, _) in found.items():
        base, _ = found[parse(task).base]
        apart = 4.5 * np.hypot(level.error, base.error) + 1e-9
        collides = rules == "published" and parse(task).family == "match"
        assert collides or level.decision_ceiling == pytest.approx(base.decision_ceiling, abs=apart), task
        assert collides or level.trial_ceiling == pytest.approx(level.decision_ceiling), task
        if collides and parse(task).sequence:
            assert level.trial_ceiling < level.decision_ceiling, task


@pytest.mark.parametrize("rules", RULES)
def test_without_noise_only_a_coin_can_be_missed(rules):
    coins = {"multidm": 1 - 8 / 64 / 2, "multidlydm": 1 - 6 / 36 / 2} if rules == "published" else {}
    for task in [task for task in TASKS if task.endswith("intrseql") or parse(task).base == task]:
        found = ceiling(task, 64, rules=rules, dim_ring=4, sigma=0)
        known = coins.get(parse(task).base, 1)
        assert found.decision_ceiling == pytest.approx(known, abs=4 * found.error + 1e-9), task
        assert found.trial_ceiling == pytest.approx(found.decision_ceiling), task


@pytest.mark.parametrize("task", ["dm2", "multidlydm", "dnms", "dmc"])
@pytest.mark.parametrize("rules", RULES)
def test_drowned_in_noise_it_is_as_good_as_blind(task, rules):
    found = ceiling(task, 2000, rules=rules, sigma=3000.0)
    assert found.decision_ceiling == pytest.approx(found.decision_chance, abs=0.01)


# --- what it takes for known, and what it cannot know ---


@pytest.mark.parametrize("rules", RULES)
def test_the_time_course_can_be_seen_in_the_observations(rules):
    """The premise: the cue falls at the decision, and the rings are blank except while a stimulus is visible."""
    battery = Battery("modcog132", rules=rules)
    trials = battery.sample(per_task=4, seed=2)
    for i in range(len(trials)):
        row, x = battery.tables.rows[trials.task[i]], trials[i].packed_observations
        shown = np.concatenate([np.full(n, name in row.shows) for name, n in trials.period_steps(i).items()])
        np.testing.assert_array_equal(np.any(x[:, 1:33] != 0, axis=1), shown)
        np.testing.assert_array_equal(x[:, 0] == 0, np.arange(len(x)) >= trials.decision_start[i])


def test_a_time_that_rounding_hides_is_hidden_from_it():
    """Published rules, steps of 150 ms: T is one of 0, 100 … 1100, but the delay only shows how many steps it lasts.

    Of the twelve values 200, 500, 800 and 1100 can be told; the others come in pairs, half a guess each. A response
    is asked in half of the trials.
    """
    found = ceiling("dmsintr", 6000, rules="published", dt=150, sigma=0)
    respond = (4 + 8 / 2) / 12
    assert found.decision_ceiling == pytest.approx(0.5 + 0.5 * respond, abs=4 * found.error)
    assert ceiling("dmsintr", 500, dt=150, sigma=0).decision_ceiling == 1  # the corrected rules count whole steps
    assert ceiling("gointr", 500, rules="published", dt=150).decision_ceiling == 1  # the place of the stimulus tells


def test_two_rings_in_turn_are_as_good_as_one():
    noisy = {"dim_ring": 8, "sigma": 8.0}
    one, two = ceiling("dm1", **noisy), ceiling("dm2", **noisy)
    assert one.decision_ceiling == pytest.approx(two.decision_ceiling, abs=4 * np.hypot(one.error, two.error))


def test_longer_stimuli_help():
    short = ceiling("dm1", sigma=2, timing={"stimulus": 200})
    long = ceiling("dm1", sigma=2, timing={"stimulus": 1000})
    mixed = ceiling("dm1", sigma=2, timing={"stimulus": [200, 1000]})
    assert short.decision_ceiling + 0.05 < mixed.decision_ceiling < long.decision_ceiling - 0.05
    middle = (short.decision_ceiling + long.decision_ceiling) / 2
    assert mixed.decision_ceiling == pytest.approx(middle, abs=5 * mixed.error)


@pytest.mark.parametrize("task", ["dm1", "ctxdm2", "multidm"])
def test_summing_what_is_seen_and_taking_the_largest_does_not_beat_it(task):
    battery = Battery([task])
    trials = battery.sample(3000, seed=1)
    cue, rings = trials.observations[..., :1], trials.observations[..., 1:]
    total = (rings * (cue != 0)).sum(axis=1).reshape(-1, 2, 16)
    attended = {"dm1": total[:, 0], "ctxdm2": total[:, 1], "multidm": total.sum(axis=1)}[task]
    actions = np.where(cue[..., 0] != 0, 0, 1 + attended.argmax(axis=1)[:, None])
    found = score(actions, trials).table(levels(battery))[task]["decision"]
    assert 0.8 < found.value < found.levels["ideal"]
    assert found.share < 1


@pytest.mark.parametrize(
    ("task", "settings", "says"),
    [
        ("dlygointr", {"rules": "published", "timing": {"delay": ("uniform", (100, 900))}}, "continuum"),
        ("ctxdm1", {"dim_ring": 256}, "dim_ring"),
    ],
)
def test_what_it_cannot_weigh_it_refuses_in_a_sentence(task, settings, says):
    with pytest.raises(ModcogError, match=says) as error:
        ceiling(task, 10, **settings)
    assert "\n" not in str(error.value)
