"""One HDF5 file a shard, a contiguous dataset for each array and column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from modcog.data.formats import ShardData

ENDING = ".h5"
OPEN_SHARDS = 128
_VERSION = ("v110", "v110")  # of the file format, so that the bytes do not depend on what the library prefers


def library() -> str:
    """Return the packages that write the bytes."""
    return f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"


def write(shard: ShardData, path: Path, about: str) -> None:
    """Write a file without time stamps; ``about`` is its attribute ``modcog``."""
    # HDF5 reports a full disk late and at length, so it writes to memory, and the image goes to the disk in one piece.
    with h5py.File(str(path), "w", libver=_VERSION, driver="core", backing_store=False) as file:
        file.attrs["modcog"] = about
        for name, array in shard.all.items():
            file.create_dataset(name, data=array, track_times=False)
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(image)


def open_shard(path: Path) -> Mapping[str, Any]:
    """Return the file's datasets."""
    file = h5py.File(path, "r")
    return {name: file[name] for name in file}
