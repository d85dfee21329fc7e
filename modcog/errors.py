"""Errors, and the one line that each of them is."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

LONGEST = 4000
"""Largest number of characters of a message that is shown on one line."""


class ModcogError(ValueError):
    """Base of every error that modcog raises about what it was given."""

    def __str__(self) -> str:
        """Return the message on one printable line: it may hold the name of a file that is not UTF-8, or an escape."""
        return one_line(ValueError.__str__(self))  # not that of KeyError, which would show it in quotes


class UnknownNameError(ModcogError, KeyError):
    """A task, collection, rule set, option or format that does not exist.

    It is a ``KeyError`` too, so that code which looks a name up can catch either.
    """


class UnknownKeywordError(UnknownNameError, TypeError):
    """A keyword argument that an environment, a battery or a config does not take.

    It is a ``TypeError`` too, since tools that try out keywords leave out those that raise one.
    """


class FixedError(ModcogError, AttributeError, TypeError):
    """A write to something that was fixed when its environment, battery or settings were made.

    It is an ``AttributeError`` as Python raises for attributes, and a ``TypeError`` as for items, that cannot be set.
    """


def one_line(message: object, longest: int = LONGEST) -> str:
    """Return an error's message, or any text, on one line that is safe to print, cut after ``longest`` characters."""
    text = printable(" ".join(_text(message)[: 10 * longest].split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str, keep: str = "") -> str:
    """Return a text with its control characters escaped, as ``repr`` shows them, except those in ``keep``.

    A terminal or a page would obey them: they can erase what was written, hide text or turn its direction. Characters
    that cannot be encoded, as in names of files that are not UTF-8, are escaped too.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def shown(value: object, longest: int = 80) -> str:
    """Return the ``repr`` of a value on one line, cut after ``longest`` characters, as errors show it."""
    return one_line(_text(value, _FEW.repr), longest)


# Lists that hold one list twice, forty deep, are a kilobyte of YAML, and their whole text would fill the memory.
class _Few(reprlib.Repr):
    """The ``repr`` of a few items and levels; dicts keep their order."""

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"
        items = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in islice(x.items(), self.maxdict)]
        return f"{{{', '.join([*items, *(['...'] if len(x) > self.maxdict else [])])}}}"


_FEW = _Few()
_FEW.maxlevel, _FEW.maxlist, _FEW.maxtuple, _FEW.maxdict, _FEW.maxset = 4, 24, 24, 24, 24
_FEW.maxstring = _FEW.maxother = _FEW.maxlong = LONGEST


def _text(value: object, convert: Callable[[object], str] = str) -> str:
    """Return ``convert(value)``; the name of its type if that fails, as it may where users define it."""
    try:
        return convert(value)
    except (Exception, SystemExit):
        return f"<{type(value).__name__}>"


def unknown(kind: str, given: object, allowed: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that is not among ``allowed``: the name, the nearest match, and the choice.

    Args:
        kind: of thing that is named, e.g. ``"task"``.
        given: the name as it came.
        allowed: every name that would have been right.
    """
    names = list(dict.fromkeys(allowed))
    near = nearest(_text(given, lambda one: one if isinstance(one, str) else _FEW.repr(one)), names)
    hint = f" (nearest: {near!r})" if near else ""
    few = ", ".join(names[:24]) + (f", … {len(names)} in all" if len(names) > 24 else "")
    return UnknownNameError(f"unknown {kind} {shown(given)}{hint}; allowed: {few}")


def nearest(given: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that reads most like ``given``, ignoring case; None if none does."""
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given[:200].strip().lower(), lower, n=1, cutoff=0.5)
    return lower[near[0]] if near else None
