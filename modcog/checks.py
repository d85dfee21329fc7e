"""Checks of plain arguments, and bounds far beyond use, so that nothing overflows or fills the memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown

LONGEST_MS = 1e9
"""Longest duration, in ms."""

LONGEST_TRIAL = 1_000_000
"""Longest trial, in steps; a guard against a dt so small that a trial would not fit in memory."""

MOST_VALUES = 10_000
"""Largest number of values in a list of settings."""

LARGEST_STRENGTH = 1e6
"""Largest strength and noise level; far within the range of float32."""


def check_count(name: str, value: Any, at_least: int = 1) -> int:
    """Return a whole number of at least ``at_least`` as an ``int``.

    Raises:
        ModcogError: naming the argument.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < at_least:
        raise ModcogError(f"{name}: got {shown(value)}, must be a whole number, at least {at_least}")
    return int(value)


def check_jobs(jobs: Any, name: str = "jobs") -> int:
    """Return a number of parallel jobs; −1 stands for one per core.

    Raises:
        ModcogError: if it is neither −1 nor a whole number of at least 1, naming the argument.
    """
    if isinstance(jobs, int | np.integer) and jobs == -1:
        return os.cpu_count() or 1
    try:
        return check_count(name, jobs)
    except ModcogError as error:
        raise ModcogError(f"{error}, or -1 for one per core") from None


def check_path(name: str, value: Any) -> Path:
    """Return the path of a file or folder as a ``Path``.

    Raises:
        ModcogError: naming the argument.
    """
    if not isinstance(value, str | os.PathLike):
        raise ModcogError(f"{name}: got {shown(value)}, must be the path of a file or folder")
    return Path(value)


def is_list(value: Any) -> bool:
    """Tell whether ``value`` is a list, tuple, range or array; a set is none, since the order decides the draws.

    An iterator, which may never end, is none either, nor is a range of more values than anybody means.
    """
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | set | frozenset):
        return False
    try:
        return len(value) <= MOST_VALUES  # type: ignore[arg-type]
    except TypeError:  # an iterator, or an array without axes
        return False


def as_array(value: Any, axes: int) -> NDArray[Any]:
    """Return an array, or lists of numbers as an array of their shape.

    NumPy alone would follow lists to any depth, and those that hold one list many times, or a long range, fill the
    memory.

    Raises:
        ValueError: if lists have more than ``axes`` levels or different lengths, or a range more than ``MOST_VALUES``.
    """
    if not _is_shallow(value, axes):
        raise ValueError(f"more than {axes} levels or {MOST_VALUES} values")
    return np.asarray(value)


def _is_shallow(value: Any, levels: int) -> bool:
    if isinstance(value, range):
        return len(value) <= MOST_VALUES
    return not isinstance(value, list | tuple) or (levels > 0 and all(_is_shallow(item, levels - 1) for item in value))
