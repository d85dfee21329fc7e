"""Trials as arrays, which every consumer of the battery reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.tables import html_table
from modcog.tasks.condition import Condition

IGNORE = -100
"""Label of padding: the index that PyTorch's losses ignore."""

MOST_SHOWN = 24
"""Largest number of tasks in the table of a notebook."""


@dataclass(frozen=True, eq=False, repr=False)
class Trials:
    """n trials, packed: all steps in one array, padded only when asked for.

    Attributes:
        packed_observations: (S, C) float32, all steps of all trials, one after the other.
        packed_labels: (S,) int64, the right action at each step.
        offsets: (n + 1,) trial i holds the steps offsets[i] … offsets[i + 1] − 1.
        task: (n,) index into ``tasks``.
        decision_start: (n,) int64, step at which the decision begins.
        conditions: everything that was drawn, (n,) columns; −1 or NaN where a trial's task has no such thing.
        tasks: names of the battery's tasks.
        dt: time step, ms.
        periods: for each task the names of its periods, in order.
        dim_ring: number of directions n.
        declared: what each condition is: name, kind and meaning.
    """

    packed_observations: NDArray[np.float32]
    packed_labels: NDArray[np.int64]
    offsets: NDArray[np.int64]
    task: NDArray[np.integer]
    decision_start: NDArray[np.int64]
    conditions: dict[str, NDArray[Any]]
    tasks: tuple[str, ...]
    dt: float
    periods: tuple[tuple[str, ...], ...]
    dim_ring: int
    declared: tuple[Condition, ...]

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.task)

    def __repr__(self) -> str:
        return f"Trials({self._title()})"

    def _repr_html_(self) -> str:
        """Return a table for notebooks: number and length of the trials of each task, or of the first of them."""
        rows = [["task", "trials", "steps"]]
        for k in np.unique(self.task)[:MOST_SHOWN]:
            lengths = self.lengths[self.task == k]
            low, high = lengths.min(), lengths.max()
            rows.append([self.tasks[k], str(len(lengths)), f"{low}" if low == high else f"{low} to {high}"])
        return html_table(rows, self._title())

    def _title(self) -> str:
        tasks = [self.tasks[k] for k in np.unique(self.task)]
        of = ", ".join(tasks) if len(tasks) <= 4 else f"{len(tasks)} tasks"
        steps, channels = self.packed_observations.shape
        return f"{len(self)} of {of}: {steps} steps, {channels} channels"

    @property
    def n_channels(self) -> int:
        """Number of channels C of an observation."""
        return self.packed_observations.shape[1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) steps of each trial."""
        return np.diff(self.offsets)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(n, T) True where a trial has a step, False in padding; T is the longest trial's length."""
        return np.arange(self.lengths.max(initial=0)) < self.lengths[:, None]

    @cached_property
    def observations(self) -> NDArray[np.float32]:
        """(n, T, C) float32, zero-padded; made when first asked for."""
        return pad(self.packed_observations, self.lengths, 0)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(n, T) int64, padded with −100; made when first asked for."""
        return pad(self.packed_labels, self.lengths, IGNORE)

    def period_steps(self, trial: int) -> dict[str, int]:
        """Return the steps that each period of a trial lasts, in order."""
        row = self.rows[trial]
        return {period: row[f"steps_{period}"] for period in self.periods[self.task[trial]]}

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The conditions of each trial that its task has, as plain numbers; made when first asked for."""
        columns = {name: column for name, column in self.conditions.items() if not is_missing(column).all()}
        names = tuple(columns)
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        if len(np.unique(self.task)) == 1:  # a task's trials all have the same conditions
            return [dict(zip(names, row, strict=True)) for row in values]
        present = zip(*((~is_missing(column)).tolist() for column in columns.values()), strict=True)
        return [
            {name: value for name, value, there in zip(names, row, has, strict=True) if there}
            for row, has in zip(values, present, strict=True)
        ]

    def __getitem__(self, index: int | slice) -> Trials:
        """Return one trial (as a batch of one) or a contiguous slice; arrays are views.

        Raises:
            IndexError: if the index is outside, or the slice has a step.
        """
        start, stop = span(index, len(self))
        steps = slice(int(self.offsets[start]), int(self.offsets[stop]))
        return replace(
            self,
            packed_observations=self.packed_observations[steps],
            packed_labels=self.packed_labels[steps],
            offsets=self.offsets[start : stop + 1] - self.offsets[start],
            task=self.task[start:stop],
            decision_start=self.decision_start[start:stop],
            conditions={name: column[start:stop] for name, column in self.conditions.items()},
        )


