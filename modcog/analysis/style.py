"""What the figures of the analyses share: colours that colour-blind readers tell apart, and plain axes."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import LinearSegmentedColormap

CYCLE = LinearSegmentedColormap.from_list("cycle", ["#0072B2", "#1A1A1A", "#D55E00", "#E3C84B", "#0072B2"])
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
