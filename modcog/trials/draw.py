"""Drawing a batch: tasks, durations and conditions of many trials, still without a single observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown, unknown
from modcog.seeds import Purpose, Seed
from modcog.tasks.draw import Draw, Stimulus
from modcog.trials.arrays import is_missing
from modcog.trials.tables import Tables
from modcog.trials.timing import LONGEST_TRIAL, Durations, whole_steps

DURATION = "duration_"
"""Prefix of the conditions that are period durations, in ms."""

STEPS = "steps_"
"""Prefix of the conditions that are period durations, in whole steps."""


@dataclass(frozen=True)
class Group:
    """The trials of a batch that share a draw function.

    Attributes:
        trial: (m,) their indices in the batch.
        stimuli: what they show, columns of length m.
        conditions: what was drawn for them, columns of length m.
    """

    trial: NDArray[np.intp]
    stimuli: tuple[Stimulus, ...]
    conditions: dict[str, NDArray[Any]]

    def part(self, start: int, stop: int) -> Group:
        """Those of the batch's trials ``start`` … ``stop`` − 1, counted from there."""
        rows = slice(*np.searchsorted(self.trial, (start, stop)).tolist())
        conditions = {name: column[rows] for name, column in self.conditions.items()}
        return Group(self.trial[rows] - start, tuple(shown.part(rows) for shown in self.stimuli), conditions)


@dataclass(frozen=True)
class Drawn:
    """n trials, drawn and extended: all that is needed to paint them.

    Attributes:
        task: (n,) index into the battery's tasks.
        durations: of their periods.
        target: (n,) direction to respond in at the first step of the decision, 0 … dim_ring − 1.
        base_target: (n,) the same before the interval extension.
        respond: (n,) bool; False: hold fixation.
        interval_ms: (n,) the T of the interval extension; 0 without it.
        groups: stimuli and conditions, a group for each draw function.
    """

    task: NDArray[np.integer]
    durations: Durations
    target: NDArray[np.integer]
    base_target: NDArray[np.integer]
    respond: NDArray[np.bool_]
    interval_ms: NDArray[np.floating]
    groups: tuple[Group, ...]

    def part(self, start: int, stop: int) -> Drawn:
        """Trials ``start`` … ``stop`` − 1."""
        rows = slice(start, stop)
        return Drawn(
            self.task[rows],
            self.durations.part(rows),
            self.target[rows],
            self.base_target[rows],
            self.respond[rows],
            self.interval_ms[rows],
            tuple(group.part(start, stop) for group in self.groups),
        )


def draw_conditions(
    tables: Tables,
    task: NDArray[np.integer],
    durations: Durations,
    rng: np.random.Generator,
    given: Mapping[str, NDArray[Any]] | None = None,
) -> Drawn:
    """Draw and extend one trial of each task in ``task`` (n,), whose durations are known.

    Args:
        tables: the battery.
        task: (n,) task indices.
        durations: of these trials.
        rng: source of the conditions.
        given: conditions that are not drawn but fixed, (n,) columns.

    Raises:
        ModcogError: if a given condition is out of range, contradicts another or does not exist.
    """
    n = len(task)
    interval_ms = _interval_ms(tables, task, durations)
    base_target = np.zeros(n, np.int64)
    respond = np.ones(n, np.bool_)
    groups = []
    group_of = tables.group[task]
    for index, draw in enumerate(tables.draws):
        trial = np.flatnonzero(group_of == index)
        if not len(trial):
            continue
        context = Draw(
            rng, len(trial), task[trial], index, tables, tables.interval_sign[task[trial]], interval_ms[trial],
            durations.steps, trial, {**durations.presets_of(trial), **{k: v[trial] for k, v in (given or {}).items()}},
        )  # fmt: skip
        outcome = draw(context)
        base_target[trial] = outcome.target
        if outcome.respond is not None:
            respond[trial] = outcome.respond
        groups.append(Group(trial, tuple(outcome.stimuli), context.conditions))
    target = tables.rules.move(base_target, tables.move_sign[task], interval_ms, tables.settings)
    drawn = Drawn(task, durations, target, base_target, respond, interval_ms, tuple(groups))
    if given:
        _check_given(tables, drawn, given)
    return drawn


def fix_durations(
    tables: Tables, task: NDArray[np.integer], durations: Durations, given: Mapping[str, NDArray[Any]]
) -> None:
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
            raise ModcogError(f"{name}: got {column.tolist()}, must be finite and at least 0 ms")
        period = name.removeprefix(DURATION)
        for trial, k in enumerate(task):
            slot = list(tables.timings[k]).index(period)
            durations.ms[trial, slot] = column[trial]
            if period in ("decision", *tables.rows[k].shows) and column[trial] < tables.settings.dt:
                raise ModcogError(
                    f"{name}: got {column[trial]:g}, must be at least one step of {tables.settings.dt:g} ms"
                )
        if np.any(durations.ms.sum(axis=1) / tables.settings.dt > LONGEST_TRIAL):
            raise ModcogError(
                f"{name}: got {column.max():g} ms, which makes the trial longer than the {LONGEST_TRIAL} steps allowed"
            )
    durations.steps = whole_steps(durations.ms, tables.settings.dt)


def columns(tables: Tables, drawn: Drawn) -> dict[str, NDArray[Any]]:
    """Everything drawn, as (n,) columns: −1 (whole numbers) or NaN (others) where a trial's task has no such thing.

    ``duration_<period>`` are ms as drawn, ``steps_<period>`` the whole steps they last; ``target`` is the direction
    asked for before the interval extension moved it, ``interval_ms`` the time T it moved by.

    Raises:
        ModcogError: if a draw function names a condition in some trials of a task and not in others.
    """
    n = len(drawn.task)
    found: dict[str, NDArray[Any]] = {name: np.full(n, missing) for name, missing in tables.missing.items()}
    for group in drawn.groups:
        for name, column in group.conditions.items():
            if name not in found:
                raise ModcogError(f"conditions: {name!r} is named in some trials of a task and not in others")
            found[name][group.trial] = column
    found["target"] = drawn.base_target
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


def missing_values(tables: Tables) -> dict[str, int | float]:
    """Learn from one trial of each task which conditions there are, and what each is where there is no such thing.

    What is learnt does not depend on which tasks a sample happens to hold, so all samples have the same columns.
    """
    task = np.arange(len(tables.specs))
    seed = Seed.of(0, Purpose.CHECK)
    rng = seed.rng()
    drawn = draw_conditions(tables, task, tables.rules.draw_durations(tables, task, rng, seed), rng)
    missing: dict[str, int | float] = {}
    for group in drawn.groups:
        for name, column in group.conditions.items():
            whole = column.dtype.kind in "iub" and missing.get(name, -1) == -1
            missing[name] = -1 if whole else np.nan
    return missing


def _interval_ms(tables: Tables, task: NDArray[np.integer], durations: Durations) -> NDArray[np.floating]:
    found = np.zeros(len(task))
    timed = np.flatnonzero(tables.interval_sign[task])
    if len(timed):
        ms = tables.rules.interval_ms(durations, tables.settings)
        found[timed] = ms[timed, tables.timed_slot[task[timed]]]
    return found


def _check_given(tables: Tables, drawn: Drawn, given: Mapping[str, NDArray[Any]]) -> None:
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
