"""Standard streams of any kind, for the program run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


class Full(io.RawIOBase):
    """A stream that cannot be written to."""

    def __init__(self, number: int, file: Any) -> None:
        self.number, self.file = number, file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(self.number, os.strerror(self.number))

    def fileno(self) -> int:
        return int(self.file.fileno())


@contextlib.contextmanager
def streams(encoding: str = "utf-8", failure: int | None = None) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Put others in the place of the standard streams."""
    with open(os.devnull, "wb") as null:
        raw = io.BytesIO() if failure is None else io.BufferedWriter(Full(failure, null))
        out, err = io.TextIOWrapper(raw, encoding), io.TextIOWrapper(io.BytesIO(), encoding)
        old = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out, err
        try:
            yield out, err
        finally:
            sys.stdout, sys.stderr = old
            with contextlib.suppress(OSError):
                out.detach()


def said(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)  # type: ignore[attr-defined]
