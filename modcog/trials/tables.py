"""Tables: the differences between the tasks of a battery, as arrays that are looked up by task index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, unknown
from modcog.settings import Settings, Timing
from modcog.tables import Brief
from modcog.tasks.base import Base
from modcog.tasks.condition import DURATION, STEPS, Condition, Joint, flat
from modcog.tasks.names import TaskSpec, parse
from modcog.tasks.rule_input import RuleInput, RulePlaces, rule_places
from modcog.trials.published import Published
from modcog.trials.rules import Rules
from modcog.trials.timing import TimingTable, check_timing, compile_timing

RULES: dict[str, Rules] = {rules.name: rules for rules in (Rules(), Published())}

FIXATION, RING1, RING2 = 1, 2, 4
"""Bits of a noise mask: the parts of an observation that are noisy."""

_NOISE = {"none": 0, "shown": 0, "both": RING1 | RING2, "all": FIXATION | RING1 | RING2}


TARGET = Condition("target", "direction", "direction asked for, before the interval extension moves it", derived=True)
RESPOND = Condition("respond", "flag", "1: respond; 0: hold fixation through the decision", derived=True)
INTERVAL_MS = Condition("interval_ms", "duration", "the T of the interval extension, ms", derived=True)

RESERVED = {
    *(TARGET.name, RESPOND.name, INTERVAL_MS.name),
    *("observations", "labels", "task", "length", "start", "sequence", "decision_start"),  # beside it in a data set
    *("steps", "trials"),  # beside it where a data set is read
    *("ground_truth", "p", "probs", "self"),  # beside it where a trial is asked for
}
"""Names that a user's base task cannot give to a condition."""


