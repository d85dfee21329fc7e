"""Every trial that a task can show: what the ideal observer holds possible before it sees anything.

The conditions are enumerated instead of drawn, and then go the generator's own way: extended and painted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.tasks import decision, go, match
from modcog.trials import published
from modcog.trials.arrays import Trials
from modcog.trials.draw import STEPS, Drawn, draw_conditions
from modcog.trials.source import pack
from modcog.trials.tables import Tables
from modcog.trials.timing import Durations, normal_form, whole_steps

MOST = 300_000
"""Trials that are enumerated at most; each is compared with everything that is seen."""

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Hypotheses:
    """What the rings can show in a task, without noise, and what it would mean.

    An *answer* is what a trial asks for at the first step of its decision: 0 to hold fixation, 1 + k to respond in
    direction k (the label of the corrected rules). The published rules give two answers the same label.

    Attributes:
        mean: (M, S, F) noise-free rings, F channels, in each of the S periods that show something.
        prior: (M,) probability of each before anything is seen.
        answers: (M, A) probability of each answer, given what is shown.
    """

    mean: NDArray[np.float64]
    prior: NDArray[np.float64]
    answers: NDArray[np.float64]


def enumerate_trials(tables: Tables, timed_steps: int | None) -> Hypotheses:
    """The hypotheses about a trial of the one task of ``tables``.

    Args:
        tables: a battery of one task.
        timed_steps: how many steps the timed period lasted; None in a task without the interval extension.

    Raises:
        ModcogError: if they cannot be enumerated, or are more than ``MOST``.
    """
    times: Sequence[float | None] = [None] if timed_steps is None else possible_times(tables, timed_steps)
    parts = [_draw(tables, _conditions(tables), time) for time in times]
    mean = np.concatenate([_noise_free(tables, part) for part in parts])
    answer = np.concatenate([np.where(part.respond, 1 + part.target, 0) for part in parts])
    return _merged(mean, answer, tables.settings.dim_ring + 1)


def _noise_free(tables: Tables, drawn: Drawn) -> NDArray[np.float64]:
    """What the rings show without noise, (n, S, F)."""
    silent = replace(tables, settings=tables.settings.model_copy(update={"sigma": 0.0}))
    total, steps = sums(tables, pack(silent, drawn, Seed.of(0, Purpose.CEILING).rng()))
    return total / steps[..., None]


def _merged(mean: NDArray[np.float64], answer: NDArray[np.integer], n_answers: int) -> Hypotheses:
    """Hypotheses that look the same become one, which may have several answers; all were equally likely."""
    _, first, inverse = np.unique(mean.reshape(len(mean), -1), axis=0, return_index=True, return_inverse=True)
    counts = np.zeros((len(first), n_answers))
    np.add.at(counts, (inverse.reshape(-1), answer), 1.0)
    total = counts.sum(axis=1)
    return Hypotheses(mean[first], total / total.sum(), counts / total[:, None])


def rings_are_added(tables: Tables) -> bool:
    """Whether the two rings can be added to one without a loss.

    They can where one of them is shown at a time and the other is blank and free of noise: then which of them it is
    can be seen, and the right answer does not depend on it.
    """
    return tables.rows[0].noise in ("none", "shown") and tables.rows[0].draw not in _DECISION


def sums(tables: Tables, trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the rings show, summed over each period that shows something, (n, S, F), and the steps it lasts, (n, S)."""
    steps = np.stack([trials.conditions[f"{STEPS}{period}"] for period in tables.timings[0]], axis=1)
    starts = trials.offsets[:-1, None] + np.cumsum(steps, axis=1) - steps
    shown, ring = shown_slots(tables), tables.settings.dim_ring
    start, lasts = starts[:, shown].ravel(), steps[:, shown].ravel()
    rings = trials.packed_observations[:, 1 : 1 + 2 * ring]
    total: NDArray[np.float64] = np.zeros((len(start), 2 * ring))
    for step in range(lasts.max(initial=0)):
        still = np.flatnonzero(step < lasts)
        total[still] += rings[start[still] + step]
    if rings_are_added(tables):
        total = total[:, :ring] + total[:, ring:]
    return total.reshape(len(trials), len(shown), -1), steps[:, shown].astype(np.float64)


