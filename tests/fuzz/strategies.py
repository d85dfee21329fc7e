"""Values that nobody should give, and those that somebody might."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from modcog.tasks.names import COLLECTIONS, TASKS
from tests.hostile import doubled, looped


def endless_text() -> Iterator[str]:
    """Names without end."""
    return itertools.repeat("go")


class Colour(Enum):
    RED = 1


class Unshowable:
    """Its ``repr`` fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Talkative:
    """Its ``repr`` has lines, an escape character and markup."""

    def __repr__(self) -> str:
        return "<b>\n\x1b[31mred\x1b[0m\x00\u2028[bold]</b>"


class Incomparable:
    """It is equal to nothing, and asking is an error."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")


def deep(depth: int = 5_000) -> list[Any]:
    """Lists within lists."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def endless() -> Iterator[int]:
    """Numbers without end."""
    return itertools.count(100, 100)


ODD_TEXT = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\udcff",
            "\x1b[31m",
            "a\nb",
            "�",
            "nan",
            "inf",
            "1e400",
            "../..",
            "/",
            "-",
            "--",
            "0" * 5000,
            "[bold]",
            "<b>",
            "ｇｏ",
            "GO",
            "go ",
            "modcog/go-v0",
            "None",
            "true",
            "uniform",
            "constant",
            "x" * 100000,
        ]
    ),
)

ODD_NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -0.0, -1, 2**31, 2**63, 2**64, 10**400, 5e-324, 1e308, float("nan"), float("inf")]),
    st.sampled_from([np.float16(0.5), np.float32("nan"), np.int8(-1), np.uint64(2**63), np.longdouble(3), np.bool_(1)]),
    st.sampled_from([np.array(3), np.array(2.5), np.array("x"), np.array(None), np.array(3 + 1j), np.ma.masked]),
    st.sampled_from([Decimal("0.1"), Decimal("NaN"), Fraction(1, 3), 1j, True, False, np.datetime64("NaT")]),
)

HOSTILE = {"unshowable": Unshowable, "bomb": doubled, "deep": deep, "endless": endless, "endless text": endless_text}
"""Makers of values whose text cannot be made: a report of a random example would hang on them."""

_MADE: list[Callable[[], Any]] = [
    object, Talkative, Incomparable, looped, lambda: range(10**12), dict, list, set,
    lambda: {"a": 1}, lambda: {1: 2}, lambda: {None: None}, lambda: b"\xff", lambda: bytearray(4), lambda: type,
    lambda: len, lambda: Ellipsis, lambda: Path("x"), lambda: datetime.date(2024, 1, 1), lambda: Colour.RED,
    lambda: np.zeros(0), lambda: np.zeros((2, 2)), lambda: np.array([1, "a", None], object), lambda: np.arange(3.0),
    lambda: (x for x in (100, 200)), lambda: np.zeros(2, [("a", int)]), lambda: np.ma.masked_array([1.0, 2.0], [0, 1]),
    lambda: (lambda: 300), lambda: slice(3), lambda: memoryview(b"ab"), lambda: {100, 200}, lambda: {"a": {"b": [1]}},
]  # fmt: skip

ODD_OBJECTS = st.sampled_from(_MADE).map(lambda make: make())

ODD = st.one_of(
    st.none(),
    ODD_NUMBERS,
    ODD_TEXT,
    ODD_OBJECTS,
    st.lists(st.one_of(ODD_NUMBERS, ODD_TEXT, ODD_OBJECTS), max_size=4),
    st.tuples(ODD_TEXT, ODD_NUMBERS),
    st.dictionaries(ODD_TEXT, st.one_of(ODD_NUMBERS, ODD_TEXT, ODD_OBJECTS), max_size=3),
)
"""Values of any type."""

PLAIN_ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD_TEXT.filter(lambda text: len(text) < 100)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
"""Values that JSON has."""

PERIODS = ("fixation", "stimulus", "delay", "decision", "stim1", "stim2", "sample", "test")

TASK = st.sampled_from(TASKS)

MS = st.one_of(st.integers(1, 12).map(lambda n: n * 100), st.floats(100, 1500))


def durations() -> st.SearchStrategy[Any]:
    """Durations in every form, and what each of them allows, as (duration, allowed)."""

    def between(a: float, b: float) -> Callable[[float], bool]:
        return lambda ms: min(a, b) - 1e-9 <= ms <= max(a, b) + 1e-9

    def among(*values: float) -> Callable[[float], bool]:
        return lambda ms: any(abs(ms - value) < 1e-9 for value in values)

    pairs = st.tuples(MS, MS).map(sorted)
    several = st.lists(MS, min_size=1, max_size=4, unique=True)
    return st.one_of(
        MS.map(lambda ms: (ms, among(ms))),
        MS.map(lambda ms: (("constant", ms), among(ms))),
        MS.map(lambda ms: ((lambda: ms), among(ms))),
        several.map(lambda values: (values, among(*values))),
        several.map(lambda values: (("choice", values), among(*values))),
        pairs.map(lambda pair: (("uniform", tuple(pair)), between(*pair))),
        pairs.map(lambda pair: (("truncated_exponential", (sum(pair) / 2, *pair)), between(*pair))),
        st.just((None, lambda ms: True)),
    )


TASKS_SETTING = st.one_of(
    st.lists(TASK, min_size=1, max_size=3, unique=True),
    st.sampled_from(["yang19", "go", "match"]),
    TASK.map(lambda t: [t]),
)

GOOD_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "dt": st.one_of(st.sampled_from([100, 50.0, 20, np.float32(25), np.array(100), Fraction(100)]), st.floats(20, 200)),
    "sigma": st.one_of(st.floats(0, 3), st.just(np.float64(0))),
    "dim_ring": st.sampled_from([4, 8, 16, 16.0, np.int64(32), np.array(6)]),
    "rules": st.sampled_from(["corrected", "published", np.str_("corrected")]),
    "omega": st.floats(0, 0.05),
    "interval": st.one_of(st.none(), st.lists(MS, min_size=1, max_size=3), st.just(np.arange(100, 500, 100))),
    "coherences": st.lists(st.floats(0.01, 1), min_size=1, max_size=3, unique=True),
    "strengths": st.lists(st.floats(0.01, 2), min_size=2, max_size=3, unique=True),
    "timing": st.dictionaries(st.sampled_from(PERIODS), durations().map(lambda pair: pair[0]), max_size=2),
    "rule_input": st.booleans(),
}
"""Settings that can be right, each by itself."""

COLLECTION = st.sampled_from(sorted(COLLECTIONS))


def keywords(good: dict[str, st.SearchStrategy[Any]], odd: st.SearchStrategy[Any] = ODD) -> st.SearchStrategy[Any]:
    """Some of the keywords of ``good``, most of them right and one or two odd, and at times one that does not exist."""
    right = st.fixed_dictionaries({}, optional=good)
    wrong = st.dictionaries(st.sampled_from([*good, "nonsense"]), odd, max_size=2)
    return st.one_of(right, st.builds(lambda first, second: {**first, **second}, right, wrong), wrong)
