"""Tables: what differs between the tasks of a battery, as arrays that are looked up by task index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, unknown
from modcog.settings import BatterySettings
from modcog.tasks.draw import Draw, Outcome
from modcog.tasks.names import TaskSpec, parse
from modcog.tasks.table import Base, Timing
from modcog.trials.published import Published
from modcog.trials.rules import Rules
from modcog.trials.timing import TimingTable, check_timing, compile_timing

RULES: dict[str, Rules] = {rules.name: rules for rules in (Rules(), Published())}

FIXATION, RING1, RING2 = 1, 2, 4
"""Bits of a noise mask: the parts of an observation that are noisy."""

_NOISE = {"none": 0, "shown": 0, "both": RING1 | RING2, "all": FIXATION | RING1 | RING2}


@dataclass(frozen=True)
class Tables:
    """A battery compiled: every attribute without a comment is an array over its tasks, (K,) or (K, …).

    Attributes:
        settings: what it was compiled from.
        rules: the rule set.
        specs: the tasks.
        rows: the base task of each, as the rules have it.
        timings: period durations of each, in ms, in order.
        timing: the same as arrays.
        draws: the draw functions; ``group`` says which one a task uses.
        params: for each draw function, the parameters of its rows by name.
        alternatives: rows to draw from; a task's are ``alternative_count`` rows from ``alternative_start`` on.
        decision_slot, timed_slot: index of the decision and of the timed period among the task's periods (−1: none).
        show_slot: (K, S) index of the period that shows the first, second … stimulus.
        interval_sign, move_sign, sequence_sign: +1, −1 or 0; ``move_sign`` is 0 where an interval moves no target.
        noise: mask of the channels that are noisy while a stimulus is visible.
        noise_at_stimulus: whether the ring that shows the stimulus is, too.
        bumps: (n, n) bump of strength 1 for each direction.
    """

    settings: BatterySettings
    rules: Rules
    specs: tuple[TaskSpec, ...]
    rows: tuple[Base, ...]
    timings: tuple[Mapping[str, Timing], ...]
    timing: TimingTable
    draws: tuple[Callable[[Draw], Outcome], ...]
    group: NDArray[np.int64]
    params: tuple[Mapping[str, NDArray[Any]], ...]
    alternatives: NDArray[np.float64]
    alternative_start: NDArray[np.int64]
    alternative_count: NDArray[np.int64]
    decision_slot: NDArray[np.int64]
    timed_slot: NDArray[np.int64]
    show_slot: NDArray[np.int64]
    interval_sign: NDArray[np.int64]
    move_sign: NDArray[np.int64]
    sequence_sign: NDArray[np.int64]
    noise: NDArray[np.uint8]
    noise_at_stimulus: NDArray[np.bool_]
    bumps: NDArray[np.float32]

    def __deepcopy__(self, memo: Any) -> Tables:
        """Itself: tables never change."""
        return self

    @property
    def n_slots(self) -> int:
        """P, the largest number of periods a task has."""
        return self.timing.low.shape[1]

    @cached_property
    def n_channels(self) -> int:
        """Channels of an observation: fixation cue, two rings, and the rule input if there is one."""
        return 1 + 2 * self.settings.dim_ring + (len(self.specs) if self.settings.rule_input else 0)

    @cached_property
    def period_slots(self) -> dict[str, NDArray[np.int64]]:
        """For every period name, the slot it takes in each task, (K,); −1 where a task does not have it."""
        names = dict.fromkeys(period for timing in self.timings for period in timing)
        return {
            name: np.array([list(timing).index(name) if name in timing else -1 for timing in self.timings])
            for name in names
        }

    @cached_property
    def fixation_cue(self) -> NDArray[np.bool_]:
        """(K, P): whether the fixation cue is on in a slot."""
        return np.arange(self.n_slots) < self.decision_slot[:, None]

    @cached_property
    def blank_trial(self) -> NDArray[np.float32]:
        """(K, P, C) observations of each period without a stimulus: fixation cue and rule input."""
        blank = np.zeros((len(self.specs), self.n_slots, self.n_channels), np.float32)
        blank[:, :, 0] = self.fixation_cue
        if self.settings.rule_input:
            task = np.arange(len(self.specs))
            blank[task, :, 1 + 2 * self.settings.dim_ring + task] = 1
        return blank

    @cached_property
    def noise_shown_in(self) -> NDArray[np.uint8]:
        """(K, P) noise mask of each period: ``noise`` where it shows a stimulus, 0 elsewhere."""
        mask = np.zeros((len(self.specs), self.n_slots), np.uint8)
        task, stimulus = np.nonzero(self.show_slot >= 0)
        mask[task, self.show_slot[task, stimulus]] = self.noise[task]
        return mask

    @cached_property
    def missing(self) -> dict[str, int | float]:
        """The conditions that trials have, and what each is in a trial whose task does not draw it: −1 or NaN."""
        from modcog.trials.draw import missing_values

        return missing_values(self)

    @cached_property
    def mean_length(self) -> NDArray[np.float64]:
        """(K,) expected steps of a trial, an upper bound up to rounding."""
        table = self.timing
        mean = table.low + table.span / 2
        for task, slot in zip(*np.nonzero(table.count), strict=True):
            start = table.start[task, slot]
            mean[task, slot] = table.values[start : start + table.count[task, slot]].mean()
        return mean.sum(axis=1) / self.settings.dt


def compile_tables(settings: BatterySettings) -> Tables:
    """Compile the tables of a battery.

    Raises:
        ModcogError: if the timing names a period that no task has or leaves a task unplayable.
    """
    rules = RULES[settings.rules]
    specs = tuple(parse(name) for name in settings.tasks)
    rows = tuple(rules.row(spec) for spec in specs)
    timings = tuple(_timing(rules, spec, row, settings) for spec, row in zip(specs, rows, strict=True))
    _check_periods(settings, rows)
    for spec, row, timing in zip(specs, rows, timings, strict=True):
        setting = {row.timed: "interval"} if row.timed and spec.interval and settings.interval else {}
        setting |= dict.fromkeys(settings.timing, "timing")
        check_timing(spec.name, timing, row.shows, settings.dt, setting)
    draws = tuple(dict.fromkeys(row.draw for row in rows))
    sign = np.array([spec.interval for spec in specs])
    start, count, alternatives = _alternatives(rows, settings)
    return Tables(
        settings=settings,
        rules=rules,
        specs=specs,
        rows=rows,
        timings=timings,
        timing=compile_timing(timings),
        draws=draws,
        group=np.array([draws.index(row.draw) for row in rows]),
        params=tuple(_columns(rows, draw) for draw in draws),
        alternatives=alternatives,
        alternative_start=start,
        alternative_count=count,
        decision_slot=np.array([len(row.periods) - 1 for row in rows]),
        timed_slot=np.array([_slot(row, row.timed) for row in rows]),
        show_slot=_show_slots(rows),
        interval_sign=sign,
        move_sign=sign * [rules.interval_moves_target(row) for row in rows],
        sequence_sign=np.array([spec.sequence for spec in specs]),
        noise=np.array([_NOISE[row.noise] for row in rows], np.uint8),
        noise_at_stimulus=np.array([row.noise == "shown" for row in rows]),
        bumps=bump(np.arange(settings.dim_ring), settings.dim_ring).astype(np.float32),
    )


def bump(direction: NDArray[Any], dim_ring: int) -> NDArray[np.float64]:
    """Activity of a ring under a stimulus of strength 1: 0.8 · exp(−½ (d / (π/8))²), d the circular distance.

    Args:
        direction: (m,) positions on the ring, off the grid too.
        dim_ring: number of directions n.

    Returns:
        (m, n).
    """
    distance = np.abs(direction[:, None] - np.arange(dim_ring)) % dim_ring
    angle = np.minimum(distance, dim_ring - distance) * (2 * np.pi / dim_ring)
    return 0.8 * np.exp(-0.5 * (angle / (np.pi / 8)) ** 2)


def _timing(rules: Rules, spec: TaskSpec, row: Base, settings: BatterySettings) -> dict[str, Timing]:
    timing = rules.timing(spec, row, settings)
    return {period: settings.timing.get(period, duration) for period, duration in timing.items()}


def _check_periods(settings: BatterySettings, rows: Sequence[Base]) -> None:
    periods = list(dict.fromkeys(period for row in rows for period in row.periods))
    for period in settings.timing:
        if period not in periods:
            raise unknown("period in timing", period, periods)


def _slot(row: Base, period: str | None) -> int:
    return -1 if period is None else list(row.periods).index(period)


def _show_slots(rows: Sequence[Base]) -> NDArray[np.int64]:
    slots = np.full((len(rows), max(len(row.shows) for row in rows) or 1), -1)
    for task, row in enumerate(rows):
        slots[task, : len(row.shows)] = [_slot(row, period) for period in row.shows]
    return slots


def _columns(rows: Sequence[Base], draw: Callable[[Draw], Outcome]) -> dict[str, NDArray[Any]]:
    """Parameters of the rows that share ``draw``, as arrays over all tasks; other tasks have 0 there, never read."""
    columns: dict[str, NDArray[Any]] = {}
    params = [row.params if row.draw is draw else {} for row in rows]
    for name in dict.fromkeys(name for own in params for name in own):
        like = np.asarray(next(own[name] for own in params if name in own))
        values = [np.asarray(own.get(name, np.zeros_like(like))) for own in params]
        if any(value.shape != like.shape for value in values):
            raise ModcogError(f"params: {name!r} has different shapes in base tasks that share a draw function")
        columns[name] = np.stack(values)
    return columns


def _alternatives(
    rows: Sequence[Base], settings: BatterySettings
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Start and number of each task's alternatives, (K,), and the rows they point into, each base's once."""
    tables: list[NDArray[np.float64]] = []
    first: dict[str, tuple[int, int]] = {}
    total = 0
    for row in rows:
        if row.alternatives is not None and row.name not in first:
            table = np.asarray(row.alternatives(settings, row.params), dtype=np.float64)
            first[row.name] = (total, len(table))
            tables.append(table)
            total += len(table)
    width = max((table.shape[1] for table in tables), default=0)
    padded = [np.pad(table, ((0, 0), (0, width - table.shape[1]))) for table in tables]
    start_count = np.array([first.get(row.name, (0, 0)) for row in rows])
    return start_count[:, 0], start_count[:, 1], np.concatenate(padded) if padded else np.zeros((0, 0))
