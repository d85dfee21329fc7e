"""Axes and plots that the figures of claims and reports share."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter

from modcog.colours import EXTENSIONS, PALETTE


def percent_axis(axes: Axes, label: str = "decision accuracy") -> None:
    """Give ``axes`` a y axis from 0 to 100 %."""
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel(label)
    light_frame(axes)


def light_frame(axes: Axes) -> None:
    """Give ``axes`` a light grid and no frame at the top and on the right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(axes: Axes, cells: pd.DataFrame, curves: pd.DataFrame, by: str = "arm") -> None:
    """Draw accuracy against trials: for each arm the mean over seeds, and a band from the lowest to the highest."""
    labelled = curves.merge(cells[[by]], left_on="cell", right_index=True)
    for colour, (name, group) in zip(PALETTE, labelled.groupby(by, sort=False), strict=False):
        points = group.groupby("trials")["decision_accuracy"].agg(["mean", "min", "max"])
        axes.plot(points.index, points["mean"], color=colour, label=name)
        axes.fill_between(points.index, points["min"], points["max"], color=colour, alpha=0.2, linewidth=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("trials of training")
    percent_axis(axes)
    axes.legend(frameon=False)


def draw_seeds(axes: Axes, frame: pd.DataFrame, x: str, y: str, colour: str, label: str) -> None:
    """Draw a line through the means over seeds, and a dot for each seed."""
    means = frame.groupby(x)[y].mean()
    axes.plot(means.index, means, color=colour, label=label)
    axes.scatter(frame[x], frame[y], color=colour, s=18, zorder=3)


def draw_extensions(axes: Axes, results: pd.DataFrame, archs: Sequence[str]) -> None:
    """Draw accuracy by extension: for each architecture a bar for the mean over seeds, and a dot for each seed."""
    seeds = results.groupby(["extension", "arch", "cell"])["decision_accuracy"].mean()
    present = [name for name in EXTENSIONS if name in seeds.index]
    means = seeds.groupby(level=["extension", "arch"]).mean().unstack().loc[present, list(archs)]
    means.plot.bar(ax=axes, width=0.76, color=PALETTE[: len(archs)], rot=0, xlabel="", legend=False)
    for arch, bars in zip(archs, axes.containers, strict=True):
        for extension, bar in zip(present, bars, strict=True):
            values = seeds[extension, arch]
            axes.scatter([bar.get_x() + bar.get_width() / 2] * len(values), values, color="black", s=10, zorder=3)
    percent_axis(axes)


def log_axis(axes: Axes, values: pd.Series, label: str, factor: float = 1) -> None:
    """Give ``axes`` a logarithmic x axis with a tick at each of ``values``, written as multiples of ``factor``."""
    axes.set_xscale("log")
    ticks = sorted(values.unique())
    axes.set_xticks(ticks, [f"{factor * tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)