def is_missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a condition, (n,), is −1 (whole numbers) or NaN (others): the trial's task has no such thing."""
    return column == -1 if column.dtype.kind in "iu" else np.isnan(column)


def pad(
    packed: NDArray[Any],
    lengths: NDArray[np.integer],
    fill: float,
    length: int | None = None,
    *,
    time_first: bool = False,
) -> NDArray[Any]:
    """Pad packed steps at the end of each trial.

    Args:
        packed: (S, …) steps of n trials, one after the other.
        lengths: (n,) steps of each.
        fill: value of padding.
        length: steps T that trials are padded to; None: those of the longest.
        time_first: return (T, n, …).

    Returns:
        (n, T, …).
    """
    length = int(lengths.max(initial=0)) if length is None else length
    shape = (length, len(lengths)) if time_first else (len(lengths), length)
    padded = np.full((*shape, *packed.shape[1:]), fill, packed.dtype)
    trials = padded.swapaxes(0, 1) if time_first else padded
    if lengths.sum() == trials.shape[0] * length:  # nothing to pad
        trials[:] = packed.reshape(trials.shape)
    else:
        trials[np.arange(length) < lengths[:, None]] = packed
    return padded


def write_rule_input(
    columns: NDArray[np.float32],
    places: NDArray[np.integer],
    task: NDArray[np.integer],
    lengths: NDArray[np.integer],
) -> None:
    """Write the rule input of packed trials into ``columns``, (S, R) zeros.

    ``places``, (K, m), are the channels that are 1 in each task's trials; ``task`` and ``lengths`` are (n,).
    """
    columns[np.arange(len(columns))[:, None], np.repeat(places[task], lengths, axis=0)] = 1


def ranges(start: NDArray[np.integer], count: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the whole numbers start[i] … start[i] + count[i] − 1 of each i, one after the other; both are (n,)."""
    before = np.cumsum(count) - count
    return np.repeat(start - before, count) + np.arange(int(count.sum()))


def span(index: int | slice, n: int, kind: str = "trial", hint: str = "") -> tuple[int, int]:
    """Return start and stop of one of n trials, or of a contiguous slice of them.

    ``kind`` is what an error calls one of them, and ``hint`` what it adds about slices.

    Raises:
        IndexError: if the index is outside, or the slice has a step.
    """
    if isinstance(index, slice):
        start, stop, step = index.indices(n)
        if step != 1:
            raise IndexError(f"{kind}s can be sliced contiguously only{hint}")
        return start, max(start, stop)
    if not -n <= index < n:
        raise IndexError(f"{kind} {index} of {n}")
    return index % n, index % n + 1


def concatenate(parts: Sequence[Trials]) -> Trials:
    """Return the trials of all parts, one after the other.

    Raises:
        ModcogError: if they come from different batteries.
    """
    if len(parts) == 1:
        return parts[0]
    for part in parts[1:]:
        for name in ("tasks", "dt", "dim_ring", "periods", "declared", "n_channels"):
            one, other = getattr(parts[0], name), getattr(part, name)
            if one != other:
                raise ModcogError(f"trials: parts differ in {name}, must come from the same battery")
    lengths = np.concatenate([part.lengths for part in parts])
    columns = ("packed_observations", "packed_labels", "task", "decision_start")
    return replace(
        parts[0],
        offsets=np.append(0, np.cumsum(lengths)),
        conditions={name: np.concatenate([part.conditions[name] for part in parts]) for name in parts[0].conditions},
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
    )


def join_by_task(parts: Iterable[Trials]) -> Trials:
    """Return the trials of all parts in the order of their tasks; each part holds trials of one task."""
    return concatenate(sorted(parts, key=lambda part: int(part.task[0])))
