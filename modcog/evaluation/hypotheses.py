"""Every trial that a task can show: the hypotheses of the ideal observer before it sees anything.

The conditions that a base task declares are enumerated instead of drawn, and then go the generator's own way: drawn,
extended and painted. So every base task whose conditions are finitely many has an ideal observer, a user's own too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.tasks.condition import STEPS, flat
from modcog.trials import extend, paint
from modcog.trials.arrays import Trials
from modcog.trials.draw import draw_conditions
from modcog.trials.tables import RING1, RING2, Tables
from modcog.trials.timing import Durations, normal_form, whole_steps

MOST = 300_000
"""Trials that are enumerated at most; each is compared with everything that is seen."""


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

    mean: NDArray[np.float64]
    noisy: NDArray[np.bool_]
    prior: NDArray[np.float64]
    answers: NDArray[np.float64]

    def where(self, noisy: NDArray[np.bool_]) -> Hypotheses:
        """Return those in which just the rings ``noisy``, (S, 2), are noisy."""
        kept = np.flatnonzero((self.noisy == noisy).all(axis=(1, 2)))
        if len(kept) == len(self.prior):
            return self
        prior = self.prior[kept]
        return Hypotheses(self.mean[kept], self.noisy[kept], prior / prior.sum(), self.answers[kept])


def enumerate_trials(tables: Tables, timed_steps: int | None) -> Hypotheses:
    """Return the hypotheses about a trial of the one task of ``tables``.

    Args:
        tables: a battery of one task.
        timed_steps: how many steps the timed period lasted; None in a task without the interval extension.

    Raises:
        ModcogError: if they cannot be enumerated, or are more than ``MOST``.
    """
    times: Sequence[float | None] = [None] if timed_steps is None else possible_times(tables, timed_steps)
    conditions = _every_combination(tables)
    n = len(next(iter(conditions.values())))
    shown, ring = shown_slots(tables), tables.settings.dim_ring
    mean, noisy, answer = [], [], []
    for time in times:
        ms = np.full((n, tables.n_slots), tables.settings.dt)  # periods last one step, but for the timed one
        if time is not None:
            ms[:, tables.timed_slot[0]] = time
        durations = Durations(ms, whole_steps(ms, tables.settings.dt), dict(conditions))
        drawn = draw_conditions(tables, np.zeros(n, np.int64), durations, Seed.of(0, Purpose.CEILING).rng())
        frames = paint.frames(tables, drawn)
        mean.append(frames.values.reshape(n, tables.n_slots, -1)[:, shown, 1 : 1 + 2 * ring])
        mask = frames.noise.reshape(n, tables.n_slots)[:, shown]
        noisy.append(np.stack([mask & RING1, mask & RING2], axis=2) != 0)
        answer.append(np.where(drawn.respond, 1 + extend.first_target(tables, drawn), 0))
    # Trials that look the same become one hypothesis, which may then have several answers; all are equally likely.
    means, noises = np.concatenate(mean), np.concatenate(noisy)
    seen = np.concatenate([means.reshape(len(means), -1), noises.reshape(len(means), -1)], axis=1)
    _, first, inverse = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    counts = np.zeros((len(first), ring + 1))
    np.add.at(counts, (inverse.reshape(-1), np.concatenate(answer)), 1.0)
    total = counts.sum(axis=1)
    return Hypotheses(means[first].astype(np.float64), noises[first], total / total.sum(), counts / total[:, None])


def sums(tables: Tables, trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rings summed over each period that shows something, (n, S, 2n), and the steps it lasts, (n, S)."""
    steps = np.stack([trials.conditions[f"{STEPS}{period}"] for period in tables.timings[0]], axis=1)
    starts = trials.offsets[:-1, None] + np.cumsum(steps, axis=1) - steps
    shown, ring = shown_slots(tables), tables.settings.dim_ring
    start, lasts = starts[:, shown].ravel(), steps[:, shown].ravel()
    rings = trials.packed_observations[:, 1 : 1 + 2 * ring]
    total: NDArray[np.float64] = np.zeros((len(start), 2 * ring))
    for step in range(lasts.max(initial=0)):
        still = np.flatnonzero(step < lasts)
        total[still] += rings[start[still] + step]
    return total.reshape(len(trials), len(shown), -1), steps[:, shown].astype(np.float64)


def shown_slots(tables: Tables) -> NDArray[np.int64]:
    """Return the periods that show something, (S,), in order."""
    return np.unique(tables.show_slot[0])


def possible_times(tables: Tables, steps: int) -> list[float]:
    """Return the times T, in ms, that the interval extension may count for a timed period of ``steps`` steps.

    Under the corrected rules T is what the period really lasted. Under the published rules it is the duration before
    rounding to steps; where several durations come out as the same number of steps, the observer cannot tell.

    Raises:
        ModcogError: if T is drawn from a continuum and not rounded.
    """
    row = tables.rows[0]
    assert row.timed is not None
    if tables.rules.name == "corrected":
        return [steps * tables.settings.dt]
    kind, values = normal_form(tables.timings[0][row.timed])
    if kind == "uniform" and values[0] != values[1]:
        raise ModcogError(
            f"timing: {row.timed} of {tables.specs[0]} is drawn from a continuum; the published rules count it before "
            "rounding to steps, so the ideal observer has endlessly many hypotheses; give a list to choose from"
        )
    values = values if kind == "choice" else values[:1]
    return [ms for ms in values if whole_steps(np.array(ms), tables.settings.dt) == steps]


def _every_combination(tables: Tables) -> dict[str, NDArray[Any]]:
    """Return all combinations of what a base task draws, as columns; each is as likely as any other.

    Raises:
        ModcogError: if a condition has no finite set of values, or there are more than ``MOST`` combinations.
    """
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
    for choices, index in zip(group.choices, np.indices(counts).reshape(len(counts), -1), strict=True):
        rows = choices.rows[index]
        found |= {name: rows[:, i] for i, name in enumerate(choices.declared.names)}
    return found
