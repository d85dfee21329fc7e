"""Code that a user names or passes: how to find it, which options it takes, and how to report what it raises.

All parts of the package that run user code use it: networks to train, score and analyse, and modules that add tasks.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from types import ModuleType
from typing import Any

from modcog.errors import ModcogError, one_line, shown, unknown

PASS = (KeyboardInterrupt, GeneratorExit)
"""Exceptions of user code that are not reported as its failure: Ctrl-C ends this program."""

LONGEST = 300
"""Largest number of characters of a user's error that are shown."""


@contextmanager
def failures_as(context: str) -> Iterator[None]:
    """Report a failure of the user code that is run in this block as ``CONTEXT: TYPE: message``, on one line.

    A ``ModcogError`` passes unchanged: it says already what was given and what is allowed.

    Raises:
        ModcogError: if the block raises anything but one of ``PASS``, ``sys.exit()`` included.
    """
    try:
        yield
    except (ModcogError, *PASS):
        raise
    except BaseException as error:
        raise ModcogError(f"{context}: {error_text(error)}") from error


def error_text(error: BaseException) -> str:
    """Return type and message of an error on one line, cut after ``LONGEST`` characters; the message of our own."""
    if isinstance(error, ModcogError):
        return one_line(error)
    return one_line(": ".join(filter(None, (type(error).__name__, one_line(error)))), LONGEST)


def is_import_path(text: object) -> bool:
    """Return True for text written like ``MODULE:NAME``."""
    return isinstance(text, str) and ":" in text


def check_trust(source: object, path: object, trust: bool) -> None:
    """Refuse a ``MODULE:NAME`` that was read from a file, unless the caller trusts the file; other names pass.

    To import it is to run code. Who types it knows what is run; who opens a folder or a file of somebody else does not.

    Args:
        source: the file that it was read from.
        path: what the file says.
        trust: allow it.

    Raises:
        ModcogError: it says what would be imported, and how to allow that.
    """
    if is_import_path(path) and not trust:
        raise ModcogError(
            f"{source} names {shown(path)}, code that would be imported and run; if you trust it, allow that by "
            "--trust (in Python by trust=True)"
        )


def import_object(path: str) -> Any:
    """Import what ``MODULE:NAME`` stands for; modules of the working directory are found, too.

    Raises:
        ModcogError: if ``path`` has another form, or the module does not exist or fails.
        UnknownNameError: if the module has no such name.
    """
    module, _, name = path.partition(":")
    if not re.fullmatch(r"[\w.-]+:[\w.]+", path):
        raise ModcogError(f"got {shown(path)}, must be MODULE:NAME")
    found = import_module(module)
    with failures_as(f"cannot import {name!r} from {module!r}"):
        try:
            return reduce(getattr, name.split("."), found)
        except AttributeError:
            names = [name for name in vars(found) if not name.startswith("_")]
            raise unknown(f"name in {module}", name, names) from None


def import_module(module: str) -> ModuleType:
    """Import a module by name, also from the working directory.

    Python looks there by itself only for ``python -m``, not for a program that pip installed.

    Raises:
        ModcogError: if the module does not exist or fails.
    """
    with failures_as(f"cannot import {module!r}"):
        if not {"", os.getcwd()} & set(sys.path):
            sys.path.insert(0, os.getcwd())
        return importlib.import_module(module)


def accepted_options(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the ``offered`` options that a function takes by keyword; all of them if it has ``**kwargs``.

    A function without a readable signature, as some that are not written in Python, is offered nothing.
    """
    parameters = _parameters(function) or ()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(offered)
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {name: value for name, value in offered.items() if name in names}


def required_options(function: Callable[..., Any]) -> set[str]:
    """Return the names of a function's parameters that have no default."""
    parameters = _parameters(function) or ()
    return {p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def is_factory(candidate: Any, offered: Mapping[str, Any]) -> bool:
    """Return True for a function or class that can be called with ``offered`` options alone.

    It is meant to tell a function that builds a network from a network. So a function of ``*args`` that names none of
    the options, as models of other libraries are, is no factory, and neither is a torch module.
    """
    is_class = inspect.isclass(candidate)
    if not callable(candidate) or (hasattr(candidate, "state_dict") and not is_class):
        return False
    parameters = _parameters(candidate)
    if parameters is None:
        return False
    any_positional = any(p.kind is p.VAR_POSITIONAL for p in parameters) and not is_class
    if any_positional and not any(p.name in offered for p in parameters):
        return False
    return required_options(candidate) <= offered.keys()


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of some functions that are not written in Python
        return None


def is_batch_first(module: Any) -> bool:
    """Return True for a torch module that takes (n, T, …): by its own ``batch_first``, or else by that of its parts."""
    stated = getattr(module, "batch_first", None)
    return bool(stated) if stated is not None else any(getattr(p, "batch_first", False) for p in module.modules())
