"""Files and folders that appear whole or not at all, and locks that keep two writers apart."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modcog.errors import ModcogError

_NO_FLUSH = {errno.EACCES, errno.EBADF, errno.EINVAL, errno.EPERM}
"""Errors of a system that cannot flush this kind of file."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""Errors of a file system without locks, as some clusters have."""


@contextmanager
def whole_file(path: Path, *, flushed: bool = True) -> Iterator[Path]:
    """Yield a temporary name to write to; when the block ends without an error it becomes ``path``, flushed to disk.

    The block may make a folder under that name too; it then replaces the folder ``path``.

    Args:
        path: of the file; folders that it needs are made.
        flushed: False leaves it to the caller to call ``flush``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    remove(part)
    try:
        with naming(path):
            yield part
            for file in [part, *part.rglob("*")] if flushed else ():
                flush(file)
            if part.is_dir() and path.is_dir():
                shutil.rmtree(path)
            part.replace(path)
            if flushed:
                flush(path.parent)
    finally:
        remove(part)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the name of a file that is written in this block to an ``OSError`` without one, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder; when the block ends without an error, all that is in it appears under ``path``."""
    with whole_file(path) as part:
        part.mkdir()
        yield part


def flush(path: Path) -> None:
    """Flush a file or folder to the disk, as far as the system can."""
    # Windows refuses to flush folders, and files that were opened for reading only.
    writable = path.is_file() and os.access(path, os.W_OK)
    try:
        handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all; numbers that are not finite become null."""
    write_text(path, json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def locked(path: Path, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock for the block, or until the process ends; do without on a file system that has no locks.

    Args:
        path: lock file; made if it is not there, and left there.
        busy: message of the error if another process holds the lock.
        wait: seconds to wait for it.

    Raises:
        ModcogError: if another process holds it for longer than ``wait``.
    """
    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise ModcogError(busy) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
