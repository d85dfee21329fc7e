"""Style of the analyses' figures."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import LinearSegmentedColormap

from modcog.colours import BLUE, VERMILLION

CYCLE = LinearSegmentedColormap.from_list("cycle", [BLUE, "#1A1A1A", VERMILLION, "#E3C84B", BLUE])
"""Cyclic colours of directions: blue, black, orange, yellow, blue."""


def panel(axes: Any, title: str) -> None:
    """Put a title at the left of a panel and remove the upper and right side of its frame."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
