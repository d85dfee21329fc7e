"""Pictures of an environment: both rings, the fixation cue, and the last response beside the correct one."""

from __future__ import annotations

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from gymnasium import logger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from numpy.typing import NDArray

from modcog.colours import BLUE, GREEN, SKY, VERMILLION

SIZE = (6.4, 3.2)
"""Width and height in inches."""

DPI = 100

RIGHT, RESPONSE = GREEN, VERMILLION
"""From the palette of Okabe and Ito, which colour-blind people can tell apart; the shapes differ too."""

_ACTIVITY = LinearSegmentedColormap.from_list("activity", ["#FFFFFF", SKY, BLUE, "#00334F"])
_INNER, _OUTER = 0.62, 1.0  # of a ring
_DIAL = 0.8  # radius at which responses stand


class Picture:
    """A figure that is drawn once and then updated, step by step.

    The outer dials are the two rings: direction k stands at the angle 2πk/n, anticlockwise from the right, and activity
    from 0 to 1 goes from white to dark blue. The middle dial holds the fixation cue (a cross, black while it is on) and
    the last response (a dot) beside the correct one (a circle); both stand at the centre for holding fixation.

    Args:
        dim_ring: directions n.
        title: written above.
        mode: ``"rgb_array"`` or ``"human"``, a window.
        fps: pictures a second in the window.
    """

    def __init__(self, dim_ring: int, title: str, mode: str, fps: float) -> None:
        self.dim_ring, self.pause, self._human = dim_ring, 1 / fps, mode == "human"
        self._figure = figure = _window(title) if self._human else Figure(SIZE, dpi=DPI)
        if not self._human:
            FigureCanvasAgg(figure)
        figure.text(0.03, 0.91, title, fontsize=14, fontweight="bold")
        self._period = figure.text(0.97, 0.91, "", fontsize=13, ha="right")
        self._words = figure.text(0.5, 0.13, "", fontsize=11, ha="center")
        left, middle, right = (figure.add_axes((x, 0.2, 0.3, 0.66)) for x in (0.03, 0.35, 0.67))
        for axes in (left, middle, right):
            axes.set(xlim=(-1.12, 1.12), ylim=(-1.12, 1.12), aspect="equal")
            axes.axis("off")
        self._dials = (left, middle, right)
        self._rings = [_ring(left, dim_ring, "modality 1"), _ring(right, dim_ring, "modality 2")]
        angles = 2 * np.pi * np.arange(dim_ring) / dim_ring
        middle.plot(_DIAL * np.cos(angles), _DIAL * np.sin(angles), ".", color="0.75", ms=4, zorder=1)
        (self._cue,) = middle.plot(0, 0, "+", color="black", ms=26, mew=4, zorder=3)
        (self._right,) = middle.plot([], [], "o", mfc="none", mec=RIGHT, ms=19, mew=3, zorder=4)
        (self._response,) = middle.plot([], [], "o", color=RESPONSE, ms=10, zorder=5)
        figure.legend(
            [self._cue, self._response, self._right], ["fixation cue", "response", "correct response"],
            loc="lower center", ncols=3, fontsize=11, frameon=False, markerscale=0.45, borderaxespad=0.1,
        )  # fmt: skip
        self._moving = [*self._rings, self._cue, self._right, self._response, self._period, self._words]
        self._background: Any = None

    def draw(
        self, observation: NDArray[np.float32], period: str, step: int | None, last: tuple[int, int | None] | None
    ) -> NDArray[np.uint8] | None:
        """Draw one step.

        Args:
            observation: (C,) float32, as the environment returned it.
            period: the trial's period.
            step: step within the trial, from 0; None: not shown.
            last: the action that was taken last and the label it was judged by, if it was; None: none was taken.

        Returns:
            (H, W, 3) uint8, or None in a window.
        """
        cue, *rings = np.split(observation[: 1 + 2 * self.dim_ring].astype(float), [1, 1 + self.dim_ring])
        for ring, activity in zip(self._rings, rings, strict=True):
            ring.set_array(activity)
        self._cue.set_alpha(0.12 + 0.88 * float(np.clip(cue[0], 0, 1)))
        for marker, action in zip((self._response, self._right), last or (None, None), strict=True):
            radius, angle = _DIAL * bool(action), 2 * np.pi * ((action or 1) - 1) / self.dim_ring
            place = [] if action is None else [radius * np.exp(1j * angle)]
            marker.set_data(np.real(place), np.imag(place))
        self._period.set_text(period if step is None else f"{period} · step {step}")
        words = [
            "hold fixation" if action == 0 else f"direction {action - 1}" for action in last or () if action is not None
        ]
        self._words.set_text(", correct: ".join(words))
        canvas: Any = self._figure.canvas
        if self._human:
            if _opens_windows(self._figure):
                canvas.draw_idle()
                canvas.start_event_loop(self.pause)
            else:
                canvas.draw()
            return None
        # The artists that change are drawn over a stored picture of the others: several times faster than drawing all.
        if self._background is None:
            for artist in self._moving:
                artist.set_animated(True)
            canvas.draw()
            self._background = canvas.copy_from_bbox(self._figure.bbox)
        canvas.restore_region(self._background)
        for artist in self._moving:
            self._figure.draw_artist(artist)
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()

    def action_at(self, x: float, y: float) -> int | None:
        """Return the action that a pixel of the last picture stands for, counted from its top left; None: none.

        On each of the dials the middle stands for holding fixation, and the rest for the nearest direction.
        """
        for dial in self._dials:
            right, up = dial.transData.inverted().transform((x, SIZE[1] * DPI - y))
            if np.hypot(right, up) < _INNER / 2:
                return 0
            if np.hypot(right, up) < _OUTER * 1.1:
                return 1 + round(np.arctan2(up, right) / (2 * np.pi) * self.dim_ring) % self.dim_ring
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._human:
            plt.close(self._figure)


def _window(title: str) -> Figure:
    """Return an open window, or, without a screen, a figure that nobody sees."""
    figure = plt.figure(figsize=SIZE, dpi=DPI)
    if _opens_windows(figure):
        figure.canvas.manager.set_window_title(title)  # type: ignore[union-attr]
        figure.show()
    else:
        logger.warn(
            f"render_mode 'human': matplotlib's backend {matplotlib.get_backend()!r} opens no window; "
            "choose another with MPLBACKEND, or render_mode 'rgb_array'"
        )
    return figure


def _opens_windows(figure: Figure) -> bool:
    return getattr(figure.canvas, "required_interactive_framework", None) is not None


def _ring(axes: Any, n: int, name: str) -> PatchCollection:
    """Return a ring of n wedges that show activity as colour, with its name in the middle."""
    axes.text(0, 0, name, ha="center", va="center", fontsize=11)
    half = 180 / n
    wedges = [Wedge((0, 0), _OUTER, 2 * k * half - half, 2 * k * half + half, width=_OUTER - _INNER) for k in range(n)]
    return axes.add_collection(PatchCollection(wedges, cmap=_ACTIVITY, clim=(0, 1), edgecolor="0.6", linewidth=0.5))
