"""The errors modcog raises, and the one sentence they are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ModcogError(ValueError):
    """Base of every error that modcog raises about what it was given."""


class UnknownNameError(ModcogError, KeyError):
    """A task, collection, rule set, option or format that does not exist.

    It is a ``KeyError`` too, so that code which looks a name up can catch either.
    """

    __str__ = ValueError.__str__  # KeyError would show the message in quotes


def unknown(kind: str, given: object, allowed: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not among ``allowed``: what was given, the nearest match, and the choice.

    Args:
        kind: what the name stands for, e.g. ``"task"``.
        given: the name as it came.
        allowed: every name that would have been right.
    """
    names = list(allowed)
    near = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" (nearest: {near[0]!r})" if near else ""
    shown = ", ".join(names[:24]) + (f", … {len(names)} in all" if len(names) > 24 else "")
    return UnknownNameError(f"unknown {kind} {given!r}{hint}; allowed: {shown}")
