"""Durations, from each task's timing to whole steps, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import LONGEST_MS, LONGEST_TRIAL
from modcog.errors import ModcogError, shown
from modcog.settings import Timing, generator_argument
from modcog.tables import Brief
from modcog.user_code import failures_as
from modcog.validation import is_number, plain

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
class Function:
    """A user's function that returns durations of one period of one task, in ms.

    It is called for each trial: with the generator that draws durations, if it takes one, and else without arguments;
    then its trials follow from the seed only if it has a method ``seed``, as neurogym's random numbers have.

    Attributes:
        task: index of the task.
        slot: index of the period in it.
        name: of the period.
        call: the function.
        least: shortest duration under which the trial can be played, in ms.
    """

    task: int
    slot: int
    name: str
    call: Callable[..., Any]
    least: float

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return n durations, (n,), in ms.

        Raises:
            ModcogError: if the function fails or returns anything but a number of ms, from ``least`` on.
        """
        argument = generator_argument(self.name, self.call)
        if argument is None and callable(seed := getattr(self.call, "seed", None)):
            seed(int(rng.integers(2**32)))
        with failures_as(f"timing: the function of {self.name} failed"):
            drawn = [plain(self.call() if argument is None else self.call(**{argument: rng})) for _ in range(n)]
        for ms in drawn:
            if not is_number(ms) or not self.least <= ms <= LONGEST_MS:
                raise ModcogError(
                    f"timing: the function of {self.name} returned {shown(ms)}, must be a number of ms from "
                    f"{self.least:g} to {LONGEST_MS:g}"
                )
        return np.array(drawn, float)


