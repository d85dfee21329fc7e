"""One Parquet file a shard, a row for each item: trials, or sequences, with their steps as lists.

Meant for pandas, polars and Hugging Face datasets; whoever reads single trials at random is better off with ``npy``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modcog.data.formats import ShardData

ENDING = ".parquet"
OPEN_SHARDS = 4  # a column that has been read stays in memory
_ROW_GROUP_BYTES = 8 << 20


def library() -> str:
    """Return the package that writes the bytes."""
    return f"pyarrow {pa.__version__}"


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write a table; ``about`` stands in its metadata under ``modcog``."""
    fields = {name: _lists(array, shard.array_offsets) for name, array in shard.arrays.items()}
    fields |= {name: _lists(column, shard.column_offsets) for name, column in shard.columns.items()}
    table = pa.table(fields).replace_schema_metadata({"modcog": about})
    rows = max(table.num_rows * _ROW_GROUP_BYTES // max(table.nbytes, 1), 1)
    pq.write_table(
        table, path, row_group_size=rows, compression="zstd", compression_level=1,
        use_dictionary=list(shard.columns), write_statistics=list(shard.columns), store_schema=True,
    )  # fmt: skip


def _lists(array: NDArray[Any], offsets: NDArray[Any] | None) -> pa.Array:
    """Return an Arrow array with an element for each item: fixed-size lists for the inner axes, then ragged ones."""
    found = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found if offsets is None else pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), found)


class _Columns(Mapping[str, Any]):
    """The columns of a file, each read when it is first asked for, as one NumPy array."""

    def __init__(self, path: Path) -> None:
        self._path, self._names = path, pq.read_schema(path).names
        self._read: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            self._read[name] = _flat(pq.read_table(self._path, columns=[name], partitioning=None).column(name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _flat(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return the inverse of ``_lists``."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # what a column of no or one chunk combines to differs between versions
        array = array.chunk(0)
    if pa.types.is_list(array.type):
        array = array.flatten()
    shape = []
    while pa.types.is_fixed_size_list(array.type):
        shape.append(array.type.list_size)
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).reshape(-1, *shape)


open_shard = _Columns
