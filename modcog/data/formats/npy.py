"""A folder of .npy files, to be memory-mapped; needs nothing but NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modcog.data.formats import ShardData

ENDING = ""
OPEN_SHARDS = 4096
_TRIALS = "trials"  # all columns in one file: a record for each trial


def library() -> str:
    """Nothing but modcog decides the bytes."""
    return ""


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write ``observations.npy``, ``labels.npy``, and ``trials.npy`` with a record for each trial."""
    path.mkdir()
    for name, array in shard.arrays.items():
        _save(path / f"{name}.npy", array)
    table = np.empty(len(next(iter(shard.columns.values()))), [(name, c.dtype) for name, c in shard.columns.items()])
    for name, column in shard.columns.items():
        table[name] = column
    _save(path / f"{_TRIALS}.npy", table)


def _save(path: Path, array: np.ndarray[Any, Any]) -> None:
    """``np.save``, except that a full disk is reported as one: NumPy's own writing loses the reason."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))  # type: ignore[no-untyped-call]
        file.write(array.data)


def open_shard(path: Path) -> Mapping[str, Any]:
    """Memory-mapped arrays, and a view of each column of the records."""
    arrays = {file.stem: _map(file) for file in sorted(path.glob("*.npy"))}
    table = arrays.pop(_TRIALS)
    return {**arrays, **{name: table[name] for name in table.dtype.names or ()}}


def _map(file: Path) -> np.ndarray[Any, Any]:
    # A plain view of the memory map: indexing the subclass costs five times as much.
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
