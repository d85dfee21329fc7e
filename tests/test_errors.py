"""The one sentence that errors are made of."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog.errors import (
    LONGEST,
    FixedError,
    ModcogError,
    UnknownKeywordError,
    UnknownNameError,
    nearest,
    one_line,
    printable,
    shown,
    unknown,
)


def test_an_unknown_name_says_what_was_given_what_is_nearest_and_what_is_allowed() -> None:
    error = unknown("format", "zar", ["npy", "zarr"])
    assert str(error) == "unknown format 'zar' (nearest: 'zarr'); allowed: npy, zarr"


def test_it_can_be_caught_as_any_of_three() -> None:
    """A lookup's KeyError, a wrong value's ValueError, and the package's own."""
    error = unknown("format", "x", ["npy"])
    assert isinstance(error, UnknownNameError)
    assert isinstance(error, KeyError)
    assert isinstance(error, ValueError)
    assert isinstance(error, ModcogError)


@pytest.mark.parametrize("kind", [ModcogError, UnknownNameError, UnknownKeywordError, FixedError])
def test_its_message_can_be_printed_and_stored(kind: type[ModcogError]) -> None:
    """It may name a file whose name is not UTF-8, or that wants to rule a terminal; pydantic, too, encodes it."""
    message = str(kind("r\udcff\x1b[31m: no 'x'"))
    assert message == "r\\udcff\\x1b[31m: no 'x'"
    assert message.encode().isascii()


def test_it_survives_the_way_to_another_process() -> None:
    error = unknown("format", "zar", ["npy", "zarr"])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (UnknownNameError, str(error))


def test_a_long_choice_is_cut_and_counted_and_names_stand_once() -> None:
    message = str(unknown("task", "zzzz", [f"n{k}" for k in range(40)] * 2))
    assert message.endswith("n22, n23, … 40 in all")
    assert message.count("n3,") == 1
    assert "nearest" not in message


@pytest.mark.parametrize(
    ("given", "found"),
    [("DLYGO", "dlygo"), (" go ", "go"), ("dlygoo", "dlygo"), ("qqqqqq", None), ("", None), ("go" * 10**6, None)],
    ids=lambda value: str(value)[:10],
)
def test_nearest(given: str, found: str | None) -> None:
    assert nearest(given, ["go", "dlygo", "dms"]) == found


def test_nearest_gives_the_name_as_it_is_written() -> None:
    assert nearest("lm-rnn", ["LM-RNN", "gru"]) == "LM-RNN"


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.text(max_size=30) | st.floats() | st.none(), max_size=8) | st.text())
def test_any_value_is_shown_on_one_short_line(value: object) -> None:
    text = shown(value)
    assert len(text) <= 80
    assert len(text.splitlines()) <= 1
    assert text == repr(value) or len(repr(value)) > 80


def test_an_array_is_shown_on_one_line() -> None:
    assert shown(np.zeros((3, 2))) == "array([[0., 0.], [0., 0.], [0., 0.]])"
    assert len(shown(np.zeros((50, 50)))) == 80


class Unreadable:
    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


def test_a_value_that_cannot_be_shown_is_named_by_its_type() -> None:
    assert shown(Unreadable()) == one_line(Unreadable()) == "<Unreadable>"


def test_a_value_cannot_write_on_the_terminal() -> None:
    class Painter:
        def __repr__(self) -> str:
            return "\x1b[2J\nred"

    assert shown(Painter()) == r"\x1b[2J red"


def test_a_message_is_printable_and_has_an_end() -> None:
    assert one_line("a\n\tb\x00\x1b[1m\x9b\u2028c\u202ed\ud800") == r"a b\x00\x1b[1m\x9b c\u202ed\ud800"
    assert len(one_line("word " * 10**6)) == LONGEST
    assert printable("a\tb\nc\x07", keep="\n\t") == "a\tb\nc\\x07"
    assert printable("Zürich −1 … 日本 ") == "Zürich −1 … 日本 "