@dataclass(frozen=True)
class Choices:
    """The rows that one declaration is drawn from, for all tasks: ``count`` rows from ``start`` on, (K,) each."""

    declared: Condition | Joint
    rows: NDArray[Any]
    start: NDArray[np.int64]
    count: NDArray[np.int64]

    def columns(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return drawn rows (m, k) as columns by name: whole numbers where a condition is whole among fractions."""
        found = dict(zip(self.declared.names, rows.T, strict=True))
        if rows.dtype.kind == "f":
            return {c.name: found[c.name].astype(np.int64 if c.whole else float) for c in flat([self.declared])}
        return found


@dataclass(frozen=True, repr=False)
class Group(Brief):
    """The tasks that share a draw function and the names of their conditions, so that they are drawn together.

    Attributes:
        base: one of their base tasks, for its draw function.
        choices: the declarations with values to draw from, in order.
        params: ``Base.params`` as columns over all tasks; in tasks of other groups 0, never read.
    """

    base: Base
    choices: tuple[Choices, ...]
    params: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, repr=False)
class Tables(Brief):
    """A battery compiled; unless noted, attributes are arrays over its tasks, (K,) or (K, …).

    Attributes:
        settings: that it was compiled from.
        rule_input: kind of the rule input that observations end with.
        rules: the rule set.
        specs: the tasks.
        rows: the base task of each, as the rules have it.
        timings: period durations of each, in ms, in order.
        timing: the same as arrays.
        groups: the tasks that are drawn together.
        group: index of a task's group.
        conditions: every column of ``trials.conditions``, in order.
        decision_slot: index of the decision among the task's periods.
        timed_slot: index of the timed period; −1: none.
        show_slot: (K, S) index of the period that shows the first, second … stimulus.
        interval_sign: +1, −1 or 0.
        move_sign: the same, but 0 where an interval moves no target.
        sequence_sign: +1, −1 or 0.
        noise: mask of the channels that are noisy while a stimulus is visible.
        noise_at_stimulus: the ring that shows a stimulus is noisy, whatever ``noise`` says.
        bumps: (n, n) bump of strength 1 for each direction.
    """

    settings: Settings
    rule_input: RuleInput
    rules: Rules
    specs: tuple[TaskSpec, ...]
    rows: tuple[Base, ...]
    timings: tuple[Mapping[str, Timing], ...]
    timing: TimingTable
    groups: tuple[Group, ...]
    group: NDArray[np.int64]
    conditions: tuple[Condition, ...]
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
        """Return the same tables: they never change."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the tables were compiled from: draw functions and values may be lambdas."""
        return compile_tables, (self.tasks, self.settings, self.rule_input)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(spec.name for spec in self.specs)

    @property
    def n_slots(self) -> int:
        """P, the largest number of periods a task has."""
        return self.timing.low.shape[1]

    @cached_property
    def n_channels(self) -> int:
        """Channels of an observation: fixation cue, two rings, and the rule input if there is one."""
        return 1 + 2 * self.settings.dim_ring + self.rule_places.width

    @cached_property
    def rule_places(self) -> RulePlaces:
        """The channels of the rule input that are 1 in each task's trials, counted from the first of them."""
        return rule_places(self.tasks, self.rule_input)

    @cached_property
    def periods(self) -> tuple[tuple[str, ...], ...]:
        """Names of each task's periods, in order."""
        return tuple(tuple(timing) for timing in self.timings)

    @cached_property
    def period_slots(self) -> dict[str, NDArray[np.int64]]:
        """For every period name, the slot it takes in each task, (K,); −1 where a task does not have it."""
        names = dict.fromkeys(period for periods in self.periods for period in periods)
        return {
            name: np.array([periods.index(name) if name in periods else -1 for periods in self.periods])
            for name in names
        }

    @cached_property
    def fixation_cue(self) -> NDArray[np.bool_]:
        """(K, P): the fixation cue is on in a slot, which is so before the decision."""
        return np.arange(self.n_slots) < self.decision_slot[:, None]

    @cached_property
    def blank_trial(self) -> NDArray[np.float32]:
        """(K, P, C) observations of each period without a stimulus: fixation cue and rule input."""
        blank = np.zeros((len(self.specs), self.n_slots, self.n_channels), np.float32)
        blank[:, :, 0] = self.fixation_cue
        if self.rule_input:
            places = 1 + 2 * self.settings.dim_ring + self.rule_places.places
            blank[np.arange(len(self.specs))[:, None], :, places] = 1
        return blank

    @cached_property
    def noise_shown_in(self) -> NDArray[np.uint8]:
        """(K, P) noise mask of each period: ``noise`` where it shows a stimulus, 0 elsewhere."""
        mask = np.zeros((len(self.specs), self.n_slots), np.uint8)
        task, stimulus = np.nonzero(self.show_slot >= 0)
        mask[task, self.show_slot[task, stimulus]] = self.noise[task]
        return mask

    @cached_property
    def mean_length(self) -> NDArray[np.float64]:
        """(K,) expected steps of a trial, an upper bound up to rounding."""
        return self.timing.mean.sum(axis=1) / self.settings.dt


def compile_tables(tasks: Sequence[str], settings: Settings, rule_input: RuleInput) -> Tables:
    """Compile the tables of a battery.

    Raises:
        ModcogError: if the timing names a period that no task has or leaves a task unplayable, or base tasks declare
            conditions that contradict each other.
    """
    rules = RULES[settings.rules]
    specs = tuple(parse(name) for name in tasks)
    rows = tuple(rules.row(spec) for spec in specs)
    timings = tuple(
        {period: settings.timing.get(period, ms) for period, ms in rules.timing(spec, row, settings).items()}
        for spec, row in zip(specs, rows, strict=True)
    )
    periods = list(dict.fromkeys(period for row in rows for period in row.periods))
    for period in settings.timing:
        if period not in periods:
            raise unknown("period in timing", period, periods)
    for spec, row, timing in zip(specs, rows, timings, strict=True):
        setting = {row.timed: "interval"} if row.timed and spec.interval and settings.interval else {}
        setting |= dict.fromkeys(settings.timing, "timing")
        check_timing(spec.name, timing, row.shows, settings.dt, setting)
    keys = [(row.draw, tuple((one.names, one.drawn) for one in row.conditions)) for row in rows]
    distinct, groups = list(dict.fromkeys(keys)), []
    for key in distinct:
        members = [row if k == key else None for row, k in zip(rows, keys, strict=True)]
        first = rows[keys.index(key)]
        choices = tuple(_choices(members, place, settings) for place, one in enumerate(first.conditions) if one.drawn)
        groups.append(Group(first, choices, _params(members)))
    sign = np.array([spec.interval for spec in specs])
    show_slot = np.full((len(rows), max(len(row.shows) for row in rows) or 1), -1)
    for task, row in enumerate(rows):
        show_slot[task, : len(row.shows)] = [list(row.periods).index(period) for period in row.shows]
    return Tables(
        settings=settings,
        rule_input=rule_input,
        rules=rules,
        specs=specs,
        rows=rows,
        timings=timings,
        timing=compile_timing(
            timings,
            [row.shows for row in rows],
            settings.dt,
            [-1 if "delay" in settings.timing else rules.kept_delay(spec) for spec in specs],
            [rules.presets_modality(row) for row in rows],
        ),
        groups=tuple(groups),
        group=np.array([distinct.index(key) for key in keys]),
        conditions=all_columns(rows, any(spec.interval for spec in specs)),
        decision_slot=np.array([len(row.periods) - 1 for row in rows]),
        timed_slot=np.array([list(row.periods).index(row.timed) if row.timed else -1 for row in rows]),
        show_slot=show_slot,
        interval_sign=sign,
        move_sign=sign * [rules.interval_moves_target(row) for row in rows],
        sequence_sign=np.array([spec.sequence for spec in specs]),
        noise=np.array([_NOISE[row.noise] for row in rows], np.uint8),
        noise_at_stimulus=np.array([row.noise == "shown" for row in rows]),
        bumps=bump(np.arange(settings.dim_ring), settings.dim_ring).astype(np.float32),
    )


def all_columns(rows: Sequence[Base], intervals: bool) -> tuple[Condition, ...]:
    """Return every column of a battery's trials in order; ``intervals``: some task has the interval extension.

    Raises:
        ModcogError: if two base tasks declare a condition of one name and different kinds.
    """
    found: dict[str, Condition] = {}
    for row in {row.name: row for row in rows}.values():
        for condition in flat(row.conditions):
            # without values, which may be a lambda that no process can send to another
            other = found.setdefault(condition.name, replace(condition, values=None))
            if other.kind != condition.kind:
                raise ModcogError(
                    f"{row.name}: condition {condition.name!r} is a {condition.kind}, elsewhere a {other.kind}"
                )
            if condition.off_grid:  # then some trials have fractions, and the column must hold them
                found[condition.name] = replace(other, off_grid=True)
    always = [TARGET, RESPOND, *([INTERVAL_MS] if intervals else [])]
    for period in dict.fromkeys(period for row in rows for period in row.periods):
        drawn = Condition(DURATION + period, "duration", f"ms that the period {period} was drawn to last")
        lasts = Condition(STEPS + period, "count", f"whole steps that the period {period} lasts", derived=True)
        always += [drawn, lasts]
    for condition in always:
        found.setdefault(condition.name, condition)
    return tuple(found.values())


def bump(direction: NDArray[Any], dim_ring: int) -> NDArray[np.float64]:
    """Return the activity of a ring under a stimulus of strength 1: 0.8 · exp(−½ (d / (π/8))²), d the distance.

    ``direction``, (m,), are positions on the ring, off the grid too; the bumps are (m, n).
    """
    distance = np.abs(direction[:, None] - np.arange(dim_ring)) % dim_ring
    angle = np.minimum(distance, dim_ring - distance) * (2 * np.pi / dim_ring)
    return 0.8 * np.exp(-0.5 * (angle / (np.pi / 8)) ** 2)


def _choices(rows: Sequence[Base | None], place: int, settings: Settings) -> Choices:
    """Lay out what the declaration at ``place`` is drawn from; tasks with the same rows share them.

    ``rows`` has None for tasks of other groups, as in ``_params``.
    """
    bases = {row.name: row for row in rows if row is not None}  # all tasks of a base task have the same rows
    tables = {name: row.conditions[place].rows(settings, row.params) for name, row in bases.items()}
    keys = {name: table.tobytes() for name, table in tables.items()}
    distinct = {keys[name]: table for name, table in tables.items()}
    starts = dict(zip(distinct, accumulate(map(len, distinct.values()), initial=0), strict=False))
    spans = {name: (starts[keys[name]], len(table)) for name, table in tables.items()}
    start, count = np.array([(0, 0) if row is None else spans[row.name] for row in rows]).T
    declared = next(iter(bases.values())).conditions[place]
    return Choices(declared, np.concatenate(list(distinct.values())), start, count)


def _params(rows: Sequence[Base | None]) -> dict[str, NDArray[Any]]:
    """Return the parameters of rows that are drawn together, as arrays over all tasks."""
    columns: dict[str, NDArray[Any]] = {}
    params = [row.params if row is not None else {} for row in rows]
    for name in dict.fromkeys(name for own in params for name in own):
        like = np.zeros_like(next(own[name] for own in params if name in own))
        values = [np.asarray(own.get(name, like)) for own in params]
        if any(value.shape != like.shape for value in values):
            raise ModcogError(f"params: {name!r} has different shapes in base tasks that share a draw function")
        columns[name] = np.stack(values)
    return columns
