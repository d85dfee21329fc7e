"""Adding a user's own base task; ``docs/own-task.md`` is a complete example."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.envs.registration import environment_id, register_task
from modcog.errors import ModcogError, shown
from modcog.files import is_reserved
from modcog.settings import read_timing
from modcog.tasks.base import NOISE, Base, Draw, Outcome, Stimulus
from modcog.tasks.condition import DURATION, STEPS, Condition, Joint, flat
from modcog.tasks.names import COLLECTIONS, variants
from modcog.tasks.table import BASES, YANG19
from modcog.trials.tables import RESERVED

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_NAME_RULE = "up to 64 small letters, digits and _, a letter first, and none that Windows reserves, such as con"


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
    _check_kinds(base)
    _check_fields(base)
    base = replace(base, periods={period: read_timing(period, duration) for period, duration in base.periods.items()})
    BASES[base.name] = replace(base, draw=partial(_checked_draw, base))
    try:
        tasks = variants(base.name)
        Battery(tasks).sample(per_task=4, seed=0)
    except BaseException:
        del BASES[base.name]
        raise
    BASES[base.name] = base
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
        for task in tasks:
            sys.modules["gymnasium"].registry.pop(environment_id(task), None)


def _require(fine: Any, problem: str) -> None:
    if not fine:
        raise ModcogError(problem)


def _check_kinds(base: Base) -> None:
    """Refuse fields of the wrong type."""
    _require(isinstance(base, Base), f"base: got {shown(base)}, must be a modcog.Base")
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
        value = getattr(base, field)
        _require(isinstance(value, kind), f"{field}: got {shown(value)}, must be {allowed}")


def _check_fields(base: Base) -> None:
    """Refuse names that are taken, and fields that do not fit each other."""
    name, periods = base.name, list(base.periods)
    _check_name("name", name)
    ending = "not ending in intr, intl, seqr or seql"
    _require(not re.search("(int|seq)[rl]$", name), f"name: {name!r} is not a base task's name; take one {ending}")
    _require(name not in BASES, f"name: there is a base task {name!r} already")
    _require(name not in COLLECTIONS, f"name: {name!r} is the name of a collection; take another")
    for period in periods:
        _check_name("periods", period)
    _require(periods[-1:] == ["decision"], f"periods: {periods} must end with 'decision'")
    _require(base.noise in NOISE, f"noise: got {shown(base.noise)}, must be one of {', '.join(map(repr, NOISE))}")
    for field, named in (("shows", base.shows), ("timed", () if base.timed is None else (base.timed,))):
        for period in named:
            _require(period in periods, f"{field}: {period!r} is not one of the periods {periods}")
    _require(base.timed != "decision", "timed: the decision is what follows the timed period; name an earlier one")
    for declared in base.conditions:
        fine = isinstance(declared, Condition | Joint)
        _require(fine, f"conditions: got {shown(declared)}, must be a modcog.Condition or modcog.Joint")
    conditions = [condition.name for condition in flat(base.conditions)]
    for condition in conditions:
        _check_name("conditions", condition)
        _require(conditions.count(condition) == 1, f"conditions: {condition!r} is declared more than once")
        _require(
            condition not in RESERVED and not condition.startswith((DURATION, STEPS)),
            f"conditions: {condition!r} is a name that the battery itself uses; take another",
        )


def _check_name(field: str, name: Any) -> None:
    """Refuse a name that could not be that of a column or a file everywhere."""
    fine = isinstance(name, str) and _NAME.fullmatch(name) and not is_reserved(name)
    _require(fine, f"{field}: {shown(name)} is no name; use {_NAME_RULE}")


def _checked_draw(base: Base, t: Draw) -> Outcome:
    """Draw, and refuse an outcome that could not be painted, or conditions that could not be read back."""

    def check(fine: Any, name: str, value: object, allowed: str) -> None:
        _require(fine, f"{base.name}: {name} of its draw function: got {shown(value)}, must be {allowed}")

    def column(name: str, values: Any) -> NDArray[Any]:
        check(np.shape(values) == (t.n,), name, values, f"a column with a value for each of the {t.n} trials")
        return np.asarray(values)

    outcome = base.draw(t)
    check(isinstance(outcome, Outcome), "return", outcome, "a modcog.Outcome")
    target = column("target", outcome.target)
    whole = target.dtype.kind in "iu" and np.all((target >= 0) & (target < t.dim_ring))
    check(whole, "target", target, f"whole numbers from 0 to {t.dim_ring - 1}")
    if (respond := outcome.respond) is not None:
        check(column("respond", respond).dtype.kind == "b", "respond", respond, "truth values, or None")
    n = len(base.shows)
    for one in outcome.stimuli:
        check(isinstance(one, Stimulus), "stimuli", one, "modcog.Stimulus")
        check(one.which in range(n), "which", one.which, f"less than {n}, the number of periods in shows")
        check(np.isin(one.modality, (1, 2)).all(), "modality", one.modality, "1 or 2")
        direction = column("direction", one.direction)
        inside = np.all((direction >= 0) & (direction < t.dim_ring))
        check(inside, "direction", direction, f"at least 0 and less than {t.dim_ring}")
        check(np.isfinite(one.strength).all(), "strength", one.strength, "finite")
    for condition in flat(base.conditions):
        if condition.name in t.conditions:  # others are reported where all base tasks are checked
            drawn = column(f"condition {condition.name}", t.conditions[condition.name])
            check(np.isfinite(drawn).all(), f"condition {condition.name}", drawn, "finite")
            condition.check(drawn, t.dim_ring)
    return outcome
