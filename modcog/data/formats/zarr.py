"""One Zarr 3 group a shard: observations and labels are compressed in chunks that share one file, columns whole."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modcog.data.formats import ShardData, ShardForm, StoredArray, readable
from modcog.errors import ModcogError, shown
from modcog.extras import MissingExtraError
from modcog.files import look_below, read_regular

if sys.version_info < (3, 11):  # the extra installs nothing there: zarr 3 is for later ones
    raise MissingExtraError("format 'zarr' needs Python 3.11 or later")

import numcodecs
import zarr
from zarr.codecs import ZstdCodec
from zarr.registry import register_codec
from zarr.storage import LocalStore

ENDING = ".zarr"
OPEN_SHARDS = 1024
_CHUNK_BYTES = 1 << 19
_CODECS = {"bytes", "crc32c", "sharding_indexed", "zstd"}
_LARGEST_JSON = 1 << 20


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


def open_shard(path: Path, form: ShardForm) -> Mapping[str, Any]:
    """Return the group's arrays.

    Whatever lies in the folder can become a chunk, and metadata of a few bytes can ask for any memory, so the folder
    must hold the files of the manifest alone, and its metadata ask for no more than the shapes there.

    Raises:
        ModcogError: if it is damaged, or keeps data anywhere else or in any other form than ``write`` does.
    """
    if strangers := look_below(path).keys() - form.files:
        raise ModcogError(f"{path} holds {shown(min(strangers))}, which the manifest does not name")
    with readable(path):
        for name, (shape, _) in form.arrays.items():
            _check_array(path / name / "zarr.json", max(math.prod(shape), 1))
        store = LocalStore(path, read_only=True)
        with zarr.config.set({"codecs.zstd": _BOUNDED}):
            group = zarr.open_group(store=store, mode="r", zarr_format=3, use_consolidated=False)
            found = {name: group[name] for name in form.arrays}
        return {name: StoredArray(array, path) for name, array in form.check(path, found).items()}


class BoundedZstd(ZstdCodec):
    """The decoder of a shard, which refuses a frame that says it is larger than its chunk: zstd believes it."""

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_frame(chunk_bytes.as_numpy_array()[:18].tobytes(), 8 * math.prod(chunk_spec.shape))
        return await super()._decode_single(chunk_bytes, chunk_spec)


_BOUNDED = f"{__name__}.{BoundedZstd.__qualname__}"
register_codec("zstd", BoundedZstd)


def _check_frame(head: bytes, at_most: int) -> None:
    """Refuse a zstd frame (RFC 8878, section 3.1.1.1) whose header does not state a size of at most so many bytes."""
    flags, single = head[4], head[4] >> 5 & 1
    length = (single, 2, 4, 8)[flags >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    size = int.from_bytes(head[start : start + length], "little") + 256 * (length == 2)
    if not length or size > at_most:
        raise ModcogError(f"a compressed chunk has other contents than its {at_most} bytes at most")


def _check_array(path: Path, size: int) -> None:
    """Refuse metadata of an array with other codecs than ours, or with chunks of more than twice its size."""
    about = json.loads(read_regular(path, _LARGEST_JSON))
    chunk = about["chunk_grid"]["configuration"]["chunk_shape"]
    waiting, codecs = [*about["codecs"], *about.get("storage_transformers", [])], set()
    while waiting:
        codec = waiting.pop()
        codecs.add(codec["name"])
        inner = codec.get("configuration", {})
        waiting += [*inner.get("codecs", []), *inner.get("index_codecs", [])]
    if not codecs <= _CODECS or math.prod(chunk) > 2 * size:
        raise ModcogError(f"{path} asks for other chunks or codecs than modcog writes")
