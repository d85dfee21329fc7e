"""The columns of ``trials.conditions``: what base tasks declare, and what every trial has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from modcog.errors import ModcogError
from modcog.tasks.base import Base
from modcog.tasks.condition import DURATION, STEPS, Condition, flat

TARGET = Condition("target", "direction", "direction asked for, before the interval extension moves it", derived=True)
RESPOND = Condition("respond", "flag", "1: respond; 0: hold fixation through the decision", derived=True)
INTERVAL_MS = Condition("interval_ms", "duration", "the T of the interval extension, ms", derived=True)

RESERVED = (RESPOND.name, INTERVAL_MS.name)
"""Names that a base task cannot give to a condition; it may draw ``target`` itself."""


def all_columns(rows: Sequence[Base], intervals: bool) -> tuple[Condition, ...]:
    """Return every column of a battery's trials in order; ``intervals``: some task has the interval extension.

    Raises:
        ModcogError: if two base tasks declare a condition of one name and different kinds.
    """
    found: dict[str, Condition] = {}
    for row in {row.name: row for row in rows}.values():
        for condition in flat(row.conditions):
            other = found.setdefault(condition.name, condition)
            if other.kind != condition.kind:
                raise ModcogError(
                    f"{row.name}: condition {condition.name!r} is a {condition.kind}, elsewhere a {other.kind}"
                )
            if condition.off_grid:  # then some trials have fractions, and the column must hold them
                found[condition.name] = replace(other, off_grid=True)
    for condition in (TARGET, RESPOND, *([INTERVAL_MS] if intervals else []), *_periods(rows)):
        found.setdefault(condition.name, condition)
    return tuple(found.values())


def _periods(rows: Iterable[Base]) -> Iterable[Condition]:
    """Yield the durations of all periods."""
    for period in dict.fromkeys(period for row in rows for period in row.periods):
        yield Condition(DURATION + period, "duration", f"ms that the period {period} was drawn to last")
        yield Condition(STEPS + period, "count", f"whole steps that the period {period} lasts", derived=True)
