"""One Zarr 3 group a shard: observations and labels are compressed in chunks that share one file, columns whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modcog.data.formats import ShardData
from modcog.errors import ModcogError

if sys.version_info < (3, 11):  # the extra installs nothing there: zarr 3 is for later ones
    raise ModcogError("format 'zarr' needs Python 3.11 or later")

import numcodecs
import zarr
from zarr.codecs import ZstdCodec

ENDING = ".zarr"
OPEN_SHARDS = 1024
_CHUNK_BYTES = 1 << 19


def library() -> str:
    """Return the packages that write the bytes."""
    return f"zarr {zarr.__version__}, numcodecs {numcodecs.__version__}"


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write a group; ``about`` is its attribute ``modcog``."""
    group = zarr.create_group(store=path, zarr_format=3, attributes={"modcog": json.loads(about)})
    for name, array in shard.all.items():
        rows = min(max(_CHUNK_BYTES // max(array[:1].nbytes, 1), 1), len(array))
        whole = (rows * -(-len(array) // rows), *array.shape[1:])
        target = group.create_array(
            name, shape=array.shape, dtype=array.dtype, chunks=(rows, *array.shape[1:]),
            shards=whole if name in shard.arrays else None, compressors=ZstdCodec(level=1),
        )  # fmt: skip
        target[...] = array


def open_shard(path: Path) -> Mapping[str, Any]:
    """Return the group's arrays."""
    return dict(zarr.open_group(store=path, mode="r", zarr_format=3).arrays())
