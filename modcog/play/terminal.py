"""A game in the terminal: each step is a row of characters, one for each direction, or two where there is room."""

from __future__ import annotations

import shutil
import sys
import time
from textwrap import fill
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.play.game import HOW, Frame, Leave, words

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
        console = Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False, transient=True) if _is_terminal() else None
        self._typed = False

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

    def ask(self, frame: Frame, action: int) -> str | int:
        """Show a frame with the answer as it stands, and return the next key."""
        head, *rows = self._rows(frame)
        if self._live is not None:
            places = (MARGIN + (action - 1) * self._wide + ring * (self._n * self._wide + 3) for ring in (0, 1))
            marks = np.full(MARGIN + 2 * self._n * self._wide + 4, " ")
            marks[list(places)] = "^" if action else " "
            self._live.start()
            said = f"step {frame.place + 1} of {frame.steps}, your answer: {words(action)}"
            self._live.update(Text("\n".join([head, *rows, "".join(marks), said])), refresh=True)
            if self._typed:  # while time ran
                _forget_typed()
                self._typed = False
            return _key()
        key = _key()
        if key == "enter":
            if frame.place == 0:
                click.echo(f"\n{head}\n{rows[0]}")
            click.echo(f"{rows[1]}\nyour answer: {words(action)}")
        return key

    def tell(self, text: str, frame: Frame | None = None, last: tuple[int, int] | None = None) -> None:
        """Show a text until the player goes on."""
        self.close()
        paragraphs = text.splitlines() + ([] if frame else [HOW.format(more="")])
        click.echo("\n" + "\n".join(fill(paragraph, self._width) for paragraph in paragraphs))
        click.echo("Enter goes on.")
        while _key() != "enter":
            pass

    def close(self) -> None:
        """Leave the screen as it was."""
        if self._live is not None:
            self._live.stop()

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
    try:
        typed = click.getchar() if sys.stdin.isatty() else sys.stdin.read(1)
    except EOFError:
        typed = ""
    if typed == "\x1b":  # of a pipe; a terminal gives the whole key at once
        typed += sys.stdin.read(2)
    if typed.lower() in ("", "q"):
        raise Leave
    return KEYS.get(typed, KEYS.get(typed.lower(), ""))


def _forget_typed() -> None:
    """Drop what was typed before it was asked for."""
    try:
        import termios
    except ImportError:  # Windows
        msvcrt: Any = __import__("msvcrt")
        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
