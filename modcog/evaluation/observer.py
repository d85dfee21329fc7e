"""The ideal observer: the best that any system could do on a task, given its noise.

The observer knows the rules and how trials are made, and sees the noisy observations. It also sees when each period
begins and ends: the fixation cue falls without noise at the decision, and the rings are blank and free of noise except
while a stimulus is visible. Hidden are only the trial's conditions, of which there are finitely many. It weighs them by
their exact posterior and at every step of the decision takes the action that is most likely right. Nothing in a delay
or a fixation period is noisy, and the observer forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation.hypotheses import Hypotheses, enumerate_trials, shown_slots, sums
from modcog.settings import Settings
from modcog.tasks.condition import STEPS
from modcog.trials import extend
from modcog.trials.arrays import Trials

CELLS = 1_000_000
"""Trials × hypotheses that are weighed at once; few enough for the processor's cache."""

SAME = 1e-12
"""Squared distance, relative to the square of what is seen, below which two noise-free observations are equal."""

NUDGE = 1e-5
"""Added to the most probable answer, so that a tie is decided once, and not at every step of the decision anew."""

Floats = NDArray[np.float64]
Answers = Callable[[Hypotheses, NDArray[np.intp]], Floats]


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
        self.hypotheses = lru_cache(lambda timed_steps: enumerate_trials(tables, timed_steps))

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

    def _by_time_course(self, trials: Trials, answers: Answers) -> Floats:
        """Return ``answers(hypotheses, trials)``, (n, A), with the hypotheses for each duration of the timed period."""
        found = np.empty((len(trials), self.battery.n_actions))
        if not self.tables.interval_sign[0]:
            found[:] = answers(self.hypotheses(None), np.arange(len(trials)))
            return found
        for steps, trial in _groups(trials.conditions[f"{STEPS}{self.tables.rows[0].timed}"]):
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


def _flat(values: Floats) -> Floats:
    return values.reshape(len(values), -1)
