"""Drawing: the conditions of many trials, as columns, still without a single observation.

Every condition that is declared with values is drawn here, for all families alike; draw functions turn conditions into
targets and stimuli.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import LONGEST_TRIAL
from modcog.errors import ModcogError, shown, unknown
from modcog.tasks.base import Draw, Stimulus
from modcog.tasks.condition import DURATION, STEPS, Condition, flat
from modcog.trials.arrays import is_missing
from modcog.trials.tables import Choices, Tables
from modcog.trials.timing import Durations, Given, whole_steps

EQUAL = 1e-9
"""Values that differ by no more than this are the same."""


@dataclass(frozen=True)
class Shown:
    """The trials of a batch that share a draw function.

    Attributes:
        trial: (m,) their indices in the batch.
        stimuli: their stimuli, columns of length m.
        conditions: their conditions, columns of length m.
    """

    trial: NDArray[np.intp]
    stimuli: tuple[Stimulus, ...]
    conditions: dict[str, NDArray[Any]]

    def part(self, start: int, stop: int) -> Shown:
        """Return those of the batch's trials ``start`` … ``stop`` − 1, counted from there."""
        rows = slice(*np.searchsorted(self.trial, (start, stop)).tolist())
        conditions = {name: column[rows] for name, column in self.conditions.items()}
        return Shown(self.trial[rows] - start, tuple(stimulus.part(rows) for stimulus in self.stimuli), conditions)


@dataclass(frozen=True)
class Drawn:
    """n trials, drawn: all that is needed to extend and to paint them.

    Attributes:
        task: (n,) index into the battery's tasks.
        durations: of their periods.
        target: (n,) direction asked for before any extension, 0 … dim_ring − 1.
        respond: (n,) bool; False: hold fixation.
        interval_ms: (n,) the T of the interval extension; 0 without it.
        groups: stimuli and conditions of the trials that share a draw function.
    """

    task: NDArray[np.integer]
    durations: Durations
    target: NDArray[np.integer]
    respond: NDArray[np.bool_]
    interval_ms: NDArray[np.floating]
    groups: tuple[Shown, ...]

    def part(self, start: int, stop: int) -> Drawn:
        """Return trials ``start`` … ``stop`` − 1."""
        rows = slice(start, stop)
        return Drawn(
            self.task[rows],
            self.durations.part(rows),
            self.target[rows],
            self.respond[rows],
            self.interval_ms[rows],
            tuple(group.part(start, stop) for group in self.groups),
        )


