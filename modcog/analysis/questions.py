"""Questions about trained networks that one command answers: a table, a figure and a summary each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from modcog.analysis.bifurcations import bifurcations, plot_bifurcations
from modcog.analysis.composition import composition, plot_composition
from modcog.analysis.lesions import lesions, plot_lesions, plot_pruning, pruning
from modcog.analysis.likeness import Likeness, likeness, plot_likeness
from modcog.analysis.modularity import modularity, plot_modularity
from modcog.analysis.shift import plot_shift, shift
from modcog.analysis.variance import TaskVariance, plot_task_variance, task_variance


@dataclass(frozen=True)
class Question:
    """A question as the command asks it.

    Attributes:
        asks: in a few words.
        measure: from the folder of a run and keyword arguments to the result; of folders by name, if ``several``.
        draw: from the result to the figure.
        table: from the result to the table that is stored.
        summary: from the table to the few rows that are shown.
        several: it compares networks.
    """

    asks: str
    measure: Callable[..., Any]
    draw: Callable[[Any], Figure]
    table: Callable[[Any], pd.DataFrame]
    summary: Callable[[pd.DataFrame], pd.DataFrame]
    several: bool = False


def _of_variance(result: TaskVariance) -> pd.DataFrame:
    table = pd.DataFrame(result.normalised, columns=list(result.tasks))
    table.insert(0, "unit", result.units)
    table.insert(1, "cluster", result.cluster + 1)
    return table


def _of_likeness(result: Likeness) -> pd.DataFrame:
    both = [part.stack().rename(name) for name, part in (("value", result.value), ("null", result.null))]
    return pd.concat(both, axis=1).rename_axis(["one", "other"]).reset_index()


QUESTIONS: dict[str, Question] = {
    "composition": Question(
        "Combinations of base task and extension that were not trained.",
        composition,
        plot_composition,
        lambda result: result.table,
        lambda table: table.groupby("held_out")[["accuracy", "share"]].mean(),
    ),
    "shift": Question(
        "Longer intervals, delays, sequences; other noise, dt …",
        shift,
        plot_shift,
        lambda result: result.table,
        lambda table: table.groupby(["shift", "point"], sort=False)[["accuracy", "ceiling", "share"]].mean(),
    ),
    "lesions": Question(
        "Silenced clusters of units, or patches of the sheet.",
        lesions,
        plot_lesions,
        lambda result: result.table,
        lambda table: table.groupby(["group", "units"], sort=False)[["accuracy", "change"]].mean(),
    ),
    "pruning": Question(
        "Shares of the synapses cut, in three orders.",
        pruning,
        plot_pruning,
        lambda result: result,
        lambda table: table.pivot_table(index="share", columns="way", values="accuracy", sort=False),
    ),
    "variance": Question(
        "Task variance of each unit, and clusters of units.",
        task_variance,
        plot_task_variance,
        _of_variance,
        lambda table: table.groupby("cluster").size().rename("units").to_frame(),
    ),
    "modularity": Question(
        "Clusters of units against weights and places on the sheet.",
        modularity,
        plot_modularity,
        lambda result: result.table,
        lambda table: table.set_index(["clustering", "measure"])[["value", "null", "p_value"]],
    ),
    "bifurcations": Question(
        "Fixed points while the input goes from one task to another.",
        bifurcations,
        plot_bifurcations,
        lambda result: result.table,
        lambda table: table.groupby(["share", "kind"]).size().unstack(fill_value=0),
    ),
    "likeness": Question(
        "Geometry of the states of several networks on the same trials.",
        likeness,
        plot_likeness,
        _of_likeness,
        lambda table: table.pivot(index="one", columns="other", values="value"),
        several=True,
    ),
}
"""The questions by name."""
