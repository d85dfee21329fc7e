"""A folder of .npy files, to be memory-mapped; needs nothing but NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.data.formats import ShardData, ShardForm, readable
from modcog.errors import ModcogError

ENDING = ""
OPEN_SHARDS = 4096
_TRIALS = "trials"  # all columns in one file: a record for each trial


def library() -> str:
    """Return nothing: only modcog decides the bytes."""
    return ""


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write ``observations.npy``, ``labels.npy``, and ``trials.npy`` with a record for each trial."""
    path.mkdir()
    dtype = [(name, column.dtype) for name, column in shard.columns.items()]
    table = np.empty(len(next(iter(shard.columns.values()))), dtype)
    for name, column in shard.columns.items():
        table[name] = column
    for name, array in {**shard.arrays, _TRIALS: table}.items():
        array = np.ascontiguousarray(array)
        with (path / f"{name}.npy").open("wb") as file:  # np.save, when the disk is full, loses the reason
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))  # type: ignore[no-untyped-call]
            file.write(array.data)


def open_shard(path: Path, form: ShardForm) -> Mapping[str, Any]:
    """Return memory-mapped arrays, and a view of each column of the records."""
    arrays = {name: _map(path / f"{name}.npy") for name in ("observations", "labels", _TRIALS)}
    table = arrays.pop(_TRIALS)
    return form.check(path, {**arrays, **{name: table[name] for name in table.dtype.names or ()}})


def _map(path: Path) -> NDArray[Any]:
    """Return a file as a view of its memory map: indexing the map's own class costs five times as much."""
    with readable(path):  # np.load would take a zip archive too, and a pickle
        array: NDArray[Any] = np.asarray(np.lib.format.open_memmap(path, mode="r"))  # type: ignore[no-untyped-call]
        if not array.flags.c_contiguous:
            raise ModcogError(f"{path}: its array is not in C order")
        return array
