"""The figures of a report."""

from __future__ import annotations

import io
from base64 import b64encode
from html import escape
from itertools import accumulate, cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from modcog.colours import GREY, PALETTE
from modcog.evaluation.report import best_without
from modcog.experiments.benchmark.report import OWN, Point, Report, Row
from modcog.experiments.claims.figures import light_frame, percent_axis

MARKERS = "osD^vPX"

LINES = {"ceiling": "-", "chance": ":"}
"""Lines of the levels; that of a strategy is dashed."""

LINE = 0.085
"""Height of a line of text on the axes of a curve, as an accuracy."""


def learning_curves(report: Report) -> Figure | None:
    """Draw mean decision accuracy against trials: seeds, their mean and the references; None without a curve."""
    if not report.curve and not any(one.curve for one in report.references):
        return None
    figure = Figure(figsize=(5.8, 3.9), layout="constrained")
    axes = figure.add_subplot()
    looks = _looks(report)
    lines: list[tuple[tuple[Point, ...], dict[str, Any]]] = [
        (one.curve, {"color": looks[one.name]["color"], "linewidth": 1.3, "linestyle": "--", "label": one.name})
        for one in report.references
    ]
    if len(report.done) > 1:
        lines += [(seed.curve, {"color": PALETTE[0], "linewidth": 0.7, "alpha": 0.6}) for seed in report.done]
    for curve, style in (*lines, (report.curve, {"color": PALETTE[0], "linewidth": 2.4, "label": OWN})):
        if curve:
            trials, means = zip(*((point.trials, point.mean) for point in curve), strict=True)
            axes.plot(trials, means, **_dot(curve), **style)
    _draw_levels(axes, report.rows[0])
    _curve_axes(axes)
    percent_axis(axes)
    _legend_above(figure, axes)
    return figure


def group_curve(row: Row) -> Figure:
    """Draw the learning curve of a family or an extension: mean over seeds, their range, and the levels."""
    figure = Figure(figsize=(3.4, 2.4))
    axes = figure.add_axes((0.14, 0.18, 0.58, 0.71))  # the same in all groups, whatever stands on the right
    trials = [point.trials for point in row.curve]
    low, high = ([getattr(point, end) for point in row.curve] for end in ("low", "high"))
    axes.fill_between(trials, low, high, color=PALETTE[0], alpha=0.25, linewidth=0)
    axes.plot(trials, [point.mean for point in row.curve], color=PALETTE[0], linewidth=2, **_dot(row.curve))
    _draw_levels(axes, row)
    _curve_axes(axes)
    percent_axis(axes, "")
    axes.set_title(row.title, loc="left", fontsize=10)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    return figure


def _dot(curve: tuple[Point, ...]) -> dict[str, Any]:
    """Return the look of a curve of a single evaluation, which would not be seen as a line or in a corner."""
    return {} if len(curve) > 1 else {"marker": "o", "clip_on": False, "zorder": 3}


