"""The card that other sites show beside a link to this one: a title and four trials, 1200 × 630 pixels."""

from __future__ import annotations

from io import BytesIO

import pictures
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from modcog.colours import GREY

TASKS = ("dlygo", "dlygointr", "dm1", "dmsseqr")

_DPI = 100
_TITLE = "132 cognitive tasks\nfor recurrent networks"
_NOTE = "the Mod-Cog battery: tasks, training\ndata, reference networks and scores"


def pages() -> dict[str, bytes]:
    """Return the picture by its path within the site."""
    return {"assets/card.png": draw()}


def draw() -> bytes:
    """Draw the card, as PNG."""
    figure = Figure(figsize=(1200 / _DPI, 630 / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.05, 0.78, "modcog", fontsize=64, fontweight="bold", va="center")
    figure.text(0.05, 0.52, _TITLE, fontsize=29, va="center", linespacing=1.3)
    figure.text(0.05, 0.25, _NOTE, fontsize=19, va="center", linespacing=1.4, color=GREY)
    for place, task in enumerate(TASKS):
        axes = figure.add_axes((0.56 + 0.215 * (place % 2), 0.54 - 0.455 * (place // 2), 0.19, 0.36))
        axes.imshow(pictures.stripes(pictures.telling(task)), aspect="auto", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_title(task, fontsize=17, loc="left")
        axes.spines[:].set_visible(False)
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
