"""The door for a base task of the user's own; ``docs/own-task.md`` goes through it with a complete example."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown
from modcog.tasks import table
from modcog.tasks.base import Base, Draw, Outcome, Stimulus
from modcog.tasks.condition import DURATION, STEPS, Condition, Joint, flat
from modcog.tasks.names import COLLECTIONS, variants
from modcog.tasks.table import BASES, YANG19
from modcog.trials.columns import RESERVED


def add_base(base: Base) -> tuple[str, ...]:
    """Add a base task to the battery: from now on it has its variants, its environments and a name everywhere.

    A few trials are drawn first, so that a mistake in the draw function shows here. The task exists in this process;
    a new one must call ``add_base`` too, most simply by importing the module that does (see ``MODCOG_IMPORT`` in the
    documentation).

    Args:
        base: name, family, periods in ms, draw function, and whether one of the periods is timed.

    Returns:
        The names of its tasks: with the sequence extension, and if a period is timed with the interval extension.

    Raises:
        ModcogError: if the name is taken, a field is of the wrong kind, a period or duration is wrong, or the draw
            function does not return what it must.
    """
    from modcog.settings import read_timing

    if not isinstance(base, Base):
        raise ModcogError(f"base: got {shown(base)}, must be a modcog.Base")
    _check_kinds(base)
    for period, duration in base.periods.items():
        read_timing(period, duration)
    table.add_base(base)
    try:
        _try_out(base)
    except BaseException:
        del BASES[base.name]
        raise
    tasks = variants(base.name)
    if "gymnasium" in sys.modules:  # else it registers them when it is imported
        from modcog.envs.registration import register_task

        for task in tasks:
            register_task(task)
    return tasks


def remove_base(name: str) -> None:
    """Take out a base task that ``add_base`` added, with its environments; to change one, remove it and add it again.

    Raises:
        UnknownNameError: if there is no such base task.
        ModcogError: if it is one of the battery's own 20.
    """
    from modcog.envs.registration import environment_id

    tasks = variants(name)
    if name in {row.name for row in YANG19}:
        raise ModcogError(f"name: {name!r} is one of the battery's own base tasks and stays")
    del BASES[name]
    if "gymnasium" in sys.modules:
        registry = sys.modules["gymnasium"].envs.registration.registry
        for task in tasks:
            registry.pop(environment_id(task), None)


def _check_kinds(base: Base) -> None:
    """Refuse fields that are not what the table takes, and a name that already stands for a collection."""
    kinds: tuple[tuple[str, Any, str], ...] = (
        ("name", str, "text"),
        ("family", str, "text"),
        ("periods", Mapping, "a dict of period names and durations in ms"),
        ("shows", (tuple, list), "a tuple of period names"),
        ("conditions", (tuple, list), "a tuple of modcog.Condition and modcog.Joint"),
        ("draw", Callable, "a function"),
        ("params", Mapping, "a dict"),
    )
    for field, kind, allowed in kinds:
        if not isinstance(value := getattr(base, field), kind):
            raise ModcogError(f"{field}: got {shown(value)}, must be {allowed}")
    for period in base.periods:
        if not isinstance(period, str):
            raise ModcogError(f"periods: got a period called {shown(period)}, names must be text")
    for declared in base.conditions:
        if not isinstance(declared, Condition | Joint):
            raise ModcogError(f"conditions: got {shown(declared)}, must be a modcog.Condition or modcog.Joint")
    names = [condition.name for condition in flat(base.conditions)]
    for name in names:
        if names.count(name) > 1:
            raise ModcogError(f"conditions: {name!r} is declared more than once")
        if name in RESERVED or name.startswith((DURATION, STEPS)):
            raise ModcogError(f"conditions: {name!r} is a name that the battery itself uses; take another")
    if base.name in COLLECTIONS:
        raise ModcogError(f"name: {base.name!r} is the name of a collection; take another")


def _try_out(base: Base) -> None:
    """Draw a few trials of every variant under the default settings, checking what the draw function returns."""
    from modcog.battery import Battery

    def draw(t: Draw) -> Outcome:
        outcome = base.draw(t)
        _check(base, t, outcome)
        return outcome

    BASES[base.name] = replace(base, draw=draw)
    Battery(variants(base.name)).sample(per_task=4, seed=0)
    BASES[base.name] = base


def _check(base: Base, t: Draw, outcome: Outcome) -> None:
    """Refuse an outcome that could not be painted, or conditions that could not be read back."""
    if not isinstance(outcome, Outcome):
        raise _wrong(base, "return", outcome, "a modcog.Outcome")
    target = _column(base, t, "target", outcome.target)
    if target.dtype.kind not in "iu" or not np.all((target >= 0) & (target < t.dim_ring)):
        raise _wrong(base, "target", target, f"whole numbers from 0 to {t.dim_ring - 1}")
    if outcome.respond is not None and _column(base, t, "respond", outcome.respond).dtype.kind != "b":
        raise _wrong(base, "respond", outcome.respond, "truth values, or None")
    for stimulus in outcome.stimuli:
        if not isinstance(stimulus, Stimulus):
            raise _wrong(base, "stimuli", stimulus, "modcog.Stimulus")
        _check_stimulus(base, t, stimulus)
    for condition in flat(base.conditions):
        if condition.name not in t.conditions:
            continue  # reported where all base tasks are checked
        column = _column(base, t, f"condition {condition.name}", t.conditions[condition.name])
        if not np.isfinite(column).all():
            raise _wrong(base, f"condition {condition.name}", column, "finite")
        condition.check(column, t.dim_ring)


def _check_stimulus(base: Base, t: Draw, stimulus: Stimulus) -> None:
    if stimulus.which not in range(len(base.shows)):
        raise _wrong(base, "which", stimulus.which, f"less than {len(base.shows)}, the number of periods in shows")
    if not np.isin(stimulus.modality, (1, 2)).all():
        raise _wrong(base, "modality", stimulus.modality, "1 or 2")
    direction = _column(base, t, "direction", stimulus.direction)
    if not np.all((direction >= 0) & (direction < t.dim_ring)):
        raise _wrong(base, "direction", direction, f"at least 0 and less than {t.dim_ring}")
    if not np.isfinite(stimulus.strength).all():
        raise _wrong(base, "strength", stimulus.strength, "finite")


def _column(base: Base, t: Draw, name: str, column: Any) -> NDArray[Any]:
    if np.shape(column) != (t.n,):
        raise _wrong(base, name, column, f"a column with a value for each of the {t.n} trials")
    return np.asarray(column)


def _wrong(base: Base, what: str, value: object, allowed: str) -> ModcogError:
    return ModcogError(f"{base.name}: {what} of its draw function: got {shown(value)}, must be {allowed}")
