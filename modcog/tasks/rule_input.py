"""The rule input: channels that tell a network which task a trial is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown
from modcog.tasks.names import parse
from modcog.tasks.table import YANG19
from modcog.validation import plain

RuleInput = bool | Literal["compositional"]
"""False: none; True: one-hot, a channel for each task; ``"compositional"``: a channel for each base task, then four
for the signs of the extensions."""

SIGNS = ("interval right", "interval left", "sequence right", "sequence left")
"""The last channels of the compositional rule input."""


def check_rule_input(value: Any) -> RuleInput:
    """Return a kind of rule input; ``"one-hot"`` is another word for True.

    Raises:
        ModcogError: if it is none.
    """
    value = plain(value)
    if isinstance(value, bool) or value == "compositional":
        return value
    if value == "one-hot":
        return True
    raise ModcogError(f"rule_input: got {shown(value)}, must be true, false, 'one-hot' or 'compositional'")


class RulePlaces(NamedTuple):
    """The channels of the rule input that are 1 in the trials of each task; the others are 0.

    Attributes:
        places: (K, m) their indices, of which some may be the same.
        width: number of channels R.
    """

    places: NDArray[np.int64]
    width: int


def bases_of(tasks: Sequence[str]) -> list[str]:
    """Return the base tasks that have a channel of the compositional rule input, in the order of the channels."""
    present = dict.fromkeys(parse(task).base for task in tasks)
    bases = [row.name for row in YANG19 if row.name in present]
    return bases + [base for base in present if base not in bases]


def rule_places(tasks: Sequence[str], rule_input: RuleInput) -> RulePlaces:
    """Return the channels of the rule input that are 1 in the trials of each task.

    The compositional ones do not depend on the order of the tasks, so that two batteries with the same base tasks of
    the 20 have the same channels: those come first, in their canonical order.

    Raises:
        UnknownNameError: if a task of a compositional rule input is built on a user's base task that is not known here.
    """
    if rule_input != "compositional":
        return RulePlaces(np.arange(len(tasks))[:, None], len(tasks) if rule_input else 0)
    specs, bases = [parse(task) for task in tasks], bases_of(tasks)

    def of(sign: int, right: int, base: int) -> int:
        return {1: right, -1: right + 1, 0: base}[sign]

    places = []
    for spec in specs:
        base = bases.index(spec.base)
        places.append([base, of(spec.interval, len(bases), base), of(spec.sequence, len(bases) + 2, base)])
    return RulePlaces(np.array(places), len(bases) + len(SIGNS))
