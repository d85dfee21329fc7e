"""Adding a user's own base task; ``docs/own-task.md`` is a complete example."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.envs.registration import environment_id, register_task
from modcog.errors import ModcogError, shown
from modcog.settings import read_timing
from modcog.tasks.base import NOISE, Base, Draw, Outcome, Stimulus
from modcog.tasks.condition import DURATION, STEPS, Condition, Joint, flat
from modcog.tasks.names import COLLECTIONS, variants
from modcog.tasks.table import BASES, YANG19
from modcog.trials.columns import RESERVED

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_EXTENSION_ENDING = re.compile(r"(int|seq)[rl]$")


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
    if not isinstance(base, Base):
        raise ModcogError(f"base: got {shown(base)}, must be a modcog.Base")
    _check_kinds(base)
    _check_name(base.name)
    _check_periods(base)
    _check_conditions(base)
    try:
        _try_out(base)
    except BaseException:
        del BASES[base.name]
        raise
    tasks = variants(base.name)
    if "gymnasium" in sys.modules:  # else it registers them when it is imported
        for task in tasks:
            register_task(task)
    return tasks


def remove_base(name: str) -> None:
    """Take out a base task that ``add_base`` added, with its environments; to change one, remove it and add it again.

    Raises:
        UnknownNameError: if there is no such base task.
        ModcogError: if it is one of the battery's own 20.
    """
    tasks = variants(name)
    if name in {row.name for row in YANG19}:
        raise ModcogError(f"name: {name!r} is one of the battery's own base tasks and stays")
    del BASES[name]
    if "gymnasium" in sys.modules:
        registry = sys.modules["gymnasium"].envs.registration.registry
        for task in tasks:
            registry.pop(environment_id(task), None)


def _check_kinds(base: Base) -> None:
    """Refuse fields of the wrong type."""
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


def _check_name(name: str) -> None:
    """Refuse a name that is taken, or that could be read as another task's."""
    if not _NAME.fullmatch(name) or _EXTENSION_ENDING.search(name):
        raise ModcogError(
            f"name: {name!r} is not a base task's name; use small letters, digits and _, "
            "starting with a letter and not ending in intr, intl, seqr or seql"
        )
    if name in BASES:
        raise ModcogError(f"name: there is a base task {name!r} already")
    if name in COLLECTIONS:
        raise ModcogError(f"name: {name!r} is the name of a collection; take another")


def _check_periods(base: Base) -> None:
    """Refuse periods that cannot be played, and fields that name a period that is not among them."""
    for period, duration in base.periods.items():
        if not isinstance(period, str):
            raise ModcogError(f"periods: got a period called {shown(period)}, names must be text")
        read_timing(period, duration)
    periods = list(base.periods)
    if not periods or periods[-1] != "decision":
        raise ModcogError(f"periods: {periods} must end with 'decision'")
    if base.noise not in NOISE:
        raise ModcogError(f"noise: got {base.noise!r}, must be one of {', '.join(map(repr, NOISE))}")
    for field, named in (("shows", base.shows), ("timed", () if base.timed is None else (base.timed,))):
        for period in set(named) - set(periods):
            raise ModcogError(f"{field}: {period!r} is not one of the periods {periods}")
    if base.timed == "decision":
        raise ModcogError("timed: the decision is what follows the timed period; name an earlier one")


def _check_conditions(base: Base) -> None:
    """Refuse declarations of another type, and names that are used twice or by the battery itself."""
    for declared in base.conditions:
        if not isinstance(declared, Condition | Joint):
            raise ModcogError(f"conditions: got {shown(declared)}, must be a modcog.Condition or modcog.Joint")
    names = [condition.name for condition in flat(base.conditions)]
    for name in names:
        if names.count(name) > 1:
            raise ModcogError(f"conditions: {name!r} is declared more than once")
        if name in RESERVED or name.startswith((DURATION, STEPS)):
            raise ModcogError(f"conditions: {name!r} is a name that the battery itself uses; take another")


def _try_out(base: Base) -> None:
    """Draw a few trials of every variant under the default settings, checking what the draw function returns."""

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
