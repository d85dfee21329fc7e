"""Files and folders that appear whole or not at all, and locks that keep two writers apart."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modcog.errors import ModcogError, shown

_NO_FLUSH = {errno.EACCES, errno.EBADF, errno.EINVAL, errno.EPERM}
"""Errors of a system that cannot flush this kind of file."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""Errors of a file system without locks, as some clusters have."""
_COMPONENT = re.compile(r"[a-z0-9_-][a-z0-9_.-]{0,199}(?<!\.)", re.IGNORECASE | re.ASCII)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.ASCII)
EMPTY = "an empty folder"


def is_reserved(name: str) -> bool:
    """Tell whether Windows takes a file name for a device, whatever its ending."""
    return _DEVICE.fullmatch(name) is not None


def check_inside(path: str) -> str:
    """Return a path that stands in a file, if every system takes it for the same place below that file's folder.

    So it is relative, has forward slashes, never goes up, and its names are of letters, digits, ``.``, ``-`` and
    ``_``, none of which Windows reserves for a device.

    Raises:
        ModcogError: if it is anything else.
    """
    if not all(_COMPONENT.fullmatch(name) and not is_reserved(name) for name in path.split("/")):
        raise ModcogError(f"{shown(path)} is no path below the folder, of letters, digits, ., - and _ between slashes")
    return path


def look_below(folder: Path, start: str = "") -> dict[str, int | str]:
    """Look at what is in a folder and below. Nothing is opened, and no symbolic link is followed.

    Args:
        folder: it may itself be reached through symbolic links.
        start: look at this file or folder in it only.

    Returns:
        dict: by its path from ``folder``, with forward slashes: the bytes of a regular file, and in words the kind of
            anything else, such as a symbolic link or ``EMPTY``.

    Raises:
        OSError: if ``folder`` itself cannot be looked at; if it is not there, there is nothing in it.
    """
    found: dict[str, int | str] = {}
    waiting = [start]
    for depth in range(1, start.count("/") + 1):  # a link on the way leads elsewhere too
        if (above := "/".join(start.split("/")[:depth])) and (folder / above).is_symlink():
            return {above: "a symbolic link"}
    while waiting:
        path = waiting.pop()
        try:
            entry = os.lstat(folder / path) if path else os.stat(folder)
            if stat.S_ISDIR(entry.st_mode):
                names = os.listdir(folder / path)
                waiting += [f"{path}/{name}" if path else name for name in names]
                if not names and path:
                    found[path] = EMPTY
            elif stat.S_ISREG(entry.st_mode):
                found[path] = entry.st_size
            else:
                found[path] = "a symbolic link" if stat.S_ISLNK(entry.st_mode) else "a special file"
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if not path:
                raise
            found[path] = f"unreadable ({error.strerror})"
    return dict(sorted(found.items()))


def read_regular(path: Path, at_most: int) -> bytes:
    """Read a file whose kind and size are looked at first, so that it can neither block nor fill the memory.

    Raises:
        FileNotFoundError: if it is not there.
        ModcogError: if it is a symbolic link, no regular file, larger than ``at_most`` bytes, or cannot be read.
    """
    found = look_below(path.parent, path.name).get(path.name)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not isinstance(found, int):
        raise ModcogError(f"{path} is {found}, must be a regular file")
    if found > at_most:
        raise ModcogError(f"{path} has {found} bytes, must have at most {at_most}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModcogError(f"cannot read {path}: {error.strerror}") from None


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
        with naming(path, part):
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
def naming(path: Path, part: Path | None = None) -> Iterator[None]:
    """Add the name of a file that is written in this block to an ``OSError`` without one, as that of a full disk.

    ``part`` is a temporary file that stands for it, and that nobody knows.
    """
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(part)):
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
    """Write a text file, whole or not at all; its bytes are the same on every system.

    What UTF-8 does not have, as names of files may, becomes an escape that JSON reads back.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


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
