"""Durations, from each task's timing to whole steps, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.limits import LONGEST_TRIAL
from modcog.settings import Timing
from modcog.trials.moves import SLACK


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

    def part(self, rows: slice) -> Durations:
        """Return those of some of the trials."""
        return Durations(self.ms[rows], self.steps[rows], {name: c[rows] for name, c in self.presets.items()})

    def presets_of(self, trial: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return the presets of ``trial`` (m,), trials that share a draw function, which all have them or none."""
        return {name: column[trial] for name, column in self.presets.items() if column[trial[0]] != -1}


def whole_steps(ms: NDArray[np.floating], dt: float) -> NDArray[np.int64]:
    """Return floor(ms / dt), with slack against rounding; same shape."""
    return np.floor(ms / dt + SLACK).astype(np.int64)


@dataclass(frozen=True)
class TimingTable:
    """The timing of every period of every task, as arrays over (task, slot).

    A duration is low + u · span with u uniform on [0, 1), or, where ``count`` > 0, one of ``count`` values.

    Attributes:
        low, span, count, start: (K, P).
        values: that ``start`` and ``count`` point into.
        dt: time step, ms.
        kept: (K,) number of a delay that the published rules draw once for a whole sample (P5); −1: none.
        presets_modality: (K,) the modality is drawn along with the durations, since a kept delay depends on it.
    """

    low: NDArray[np.float64]
    span: NDArray[np.float64]
    count: NDArray[np.int64]
    start: NDArray[np.int64]
    values: NDArray[np.float64]
    dt: float
    kept: NDArray[np.int64]
    presets_modality: NDArray[np.bool_]

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(K, P) mean durations, ms."""
        return self._of_choices(np.mean, self.low + self.span / 2)

    @cached_property
    def longest(self) -> NDArray[np.float64]:
        """(K, P) longest durations, ms."""
        return self._of_choices(np.max, self.low + self.span)

    def _of_choices(self, summary: Callable[[Any], Any], ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``ms`` with the summary of the values where a duration is one of several."""
        for task, slot in zip(*np.nonzero(self.count), strict=True):
            start = self.start[task, slot]
            ms[task, slot] = summary(self.values[start : start + self.count[task, slot]])
        return ms

    def draw(self, task: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the durations of one trial of each task in ``task`` (n,), in ms, (n, P).

        Slots are drawn one after the other, so that a task's durations do not depend on which others share its table.
        """
        u = rng.random((self.low.shape[1], len(task)))
        ms = self.low.take(task, axis=0)
        for slot in self.uniform_slots:
            ms[:, slot] += u[slot] * self.span[:, slot].take(task)
        for slot in self.choice_slots:
            trial = np.flatnonzero(self.count[:, slot].take(task))
            own = task[trial]
            index = self.start[own, slot] + (u[slot, trial] * self.count[own, slot]).astype(np.int64)
            ms[trial, slot] = self.values[index]
        return ms

    @cached_property
    def uniform_slots(self) -> tuple[int, ...]:
        """The slots that some task draws uniformly."""
        return tuple(np.flatnonzero(self.span.any(axis=0)).tolist())

    @cached_property
    def choice_slots(self) -> tuple[int, ...]:
        """The slots for which some task chooses among values."""
        return tuple(np.flatnonzero(self.count.any(axis=0)).tolist())


def compile_timing(
    timings: Sequence[Mapping[str, Timing]], dt: float, kept: Sequence[int], presets_modality: Sequence[bool]
) -> TimingTable:
    """Turn the tasks' timings, one mapping of period to duration (ms) each, into a ``TimingTable``; dt in ms."""
    shape = (len(timings), max(map(len, timings)))
    low, span = np.zeros(shape), np.zeros(shape)
    count, start = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    values: list[float] = []
    for task, timing in enumerate(timings):
        for slot, duration in enumerate(timing.values()):
            kind, numbers = normal_form(duration)
            if kind == "uniform":
                low[task, slot], span[task, slot] = numbers[0], numbers[1] - numbers[0]
            else:
                count[task, slot], start[task, slot] = len(numbers), len(values)
                values.extend(numbers)
    return TimingTable(
        low, span, count, start, np.array(values), dt, np.array(kept), np.array(presets_modality)
    )  # fmt: skip


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
