"""The ideal observer: the best that any system could do on a task, given its noise.

The observer knows the rules and how trials are made, and sees the noisy observations. It also sees when each period
begins and ends: the fixation cue falls without noise at the decision, and the rings are blank and free of noise except
while a stimulus is visible. Hidden are only the trial's conditions, of which there are finitely many. It weighs them by
their exact posterior and at every step of the decision takes the action that is most likely right. Nothing in a delay
or a fixation period is noisy, and the observer forgets nothing.

The conditions that a base task declares are enumerated instead of drawn, and then go the generator's own way: drawn,
extended and painted. So every base task whose conditions are finitely many has an ideal observer, a user's own too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError, shown
from modcog.settings import Settings, Timing
from modcog.tasks.condition import STEPS, flat
from modcog.trials import extend, paint
from modcog.trials.arrays import Trials
from modcog.trials.draw import Drawn, draw_conditions
from modcog.trials.tables import RING1, RING2, Tables
from modcog.trials.timing import Durations, bounds, normal_form, whole_steps

MOST = 300_000
"""Trials that are enumerated at most; each is compared with everything that is seen."""

CELLS = 1_000_000
"""Trials × hypotheses that are weighed at once; few enough for the processor's cache."""

SAME = 1e-12
"""Squared distance, relative to the square of what is seen, below which two noise-free observations are equal."""

NUDGE = 1e-5
"""Added to the most probable answer, so that a tie is decided once, and not at every step of the decision anew."""


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hypotheses:
    """Everything that the rings can show in a task, without noise, and the answers that it asks for.

    An *answer* is what a trial asks for at the first step of its decision: 0 to hold fixation, 1 + k to respond in
    direction k (the label of the corrected rules). The published rules give two answers the same label.

    Attributes:
        mean: (M, S, 2n) noise-free rings in each of the S periods that show something.
        noisy: (M, S, 2) the rings that are noisy in these periods.
        prior: (M,) probability of each before anything is seen.
        answers: (M, A) probability of each answer, given what is shown.
    """

    mean: Floats
    noisy: NDArray[np.bool_]
    prior: Floats
    answers: Floats

    def where(self, noisy: NDArray[np.bool_]) -> Hypotheses:
        """Return those in which just the rings ``noisy``, (S, 2), are noisy."""
        kept = np.flatnonzero((self.noisy == noisy).all(axis=(1, 2)))
        if len(kept) == len(self.prior):
            return self
        prior = self.prior[kept]
        return Hypotheses(self.mean[kept], self.noisy[kept], prior / prior.sum(), self.answers[kept])


