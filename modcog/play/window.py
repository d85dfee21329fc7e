"""A game in a window of pygame's: the pictures of the environment, with room for text below them."""

from __future__ import annotations

import os
import sys
import time
from textwrap import wrap
from typing import Any

from modcog.battery import Battery
from modcog.envs.render import DPI, SIZE, Picture
from modcog.extras import require
from modcog.play.game import HOW, Frame, Leave

WIDTH, PICTURE = (round(inches * DPI) for inches in SIZE)

LINE, COLUMNS = 18, 84
"""Height of a line of text, px, and the characters in one."""

MORE = (
    " Direction 0 is at the right of a ring, and numbers rise anticlockwise. A click on a ring answers, too, one in "
    "its middle by holding fixation."
)

_CODES = {
    "right": ("RIGHT", "d"), "left": ("LEFT", "a"), "hold": ("DOWN", "s"), "enter": ("RETURN", "KP_ENTER", "SPACE"),
    "quit": ("q", "ESCAPE"),
}  # fmt: skip


def has_display() -> bool:
    """Return False if this machine certainly has no display; pygame is not imported."""
    opened_by = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, opened_by))


class Window:
    """A game in a window; a click on a ring answers with its direction, one on its middle by holding fixation.

    Args:
        battery: whose rings are shown.

    Raises:
        MissingExtraError: without pygame.
        OSError: if no window can be opened.
    """

    def __init__(self, battery: Battery) -> None:
        require("play", "a window to play in (--terminal plays without one)")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self._pygame: Any = pygame
        self._picture = Picture(battery.settings.dim_ring, battery.tasks[0], "rgb_array", fps=1)
        try:
            pygame.display.init()
            self._surface = pygame.display.set_mode((WIDTH, PICTURE + 200), pygame.SCALED | pygame.RESIZABLE)
        except pygame.error as error:
            raise OSError(f"no window can be opened: {error}") from None
        pygame.event.set_blocked(pygame.MOUSEMOTION)  # each would draw the window anew
        pygame.display.set_caption(f"modcog play {battery.tasks[0]}")
        pygame.font.init()
        self._font = pygame.font.Font(None, 20)
        self._keys = {getattr(pygame, f"K_{code}"): name for name, codes in _CODES.items() for code in codes}

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame for a time; what is typed meanwhile is dropped."""
        end = time.monotonic() + seconds
        self._draw(frame, "", None)
        while True:
            for event in self._pygame.event.get():
                self._meaning(event)
            if (left := end - time.monotonic()) <= 0:
                return
            time.sleep(min(left, 0.01))

    def ask(self, frame: Frame, action: int, text: str) -> str | int:
        """Show a frame with the answer as it stands, and return the next key or the action clicked on."""
        self._draw(frame, text, (action, None))
        return self._meaning(self._pygame.event.wait())

    def tell(self, text: str, frame: Frame | None = None, last: tuple[int, int] | None = None) -> None:
        """Show a text, beside a frame with the last action and its label, until the player goes on."""
        self._draw(frame, f"{text}\n{'' if frame else HOW + MORE}\nEnter goes on.", last)
        while self._meaning(self._pygame.event.wait()) != "enter":
            pass

    def close(self) -> None:
        """Close the window."""
        self._pygame.quit()

    def _draw(self, frame: Frame | None, text: str, last: Any) -> None:
        pygame, top = self._pygame, LINE
        self._surface.fill("white")
        if frame is not None:
            image: Any = self._picture.draw(frame.observation, f"trial {frame.trial} · {frame.period}", None, last)
            self._surface.blit(pygame.image.frombuffer(image.tobytes(), (WIDTH, PICTURE), "RGB"), (0, 0))
            top = PICTURE
        for line in (line for paragraph in text.splitlines() for line in [*wrap(paragraph, COLUMNS), ""]):
            self._surface.blit(self._font.render(line, True, "black"), (LINE, top))
            top += LINE if line else LINE // 2
        pygame.display.flip()

    def _meaning(self, event: Any) -> str | int:
        """Return the meaning of an event, an action for a click, or an empty text if it has none."""
        pygame, found = self._pygame, ""
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            action = self._picture.action_at(*event.pos)
            return "" if action is None else action
        if event.type == pygame.KEYDOWN:
            found = self._keys.get(event.key, "")
        if event.type == pygame.QUIT or found == "quit":
            raise Leave
        return found