def draw_conditions(
    tables: Tables,
    task: NDArray[np.integer],
    durations: Durations,
    rng: np.random.Generator | None,
    given: Given | None = None,
) -> Drawn:
    """Draw one trial of each task in ``task`` (n,), whose durations are known, but for conditions that are ``given``.

    Without ``rng`` nothing is drawn: all conditions are presets, as where the ideal observer enumerates them.

    Raises:
        ModcogError: if a given condition is out of range, contradicts another or does not exist, a draw function
            does not fill in what its base task declares or returns a target that is no direction, or, without ``rng``,
            its trials depend on random numbers of its own or on durations.
    """
    n = len(task)
    interval_ms = np.zeros(n)
    timed = np.flatnonzero(tables.interval_sign[task])
    if len(timed):
        slot = tables.timed_slot[task[timed]]
        interval_ms[timed] = tables.rules.interval_ms(durations, tables.settings)[timed, slot]
    target = np.zeros(n, np.int64)
    respond = np.ones(n, np.bool_)
    groups = []
    group_of = tables.group[task]
    for index, group in enumerate(tables.groups):
        trial = np.flatnonzero(group_of == index)
        if not len(trial):
            continue
        kind = task[trial]
        fixed = {name: column[trial] for name, column in (given or {}).items()}
        conditions: dict[str, NDArray[Any]] = {}
        # trials that share a draw function all have a preset, or none does
        presets = {name: column[trial] for name, column in durations.presets.items() if column[trial[0]] != -1}
        base, declared = group.base.name, flat(group.base.conditions)
        for choices in group.choices:
            conditions |= _choose(choices, kind, rng, fixed, presets, tables.settings.dim_ring)
        for condition in declared:
            if condition.name in fixed and not condition.drawn and not condition.derived:
                condition.check(fixed[condition.name], tables.settings.dim_ring)

        def duration(period: str, trial: NDArray[np.intp] = trial, base: str = base) -> NDArray[np.float64]:
            if rng is None:
                raise ModcogError(f"{base}: its trials depend on durations, so they cannot be enumerated")
            if period not in tables.period_slots:
                raise unknown("period", period, tables.period_slots)
            slot = tables.period_slots[period][task[trial]]
            return np.where(slot >= 0, durations.steps[trial, slot] * tables.settings.dt, 0.0)

        params = {name: column[kind] for name, column in group.params.items()}
        context = Draw(
            rng or _NoRandomness(base), len(trial), tables.settings, params, fixed, conditions,  # type: ignore[arg-type]
            tables.interval_sign[kind], interval_ms[trial], duration,
        )  # fmt: skip
        outcome = group.base.draw(context)
        names = [condition.name for condition in declared]
        for name in conditions:
            if name not in names:
                raise ModcogError(f"{base}: its draw function fills in {name!r}, which conditions does not declare")
        for name in names:
            if name not in conditions:
                raise ModcogError(f"{base}: condition {name!r} has no values and is not filled in by the draw function")
        target[trial] = outcome.target
        if outcome.respond is not None:
            respond[trial] = outcome.respond
        groups.append(Shown(trial, tuple(outcome.stimuli), conditions))
    if n and not 0 <= target.min() <= target.max() < (ring := tables.settings.dim_ring):
        wrong = tables.specs[task[np.argmax((target < 0) | (target >= ring))]].base
        raise ModcogError(f"{wrong}: its draw function returned targets outside 0 to {ring - 1}")
    drawn = Drawn(task, durations, target, respond, interval_ms, tuple(groups))
    if given:
        _check_given(tables, drawn, given)
    return drawn


class _NoRandomness:
    """Stands in for a generator where trials are enumerated: whoever draws from it has trials without number."""

    def __init__(self, base: str) -> None:
        self.base = base

    def __getattr__(self, name: str) -> Any:
        raise ModcogError(f"{self.base}: its draw function uses random numbers, so its trials cannot be enumerated")


def _choose(
    choices: Choices, task: NDArray[np.integer], rng: Any, given: Given, presets: Given, dim_ring: int
) -> dict[str, NDArray[Any]]:
    """Draw one declaration for trials of ``task`` (m,): a row of its table each, uniformly."""
    names = choices.declared.names
    if all(name in presets and name not in given for name in names):
        return {name: presets[name] for name in names}
    declared = flat([choices.declared]) if given else ()
    fixed = [(place, c, given[c.name]) for place, c in enumerate(declared) if c.name in given]
    if not fixed:
        index = choices.start[task] + (rng.random(len(task)) * choices.count[task]).astype(np.int64)
        rows = choices.rows.take(index, axis=0)
    else:
        for _, condition, column in fixed:
            condition.check(column, dim_ring)
        own = [[(place, c, column[trial]) for place, c, column in fixed] for trial in range(len(task))]
        rows = np.stack([_agreeing_row(choices, k, of, rng) for k, of in zip(task, own, strict=True)])
        for place, _, column in fixed:
            rows[:, place] = column
    return choices.columns(rows)


def _agreeing_row(
    choices: Choices, task: int, fixed: list[tuple[int, Condition, Any]], rng: np.random.Generator
) -> NDArray[Any]:
    """Draw a row for one trial among those that agree with what is ``fixed``: (column, condition, value).

    Strengths may be given that no row has; then all rows are drawn from, and what is given takes its place.

    Raises:
        ModcogError: if no row agrees in a condition of another kind.
    """
    rows = choices.rows[choices.start[task] :][: choices.count[task]]
    agree = np.all([np.abs(rows[:, place] - value) < EQUAL for place, _, value in fixed], axis=0)
    if agree.any():
        rows = rows[agree]
    elif any(condition.kind != "strength" for _, condition, _ in fixed):
        names, got = [c.name for _, c, _ in fixed], [f"{value:g}" for *_, value in fixed]
        if len(choices.declared.names) > 1:
            raise ModcogError(f"{', '.join(names)}: got {', '.join(got)}, which never occur together")
        allowed = [f"{value:g}" for value in np.unique(rows)]
        few = ", ".join(allowed) if len(allowed) <= 12 else f"{allowed[0]}, {allowed[1]}, … {allowed[-1]}"
        raise ModcogError(f"{names[0]}: got {got[0]}, must be one of {few}")
    return rows[rng.integers(len(rows))]


