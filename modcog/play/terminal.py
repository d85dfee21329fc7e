"""A game in the terminal: each step is a row of characters, one for each direction, or two where there is room."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from textwrap import fill
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.play.game import HOW, Frame, Leave

RAMP = " .:-=+*#%@"
"""Characters for an activity from 0 to 1; ASCII, since some terminals know no other."""

_CODES = {
    "right": ("\x1b[C", "\x1bOC", "\xe0M", "\0M", "d"), "left": ("\x1b[D", "\x1bOD", "\xe0K", "\0K", "a"),
    "hold": ("\x1b[B", "\x1bOB", "\xe0P", "\0P", "s"), "enter": ("\r", "\n", " "), "quit": ("q", "\x04", ""),
}  # fmt: skip
KEYS = {code: name for name, codes in _CODES.items() for code in codes}
"""Keys as terminals write them, on Windows too; nothing is the end of the input, and \\x04 is Ctrl-D."""

MARGIN = len("cue @  |")


class Terminal:
    """A game in a terminal, where each step replaces the one before, or in a pipe, where all are written.

    Args:
        battery: whose rings are shown.

    Raises:
        ModcogError: if the rings are wider than the terminal.
    """

    def __init__(self, battery: Battery) -> None:
        self._n, self._width = battery.settings.dim_ring, shutil.get_terminal_size().columns or 80
        most = (self._width - MARGIN - 4) // 2
        if self._n > most:
            raise ModcogError(f"dim_ring: got {self._n}, must be at most {most} in a terminal of {self._width} columns")
        self._wide, self._head, self._before = 1 + (2 * self._n <= most), "", None
        self._live: Any = None
        if sys.stdin.isatty() and sys.stderr.isatty():
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            with suppress(ImportError):  # on Windows
                import termios
                import tty

                self._before = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)  # keys come at once, and are not shown

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame for a time; what is typed meanwhile is dropped."""
        end = time.monotonic() + seconds
        self._put(frame)
        time.sleep(max(0.0, end - time.monotonic()))
        if self._before is not None:
            import termios

            termios.tcflush(sys.stdin, termios.TCIFLUSH)

    def ask(self, frame: Frame, action: int, text: str) -> str | int:
        """Show a frame with the answer as it stands, and return the next key."""
        marks = [" "] * (MARGIN + 2 * self._n * self._wide + 4)
        for ring in (0, 1) if action else ():
            marks[MARGIN + (action - 1) * self._wide + ring * (self._n * self._wide + 3)] = "^"
        self._put(frame, "".join(marks).rstrip(), text)
        return _key()

    def tell(self, text: str, frame: Frame | None = None, last: tuple[int, int] | None = None) -> None:
        """Show a text until the player goes on."""
        if self._live is not None:
            self._live.stop()
        paragraphs = [*text.splitlines(), *([] if frame else [HOW]), "Enter goes on."]
        click.echo("\n" + "\n".join(fill(paragraph, min(self._width, 100)) for paragraph in paragraphs))
        while _key() != "enter":
            pass

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _put(self, frame: Frame, *more: str) -> None:
        """Show the numbers of the directions, a step as a row of characters, and more lines."""
        levels = np.clip(np.round(frame.observation[: 1 + 2 * self._n] * (len(RAMP) - 1)), 0, len(RAMP) - 1)
        cue, *chars = (RAMP[int(level)] for level in levels)
        rings = ("".join(c * self._wide for c in chars[k * self._n : (k + 1) * self._n]) for k in (0, 1))
        apart = max(1, self._n // 4)
        numbers = "".join(f"{k:<{self._wide * min(apart, self._n - k)}}" for k in range(0, self._n, apart))
        head = f"trial {frame.trial}, {frame.period}\n{'':{MARGIN}}{numbers}   {numbers}".rstrip()
        lines = [f"cue {cue}  |{'| |'.join(rings)}|", *more]
        if self._live is not None:
            self._live.start()
            self._live.update(Text("\n".join([head, *lines])), refresh=True)
        else:
            click.echo("\n".join([*([] if head == self._head else ["", head]), *lines]))
            self._head = head


def _key() -> str:
    """Return the next key by its meaning, or an empty text for one that has none."""
    typed = _typed(1)
    if typed == "\x1b":  # of an arrow
        typed += _typed(2)
    found = KEYS.get(typed, KEYS.get(typed.lower(), ""))
    if found == "quit":
        raise Leave
    return found


def _typed(n: int) -> str:
    """Return n characters of the input, or on Windows the next key."""
    if not sys.stdin.isatty():
        return sys.stdin.read(n)
    with suppress(EOFError):  # Ctrl-Z on Windows
        return click.getchar() if sys.platform == "win32" else os.read(sys.stdin.fileno(), n).decode("latin-1")
    return ""
