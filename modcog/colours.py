"""Colours and style of figures: the colours of Okabe and Ito (2008), which colour-blind readers can tell apart."""

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
GREY, PALE = "#808080", "#BBBBBB"

PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, "#999999")
"""Colours of things that are compared, the darker first."""

EXTENSIONS = {"none": BLUE, "interval": ORANGE, "sequence": GREEN, "interval-sequence": PURPLE}
"""Colours of the extensions of a task."""

CYCLE = (BLUE, "#1A1A1A", VERMILLION, "#E3C84B", BLUE)
"""Cyclic colours of directions: blue, black, orange, yellow, blue."""

STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.08,  # the label of a colour bar stands apart from that of the next axis
    "legend.fontsize": 8,
    "legend.frameon": False,
}
"""Settings of matplotlib under which the figures of analyses are drawn."""
