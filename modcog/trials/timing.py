"""Durations, from each task's timing to whole steps, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import LONGEST_TRIAL
from modcog.errors import ModcogError
from modcog.settings import Timing

SLACK = 1e-9
"""Guards every floor against rounding: 0.29 · 100 is 28.999999999999996 in floating point and 29 in arithmetic."""

Given = Mapping[str, NDArray[Any]]
"""Conditions that are not drawn but fixed, (n,) columns by name."""


@dataclass
class Durations:
    """Period durations of n trials; slot p is the p-th period of the trial's own task.

    Attributes:
        ms: (n, P) as drawn, in ms.
        steps: (n, P) whole steps; 0 in slots that the task does not have.
        presets: conditions that had to be drawn along with the durations, (n,) columns; −1 in trials in which they
            are drawn like all others.
    """

    ms: NDArray[np.float64]
    steps: NDArray[np.int64]
    presets: dict[str, NDArray[Any]] = field(default_factory=dict)

    def part(self, rows: slice | NDArray[np.intp]) -> Durations:
        """Return those of some of the trials."""
        return Durations(self.ms[rows], self.steps[rows], {name: c[rows] for name, c in self.presets.items()})


def whole_steps(ms: NDArray[np.floating], dt: float) -> NDArray[np.int64]:
    """Return floor(ms / dt), with slack against rounding; same shape."""
    return np.floor(ms / dt + SLACK).astype(np.int64)


@dataclass(frozen=True)
class TimingTable:
    """The timing of every period of every task, as arrays over (task, slot).

    A duration is low + u · span with u uniform on [0, 1), or, where ``count`` > 0, one of ``count`` values.

    Attributes:
        low, span, count, start: (K, P).
        mean, longest: (K, P) ms.
        values: that ``start`` and ``count`` point into.
        dt: time step, ms.
        kept: (K,) number of a delay that the published rules draw once for a whole sample (P5); −1: none.
        presets_modality: (K,) the modality is drawn along with the durations, since a kept delay depends on it.
    """

    low: NDArray[np.float64]
    span: NDArray[np.float64]
    mean: NDArray[np.float64]
    longest: NDArray[np.float64]
    count: NDArray[np.int64]
    start: NDArray[np.int64]
    values: NDArray[np.float64]
    dt: float
    kept: NDArray[np.int64]
    presets_modality: NDArray[np.bool_]

    def draw(self, task: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the durations of one trial of each task in ``task`` (n,), in ms, (n, P).

        Slots are drawn one after the other, so that a task's durations do not depend on which others share its table.
        """
        u = rng.random((self.low.shape[1], len(task)))
        ms = self.low.take(task, axis=0)
        uniform, choice = self._random_slots
        for slot in uniform:
            ms[:, slot] += u[slot] * self.span[:, slot].take(task)
        for slot in choice:
            trial = np.flatnonzero(self.count[:, slot].take(task))
            own = task[trial]
            index = self.start[own, slot] + (u[slot, trial] * self.count[own, slot]).astype(np.int64)
            ms[trial, slot] = self.values[index]
        return ms

    @cached_property
    def _random_slots(self) -> tuple[list[int], list[int]]:
        """The slots that some task draws uniformly, and those for which some task chooses among values."""
        uniform, choice = (np.flatnonzero(table.any(axis=0)).tolist() for table in (self.span, self.count))
        return uniform, choice


def compile_timing(
    timings: Sequence[Mapping[str, Timing]], dt: float, kept: Sequence[int], presets_modality: Sequence[bool]
) -> TimingTable:
    """Turn the tasks' timings, one mapping of period to duration (ms) each, into a ``TimingTable``; dt in ms."""
    shape = (len(timings), max(map(len, timings)))
    low, span, mean, longest = np.zeros((4, *shape))
    count, start = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    values: list[float] = []
    for task, timing in enumerate(timings):
        for slot, duration in enumerate(timing.values()):
            kind, numbers = normal_form(duration)
            mean[task, slot], longest[task, slot] = sum(numbers) / len(numbers), max(numbers)
            if kind == "uniform":
                low[task, slot], span[task, slot] = numbers[0], numbers[1] - numbers[0]
            else:
                count[task, slot], start[task, slot] = len(numbers), len(values)
                values.extend(numbers)
    return TimingTable(
        low, span, mean, longest, count, start, np.array(values), dt, np.array(kept), np.array(presets_modality)
    )


def normal_form(duration: Timing) -> tuple[str, tuple[float, ...]]:
    """Return a duration as ``("uniform", (a, b))`` or ``("choice", values)``; a number d is ``("uniform", (d, d))``."""
    if isinstance(duration, int | float):
        return "uniform", (float(duration), float(duration))
    if isinstance(duration[0], str):
        return duration[0], tuple(duration[1])
    return "choice", tuple(duration)


def check_timing(
    task: str, timing: Mapping[str, Timing], shows: Sequence[str], dt: float, setting: Mapping[str, str]
) -> None:
    """Refuse a timing under which a trial of ``task`` could not be played.

    Args:
        task: name of the task.
        timing: duration of each of its periods.
        shows: the periods that show a stimulus.
        dt: time step in ms.
        setting: for a period whose duration a setting gives, the name of that setting.

    Raises:
        ModcogError: if the decision, or a period that shows a stimulus, can be shorter than one step, or the trial
            longer than ``LONGEST_TRIAL`` steps.
    """
    most = {period: max(normal_form(duration)[1]) for period, duration in timing.items()}
    longest = sum(most.values())
    if longest / dt > LONGEST_TRIAL:
        period, ms = max(most.items(), key=lambda item: item[1])
        cause = f"{setting[period]}: {period} of {task} can last {ms:g} ms" if period in setting else f"dt: got {dt:g}"
        raise ModcogError(
            f"{cause}, which makes a trial of {task} {longest / dt:.3g} steps long; at most {LONGEST_TRIAL} are allowed"
        )
    for period, duration in timing.items():
        shortest = min(normal_form(duration)[1])
        if period not in ("decision", *shows) or whole_steps(np.array(shortest), dt) >= 1:
            continue
        leaves = f"leaves a trial without a {'decision' if period == 'decision' else 'visible stimulus'}"
        if period in setting:
            raise ModcogError(
                f"{setting[period]}: {period} of {task} can last {shortest:g} ms, less than one step of dt {dt:g} ms, "
                f"which {leaves}; must be at least {dt:g}"
            )
        raise ModcogError(
            f"dt: got {dt:g}, longer than the {shortest:g} ms that {period} of {task} can last, "
            f"which {leaves}; must be at most {shortest:g}"
        )
