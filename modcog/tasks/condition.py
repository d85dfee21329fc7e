"""Declared conditions: everything that a base task draws for a trial, by name, kind and meaning.

From a declaration alone follow the column in ``trials.conditions`` and its missing value, the entry in manifests and
descriptions, the condition's range, what the ideal observer enumerates, and what analyses can group trials by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.checks import LARGEST_STRENGTH, LONGEST_MS, as_array
from modcog.errors import ModcogError, shown

if TYPE_CHECKING:
    from modcog.settings import Settings

Kind = Literal["direction", "modality", "strength", "flag", "count", "duration"]
"""direction: a place on the ring, 0 … n − 1, that turns with it; modality: 1 or 2; strength: a number that a bump is
multiplied by; flag: 0 or 1; count: a whole number; duration: ms."""

KINDS: tuple[str, ...] = get_args(Kind)

Values = ArrayLike | Callable[["Settings", Mapping[str, Any]], ArrayLike]
"""Values to draw a condition from, or a function of settings and ``Base.params`` that returns them."""

DURATION = "duration_"
"""Prefix of the conditions that are period durations, in ms as drawn."""

STEPS = "steps_"
"""Prefix of the conditions that are period durations, in whole steps."""


@dataclass(frozen=True)
class Condition:
    """A named value of a trial.

    Attributes:
        name: of its column.
        kind: see ``Kind``.
        meaning: a few words for people who read the column.
        values: (k,) what it is drawn from, each value equally likely, or a function that returns them. None: every
            direction, modality or flag; in the other kinds, the draw function fills the column in.
        derived: follows from other conditions; the draw function fills the column in.
        off_grid: a direction that may lie between two units.
    """

    name: str
    kind: Kind
    meaning: str = ""
    values: Values | None = None
    derived: bool = False
    off_grid: bool = False

    def __post_init__(self) -> None:
        """Raise ``ModcogError`` for an unknown kind, naming the condition."""
        if self.kind not in KINDS:
            raise ModcogError(f"{self.name}: got the kind {shown(self.kind)}, must be one of {', '.join(KINDS)}")

    @property
    def whole(self) -> bool:
        """Tell whether the column holds whole numbers."""
        return self.kind not in ("strength", "duration") and not self.off_grid

    @property
    def missing(self) -> int | float:
        """Return the value in trials whose task has no such condition: −1 among whole numbers, else NaN."""
        return -1 if self.whole else np.nan

    @property
    def names(self) -> tuple[str, ...]:
        """Return the condition's name, as ``Joint.names`` does for several."""
        return (self.name,)

    @property
    def drawn(self) -> bool:
        """Tell whether the generator draws the condition from a finite set of values."""
        return not self.derived and (self.values is not None or self.kind in ("direction", "modality", "flag"))

    def rows(self, settings: Settings, params: Mapping[str, Any]) -> NDArray[Any]:
        """Return the values that the condition is drawn from, (k, 1)."""
        if self.values is None:
            found: ArrayLike = {"direction": range(settings.dim_ring), "modality": (1, 2), "flag": (0, 1)}[self.kind]
        else:
            found = self.values(settings, params) if callable(self.values) else self.values
        return _table(self, found, 1)

    def check(self, column: NDArray[Any], dim_ring: int) -> None:
        """Refuse values that the kind does not allow; ``values`` are not looked at.

        Raises:
            ModcogError: naming the condition, what was given and the range.
        """
        ranges = {"direction": (0, dim_ring - 1), "modality": (1, 2), "flag": (0, 1)}
        lower, upper = ranges.get(self.kind, (0, np.inf))
        if self.kind == "strength":
            if not self.derived and not np.all((column >= 0) & (column <= LARGEST_STRENGTH)):
                raise ModcogError(f"{self.name}: got {shown(column.tolist())}, must be from 0 to {LARGEST_STRENGTH:g}")
        elif self.kind == "duration":
            if not np.all((column >= 0) & (column <= LONGEST_MS)):
                raise ModcogError(f"{self.name}: got {shown(column.tolist())}, must be from 0 to {LONGEST_MS:g} ms")
        elif self.whole:
            whole = np.isfinite(column) & (np.floor(column) == column)
            if not np.all(whole & (column >= lower) & (column <= upper)):
                bounds = f"at least {lower}" if upper == np.inf else f"from {lower} to {upper}"
                raise ModcogError(f"{self.name}: got {shown(column.tolist())}, must be whole and {bounds}")


@dataclass(frozen=True)
class Joint:
    """Conditions that are drawn together, since they depend on each other: one row of a table, each equally likely.

    Attributes:
        conditions: (m,) the columns of the table.
        table: (k, m) the rows, or a function of settings and ``Base.params`` that returns them.
    """

    conditions: tuple[Condition, ...]
    table: Values

    drawn = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the conditions, (m,)."""
        return tuple(condition.name for condition in self.conditions)

    @property
    def whole(self) -> bool:
        """Tell whether all columns hold whole numbers."""
        return all(condition.whole for condition in self.conditions)

    def rows(self, settings: Settings, params: Mapping[str, Any]) -> NDArray[Any]:
        """Return the rows that the conditions are drawn from, (k, m)."""
        return _table(self, self.table(settings, params) if callable(self.table) else self.table, len(self.conditions))


def _table(declared: Condition | Joint, values: ArrayLike, columns: int) -> NDArray[Any]:
    """Return the values of a declaration as (k, columns), whole numbers where all its conditions are whole."""
    names = ", ".join(declared.names)
    try:
        table = as_array(values, 2)
        table = table.reshape(len(table), -1)
    except (TypeError, ValueError):
        raise ModcogError(f"{names}: values: got {shown(values)}, must be a list of numbers") from None
    if not table.size or table.shape[1] != columns or table.dtype.kind not in "biuf" or not np.isfinite(table).all():
        raise ModcogError(f"{names}: values: got {shown(values)}, must be one or more rows of {columns} finite numbers")
    if not declared.whole:
        return table.astype(np.float64, copy=False)
    if np.any(table != np.floor(table)) or table.min() < 0:
        raise ModcogError(f"{names}: values: got {shown(values)}, must be whole and at least 0")
    return table.astype(np.int64, copy=False)


def flat(declared: Sequence[Condition | Joint]) -> tuple[Condition, ...]:
    """Return the single conditions of a declaration, in order."""
    return tuple(c for one in declared for c in (one.conditions if isinstance(one, Joint) else (one,)))
