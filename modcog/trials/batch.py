"""Drawing a batch: tasks, durations and conditions of many trials, still without a single observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, unknown
from modcog.trials.compiled import Tables
from modcog.trials.draw import Draw, Stimulus
from modcog.trials.timing import Durations, whole_steps

DURATION = "duration_"
"""Prefix of the conditions that are period durations, in ms."""


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

    task: NDArray[np.int64]
    durations: Durations
    target: NDArray[np.integer]
    base_target: NDArray[np.integer]
    respond: NDArray[np.bool_]
    interval_ms: NDArray[np.floating]
    groups: tuple[Group, ...]


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
    fixed = {**durations.presets, **(given or {})}
    groups = []
    group_of = tables.group[task]
    for index, draw in enumerate(tables.draws):
        trial = np.flatnonzero(group_of == index)
        if not len(trial):
            continue
        context = Draw(
            rng, len(trial), task[trial], tables, tables.interval_sign[task[trial]], interval_ms[trial],
            {name: column[trial] for name, column in fixed.items()},
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
    """Put the durations among ``given`` (``duration_<period>``, ms) in place of the drawn ones.

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
    durations.steps = whole_steps(durations.ms, tables.settings.dt)


def columns(tables: Tables, drawn: Drawn) -> dict[str, NDArray[Any]]:
    """Everything drawn, as (n,) columns: −1 (whole numbers) or NaN (others) where a trial's task has no such thing.

    ``duration_<period>`` are ms as drawn, ``steps_<period>`` the whole steps they last; ``target`` is the direction
    asked for before the interval extension moved it, ``interval_ms`` the time T it moved by.
    """
    found: dict[str, NDArray[Any]] = {}
    for group in drawn.groups:
        for name, column in group.conditions.items():
            _column(found, name, column, len(drawn.task))[group.trial] = column
    found["target"] = drawn.base_target
    found["respond"] = drawn.respond.astype(np.int64)
    if tables.interval_sign.any():
        timed = tables.interval_sign[drawn.task] != 0
        found["interval_ms"] = np.where(timed, drawn.interval_ms, np.nan)
    for period, slots in tables.period_slots.items():
        slot = slots[drawn.task]
        has, trial = slot >= 0, np.arange(len(slot))
        found[DURATION + period] = np.where(has, drawn.durations.ms[trial, slot], np.nan)
        found["steps_" + period] = np.where(has, drawn.durations.steps[trial, slot], -1)
    return found


def _column(found: dict[str, NDArray[Any]], name: str, like: NDArray[Any], n: int) -> NDArray[Any]:
    if name not in found or (found[name].dtype.kind == "i" and like.dtype.kind == "f"):
        whole = like.dtype.kind in "iub"
        new = np.full(n, -1, np.int64) if whole else np.full(n, np.nan)
        if name in found:  # whole numbers in one family, fractions in another
            new = np.where(found[name] == -1, np.nan, found[name])
        found[name] = new
    return found[name]


def _interval_ms(tables: Tables, task: NDArray[np.integer], durations: Durations) -> NDArray[np.floating]:
    ms = tables.rules.interval_ms(durations, tables.settings)
    timed = tables.interval_sign[task] != 0
    return np.where(timed, ms[np.arange(len(task)), tables.timed_slot[task]], 0.0)


def _check_given(tables: Tables, drawn: Drawn, given: Mapping[str, NDArray[Any]]) -> None:
    found = columns(tables, drawn)
    for name, column in given.items():
        if name not in found:
            raise unknown("condition", name, sorted(found))
        if not np.allclose(found[name].astype(float), column.astype(float), equal_nan=True):
            raise ModcogError(
                f"{name}: got {column.tolist()}, contradicts the other conditions, which make it {found[name].tolist()}"
            )
