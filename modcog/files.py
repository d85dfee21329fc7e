"""Files that are written whole or not at all, and locks that keep two writers apart."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modcog.errors import ModcogError

if sys.platform != "win32":  # there, two writers are not kept apart
    import fcntl

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What a file system without locks says, as some of clusters are."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to; when the block ends without an error it becomes ``path``, flushed to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        flush(part)
        part.replace(path)
        flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: what the block puts into the temporary one appears under ``path`` at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        for file in part.iterdir():
            flush(file)
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
        flush(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def flush(path: Path) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all; a number that is not finite becomes null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str, allow_nan=False)
    with whole_file(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def locked(path: Path, busy: str, wait: float = 0.0, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock that ends with the process, whatever ends that; on a file system without locks, hold nothing.

    Args:
        path: of the lock, a file that is made if it is not there.
        busy: what to say if somebody else holds it.
        wait: s, for how long to try.
        shared: hold it together with others that do the same.

    Raises:
        ModcogError: if somebody else holds it for longer than ``wait``.
    """
    if sys.platform == "win32":
        yield
        return
    with path.open("a") as file:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ModcogError(busy) from None
                time.sleep(0.05)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                break
        yield
