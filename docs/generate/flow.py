"""Picture of the four stages of a trial, drawn with a real trial."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pictures
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import modcog
from modcog.colours import BLACK, BLUE, GREEN, GREY, VERMILLION

TASK = "dlygointrseqr"

_STAGES = {
    "draw": ("modcog/tasks/,\nmodcog/trials/draw.py", "conditions, as columns:\na row is a trial"),
    "extend": ("modcog/trials/extend.py", "interval and sequence move\nthe answer round the ring"),
    "paint": ("modcog/trials/paint.py", "columns become observations\nand labels"),
    "serve": ("modcog/battery.py, envs/,\ndata/, training/, evaluation/", "all consumers read\nthe same Trials"),
}
_CONSUMERS = ("sample", "stream", "environments", "export", "trainer", "scores")
_LEFT, _WIDTH = 0.37, 0.61  # left edge and width of a stage's picture


def pages() -> dict[str, bytes]:
    """Return the picture by its path within the site."""
    return {"contributing/flow.png": draw(pictures.telling(TASK))}


def draw(trial: modcog.Trials) -> bytes:
    """Draw the four stages for one trial of a task with both extensions, as PNG."""
    figure = Figure(figsize=(7, 7.2))
    FigureCanvasAgg(figure)
    for row, (stage, (where, what)) in enumerate(_STAGES.items()):
        bottom = 0.77 - 0.25 * row
        figure.text(0.02, bottom + 0.17, stage, fontsize=15, fontweight="bold", va="center")
        figure.text(0.02, bottom + 0.125, what, fontsize=9.5, va="top", linespacing=1.35)
        figure.text(0.02, bottom + 0.04, where, fontsize=7.5, va="top", color="#555555", family="monospace")
        _DRAWN[stage](figure.add_axes((_LEFT, bottom, _WIDTH, 0.19)), trial)
        if row:
            ends = (0.045, bottom + 0.25), (0.045, bottom + 0.195)
            figure.add_artist(
                FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=16, color=GREY, transform=figure.transFigure)
            )
    file = BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def _conditions(axes: Any, trial: modcog.Trials) -> None:
    """Draw some columns of the conditions, with the trial's row and two others."""
    axes.axis("off")
    others = modcog.Battery([TASK]).sample(2, seed=1).rows
    names = ("modality", "direction", "duration_fixation", "duration_delay")
    rows = [[f"{row[name]:g}" for name in names] for row in (trial.rows[0], *others)]
    table = axes.table(rows, colLabels=[name.replace("_", "\n") for name in names], loc="center", cellLoc="center")
    table.auto_set_font_size(False)
    table.set_fontsize(8.5)
    table.scale(1, 1.25)
    for (row, _), cell in table.get_celld().items():
        cell.set(linewidth=0.5, edgecolor=GREY)
        if row == 0:
            cell.set(height=1.7 * cell.get_height())
        if row == 1:
            cell.set(facecolor="#E8F4EC")


def _course(axes: Any, trial: modcog.Trials) -> None:
    """Draw the target, and the answer that the interval and then the sequence make of it."""
    labels = trial.packed_labels[trial.decision_start[0] :] - 1
    before, first = trial.rows[0]["target"], int(labels[0])
    axes.plot(range(len(labels)), labels, "s", color=GREEN, markersize=6)
    axes.plot(-2, before, "o", markerfacecolor="white", markeredgecolor=BLACK)
    axes.annotate("", (-0.25, first), (-1.8, before), arrowprops={"arrowstyle": "-|>", "color": BLACK})
    axes.text(-2.4, before, "drawn", ha="right", va="center", fontsize=8.5)
    axes.text(-1.4, (before + first) / 2 + 0.8, "interval", ha="right", va="bottom", fontsize=8.5)
    axes.text(5.2, labels[5] - 0.6, "sequence", ha="left", va="top", fontsize=8.5)
    axes.set(xlim=(-5, len(labels)), ylim=(-0.7, 15.7), yticks=(0, 4, 8, 12), xticks=(0, 9))
    axes.set_xticklabels(("first step of the decision", "last"), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, labelsize=8)
    axes.set_title("direction", fontsize=8.5, loc="left", pad=2)


def _arrays(axes: Any, trial: modcog.Trials) -> None:
    """Draw the observations and the label at each step."""
    axes.imshow(pictures.stripes(trial), aspect="auto", interpolation="nearest")
    axes.set(xticks=(), yticks=())
    right = {"x": 1.012, "va": "center", "fontsize": 8, "transform": axes.transAxes}
    for y, name, colour in ((0.84, "ring 1", BLUE), (0.52, "ring 2", VERMILLION), (0.2, "label", GREEN)):
        axes.text(s=name, y=y, color=colour, **right)
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left, bottom, width - 0.07, height))


def _readers(axes: Any, trial: modcog.Trials) -> None:
    """Draw the names of the consumers."""
    axes.axis("off")
    for place, name in enumerate(_CONSUMERS):
        x, y = (place % 3 + 0.5) / 3, 0.7 - 0.4 * (place // 3)
        box = {"boxstyle": "round,pad=0.45", "facecolor": "#EEF3F8", "edgecolor": BLUE, "linewidth": 0.8}
        axes.text(x, y, name, ha="center", va="center", fontsize=9.5, bbox=box)


_DRAWN = {"draw": _conditions, "extend": _course, "paint": _arrays, "serve": _readers}
