"""One Parquet file a shard, a row for each item: trials, or sequences, with their steps as lists.

Meant for pandas, polars and Hugging Face datasets; whoever reads single trials at random is better off with ``npy``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modcog.data.formats import ShardData, ShardForm, readable
from modcog.errors import ModcogError
from modcog.trials.arrays import is_missing

ENDING = ".parquet"
OPEN_SHARDS = 4  # a column that has been read stays in memory
_ROW_GROUP_BYTES = 8 << 20
_SPARE = 1 << 20  # bytes of a column beside its values, such as page headers
_NAMES = (pa.string(),)  # type of the tasks
_LONGEST_NAME = 200  # of a task, in bytes


def library() -> str:
    """Return the package that writes the bytes."""
    return f"pyarrow {pa.__version__}"


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write a table; ``about`` stands in its metadata under ``modcog``.

    Tools that know nothing of us read it: a value that is missing is a null, and a task is its name.
    """
    fields = {name: _lists(pa.array(_rows(array)), array, shard.array_offsets) for name, array in shard.arrays.items()}
    for name, column in shard.columns.items():
        values = pa.array(column, mask=is_missing(column))
        if name == "task" and shard.tasks:
            values = pa.array(shard.tasks).take(values)
        fields[name] = _lists(values, column, shard.column_offsets)
    table = pa.table(fields).replace_schema_metadata({"modcog": about})
    rows = max(table.num_rows * _ROW_GROUP_BYTES // max(table.nbytes, 1), 1)
    pq.write_table(
        table, path, row_group_size=rows, compression="zstd", compression_level=1,
        use_dictionary=list(shard.columns), write_statistics=list(shard.columns), store_schema=True,
    )  # fmt: skip


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array).reshape(-1)


def _lists(found: pa.Array, array: NDArray[Any], offsets: NDArray[Any] | None) -> pa.Array:
    """Return the values of an array with an element for each item: fixed-size lists for its inner axes, then ragged."""
    for size in reversed(array.shape[1:]):
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found if offsets is None else pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), found)


class _Columns(Mapping[str, Any]):
    """The columns of a file, each read when it is first asked for, as one NumPy array."""

    def __init__(self, path: Path, form: ShardForm) -> None:
        self._path, self._form = path, form
        self._read: dict[str, NDArray[Any]] = {}
        with readable(path):
            about = pq.read_metadata(path)
            schema = about.schema.to_arrow_schema()
            if about.num_rows != form.items or schema.names != [*form.arrays]:
                raise ModcogError(f"{path} has other rows or columns than the manifest says")
            groups = [about.row_group(i) for i in range(about.num_row_groups)]
            for column, (name, (shape, dtype)) in enumerate(form.arrays.items()):
                # Parquet writes a value that repeats only once, and can keep a column in another file.
                chunks, values = [group.column(column) for group in groups], math.prod(shape)
                most = 2 * values * max(dtype.itemsize, _LONGEST_NAME * (name == "task")) + _SPARE
                said = [(chunk.num_values, chunk.total_uncompressed_size) for chunk in chunks]
                for counts in (said, [page for chunk in chunks for page in _pages(path, chunk)]):
                    counted, size = (sum(column) for column in zip(*counts, strict=True))
                    if any(chunk.file_path for chunk in chunks) or counted > values + form.items or size > most:
                        raise ModcogError(f"{path}: {name} has other contents than the manifest says")

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            with readable(self._path):
                column = pq.ParquetFile(self._path).read(columns=[name]).column(name)
                found = _flat(column, self._form.arrays[name][0], self._form.tasks)
            self._read[name] = self._form.check_array(self._path, name, found)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._form.arrays)

    def __len__(self) -> int:
        return len(self._form.arrays)


# The pages decide how much is unpacked, and a few bytes of one can stand for a billion values, whatever the column's
# metadata say. pyarrow does not show them; each has a header in the compact protocol of Thrift.
def _pages(path: Path, chunk: Any) -> Iterator[tuple[int, int]]:
    """Yield the number of values and the unpacked bytes of every page of a column chunk."""
    start = min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset)
    with path.open("rb") as file:
        file.seek(start)
        while file.tell() < start + chunk.total_compressed_size:
            header = _header(file)
            unpacked, packed = header[2,], header[3,]
            if unpacked < 0 or packed < 0:
                raise ModcogError(f"{path} holds a page of less than no bytes")
            values = header.get((5, 1), 0) + header.get((8, 1), 0)
            yield values, unpacked
            file.seek(packed, os.SEEK_CUR)


def _header(file: BinaryIO) -> dict[tuple[int, ...], int]:
    """Read the header of a page: its numbers by the ids of their fields, those in a struct after that of the struct."""

    def unsigned() -> int:
        found = 0
        for shift in range(0, 64, 7):
            byte = file.read(1)[0]
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise ModcogError(f"{file.name} holds a page with a number of more than 64 bits")

    def signed() -> int:
        number = unsigned()
        return number >> 1 ^ -(number & 1)

    found: dict[tuple[int, ...], int] = {}
    ids = [0]
    while ids:
        step, kind = divmod(file.read(1)[0], 16)
        if kind == 0:  # the end of a struct
            ids.pop()
            continue
        ids[-1] = ids[-1] + step if step else signed()
        if kind in (4, 5, 6):
            found[tuple(ids)] = signed()
        elif kind == 8:  # bytes
            file.seek(unsigned(), os.SEEK_CUR)
        elif kind == 12:  # a struct
            ids.append(0)
        elif kind not in (1, 2):  # true and false
            raise ModcogError(f"{file.name} holds a page with a field of the unknown kind {kind}")
    return found


def _type(found: pa.DataType) -> pa.DataType:
    """Return the type of the values in lists."""
    while pa.types.is_list(found) or pa.types.is_fixed_size_list(found):
        found = found.value_type
    return found


def _flat(column: pa.ChunkedArray, shape: tuple[int, ...], tasks: tuple[str, ...]) -> NDArray[Any]:
    """Return the inverse of ``_lists``, nulls as −1 or NaN, and names of tasks as indices."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # what a column of no or one chunk combines to differs between versions
        array = array.chunk(0)
    while pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    if pa.types.is_string(array.type):
        array = pc.index_in(array, pa.array(tasks))
    elif array.null_count:
        array = array.fill_null(float("nan") if pa.types.is_floating(array.type) else -1)
    return array.to_numpy(zero_copy_only=False).reshape(-1, *shape[1:])


open_shard = _Columns