def fix_durations(tables: Tables, task: NDArray[np.integer], durations: Durations, given: Given) -> None:
    """Put the durations among ``given`` (``duration_<period>``, ms), (n,) columns, in place of the drawn ones.

    Raises:
        ModcogError: for a period that the tasks do not have, or a duration that is not a finite number ≥ 0, or too
            short for the trial to be playable.
    """
    names = {f"{DURATION}{period}" for k in np.unique(task) for period in tables.timings[k]}
    for name, column in given.items():
        if not name.startswith(DURATION):
            continue
        if name not in names:
            raise unknown("condition", name, sorted(names))
        if not np.all(np.isfinite(column) & (column >= 0)):
            raise ModcogError(f"{name}: got {shown(column.tolist())}, must be finite and at least 0 ms")
        period = name.removeprefix(DURATION)
        slot = tables.period_slots[period][task]
        has = np.flatnonzero(slot >= 0)
        durations.ms[has, slot[has]] = column[has]
        must_last = [period in ("decision", *tables.rows[k].shows) for k in task]
        if np.any(column[must_last] < tables.settings.dt):
            shortest, dt = column[must_last].min(), tables.settings.dt
            raise ModcogError(f"{name}: got {shortest:g}, must be at least one step of {dt:g} ms")
        if np.any(durations.ms.sum(axis=1) / tables.settings.dt > LONGEST_TRIAL):
            raise ModcogError(
                f"{name}: got {column.max():g} ms, which makes the trial longer than the {LONGEST_TRIAL} steps allowed"
            )
    durations.steps = whole_steps(durations.ms, tables.settings.dt)


def columns(tables: Tables, drawn: Drawn) -> dict[str, NDArray[Any]]:
    """Return every condition as an (n,) column: −1 (whole numbers) or NaN (others) where a trial has no such thing.

    ``duration_<period>`` are ms as drawn, ``steps_<period>`` the whole steps they last; ``target`` is the direction
    asked for before the interval extension moved it, ``interval_ms`` the time T it moved by.
    """
    n = len(drawn.task)
    found: dict[str, NDArray[Any]] = {c.name: np.full(n, c.missing) for c in tables.conditions}
    for group in drawn.groups:
        for name, column in group.conditions.items():
            found[name][group.trial] = column
    found["target"] = drawn.target
    found["respond"] = drawn.respond.astype(np.int64)
    if tables.interval_sign.any():
        timed = tables.interval_sign[drawn.task] != 0
        found["interval_ms"] = np.where(timed, drawn.interval_ms, np.nan)
    for period, slots in tables.period_slots.items():
        slot = slots[drawn.task]
        has, trial = slot >= 0, np.arange(n)
        found[DURATION + period] = np.where(has, drawn.durations.ms[trial, slot], np.nan)
        found[STEPS + period] = np.where(has, drawn.durations.steps[trial, slot], -1)
    return found


def _check_given(tables: Tables, drawn: Drawn, given: Given) -> None:
    """Refuse given conditions that the trials do not have, or that are not as the others make them."""
    found = columns(tables, drawn)
    has = [name for name, column in found.items() if not is_missing(column).all()]
    for name, column in given.items():
        if name not in has:
            raise unknown("condition", name, sorted(has))
        if not np.allclose(found[name].astype(float), column.astype(float), equal_nan=True):
            raise ModcogError(
                f"{name}: got {shown(column.tolist())}, contradicts the other conditions, "
                f"which make it {shown(found[name].tolist())}"
            )
