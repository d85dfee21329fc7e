"""Colours of all figures: those of Okabe and Ito (2008), which colour-blind readers can tell apart, and greys."""

from __future__ import annotations

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
GREY, PALE = "#808080", "#BBBBBB"

PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, "#999999")
"""Colours of things that are compared, the darker first."""

EXTENSIONS = {"none": BLUE, "interval": ORANGE, "sequence": GREEN, "interval-sequence": PURPLE}
"""Colours of the extensions of a task."""
