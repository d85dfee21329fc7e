"""The figures of a report."""

from __future__ import annotations

import io
from base64 import b64encode
from html import escape
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from modcog.colours import GREY, PALETTE
from modcog.experiments.benchmark.report import OWN, Point, Report
from modcog.experiments.claims.figures import light_frame, percent_axis

MARKERS = "osD^vPX"


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
            axes.plot([point.trials for point in curve], [point.mean for point in curve], **style)
    battery = report.rows[0]
    for level, name in ((battery.ceiling, "ceiling"), (battery.chance, "chance")):
        if level is not None:
            axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
            axes.text(1, level - 0.01, name, transform=axes.get_yaxis_transform(), ha="right", va="top", fontsize=8)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("trials of training")
    axes.set_xlim(left=0)
    percent_axis(axes)
    _legend_above(figure, axes)
    return figure


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
    sections = []
    for title, figure, caption in drawn:
        if figure is not None:
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg")
            image = f'<img src="data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode()}" alt="{title}">'
            sections.append(f"<section>\n<h2>{title}</h2>\n{image}\n<p>{escape(caption)}</p>\n</section>")
    return "\n".join(sections)
