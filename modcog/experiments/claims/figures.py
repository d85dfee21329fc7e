"""Axes and plots that the figures of claims and reports share."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, PercentFormatter

from modcog.colours import EXTENSIONS, GREY, PALETTE
from modcog.evaluation.measures import MEASURES
from modcog.experiments.claims.claim import Runs
from modcog.experiments.outcomes import survival

COLOURS = [*PALETTE, "#7B3F00", "#B8B800"]
"""Colours of up to ten networks."""

LEVELS = {"chance": ":", "ceiling": "--"}
"""Levels that stand beside accuracies, and their lines."""

PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.3g}%")
"""Percent with the decimals that a tick needs, where the axis is not from 0 to 100 %."""

WIDEST = 22
"""Characters of a line of a network's name."""

APART = 0.09
"""Least distance of two ticks with labels, as a share of a logarithmic axis."""


def percent_axis(axes: Axes, label: str = "decision accuracy") -> None:
    """Give ``axes`` a y axis from 0 to 100 %."""
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel(label)
    light_frame(axes)


def score_axis(axes: Axes, unit: str) -> None:
    """Give ``axes`` a y axis in the unit of a measure, as long as its values need."""
    if unit == "points":
        axes.yaxis.set_major_formatter(PERCENT)
        axes.set_ylabel("accuracy")
    light_frame(axes)


def light_frame(axes: Axes) -> None:
    """Give ``axes`` a light grid and no frame at the top and on the right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(axes: Axes, runs: Runs, named: bool = True) -> None:
    """Draw accuracy against trials: for each arm the mean over seeds, a band from lowest to highest, and the levels.

    ``named``: with the names of the arms; else another panel has them, in the same colours.
    """
    labelled = runs.curves.merge(runs.cells[["arm"]], left_on="cell", right_index=True)
    draw_levels(axes, runs)
    for colour, name in zip(COLOURS, runs.cells["arm"].unique(), strict=False):
        points = labelled[labelled["arm"] == name].groupby("trials")[runs.column].agg(["mean", "min", "max"])
        axes.plot(points.index, points["mean"], color=colour, label=fill(name, WIDEST) if named else None)
        axes.fill_between(points.index, points["min"], points["max"], color=colour, alpha=0.2, linewidth=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("trials of training")
    percent_axis(axes, "accuracy")
    axes.legend()


def draw_levels(axes: Axes, runs: Runs) -> None:
    """Draw chance and ceiling, means over the tasks, as far as the tables have them."""
    for level, style in LEVELS.items():
        found = runs.results.groupby("task")[f"{runs.kind}_{level}"].first().mean()
        if np.isfinite(found):
            axes.axhline(found, color=GREY, linestyle=style, linewidth=1, label=level)


def draw_seeds(axes: Axes, frame: pd.DataFrame, x: str, y: str, colour: str, label: str) -> None:
    """Draw a line through the means over seeds, and a dot for each seed."""
    means = frame.groupby(x)[y].mean()
    axes.plot(means.index, means, color=colour, label=label)
    axes.scatter(frame[x], frame[y], color=colour, s=18, zorder=3)


def draw_ends(axes: Axes, cells: pd.DataFrame, unit: str) -> None:
    """Draw the accuracy of each arm at the end, in its colour: a dot for each seed, a line for the mean."""
    names = cells["arm"].unique()
    for place, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        values = cells.loc[cells["arm"] == name, "at_end"]
        axes.scatter(values, np.full(len(values), place), color=colour, s=14)
        axes.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=colour)
    axes.set_yticks(range(len(names)), [fill(name, WIDEST) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="accuracy" if unit == "points" else f"minus the error ({unit})", ylabel="network")
    if unit == "points":
        axes.xaxis.set_major_formatter(PERCENT)
    light_frame(axes)


def draw_survival(axes: Axes, cells: pd.DataFrame, percent: int) -> None:
    """Draw the share of each arm's runs that have not reached a percentage of the ceiling, against trials."""
    for colour, name in zip(COLOURS, cells["arm"].unique(), strict=False):
        runs = cells[cells["arm"] == name]
        found = survival(runs[f"trials_to_{percent}"].astype(float), runs["trials"].astype(float))
        ends = np.concatenate([[0.0], found.trials])
        axes.step(ends, np.concatenate([[1.0], found.not_yet]), where="post", color=colour, label=name)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("trials of training")
    percent_axis(axes, "share of the runs")
    axes.legend(handlelength=1)


def draw_extensions(axes: Axes, results: pd.DataFrame, archs: Sequence[str], kind: str) -> None:
    """Draw accuracy by extension: for each architecture a bar for the mean over seeds, a dot for each; and the levels.

    Args:
        axes: to draw into.
        results: a row for each run and task.
        archs: the architectures.
        kind: name of the measure (``MEASURES``).
    """
    seeds = results.groupby(["extension", "arch", "cell"])[MEASURES[kind].column].mean()
    present = [name for name in EXTENSIONS if name in seeds.index]
    means = seeds.groupby(level=["extension", "arch"]).mean().unstack().loc[present, list(archs)]
    means.plot.bar(ax=axes, width=0.76, color=PALETTE[: len(archs)], rot=0, xlabel="", legend=False)
    for arch, bars in zip(archs, axes.containers, strict=True):
        for extension, bar in zip(present, bars, strict=True):
            values = seeds[extension, arch]
            axes.scatter([bar.get_x() + bar.get_width() / 2] * len(values), values, color="black", s=10, zorder=3)
    for level, style in LEVELS.items():
        found = results.groupby("extension")[f"{kind}_{level}"].mean()[present]
        places = np.arange(len(present))
        axes.hlines(found, places - 0.45, places + 0.45, colors="black", linestyles=style, linewidth=1, label=level)
    axes.set_xticks(axes.get_xticks(), [name.replace("-", "-\n") for name in present])
    axes.set_xlabel("extension")
    percent_axis(axes, "accuracy")
    axes.set_ylim(0, 1.3)  # room for the legend
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.legend(ncols=2, loc="upper center")


def log_axis(axes: Axes, values: pd.Series, label: str, factor: float = 1) -> None:
    """Give ``axes`` a logarithmic x axis with a tick at each of ``values``, written as multiples of ``factor``."""
    axes.set_xscale("log")
    ticks = sorted(values.unique())
    labels = [f"{factor * tick:.3g}" for tick in ticks]
    labelled = len(ticks) - 1  # the tick nearest on the right that keeps its label
    for k in range(len(ticks) - 2, -1, -1):
        if np.log(ticks[labelled] / ticks[k]) < APART * np.log(ticks[-1] / ticks[0]):
            labels[k] = ""
        else:
            labelled = k
    axes.set_xticks(ticks, labels)
    axes.minorticks_off()
    axes.set_xlabel(label)
