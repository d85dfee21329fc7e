"""What the figures of the analyses share: colours of directions and of time, and plain axes."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import LinearSegmentedColormap

from modcog.colours import BLUE, VERMILLION

CYCLE = LinearSegmentedColormap.from_list("cycle", [BLUE, "#1A1A1A", VERMILLION, "#E3C84B", BLUE])
"""Colours of directions, which come back to where they began: blue, black, orange, yellow, blue."""

TIME = "viridis"
"""Colours of time."""


def plain(axes: Any) -> None:
    """Leave out the frame's upper and right side."""
    axes.spines[["top", "right"]].set_visible(False)


def panel(axes: Any, title: str) -> None:
    """Give a panel its title, at the left."""
    axes.set_title(title, fontsize=9, loc="left")
    plain(axes)
