"""A game in the terminal: each step is a row of characters, one for each direction, or two where there is room."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from textwrap import fill

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

KEYS = {
    **{f"{start}C": "right" for start in ("\x1b[", "\x1bO")}, "\xe0M": "right", "\0M": "right", "d": "right",
    **{f"{start}D": "left" for start in ("\x1b[", "\x1bO")}, "\xe0K": "left", "\0K": "left", "a": "left",
    **{f"{start}B": "hold" for start in ("\x1b[", "\x1bO")}, "\xe0P": "hold", "\0P": "hold", "s": "hold",
    "\r": "enter", "\n": "enter", " ": "enter",
}  # fmt: skip
"""Keys as terminals write them, on Windows too."""

MARGIN = len("cue @  |")


class Terminal:
    """A game in a terminal, where each step replaces the one before, or in a pipe, where all are written.

    Args:
        battery: whose rings are shown.

    Raises:
        ModcogError: if the rings are wider than the terminal.
    """

    def __init__(self, battery: Battery) -> None:
        self._n, width = battery.settings.dim_ring, shutil.get_terminal_size().columns
        most = (width - MARGIN - 4) // 2
        if self._n > most:
            raise ModcogError(f"dim_ring: got {self._n}, must be at most {most} in a terminal of {width} columns")
        self._wide, self._width = 1 + (2 * self._n <= most), min(width, 100)
        self._typed, self._held = False, ExitStack()
        self._live: Live | None = None
        if _is_terminal():
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._held.enter_context(_key_by_key())
            self._held.callback(self._live.stop)

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame for a time."""
        end = time.monotonic() + seconds
        head, *rows = self._rows(frame)
        if self._live is not None:
            self._live.start()
            self._live.update(Text("\n".join([head, *rows])), refresh=True)
            self._typed = True
        else:
            if frame.place == 0:
                click.echo(f"\n{head}, {frame.steps} step{'' if frame.steps == 1 else 's'}\n{rows[0]}")
            click.echo(rows[1])
        time.sleep(max(0.0, end - time.monotonic()))

    def ask(self, frame: Frame, action: int, text: str) -> str | int:
        """Show a frame with the answer as it stands, and return the next key."""
        head, *rows = self._rows(frame)
        if self._live is not None:
            places = (MARGIN + (action - 1) * self._wide + ring * (self._n * self._wide + 3) for ring in (0, 1))
            if self._typed:  # while time ran
                _forget_typed()
                self._typed = False
            marks = np.full(MARGIN + 2 * self._n * self._wide + 4, " ")
            marks[list(places)] = "^" if action else " "
            self._live.start()
            self._live.update(Text("\n".join([head, *rows, "".join(marks), text])), refresh=True)
            return _key()
        key = _key()
        if key == "enter":
            if frame.place == 0:
                click.echo(f"\n{head}\n{rows[0]}")
            click.echo(f"{rows[1]}\n{text}")
        return key

    def tell(self, text: str, frame: Frame | None = None, last: tuple[int, int] | None = None) -> None:
        """Show a text until the player goes on."""
        if self._live is not None:
            self._live.stop()
        paragraphs = text.splitlines() + ([] if frame else [HOW.format(more="")])
        click.echo("\n" + "\n".join(fill(paragraph, self._width) for paragraph in paragraphs))
        click.echo("Enter goes on.")
        while _key() != "enter":
            pass

    def close(self) -> None:
        """Leave the screen as it was."""
        self._held.close()

    def _rows(self, frame: Frame) -> list[str]:
        """Return the head of a frame, the numbers of the directions, and the step as a row of characters."""
        levels = np.clip(np.round(frame.observation[: 1 + 2 * self._n] * (len(RAMP) - 1)), 0, len(RAMP) - 1)
        cue, *directions = (RAMP[int(level)] for level in levels)
        rings = ("".join(c * self._wide for c in directions[k * self._n : (k + 1) * self._n]) for k in (0, 1))
        apart = max(1, self._n // 4)
        numbers = "".join(f"{k:<{self._wide * min(apart, self._n - k)}}" for k in range(0, self._n, apart))
        return [
            f"trial {frame.trial}, {frame.period}",
            f"{'':{MARGIN}}{numbers}   {numbers}".rstrip(),
            f"cue {cue}  |{'| |'.join(rings)}|",
        ]


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _key() -> str:
    """Return the next key by its meaning, or an empty text for one that has none.

    Raises:
        Leave: at q, and at the end of the input.
    """
    typed = _typed(1)
    if typed == "\x1b":  # of an arrow
        typed += _typed(2)
    if typed.lower() in ("", "\x04", "q"):  # the second is Ctrl-D
        raise Leave
    return KEYS.get(typed, KEYS.get(typed.lower(), ""))


def _typed(n: int) -> str:
    """Return n characters of the input, or on Windows the next key."""
    if not sys.stdin.isatty():
        return sys.stdin.read(n)
    if sys.platform == "win32":
        with suppress(EOFError):
            return click.getchar()
        return ""
    return os.read(sys.stdin.fileno(), n).decode("latin-1")  # not from a buffer, which could not be emptied


@contextmanager
def _key_by_key() -> Iterator[None]:
    """Let the terminal hand over each key at once and show none of them, for the block."""
    if sys.platform == "win32":
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _forget_typed() -> None:
    """Drop what was typed before it was asked for."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
        return
    import termios

    termios.tcflush(sys.stdin, termios.TCIFLUSH)
