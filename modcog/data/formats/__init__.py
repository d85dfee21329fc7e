"""File formats: every module in this folder is one, and adding a format is adding a module.

A module defines what ``Format`` lists. It imports its package at the top: only a format that is used is imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, one_line, shown, unknown
from modcog.extras import missing_extra

FORMATS: tuple[str, ...] = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
"""The names that ``format`` takes."""


@dataclass(frozen=True)
class ShardData:
    """The contents of one shard.

    Attributes:
        arrays: ``observations`` and ``labels``; their first axis runs over the shard's items (trials, or sequences),
            or over the steps of all its items if ``array_offsets`` is given.
        columns: one-dimensional, a value for each trial.
        array_offsets: (n + 1,) item i holds the rows array_offsets[i] … array_offsets[i + 1] − 1 of the arrays.
        column_offsets: the same for the columns, where an item is a sequence of several trials.
        tasks: names that the column ``task`` indexes.
    """

    arrays: dict[str, NDArray[Any]]
    columns: dict[str, NDArray[Any]]
    array_offsets: NDArray[Any] | None = None
    column_offsets: NDArray[Any] | None = None
    tasks: tuple[str, ...] = ()

    @property
    def all(self) -> dict[str, NDArray[Any]]:
        """Arrays and columns."""
        return {**self.arrays, **self.columns}

    def form(self, files: frozenset[str] = frozenset()) -> ShardForm:
        """Return what a reader of the shard, written as ``files``, must find."""
        items = len(next(iter(self.arrays.values()))) if self.array_offsets is None else len(self.array_offsets) - 1
        return ShardForm({name: (a.shape, a.dtype) for name, a in self.all.items()}, items, files, self.tasks)


@dataclass(frozen=True)
class ShardForm:
    """The contents that a shard must have, as its manifest says; a reader compares before it takes memory for them.

    Attributes:
        arrays: shape and dtype of each array and column.
        items: trials or sequences.
        files: of a shard that is a folder, by their paths in it.
        tasks: names that the column ``task`` indexes.
    """

    arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
    items: int
    files: frozenset[str]
    tasks: tuple[str, ...]

    def check(self, path: Path, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arrays and columns of ``stored`` that the shard must have; nothing is read.

        Raises:
            ModcogError: if one is missing, or has another shape or dtype.
        """
        if missing := [name for name in self.arrays if name not in stored]:
            raise ModcogError(f"{path} does not hold {missing[0]}")
        return {name: self.check_array(path, name, stored[name]) for name in self.arrays}

    def check_array(self, path: Path, name: str, found: Any) -> Any:
        """Return an array or column of the shard.

        Raises:
            ModcogError: if it has another shape or dtype.
        """
        shape, dtype = self.arrays[name]
        if (tuple(found.shape), found.dtype) != (shape, dtype):
            said = f"the manifest says {dtype} of shape {shape}"
            raise ModcogError(f"{path}: {name} is {found.dtype} of shape {tuple(found.shape)}, {said}")
        return found


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a library raises about a damaged file, of any type, into one line that names it.

    Raises:
        ModcogError: instead of anything else.
    """
    try:
        yield
    except ModcogError as error:
        raise error if str(path) in str(error) else ModcogError(f"{path}: {error}") from None
    except Exception as error:
        raise ModcogError(f"{path} cannot be read: {shown(one_line(error), 200)}") from None


class StoredArray:
    """An array of a file that is read when it is indexed; errors name the file.

    Attributes:
        array: of the library that reads the file.
        path: of the file.
    """

    def __init__(self, array: Any, path: Path) -> None:
        self.array, self.path = array, path

    def __getitem__(self, index: Any) -> NDArray[Any]:
        with readable(self.path):
            return np.asarray(self.array[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all of it."""
        return np.asarray(self[...], dtype)

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the library's array, such as ``shape``."""
        if name == "array":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.array, name)


class Format(Protocol):
    """Contents of a format module."""

    ENDING: str
    """Of a shard's name; a shard is a file, or a folder of files."""
    OPEN_SHARDS: int
    """Largest number of shards that a reader keeps open at once."""

    def library(self) -> str:
        """Return name and version of the package whose version decides the bytes; empty if none does."""

    def write(self, shard: ShardData, path: Path, about: str) -> None:
        """Write a shard under ``path``; the same shard gives the same bytes. ``about`` is JSON: the data's identity."""

    def open_shard(self, path: Path, form: ShardForm) -> Mapping[str, Any]:
        """Return arrays and columns by name; each is read when it is indexed, and all are as ``form`` says."""


def get_format(name: str) -> Format:
    """Return the module of a format.

    Raises:
        UnknownNameError: if there is no such format.
        ModcogError: if the package it needs is not installed; it says what to install.
    """
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    try:
        return cast(Format, importlib.import_module(f"{__name__}.{name}"))
    except ImportError as error:
        raise missing_extra(name, f"format {name!r}", (error.name or name).split(".")[0]) from None
