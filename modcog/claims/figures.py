"""What the figures of the claims share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter

if TYPE_CHECKING:
    import pandas as pd

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's colours, which colour-blind readers tell apart, the darker first."""


def percent_axis(axes: Axes, label: str = "decision accuracy") -> None:
    """A y axis from 0 to 100 %."""
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel(label)
    tidy(axes)


def tidy(axes: Axes) -> None:
    """A light grid, no frame."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(axes: Axes, cells: pd.DataFrame, curves: pd.DataFrame, by: str = "arm") -> None:
    """Accuracy against trials: for each arm a line for the mean over seeds, and a band from lowest to highest."""
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
    """A line through the means over seeds, and a dot for each seed."""
    means = frame.groupby(x)[y].mean()
    axes.plot(means.index, means, color=colour, label=label)
    axes.scatter(frame[x], frame[y], color=colour, s=18, zorder=3)