@dataclass(frozen=True, repr=False)
class TimingTable(Brief):
    """The timing of every period of every task, as arrays over (task, slot).

    A duration is low + u · span with u uniform on [0, 1); or, where ``scale`` > 0, exponential with that mean, from low
    on and truncated at low + span; or, where ``count`` > 0, one of ``count`` values; or what a function returns.

    Attributes:
        low: (K, P).
        span: (K, P).
        scale: (K, P).
        count: (K, P).
        start: (K, P).
        mean: (K, P) ms; of a function, which nobody knows beforehand, one step.
        values: that ``start`` and ``count`` point into.
        functions: the periods whose durations functions return.
        dt: time step, ms.
        kept: (K,) number of a delay that the published rules draw once for a whole sample (P5); −1: none.
        presets_modality: (K,) the modality is drawn along with the durations, since a kept delay depends on it.
    """

    low: NDArray[np.float64]
    span: NDArray[np.float64]
    scale: NDArray[np.float64]
    mean: NDArray[np.float64]
    count: NDArray[np.int64]
    start: NDArray[np.int64]
    values: NDArray[np.float64]
    functions: tuple[Function, ...]
    dt: float
    kept: NDArray[np.int64]
    presets_modality: NDArray[np.bool_]

    def draw(self, task: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the durations of one trial of each task in ``task`` (n,), in ms, (n, P).

        Slots are drawn one after the other, so that a task's durations do not depend on which others share its table.

        Raises:
            ModcogError: if a user's function fails, or makes a trial too long.
        """
        u = rng.random((self.low.shape[1], len(task)))
        ms = self.low.take(task, axis=0)
        uniform, exponential, choice = self._random_slots
        for slot in uniform:
            ms[:, slot] += u[slot] * self.span[:, slot].take(task)
        for slot in exponential:
            trial = np.flatnonzero(self.scale[:, slot].take(task))
            low, span, scale = (table[task[trial], slot] for table in (self.low, self.span, self.scale))
            ms[trial, slot] = low - scale * np.log1p(u[slot, trial] * np.expm1(-span / scale))
        for slot in choice:
            trial = np.flatnonzero(self.count[:, slot].take(task))
            own = task[trial]
            index = self.start[own, slot] + (u[slot, trial] * self.count[own, slot]).astype(np.int64)
            ms[trial, slot] = self.values[index]
        for function in self.functions:
            trial = np.flatnonzero(task == function.task)
            ms[trial, function.slot] = function.draw(len(trial), rng)
            if np.any(ms[trial].sum(axis=1) / self.dt > LONGEST_TRIAL):
                raise ModcogError(
                    f"timing: the function of {function.name} makes a trial longer than the {LONGEST_TRIAL} "
                    "steps allowed"
                )
        return ms

    @cached_property
    def _random_slots(self) -> tuple[list[int], list[int], list[int]]:
        """The slots that some task draws uniformly, that one draws exponentially, and for which one chooses."""
        uniform, exponential, choice = (
            np.flatnonzero(table.any(axis=0)).tolist() for table in (self.span, self.scale, self.count)
        )
        return uniform, exponential, choice


def compile_timing(
    timings: Sequence[Mapping[str, Timing]],
    shows: Sequence[Sequence[str]],
    dt: float,
    kept: Sequence[int],
    presets_modality: Sequence[bool],
) -> TimingTable:
    """Turn the tasks' timings into a ``TimingTable``.

    Args:
        timings: of each task the durations of its periods, in ms.
        shows: of each task the periods that show a stimulus.
        dt: time step in ms.
        kept: of each task, see ``TimingTable``.
        presets_modality: of each task, see ``TimingTable``.
    """
    shape = (len(timings), max(map(len, timings)))
    low, span, scale, mean = np.zeros((4, *shape))
    count, start = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    values: list[float] = []
    functions: list[Function] = []
    for task, timing in enumerate(timings):
        for slot, (period, duration) in enumerate(timing.items()):
            kind, numbers = normal_form(duration)
            mean[task, slot] = dt if (average := expected(duration)) is None else average
            if callable(duration):
                least = dt if period in ("decision", *shows[task]) else 0.0
                functions.append(Function(task, slot, period, duration, least))
            elif kind == "choice":
                count[task, slot], start[task, slot] = len(numbers), len(values)
                values.extend(numbers)
            else:
                low[task, slot], longest = bounds(duration)
                span[task, slot] = longest - low[task, slot]
                scale[task, slot] = numbers[0] if kind == "truncated_exponential" else 0
    return TimingTable(
        low, span, scale, mean, count, start, np.array(values), tuple(functions), dt,
        np.array(kept), np.array(presets_modality),
    )  # fmt: skip


MOST_MEANS = 53 * np.log(2)
"""Longest exponential duration that a random number of 53 bits gives, in means: what else is longer never occurs."""


def normal_form(duration: Timing) -> tuple[str, tuple[float, ...]]:
    """Return a duration by kind.

    A number d is ``("uniform", (d, d))``, a list ``("choice", values)``, an exponential duration has all its three
    numbers, and a function, of which nothing is known beforehand, is ``("function", ())``.
    """
    if callable(duration):
        return "function", ()
    if isinstance(duration, int | float):
        return "uniform", (float(duration), float(duration))
    if not isinstance(duration[0], str):
        return "choice", tuple(duration)
    kind, numbers = duration[0], tuple(duration[1])
    if kind == "truncated_exponential":
        mean, shortest = numbers[0], numbers[1] if len(numbers) > 1 else 0.0
        numbers = (mean, shortest, *(numbers[2:] or (shortest + mean * MOST_MEANS,)))
    return kind, numbers


def bounds(duration: Timing) -> tuple[float, float]:
    """Return the shortest and the longest that a period can last, in ms; of a function, 0 and infinity."""
    kind, numbers = normal_form(duration)
    if kind == "function":
        return 0.0, np.inf
    return numbers[1:] if kind == "truncated_exponential" else (min(numbers), max(numbers))  # type: ignore[return-value]


def expected(duration: Timing) -> float | None:
    """Return the mean of a duration, in ms; None of a function's."""
    kind, numbers = normal_form(duration)
    if kind == "truncated_exponential":
        mean, shortest, longest = numbers
        span = longest - shortest
        return float(shortest + mean + span * np.exp(-span / mean) / np.expm1(-span / mean))
    return sum(numbers) / len(numbers) if numbers else None


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
    known = {period: bounds(duration) for period, duration in timing.items() if not callable(duration)}
    longest = sum(most for _, most in known.values())
    if longest / dt > LONGEST_TRIAL:
        period, (_, ms) = max(known.items(), key=lambda item: item[1][1])
        cause = f"{setting[period]}: {period} of {task} can last {ms:g} ms" if period in setting else f"dt: got {dt:g}"
        raise ModcogError(
            f"{cause}, which makes a trial of {task} {longest / dt:.3g} steps long; at most {LONGEST_TRIAL} are allowed"
        )
    for period, (shortest, _) in known.items():
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
