"""Code that a user names: what it may raise, and how it is found."""

from __future__ import annotations

import importlib
import os
import sys
from functools import reduce
from types import ModuleType
from typing import Any

from modcog.errors import ModcogError, one_line, unknown

FAILURES = (Exception, SystemExit)
"""What a user's code may end in without ending ours: even a call of ``sys.exit``; Ctrl-C is the user's own."""


def is_place(text: object) -> bool:
    """Whether this is written like a ``MODULE:NAME``."""
    return isinstance(text, str) and ":" in text


def object_at(place: str) -> Any:
    """What ``MODULE:NAME`` stands for; modules of the working directory are found, too.

    Raises:
        ModcogError: if this is no place, or the module is not there or fails.
        UnknownNameError: if the module has no such name.
    """
    module, _, name = place.partition(":")
    if not (module and name):
        raise ModcogError(f"got {place!r}, must be MODULE:NAME")
    found = import_module(module)
    try:
        return reduce(getattr, name.split("."), found)
    except AttributeError:
        names = [name for name in vars(found) if not name.startswith("_")]
        raise unknown(f"name in {module}", name, names) from None


def import_module(module: str) -> ModuleType:
    """Import a module by name, also from the working directory, where a program that pip installed does not look.

    Raises:
        ModcogError: if it is not there or fails.
    """
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(module)
    except ModcogError:
        raise
    except FAILURES as error:
        raise ModcogError(f"cannot import {module!r}: {said(error)}") from error


def said(error: BaseException) -> str:
    """An error's type and what it says, on one line."""
    return f"{type(error).__name__}: {one_line(error)}"
