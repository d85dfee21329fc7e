"""Levels of a task: what the ideal observer scores, and players who each lack one thing and are ideal otherwise.

A player has a *belief*, a probability for everything that the trial may ask for, and does what the belief says is best
for the measure in question. Players differ in the information behind the belief, and in nothing else:

- ``blind`` sees no stimulus, but knows the task and when periods begin and end. Its level is chance.
- ``no-comparison`` knows where the stimuli stand, but nothing of the conditions that the base task ``compares``: it
  picks a stimulus by a coin, and responds always or never where the task asks for a response in some trials only.
- ``no-memory`` sees the present observation only, and so does not know how long the decision has lasted.
- ``no-clock`` knows everything but the time T of the interval extension.
- ``no-sequence`` stays at its first answer throughout the decision.
- ``ideal`` knows everything that the observations tell. Its level is the ceiling.

Trials are enumerated, not drawn, so levels are exact. Only where stimuli are noisy, the beliefs of those who see them
are sampled, as posteriors of the ideal observer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.evaluation.measures import TOLERANCE, distances, within
from modcog.evaluation.observer import (
    enumerate_trials,
    move_answer,
    shown_slots,
    step_probabilities,
    time_probabilities,
)
from modcog.trials import extend
from modcog.trials.tables import Tables

STRATEGIES = ("blind", "no-comparison", "no-memory", "no-clock", "no-sequence", "ideal")
"""Players in the order of reports."""

FLOORS = (*STRATEGIES[:-1], "best")
"""Levels that a share can be counted from; the best is the highest of a player who lacks something a task needs."""

CELLS = 500_000
"""Beliefs × answers that are scored at once; few enough for the processor's cache."""

TIE = 1e-9
"""Difference of probabilities that rounding may make."""

DECIMALS = 5
"""Decimals of observations that count: two that differ by rounding look the same."""

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

Play = Literal["each step", "answer", "still", "stays"]
"""A player does what is best at each step for the measure, or gives the likeliest answer whatever the measure, or
does what is best among actions that are the same at all steps, or what were best if nothing ever moved."""

Expected = dict[str, Floats]
"""For each measure, (2, m): the expected value in each case, and the expected number of values, 1 if always defined."""


