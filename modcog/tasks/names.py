"""Task names: their grammar, their canonical order and the collections.

A name is ``<base>[int{r|l}][seq{r|l}]``: a row of the table of base tasks and two signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from modcog.checks import MOST_VALUES, is_list
from modcog.errors import ModcogError, UnknownNameError, shown, unknown
from modcog.tasks.base import Base
from modcog.tasks.table import BASES, YANG19

_SIGN = {"r": +1, "l": -1}
_LETTER = {+1: "r", -1: "l"}
_GRAMMAR = re.compile(r"(?P<base>.+?)(?:int(?P<interval>[rl]))?(?:seq(?P<sequence>[rl]))?")
_ID = re.compile(r"(?:modcog:)?(?:modcog/)?(?P<task>\w+)(?:-v0)?")


@dataclass(frozen=True)
class TaskSpec:
    """A task as data; ``str(spec)`` is its name.

    Attributes:
        name: the full name, e.g. ``"dlygointrseql"``.
        base: the base task, e.g. ``"dlygo"``.
        family: ``"go"``, ``"decision"``, ``"match"``, or the family of a user's own base task.
        interval: +1 (r), −1 (l), or 0 without the interval extension.
        sequence: +1 (r), −1 (l), or 0 without the sequence extension.
    """

    name: str
    base: str
    family: str
    interval: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def row(self) -> Base:
        """The base task's row of the table."""
        return BASES[self.base]


SIDE = {+1: "right", -1: "left"}
"""Sides that an extension moves the answer to; right is towards directions of higher number."""


def summary(spec: TaskSpec) -> str:
    """Return one line that says what the subject must do, extensions included, without the numbers of settings."""
    moves = []
    if spec.interval:
        moves.append(f"moves {SIDE[spec.interval]} with the length of the {spec.row.timed}")
    if spec.sequence:
        moves.append(f"{'then ' if moves else ''}keeps moving {SIDE[spec.sequence]} during the decision")
    return spec.row.summary + (f" The answer {', '.join(moves)}." if moves else "")


def compose(base: str, interval: int = 0, sequence: int = 0) -> str:
    """Return the name of a base task with its extensions; signs as in ``TaskSpec``."""
    return base + (f"int{_LETTER[interval]}" if interval else "") + (f"seq{_LETTER[sequence]}" if sequence else "")


def without_id(name: str) -> str:
    """Return the task's name in the id of an environment, ``modcog/<name>-v0``, whole or in part; else the name."""
    found = _ID.fullmatch(name)
    return found["task"] if found else name


def parse(name: str) -> TaskSpec:
    """Return the task of a name, or of the id of an environment.

    Raises:
        UnknownNameError: if there is no such task; it says what is nearest.
    """
    return _parse(name, "task", ())


def _parse(name: Any, kind: str, others: tuple[str, ...]) -> TaskSpec:
    """Read a name by the grammar; an error says what ``kind`` of name it is and offers ``others`` beside the tasks."""
    given, name = name, without_id(name) if isinstance(name, str) else name
    found = _GRAMMAR.fullmatch(name) if isinstance(name, str) else None
    row = BASES.get(found["base"]) if found else None
    if found is None or row is None:  # a collection, for one, has no id
        raise unknown(kind, given if name in others else name, (*others, *known_tasks()))
    if found["interval"] and row.timed is None:
        raise UnknownNameError(
            f"unknown task {shown(name)}: {row.name} has no timed period and so no interval extension; "
            f"allowed: {', '.join(variants(row.name))}"
        )
    return TaskSpec(str(name), row.name, row.family, _SIGN.get(found["interval"], 0), _SIGN.get(found["sequence"], 0))


def variants(base: str) -> tuple[str, ...]:
    """Return all tasks of one base task: 3, or 9 if it has a timed period.

    Raises:
        UnknownNameError: if there is no such base task.
    """
    if not isinstance(base, str) or base not in BASES:
        raise unknown("base task", base, BASES)
    signs = (0, +1, -1)
    return tuple(compose(base, i, s) for i in signs for s in signs if i == 0 or BASES[base].timed)


def _extended(bases: Iterable[str], *signs: tuple[int, int]) -> tuple[str, ...]:
    return tuple(compose(base, *sign) for base in bases for sign in signs)