def shown_slots(tables: Tables) -> NDArray[np.int64]:
    """The periods that show something, (S,), in order."""
    return np.unique(tables.show_slot[0])


def possible_times(tables: Tables, steps: int) -> list[float]:
    """The times T, in ms, that the interval extension may count for a timed period of ``steps`` steps.

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


def _draw(tables: Tables, given: Mapping[str, NDArray[np.generic]], time: float | None) -> Drawn:
    """The trials with the conditions ``given``, (n,) columns, a timed period of ``time`` ms and others of one step."""
    n = len(next(iter(given.values())))
    ms = np.full(tables.n_slots, tables.settings.dt)
    if time is not None:
        ms[tables.timed_slot[0]] = time
    each = np.tile(ms, (n, 1))
    durations = Durations(each, whole_steps(each, tables.settings.dt))
    return draw_conditions(tables, np.zeros(n, np.int64), durations, Seed.of(0, Purpose.CEILING).rng(), given)


def _conditions(tables: Tables) -> Columns:
    """All combinations of what a base task draws, as columns; each is as likely as any other.

    Raises:
        ModcogError: for a base task that draws in another way than the three families.
    """
    row = tables.rows[0]
    if row.draw in _DECISION and row.alternatives is not None:
        return _decisions(tables, row.alternatives(tables.settings, row.params))
    if row.draw in (go.draw, published.draw_go):
        name = "direction" if row.draw is go.draw else "target"
        return _table({name: range(tables.settings.dim_ring), "modality": _modalities(tables)})
    if row.draw in (match.draw, published.draw_match):
        return _matches(tables)
    raise ModcogError(
        f"{row.name!r} draws its conditions in a way of its own, which the ideal observer cannot enumerate; "
        "it knows the go, decision and match families"
    )


_DECISION = (decision.draw, published.draw_decision)


def _modalities(tables: Tables) -> tuple[int, ...]:
    return (1,) if rings_are_added(tables) else (1, 2)


def _decisions(tables: Tables, strengths: NDArray[np.float64]) -> Columns:
    """Pairs of directions × rows of strengths, and the coin that decides ties under the published rules.

    Where both directions are shown at once, swapping them along with their strengths makes the same trial.
    """
    ring, both_orders = range(tables.settings.dim_ring), tables.rows[0].params["sequential"]
    pairs = [(a, b) for a, b in product(ring, ring) if a < b or (both_orders and a != b)]
    coins = {"coin": (1, 2)} if tables.rows[0].draw is published.draw_decision else {}
    table = _table({"pair": range(len(pairs)), "row": range(len(strengths)), **coins})
    pair, row = np.array(pairs)[table.pop("pair")], strengths[table.pop("row")]
    named = {name: row[:, i] for i, name in enumerate(decision.STRENGTHS)}
    return {"direction1": pair[:, 0], "direction2": pair[:, 1], **named, **table}


def _matches(tables: Tables) -> Columns:
    """Match, sample and the tests that go with them.

    One drawn test of each match and sample says which others are possible: none, or all of its half of the ring.
    """
    half = tables.settings.dim_ring // 2
    columns = _table({"match": range(2), "sample_direction": range(2 * half), "modality": _modalities(tables)})
    drawn = _draw(tables, columns, None).groups[0].conditions["test_direction"]
    if not tables.rows[0].params["category"]:
        return {**columns, "test_direction": drawn}
    tests = (drawn // half * half)[:, None] + np.arange(half)
    return {**{name: np.repeat(column, half) for name, column in columns.items()}, "test_direction": tests.ravel()}


def _table(values: Mapping[str, Sequence[int]]) -> Columns:
    """All combinations, a column for each name.

    Raises:
        ModcogError: if they are more than ``MOST``.
    """
    count = int(np.prod([len(column) for column in values.values()]))
    if count > MOST:
        raise ModcogError(
            f"dim_ring, coherences, strengths: the task has {count} different trials under these settings; "
            f"the ideal observer weighs {MOST} at most"
        )
    grid = np.array(list(product(*values.values())))
    return {name: grid[:, i] for i, name in enumerate(values)}