@dataclass(frozen=True)
class Cases:
    """States of a player's knowledge.

    Attributes:
        weight: (m,) probability of each case.
        belief: (m, A · K) probability of each answer (0: hold; 1 + k: respond in direction k, before the interval
            moves it) together with each of K times.
    """

    weight: Floats
    belief: Floats

    def parts(self) -> Iterator[Floats]:
        """Yield the beliefs, some at a time."""
        size = max(1, CELLS // self.belief.shape[1])
        for start in range(0, len(self.weight), size):
            yield self.belief[start : start + size]


class Strategies:
    """The players of one task.

    Args:
        tables: of a battery of this task alone.
        beliefs: (m, A) sampled posteriors of the answers, before the interval moves them, if the stimuli are noisy.
        tolerance: of the directional accuracy, in degrees.

    Raises:
        ModcogError: if the task's trials cannot be enumerated, or noisy ones depend on the time T.
    """

    def __init__(self, tables: Tables, beliefs: Floats | None = None, tolerance: float = TOLERANCE) -> None:
        self.tables, self.beliefs = tables, beliefs
        n_actions = tables.settings.dim_ring + 1
        self.within, self.distance = within(n_actions, tolerance), distances(n_actions)
        self.ms, steps, self.probability = time_probabilities(tables)
        self.clock = np.unique(steps, return_inverse=True)[1].reshape(-1)
        self.trials = trials = enumerate_trials(tables, self.ms.tolist())
        if beliefs is not None and len(trials.answer) > 1:
            raise ModcogError(f"{tables.specs[0]}: its noisy stimuli depend on the time T, so it has no levels")
        self.decision = step_probabilities(tables.timings[0]["decision"], tables.settings.dt)

    def lacks(self, strategy: str) -> bool:
        """Return True unless a strategy lacks only what this task does not ask for, and so is the ideal one."""
        needed = {
            "no-comparison": len(self.tables.rows[0].compares) > 0,
            "no-clock": len(self.ms) > 1,
            "no-sequence": self.tables.sequence_sign[0] != 0,
        }
        return bool(needed.get(strategy, strategy != "ideal"))

    def expected(self, strategy: str) -> list[tuple[float, Cases, Expected]]:
        """Return what a strategy is expected to score in each of its cases.

        They come in parts, one for each time T that the player can tell from the others, with their probabilities.
        """
        every = np.arange(len(self.ms))
        if strategy == "no-clock":
            return [(1.0, *self._play(self._seen(every), every, "each step"))]
        if strategy == "no-memory":
            now = self._looks(np.array([self.tables.decision_slot[0]]))
            return [(1.0, *self._play(self._group(now, every), every, "still"))]
        told_apart = [np.flatnonzero(self.clock == k) for k in range(self.clock.max() + 1)]
        if self.tables.rules.name == "corrected" and len(self.trials.answer) == 1:
            told_apart = [every[:1]]  # a known T turns all answers of a trial by the same angle: no score changes
        known = {"blind": self._blind, "no-comparison": self._uncompared}.get(strategy, self._seen)
        plays: dict[str, Play] = {"no-comparison": "answer", "no-sequence": "stays"}
        play: Play = plays.get(strategy, "each step")
        total = sum(self.probability[times].sum() for times in told_apart)
        return [(self.probability[t].sum() / total, *self._play(known(t), t, play)) for t in told_apart]

    def _blind(self, times: Ints) -> Cases:
        return self._group(np.zeros_like(self.trials.answer), times)

    def _uncompared(self, times: Ints) -> Cases:
        hidden = self.tables.rows[0].compares
        visible = [column for name, column in self.trials.conditions.items() if name not in hidden]
        key = np.zeros_like(self.trials.answer)
        key[:] = _numbered(np.stack(visible, axis=1)) if visible else 0
        return _coin(self._group(key, times), len(times))

    def _seen(self, times: Ints) -> Cases:
        """Return the cases of a player who sees everything, but of ``times`` only what the stimuli tell."""
        if self.beliefs is None:
            return self._group(self._looks(shown_slots(self.tables)), times)
        share = self.probability[times] / self.probability[times].sum()
        belief = (self.beliefs[:, :, None] * share).reshape(len(self.beliefs), -1)
        return Cases(np.full(len(belief), 1 / len(belief)), belief)

    def _looks(self, slots: Ints) -> Ints:
        """Return numbers, (K, n), that are equal where trials look the same in these periods."""
        shown = self.trials.mean[:, :, slots]
        return _numbered(shown.reshape(shown.shape[0] * shown.shape[1], -1).round(DECIMALS)).reshape(shown.shape[:2])

    def _group(self, key: Ints, times: Ints) -> Cases:
        """Return the cases of a player who knows the ``key``, (K, n), of each trial, and that T is one of ``times``."""
        n, k, n_actions = key.shape[1], len(times), len(self.within)
        row = times if len(key) > 1 else np.zeros_like(times)
        group = np.unique(key[row], return_inverse=True)[1].reshape(k, n)
        joint = np.zeros((group.max() + 1, n_actions, k))
        share = self.probability[times] / self.probability[times].sum()
        np.add.at(joint, (group, self.trials.answer[row], np.arange(k)[:, None]), share[:, None] / n)
        weight = joint.sum(axis=(1, 2))
        return Cases(weight, joint.reshape(len(joint), -1) / weight[:, None])

    def _labels(self, times: Ints) -> Ints:
        """Return the label of each answer and time at each step of the longest decision, (steps, A · K)."""
        steps, n_actions = self.decision[0].max(), len(self.within)
        found = np.zeros((steps, n_actions, len(times)), np.int64)
        for place, ms in enumerate(self.ms[times]):
            target = move_answer(self.tables, np.arange(1, n_actions), ms) - 1
            step, moved = (part.ravel() for part in np.broadcast_arrays(np.arange(steps)[:, None], target))
            found[:, 1:, place] = extend.labels(self.tables, np.zeros_like(step), moved, step).reshape(steps, -1)
        return found.reshape(steps, -1)

    def _play(self, cases: Cases, times: Ints, play: Play) -> tuple[Cases, Expected]:
        labels, found = self._labels(times), []
        if play in ("each step", "answer") and self.tables.rules.name == "corrected":
            labels[:] = labels[0]  # a known motion turns all answers by the same angle: no score changes
        for belief in cases.parts():
            lasts = [self._score(belief, labels[:steps], play) for steps in self.decision[0]]
            found.append({name: sum_up([one[name] for one in lasts], self.decision[1]) for name in lasts[0]})
        return cases, {name: np.concatenate([part[name] for part in found], axis=1) for name in found[0]}

    def _score(self, belief: Floats, labels: Ints, play: Play) -> Expected:
        """Return the expected scores under beliefs (m, S) if the labels at each step are ``labels`` (steps, S)."""
        m, steps = len(belief), len(labels)
        rows, row = np.unique(labels, axis=0, return_inverse=True)
        row, times = row.reshape(-1), np.bincount(row.reshape(-1))
        by_label = np.stack([_by_label(belief, one, len(self.within)) for one in rows])
        last, every = by_label[row[-1]], np.arange(m)
        near = last @ self.within.T
        constant = (labels == labels[0]).all(axis=0)
        throughout = _by_label(belief * constant, labels[0], len(self.within))  # of labels that never change
        if play in ("each step", "answer"):
            actions = _best(by_label)
            path = np.unique(labels, axis=1, return_inverse=True)[1].reshape(-1)
            whole = _by_label(belief, path, path.max() + 1).max(axis=1)
            at_last = last.max(axis=1)
            nearby = near.max(axis=1) if play == "each step" else near[every, actions[row[-1]]]
        elif play == "still":
            actions = np.broadcast_to(_best(np.tensordot(times, by_label, 1)), (len(rows), m))
            whole, at_last, nearby = (one.max(axis=1) for one in (throughout, last, near))
        else:
            first = by_label[row[0]]
            action, by_angle = _best(first), _best(first @ self.within.T)
            actions = np.broadcast_to(action, (len(rows), m))
            whole, at_last, nearby = throughout[every, action], last[every, action], near[every, by_angle]
        right = times @ np.take_along_axis(by_label, actions[:, :, None], axis=2)[:, :, 0]
        found = {"decision": right / steps, "trial": whole, "last_step": at_last, "directional": nearby}
        expected = {name: np.stack([value, np.ones(m)]) for name, value in found.items()}
        return expected | self._errors(belief, rows, times, actions) | {"pooled": np.stack([right, np.full(m, steps)])}

    def _errors(self, belief: Floats, rows: Ints, times: Ints, actions: Ints) -> Expected:
        """Return angular error and unanswered share, for actions (rows, m), each taken ``times`` (rows,) times."""
        answered, error = np.zeros(belief.shape), np.zeros(belief.shape)
        for labels, often, action in zip(rows, times, actions, strict=True):
            distance = self.distance[action][:, labels]
            both = ~np.isnan(distance)
            answered += often * both
            error += often * np.where(both, distance, 0)
        asked = times @ (rows > 0)
        some = belief * (answered > 0)
        share = belief * (1 - answered / np.maximum(asked, 1)) * (asked > 0)
        return {
            "angular_error": np.stack([(some * error / np.maximum(answered, 1)).sum(axis=1), some.sum(axis=1)]),
            "unanswered": np.stack([share.sum(axis=1), belief @ (asked > 0)]),
        }


def averages(parts: Iterable[tuple[float, Cases, Expected]]) -> dict[str, float | None]:
    """Return the value of each measure, from what ``Strategies.expected`` returns; None where it is undefined."""
    total: dict[str, Floats] = {}
    for probability, cases, expected in parts:
        for name, columns in expected.items():
            total[name] = total.get(name, np.zeros(2)) + probability * (columns @ cases.weight)
    return {name: float(value / n) if n > 0 else None for name, (value, n) in total.items()}


def standard_error(parts: Sequence[tuple[float, Cases, Expected]], name: str) -> float:
    """Return the standard error of a measure; the cases of every part are the same samples."""
    value, n = sum_up([expected[name] for _, _, expected in parts], np.array([share for share, *_ in parts]))
    return float((value - n * (value.sum() / n.sum())).std() / n.mean() / np.sqrt(len(n)))


def sum_up(values: Sequence[Floats], weight: Floats) -> Floats:
    """Return the weighted sum of arrays of one shape."""
    return np.asarray(np.tensordot(weight, np.stack(values), 1), np.float64)


def _coin(cases: Cases, n_times: int) -> Cases:
    """Return the cases of a player who does not know in which of them the task asks to hold fixation."""
    hold = cases.weight @ cases.belief[:, :n_times]
    respond = cases.belief[:, n_times:]
    total = respond.sum(axis=1, keepdims=True)
    share = np.divide(respond, total, out=np.zeros_like(respond), where=total > 0)
    return Cases(cases.weight, np.hstack([np.tile(hold, (len(share), 1)), (1 - hold.sum()) * share]))


def _best(by_action: NDArray[np.floating]) -> Ints:
    """Return the best action, (…,), by the last axis; one that responds if to hold fixation is as good."""
    return (by_action[..., 1:].argmax(axis=-1) + 1) * (by_action[..., 1:].max(axis=-1) > by_action[..., 0] - TIE)


def _by_label(belief: Floats, labels: Ints, n: int) -> Floats:
    """Return the probabilities of pairs, (m, S), added up to those of their labels, (m, n)."""
    return belief @ np.eye(n)[labels]


def _numbered(rows: NDArray[Any]) -> Ints:
    """Return a number for each row, (r,), the same for equal rows."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
