"""The standard streams, and the width that text on them may take."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
from typing import TextIO

ASCII = {"−": "-", "–": "-", "…": "...", "≤": "<=", "≥": ">=", "·": "*", "×": "x", "±": "+-"}
"""Substitutes for characters that the encoding of a stream lacks; ``?`` for all others."""


def prepare_streams() -> None:
    """Make the standard streams accept any text.

    A pipe on Windows knows 256 characters only, and the minus sign is not among them. A stream that the shell has
    closed (``>&-``) is None in Python, and the next file that is opened would get its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open to the end
    codecs.register_error("modcog", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="modcog")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


def silence(stream: TextIO) -> None:
    """Discard what waits in the buffer of a stream that cannot be written to, and what comes later."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def width(most: int = 100) -> int:
    """Return the width of the terminal in columns, at most ``most``; without a terminal, ``most``."""
    return min(shutil.get_terminal_size((most, 0)).columns, most)
