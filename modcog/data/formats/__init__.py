"""File formats: every module in this folder is one, and adding a format is adding a module.

A module defines what ``Format`` lists. It imports its package at the top: only a format that is used is imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from modcog.errors import unknown
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
    """

    arrays: dict[str, NDArray[Any]]
    columns: dict[str, NDArray[Any]]
    array_offsets: NDArray[Any] | None = None
    column_offsets: NDArray[Any] | None = None

    @property
    def all(self) -> dict[str, NDArray[Any]]:
        """Arrays and columns."""
        return {**self.arrays, **self.columns}


class Format(Protocol):
    """Contents of a format module."""

    ENDING: str
    """Of a shard's name; a shard is a file, or a folder of files."""
    OPEN_SHARDS: int
    """How many shards a reader may keep open at once."""

    def library(self) -> str:
        """Return name and version of the package whose version decides the bytes; empty if none does."""

    def write(self, shard: ShardData, path: Path, about: str) -> None:
        """Write a shard under ``path``; the same shard gives the same bytes. ``about`` is JSON: the data's identity."""

    def open_shard(self, path: Path) -> Mapping[str, Any]:
        """Return arrays and columns by name; each is read when it is indexed."""


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