_YANG19 = tuple(row.name for row in YANG19)
_DELAY = [row.name for row in YANG19 if row.timed == "delay"]
_TIMED_WITHOUT_DELAY = [row.name for row in YANG19 if row.timed not in (None, "delay")]
_ONE, _BOTH = [(+1, 0), (-1, 0)], [(+1, +1), (+1, -1), (-1, +1), (-1, -1)]
_MODCOG82 = _YANG19 + _extended(_DELAY, *_ONE) + _extended(_YANG19, (0, +1)) + _extended(_YANG19, (0, -1))
_MODCOG126 = _MODCOG82 + _extended(_DELAY, *_BOTH)
_MODCOG132 = _MODCOG126 + _extended(_TIMED_WITHOUT_DELAY, *_ONE) + _extended(_TIMED_WITHOUT_DELAY, *_BOTH)

_NESTED = {"yang19": _YANG19, "modcog82": _MODCOG82, "modcog126": _MODCOG126, "modcog132": _MODCOG132}
"""Each is a prefix of the next, so a task's index never changes."""

TASKS: tuple[str, ...] = _MODCOG132
"""The 132 tasks in canonical order."""

_PROPERTIES = {
    "interval": lambda spec: spec.interval != 0,
    "sequence": lambda spec: spec.sequence != 0,
    "interval-sequence": lambda spec: spec.interval != 0 and spec.sequence != 0,
    "go": lambda spec: spec.family == "go",
    "decision": lambda spec: spec.family == "decision",
    "match": lambda spec: spec.family == "match",
}

COLLECTIONS: tuple[str, ...] = (*_NESTED, *_PROPERTIES)
"""Names that ``collection`` takes."""


def known_tasks() -> tuple[str, ...]:
    """Return the 132, then the tasks of the base tasks that a user has added."""
    return TASKS + tuple(name for base in [*BASES][len(YANG19) :] for name in variants(base))


def collection(name: str) -> tuple[str, ...]:
    """Return the tasks of a collection, family or property, in canonical order.

    Raises:
        UnknownNameError: if there is no such collection.
    """
    if not isinstance(name, str) or name not in COLLECTIONS:
        raise unknown("collection", name, COLLECTIONS)
    if name in _NESTED:
        return _NESTED[name]
    return tuple(task for task in TASKS if _PROPERTIES[name](parse(task)))


def _taken(tasks: Any) -> Any:
    """Return the names that an iterator gives as a list; of one that does not end, more than any list may have."""
    return list(islice(tasks, MOST_VALUES + 1)) if isinstance(tasks, Iterator) else tasks


def resolve(tasks: str | Iterable[str] | Any) -> tuple[str, ...]:
    """Return the task names of a collection, of a single task's name, or of a list of task names.

    Wherever a task is named, the id of its environment will do, too.

    Raises:
        UnknownNameError: for a name that is neither.
        ModcogError: for an empty list, one that repeats a task, or something that is no list of names.
    """
    if isinstance(tasks, str):
        if tasks in COLLECTIONS and tasks in BASES:
            raise ModcogError(
                f"tasks: {tasks!r} is a task and a family; write [{tasks!r}] for the task "
                f"or modcog.collection({tasks!r}) for the family"
            )
        if tasks in COLLECTIONS:
            return collection(tasks)
        return (_parse(tasks, "task or collection", COLLECTIONS).name,)
    if isinstance(tasks, bytes | Mapping | set | frozenset) or not is_list(tasks := _taken(tasks)):
        raise ModcogError(f"tasks: got {shown(tasks)}, must be the name of a collection or a list of task names")
    found: list[str] = []
    for task in tasks:
        if isinstance(task, str) and task in COLLECTIONS and task not in BASES:
            raise ModcogError(
                f"tasks: got the collection {task!r} in a list of tasks; give its name alone, "
                f"or its tasks: [*modcog.collection({task!r}), …]"
            )
        found.append(parse(task).name)
    if not found:
        raise ModcogError("tasks: got an empty list, must name at least one task")
    repeated = sorted({name for name in found if found.count(name) > 1})
    if repeated:
        raise ModcogError(f"tasks: got {', '.join(repeated)} more than once, must name each task once")
    return tuple(found)
