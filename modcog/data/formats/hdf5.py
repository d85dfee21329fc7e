"""One HDF5 file a shard, a contiguous dataset for each array and column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from modcog.data.formats import ShardData, ShardForm, StoredArray, readable
from modcog.errors import ModcogError, shown

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


def open_shard(path: Path, form: ShardForm) -> Mapping[str, Any]:
    """Return the file's datasets.

    HDF5 can keep a dataset in another file, behind a link to one, or compressed to nothing, where it would be neither
    hashed nor bounded by the file's size. None of that is written here, and none of it is opened.

    Raises:
        ModcogError: if it is damaged, or keeps data anywhere else or in any other form than ``write`` does.
    """
    size = path.stat().st_size
    with readable(path):
        file = h5py.File(path, "r")
        for name in file:  # h5py's own look-ups would follow a link to say what it is
            if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
                raise ModcogError(f"{path}: {shown(name)} is a link that leads elsewhere")
        found = {name: file[name] for name in file}
        for name, array in found.items():
            plain = isinstance(array, h5py.Dataset) and array.id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS
            if not plain or array.external or not 0 <= (array.id.get_offset() or -1) <= size - array.nbytes:
                raise ModcogError(f"{path}: {name} does not lie in the file as one contiguous dataset")
        return {name: StoredArray(array, path) for name, array in form.check(path, found).items()}