def _curve_axes(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("trials of training")
    axes.set_xlim(left=0, right=max(1, axes.get_xlim()[1]))


def _draw_levels(axes: Axes, row: Row) -> None:
    """Draw ceiling, chance and the best strategy that lacks something as lines, with their names on the right."""
    levels = {"ceiling": row.ceiling, "chance": row.chance}
    lacking = best_without(row.levels) if row.levels else None
    if lacking and lacking != "blind":  # whose level is chance
        levels[lacking.replace("-", " ")] = row.levels[lacking]
    found = sorted((level, name) for name, level in levels.items() if level is not None)
    # Names that would lie on each other move up, and down again from the top of the axes.
    places = list(accumulate((level for level, _ in found), lambda below, level: max(level, below + LINE)))
    places = list(accumulate(reversed(places), lambda above, place: min(place, above - LINE), initial=1 + LINE))[:0:-1]
    for (level, name), place in zip(found, places, strict=True):
        axes.axhline(level, color=GREY, linewidth=1, linestyle=LINES.get(name, "--"), zorder=1.5)
        axes.text(1.02, place, name, transform=axes.get_yaxis_transform(), va="center", fontsize=8)


def gaps(report: Report) -> Figure | None:
    """Draw how far decision accuracy is below the ceiling, by family and extension; None without a ceiling."""
    rows = [row for row in report.rows_of("battery", "family", "extension") if row.ceiling is not None]
    if not rows:
        return None
    figure = Figure(figsize=(5.8, 0.4 * len(rows) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    looks = _looks(report)
    for place, row in enumerate(rows):
        ceiling = row.ceiling or 0.0
        for name, value in row.references.items():
            axes.scatter(100 * (ceiling - value), place + 0.16, **looks[name], s=28)
        for level in {round(level, 3) for level in row.levels.values() if ceiling - level > 0.005}:
            axes.scatter(100 * (ceiling - level), place, color=GREY, marker="|", s=90, linewidth=1)
        mean, *ends = (100 * (ceiling - value) for value in (row.decision.mean, row.decision.high, row.decision.low))
        own = place - 0.16  # above the references, so that neither hides the other
        axes.plot(ends, [own, own], color=PALETTE[0], linewidth=2.5, alpha=0.55, solid_capstyle="butt")
        axes.scatter(mean, own, **looks[OWN], s=45, zorder=3)
    for name, look in looks.items():
        axes.scatter([], [], **look, label=name)
    if any(row.levels for row in rows):
        axes.scatter([], [], color=GREY, marker="|", s=90, linewidth=1, label="strategies that lack one thing")
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for border in [i for i in range(1, len(rows)) if rows[i].kind != rows[i - 1].kind]:
        axes.axhline(border - 0.5, color=GREY, linewidth=0.6)
    axes.set_xlabel("percentage points of decision accuracy below the ceiling")
    axes.set_xlim(left=min(0, *axes.get_xlim()))
    light_frame(axes)
    _legend_above(figure, axes)
    return figure


def _legend_above(figure: Figure, axes: Axes) -> None:
    entries = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda entry: entry[1] != OWN)
    figure.legend(*zip(*entries, strict=True), loc="outside upper left", ncols=3, frameon=False, fontsize=9)


def _looks(report: Report) -> dict[str, dict[str, Any]]:
    """Return colour and marker of each network, the same in all figures."""
    names = [OWN, *(reference.name for reference in report.references)]
    return {
        name: {"color": colour, "marker": marker}
        for name, colour, marker in zip(names, cycle(PALETTE), cycle(MARKERS), strict=False)
    }


def as_html(report: Report) -> str:
    """Return the figures that there are as sections of a page, each with its image in it."""
    thin = "; thin: seeds, thick: their mean" if report.curve and len(report.done) > 1 else ""
    elsewhere = ", ".join(reference.name for reference in report.references if not reference.curve)
    curves_note = f" Without a curve, because trained on other tasks: {elsewhere}." if elsewhere else ""
    curves = f"Mean decision accuracy over the tasks, on held-out trials during training{thin}.{curves_note}"
    gap = (
        "Further left is better; 0 is as good as the noise allows. The bar is a 95 % interval. Grey marks are "
        "players who lack one thing each (sight, memory, comparison, clock or sequence) and are ideal otherwise."
    )
    drawn = (("Learning curves", learning_curves(report), curves), ("Gap to the ceiling", gaps(report), gap))
    sections = [
        f"<section>\n<h2>{title}</h2>\n{_image(figure, title)}\n<p>{escape(caption)}</p>\n</section>\n"
        for title, figure, caption in drawn
        if figure is not None
    ]
    return f'<div class="figures">\n{"".join(sections)}</div>\n{_group_curves_as_html(report)}'


def _group_curves_as_html(report: Report) -> str:
    """Return the section with the curves of families and extensions, an image each; empty if there are none."""
    panels = ""
    for kind in ("family", "extension"):
        images = [_image(group_curve(row), f"Learning curve, {row.title}") for row in report.rows_of(kind) if row.curve]
        panels += f'<h3>By {kind}</h3>\n<div class="panels">\n{"".join(images)}</div>\n' if images else ""
    band = " The band is from the lowest to the highest seed." if len(report.done) > 1 else ""
    lines = (
        " Grey lines: chance, the ceiling, and the best strategy that lacks something." if report.rows[0].levels else ""
    )
    text = f"Mean decision accuracy over the tasks of each group, on held-out trials during training.{band}{lines}"
    title = "<h2>Learning curves by family and extension</h2>"
    return f"<section>\n{title}\n<p>{text}</p>\n{panels}</section>\n" if panels else ""


def _image(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    source = b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(title)}">\n'
