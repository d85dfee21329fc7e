"""Style of the analyses' figures."""

from __future__ import annotations

from matplotlib.colors import LinearSegmentedColormap

from modcog.colours import BLUE, VERMILLION

CYCLE = LinearSegmentedColormap.from_list("cycle", [BLUE, "#1A1A1A", VERMILLION, "#E3C84B", BLUE])
"""Cyclic colours of directions: blue, black, orange, yellow, blue."""

STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "legend.fontsize": 8,
    "legend.frameon": False,
}
"""Settings of matplotlib under which every figure is drawn."""
