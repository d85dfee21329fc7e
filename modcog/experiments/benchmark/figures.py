"""The figures of a report, as SVG to stand in a page: their text takes the page's colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from modcog.colours import GREY, PALETTE
from modcog.experiments.benchmark.report import OWN, Point, Report, Row
from modcog.experiments.claims.figures import light_frame, percent_axis
from modcog.tasks.names import parse

"""Of what frames a figure: to be seen on white and on black."""

HEAT = matplotlib.colormaps["cividis"]
"""Colours of the heat map, which colour-blind readers see alike, and which rise in brightness."""

MARKERS = "osD^vPX"


def style() -> AbstractContextManager[None]:
    """What all figures share: text that stays text, frames in grey, nothing behind."""
    return matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
            "axes.edgecolor": GREY,
            "xtick.color": GREY,
            "ytick.color": GREY,
            "xtick.labelcolor": "black",
            "ytick.labelcolor": "black",
            "savefig.transparent": True,
        }
    )


def learning_curves(report: Report) -> Figure | None:
    """Mean decision accuracy against trials: each seed, their mean, and the references; None if there is no curve."""
    beside = [(column.name, column.curve) for column in report.references if column.curve]
    if not report.curve and not beside:
        return None
    figure = Figure(figsize=(5.8, 3.9), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in beside:
        _line(axes, curve, name, colour(report, name), linewidth=1.3, linestyle=(0, (4, 1.5)))
    own = PALETTE[0]
    for seed in report.done if len(report.done) > 1 else ():
        axes.plot(*_points(seed.curve), color=own, linewidth=0.7, alpha=0.6)
    if report.curve:
        _line(axes, report.curve, OWN, own, linewidth=2.4)
    battery = report.rows[0]
    for level, name in ((battery.ceiling, "ceiling"), (battery.chance, "chance")):
        if level is not None:
            axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(name, (1, level), (0, -3), xycoords=("axes fraction", "data"), textcoords="offset points",
                          ha="right", va="top", fontsize=8)  # fmt: skip
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("trials of training")
    axes.set_xlim(left=0)
    percent_axis(axes)
    _legend_above(figure, axes)
    return figure


def _line(axes: Axes, curve: Iterable[Point], name: str, colour: str, **how: object) -> None:
    axes.plot(*_points(curve), color=colour, label=name, **how)  # type: ignore[arg-type]


def _points(curve: Iterable[Point]) -> tuple[list[float], list[float]]:
    points = list(curve)
    return [point.trials for point in points], [point.mean for point in points]


def gaps(report: Report) -> Figure | None:
    """How far decision accuracy is below the ceiling, by family and extension; None if the ceiling is not known."""
    rows = [row for row in report.rows_of("battery", "family", "extension") if row.ceiling is not None]
    if not rows:
        return None
    figure = Figure(figsize=(5.8, 0.4 * len(rows) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        for name, value in row.references.items():
            axes.scatter(_gap(row, value), place + 0.16, **_look(report, name), s=28)
        ends = [_gap(row, row.decision.high), _gap(row, row.decision.low)]
        own = place - 0.16  # above the references, so that neither hides the other
        axes.plot(ends, [own, own], color=PALETTE[0], linewidth=2.5, alpha=0.55, solid_capstyle="butt")
        axes.scatter(_gap(row, row.decision.mean), own, **_look(report, OWN), s=45, zorder=3)
    for name in _names(report):
        axes.scatter([], [], **_look(report, name), label=name)
    axes.set_yticks(range(len(rows)), [f"{title(row)} ({len(row.tasks)})" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for border in [i for i in range(1, len(rows)) if rows[i].kind != rows[i - 1].kind]:
        axes.axhline(border - 0.5, color=GREY, linewidth=0.6)
    axes.set_xlabel("percentage points of decision accuracy below the ceiling")
    axes.set_xlim(left=min(0, *axes.get_xlim()))
    light_frame(axes)
    _legend_above(figure, axes)
    return figure


def _gap(row: Row, accuracy: float) -> float:
    return 100 * ((row.ceiling or 0) - accuracy)


def _legend_above(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: labels[i] != OWN)
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="outside upper left", ncols=3, frameon=False,
        fontsize=9,
    )  # fmt: skip


def heat_map(report: Report, rows: tuple[Row, ...]) -> Figure:
    """Decision accuracy of tasks (rows, those of a base task together) by networks (columns), in percent."""
    bases = list(dict.fromkeys(parse(row.name).base for row in rows))
    rows = tuple(sorted(rows, key=lambda row: bases.index(parse(row.name).base)))
    names = _names(report)
    high, wide = 0.19 * len(rows), 0.36 * len(names)
    label, head = (0.066 * max(map(len, words)) + 0.1 for words in ([row.name for row in rows], names))
    figure = Figure(figsize=(label + wide + 0.05, head + high + 0.05))
    size = figure.get_size_inches()
    axes = figure.add_axes((label / size[0], 0.05 / size[1], wide / size[0], high / size[1]))
    values = [[row.decision.mean, *(row.references.get(name) for name in names[1:])] for row in rows]
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            if value is not None:
                axes.add_patch(matplotlib.patches.Rectangle((x, y), 1, 1, facecolor=HEAT(value), linewidth=0))
            text = "–" if value is None else f"{100 * value:.0f}"
            ink = GREY if value is None else _ink(HEAT(value))
            axes.text(x + 0.5, y + 0.54, text, color=ink, ha="center", va="center", fontsize=7)
    for y in range(1, len(rows)):
        if parse(rows[y].name).base != parse(rows[y - 1].name).base:
            axes.axhline(y, color="white", linewidth=1.2)
    axes.set(xlim=(0, len(names)), ylim=(len(rows), 0))
    axes.set_yticks([y + 0.5 for y in range(len(rows))], [row.name for row in rows], fontsize=8)
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, fontsize=8, rotation=90)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def _ink(background: tuple[float, float, float, float]) -> str:
    """White or black, whichever is easier to read on this; not quite, since plain black takes the page's colour."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]  # WCAG 2
    return "#fefefe" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#010101"


def colour_scale() -> Figure:
    """The scale of the heat maps' colours."""
    figure = Figure(figsize=(3, 0.6), layout="constrained")
    axes = figure.add_subplot()
    bar = figure.colorbar(ScalarMappable(cmap=HEAT), cax=axes, orientation="horizontal", format=PercentFormatter(1))
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label("decision accuracy", fontsize=8)
    axes.tick_params(labelsize=8)
    return figure


def colour(report: Report, name: str) -> str:
    """The colour of a network, the same in all figures."""
    return PALETTE[_names(report).index(name) % len(PALETTE)]


def _look(report: Report, name: str) -> dict[str, Any]:
    """Colour and marker of a network."""
    return {"color": colour(report, name), "marker": MARKERS[_names(report).index(name) % len(MARKERS)]}


def _names(report: Report) -> list[str]:
    """The networks of a report, its own first."""
    return [OWN, *(column.name for column in report.references)]


def title(row: Row) -> str:
    """What a row is called."""
    if row.kind == "family":
        return f"{row.name} family"
    return "no extension" if row.kind == "extension" and row.name == "none" else row.name


def svg(name: str, draw: Callable[[], Figure | None], says: str) -> str | None:
    """A figure as an element of a page.

    Args:
        name: of the figure, so that no two elements of a page have the same id.
        draw: makes it.
        says: what it shows, for those who do not see it.
    """
    with style(), matplotlib.rc_context({"svg.hashsalt": name}):
        figure = draw()
        if figure is None:
            return None
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{says}"', 1).strip()