class IdealObserver:
    """The ideal observer (Green and Swets 1966) of one task.

    Args:
        task: its name.
        settings: of the battery. None: the defaults.

    Raises:
        ModcogError: if the posterior cannot be computed: a base task whose conditions are not finitely many, too many
            hypotheses, or a noisy stimulus during the decision.
    """

    def __init__(self, task: str, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.battery = Battery([task], **dict(settings))
        self.tables = tables = self.battery.tables
        row = tables.rows[0]
        self.noisy = settings.sigma > 0 and row.noise != "none"
        if self.noisy and tables.decision_slot[0] in shown_slots(tables):
            raise ModcogError(
                f"{row.name!r} shows a noisy stimulus during its decision, which the ideal observer cannot weigh: "
                "it acts on what has been shown before"
            )
        self.hypotheses = lru_cache(lambda timed_steps: weigh_up(tables, timed_steps))

    def __repr__(self) -> str:
        return f"IdealObserver({self.battery.tasks[0]!r})"

    def posterior(self, trials: Trials) -> Floats:
        """Return the probability of each answer (see ``Hypotheses``), given the observations of each trial, (n, A)."""
        total, steps = sums(self.tables, trials)
        return self._by_time_course(trials, lambda known, trial: self._by_noise(known, total[trial], steps[trial]))

    def prior(self, trials: Trials) -> Floats:
        """Return the probability of each answer, (n, A), to one who sees when periods begin and end but no stimulus."""
        return self._by_time_course(trials, lambda known, trial: known.prior @ known.answers)

    def expected(self, trials: Trials, answers: Floats) -> tuple[Floats, Floats]:
        """Return decision and trial accuracy, (n,) each, to be expected of the best actions under ``answers`` (n, A).

        Averaged over trials, the expected accuracy is the accuracy, and less scattered than counting right actions.
        The actions that are best step by step and those that are best for the whole trial can differ (published rules).
        """
        decision, whole = np.empty(len(trials)), np.empty(len(trials))
        for trial, labels in self._by_decision(trials):
            distinct, times = np.unique(labels, axis=0, return_counts=True)
            best = [_by_label(answers[trial], row).max(axis=1) for row in distinct]
            decision[trial] = times @ np.array(best) / len(labels)
            same = np.unique(labels, axis=1, return_inverse=True)[1].reshape(-1)
            whole[trial] = _by_label(answers[trial], same).max(axis=1)
        return decision, whole

    def act(self, trials: Trials) -> NDArray[np.int64]:
        """Return the action at each step, (n, T): fixation is held, then the action most likely right at that step."""
        answers = self.posterior(trials)
        answers[np.arange(len(answers)), answers.argmax(axis=1)] += NUDGE
        actions = np.zeros(trials.mask.shape, np.int64)
        for trial, labels in self._by_decision(trials):
            for step, row in enumerate(labels):
                actions[trial, trials.decision_start[trial] + step] = _by_label(answers[trial], row).argmax(axis=1)
        return actions

    def _by_time_course(self, trials: Trials, answers: Callable[[Hypotheses, NDArray[np.intp]], Floats]) -> Floats:
        """Return ``answers(hypotheses, trials)``, (n, A), with the hypotheses for each duration of the timed period."""
        found = np.empty((len(trials), self.battery.n_actions))
        counts = self.tables.interval_sign[0] != 0
        timed = trials.conditions[f"{STEPS}{self.tables.rows[0].timed}"] if counts else np.zeros(len(trials), int)
        for steps, trial in _groups(timed):
            found[trial] = answers(self.hypotheses(int(steps)), trial)
        return found

    def _by_noise(self, known: Hypotheses, total: Floats, steps: Floats) -> Floats:
        """Weigh the hypotheses that have noise on just the rings that are seen to have noise.

        A ring without noise and stimulus is exactly 0, so which rings are noisy is seen at once. The others say
        nothing more, and a Gaussian likelihood must not be taken of them.
        """
        weigh = self._weigh_noisy if self.noisy else _weigh_exact
        found = np.empty((len(total), known.answers.shape[1]))
        seen = np.any(total.reshape(*total.shape[:2], 2, -1), axis=3) & self.noisy
        for noisy, trial in _groups(np.asarray(seen)):
            alike = known.where(noisy) if self.noisy else known
            size = max(1, CELLS // len(alike.mean))
            for part in (trial[i : i + size] for i in range(0, len(trial), size)):
                found[part] = weigh(alike, total[part], steps[part])
        return found

    def _weigh_noisy(self, known: Hypotheses, total: Floats, steps: Floats) -> Floats:
        """Return the probability of each answer, (m, A), from the rings summed over each period.

        The sums are all that counts of the observations, since the noise is Gaussian and the same in all steps. The
        logarithm of the likelihood is linear in them, so one product of matrices gives it for all hypotheses.
        """
        variance = self.tables.settings.sigma**2 / self.tables.settings.dt
        seen = np.concatenate([_flat(total), steps], axis=1) / variance
        log = seen @ np.concatenate([_flat(known.mean), -0.5 * (known.mean**2).sum(axis=2)], axis=1).T
        log -= log.max(axis=1, keepdims=True)
        weight = np.exp(log.astype(np.float32))
        answers = weight @ (known.prior[:, None] * known.answers).astype(np.float32)
        return answers / answers.sum(axis=1, dtype=np.float64, keepdims=True)

    def _by_decision(self, trials: Trials) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
        """Yield the trials of each duration of the decision, and the label of each answer at each step, (steps, A)."""
        for steps, trial in _groups(trials.lengths - trials.decision_start):
            step, target = np.indices((steps, self.tables.settings.dim_ring)).reshape(2, -1)
            labels = extend.labels(self.tables, np.zeros_like(step), target, step).reshape(steps, -1)
            yield trial, np.pad(labels, ((0, 0), (1, 0)))  # answer 0 holds fixation throughout


@dataclass(frozen=True)
class Enumerated:
    """Every trial that a task can draw, n of them, each as likely as any other.

    Attributes:
        conditions: drawn conditions, (n,) columns by name.
        answer: (K, n) what each asks for before the interval moves it: 0 to hold fixation, 1 + k to respond in
            direction k. K is 1 if the trials are the same for all times T, otherwise the number of times.
        mean: (K, n, P, 2n) noise-free rings in each period.
        noisy: (K, n, P, 2) the rings that are noisy.
    """

    conditions: dict[str, NDArray[Any]]
    answer: NDArray[np.int64]
    mean: NDArray[np.float32]
    noisy: NDArray[np.bool_]


def enumerate_trials(tables: Tables, times: Sequence[float]) -> Enumerated:
    """Enumerate the trials of the one task of ``tables`` for each time T, in ms, that its interval may count.

    Raises:
        ModcogError: if they cannot be enumerated, or are more than ``MOST``.
    """
    conditions, n = _every_combination(tables)
    ring, slots = tables.settings.dim_ring, tables.n_slots
    every = []
    for time in times:
        ms = np.full((n, slots), tables.settings.dt)  # periods last one step, but for the timed one
        if tables.interval_sign[0]:
            ms[:, tables.timed_slot[0]] = time
        durations = Durations(ms, whole_steps(ms, tables.settings.dt), dict(conditions))
        every.append(draw_conditions(tables, np.zeros(n, np.int64), durations, None))
    distinct = every if any(not _alike(every[0], other) for other in every[1:]) else every[:1]
    painted = [paint.frames(tables, drawn) for drawn in distinct]
    noise = np.stack([mask.reshape(n, slots) for _, mask in painted])
    return Enumerated(
        conditions,
        np.stack([np.where(drawn.respond, 1 + drawn.target, 0) for drawn in distinct]),
        np.stack([values.reshape(n, slots, -1)[:, :, 1 : 1 + 2 * ring] for values, _ in painted]),
        np.stack([noise & RING1, noise & RING2], axis=3) != 0,
    )


def _alike(one: Drawn, other: Drawn) -> bool:
    """Return True if two draws of the same conditions show and ask for the same."""
    pairs = [(one.target, other.target), (one.respond, other.respond)]
    for ours, theirs in zip(one.groups[0].stimuli, other.groups[0].stimuli, strict=True):
        pairs += [(getattr(ours, name), getattr(theirs, name)) for name in ("modality", "direction", "strength")]
    return all(np.array_equal(a, b) for a, b in pairs)


def move_answer(tables: Tables, answer: NDArray[np.integer], ms: float) -> NDArray[np.integer]:
    """Return answers, (n,), after the interval extension has moved them for a time T of ``ms`` milliseconds."""
    target = np.maximum(answer - 1, 0)
    sign = np.broadcast_to(tables.move_sign[0], target.shape)
    moved = tables.rules.move(target, sign, np.asarray(ms), tables.settings)
    return np.where(answer > 0, 1 + moved, 0)


def weigh_up(tables: Tables, timed_steps: int) -> Hypotheses:
    """Return the hypotheses about a trial of the one task of ``tables``.

    ``timed_steps``, the steps that the timed period lasted, count only with the interval extension.

    Raises:
        ModcogError: if they cannot be enumerated, or are more than ``MOST``.
    """
    times = [timed_steps * tables.settings.dt]
    if tables.rules.name != "corrected":
        ms, steps, _ = time_probabilities(tables)
        times = ms[steps == timed_steps].tolist()
    trials, shown = enumerate_trials(tables, times), shown_slots(tables)
    n, k = trials.answer.shape[1], len(times)
    unmoved = np.broadcast_to(trials.answer, (k, n))
    answer = np.stack([move_answer(tables, row, ms) for row, ms in zip(unmoved, times, strict=True)])
    seen = np.concatenate([_rows(trials.mean[:, :, shown]), _rows(trials.noisy[:, :, shown])], axis=1)
    # Trials that look the same become one hypothesis, which may then have several answers; all are equally likely.
    _, first, inverse = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    look = np.broadcast_to(inverse.reshape(-1, n), (k, n))
    counts = np.zeros((len(first), tables.settings.dim_ring + 1))
    np.add.at(counts, (look, answer), 1.0)
    total = counts.sum(axis=1)
    mean = trials.mean[:, :, shown].reshape(-1, len(shown), 2 * tables.settings.dim_ring)[first]
    noisy = trials.noisy[:, :, shown].reshape(-1, len(shown), 2)[first]
    return Hypotheses(mean.astype(np.float64), noisy, total / total.sum(), counts / total[:, None])


def sums(tables: Tables, trials: Trials) -> tuple[Floats, Floats]:
    """Return the rings summed over each period that shows something, (n, S, 2n), and the steps it lasts, (n, S)."""
    steps = np.stack([trials.conditions[f"{STEPS}{period}"] for period in tables.timings[0]], axis=1)
    starts = trials.offsets[:-1, None] + np.cumsum(steps, axis=1) - steps
    shown, ring = shown_slots(tables), tables.settings.dim_ring
    start, lasts = starts[:, shown].ravel(), steps[:, shown].ravel()
    rings = trials.packed_observations[:, 1 : 1 + 2 * ring]
    total: Floats = np.zeros((len(start), 2 * ring))
    for step in range(lasts.max(initial=0)):
        still = np.flatnonzero(step < lasts)
        total[still] += rings[start[still] + step]
    return total.reshape(len(trials), len(shown), -1), steps[:, shown].astype(np.float64)


def shown_slots(tables: Tables) -> NDArray[np.int64]:
    """Return the periods that show something, (S,), in order."""
    return np.unique(tables.show_slot[0])


def time_probabilities(tables: Tables) -> tuple[NDArray[np.floating], NDArray[np.int64], Floats]:
    """Return the times T that the interval of the one task of ``tables`` may count.

    Under the corrected rules T is what the period really lasted. Under the published rules it is the duration before
    rounding to steps; where several durations come out as the same number of steps, nobody can tell them apart.

    Returns:
        (K,) T in ms, (K,) steps that the timed period then lasts, and (K,) probability; one time, 0, if the task has
        no interval.

    Raises:
        ModcogError: if T is drawn from a continuum and not rounded.
    """
    timed, dt = tables.rows[0].timed, tables.settings.dt
    if not tables.interval_sign[0] or timed is None:
        return np.zeros(1), np.zeros(1, np.int64), np.ones(1)
    timing = tables.timings[0][timed]
    if tables.rules.name == "corrected":
        steps, probability = step_probabilities(timing, dt)
        return steps * dt, steps, probability
    kind, values = normal_form(timing)
    shortest, longest = bounds(timing)
    if kind != "choice" and shortest != longest:
        raise ModcogError(
            f"timing: {timed} of {tables.specs[0]} is drawn from a continuum; the published rules count it before "
            "rounding to steps, so the ideal observer has endlessly many hypotheses; give a list to choose from"
        )
    ms, count = np.unique(values, return_counts=True)
    return ms, whole_steps(ms, dt), count / count.sum()


def step_probabilities(timing: Timing, dt: float) -> tuple[NDArray[np.int64], Floats]:
    """Return the numbers of steps that a period can last, (K,), and the probability of each, (K,); ``dt`` in ms.

    Raises:
        ModcogError: if the duration is a function.
    """
    kind, values = normal_form(timing)
    if kind == "function":
        raise ModcogError(f"timing: {shown(timing)} is a function, so the durations it gives cannot be enumerated")
    low, high = bounds(timing)
    first, last = whole_steps(np.array([low, high]), dt)
    if kind == "choice" or first == last:
        steps, count = np.unique(whole_steps(np.array(values if kind == "choice" else [low]), dt), return_counts=True)
        return steps, count / count.sum()
    below = (np.clip(np.arange(first, last + 2) * dt, low, high) - low) / (high - low)
    if kind == "truncated_exponential":
        rate = (high - low) / values[0]
        below = np.expm1(-rate * below) / np.expm1(-rate)
    probability = np.diff(below)
    possible = probability > 0  # a duration drawn from a continuum falls short of its upper end
    return np.arange(first, last + 1)[possible], probability[possible]


def _every_combination(tables: Tables) -> tuple[dict[str, NDArray[Any]], int]:
    """Return all combinations of what a base task draws, as columns, and their number; each is equally likely."""
    row, group = tables.rows[0], tables.groups[0]
    for declared in row.conditions:
        if not declared.drawn and not all(condition.derived for condition in flat([declared])):
            raise ModcogError(
                f"{row.name}: condition {declared.names[0]!r} is declared without values to draw from, "
                "so the ideal observer cannot enumerate the task's trials"
            )
    counts = [len(choices.rows) for choices in group.choices]
    total = int(np.prod(counts, dtype=np.float64))
    if total > MOST:
        raise ModcogError(
            f"dim_ring, coherences, strengths: {tables.specs[0]} has {total} different trials under these settings; "
            f"the ideal observer weighs {MOST} at most"
        )
    found: dict[str, NDArray[Any]] = {}
    for choices, index in zip(group.choices, np.indices(counts).reshape(len(counts), total), strict=True):
        found |= choices.columns(choices.rows[index])
    return found, total


def _weigh_exact(known: Hypotheses, total: Floats, steps: Floats) -> Floats:
    """Return the probability of each answer, (m, A), without noise: from the hypotheses that look like what is seen."""
    seen, mean = _flat(total / steps[..., None]), _flat(known.mean)
    distance = (seen**2).sum(axis=1, keepdims=True) - 2 * seen @ mean.T + (mean**2).sum(axis=1)
    alike = distance <= distance.min(axis=1, keepdims=True) + SAME * (1 + (seen**2).sum(axis=1, keepdims=True))
    answers = alike @ (known.prior[:, None] * known.answers)
    return answers / answers.sum(axis=1, keepdims=True)


def _by_label(answers: Floats, labels: NDArray[np.integer]) -> Floats:
    """Return the probabilities of answers, (n, A), added up to those of labels, (n, 1 + largest label)."""
    return answers @ np.eye(labels.max() + 1)[labels]


def _groups(values: NDArray[Any]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
    """Yield each distinct value along the first axis and the indices at which it stands."""
    distinct, place = np.unique(values, axis=0, return_inverse=True)
    for k, value in enumerate(distinct):
        yield value, np.flatnonzero(place.reshape(-1) == k)


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return (K, n, …) values as (K · n, …) rows of numbers."""
    return values.reshape(values.shape[0] * values.shape[1], -1)
