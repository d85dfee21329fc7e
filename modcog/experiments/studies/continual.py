"""Continual learning: groups of tasks one after the other.

Asked: how much of earlier tasks a network forgets when it learns the next, how far later tasks profit from earlier
ones, and which methods help.

Settings: a run for each group of tasks, which starts from the weights of the run before. All tasks have their channels
of the rule input from the beginning. Methods: none; replay of new trials of earlier tasks; elastic weight
consolidation (Kirkpatrick et al. 2017); synaptic intelligence (Zenke et al. 2017).

Scored: the matrix of the decision accuracy on each group after each stage, and what follows from it: see ``transfer``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from modcog.checks import check_count
from modcog.colours import STYLE
from modcog.errors import ModcogError, unknown
from modcog.evaluation.scores import extension
from modcog.experiments.studies.stages import Key, Stage, accuracies, cell_of, over_seeds
from modcog.experiments.sweeps.results import Record
from modcog.seeds import Purpose, Seed
from modcog.tasks.names import parse
from modcog.training.metrics import read_metrics

METHODS: dict[str, dict[str, Any]] = {
    "none": {},
    "replay": {"replay": 0.5},
    "ewc": {"penalty": "ewc", "strength": 1e3},
    "si": {"penalty": "si", "strength": 0.1},
}
"""Settings of the runs after the first, by the name of the method."""

ORDERS = ("family", "extension", "random")


class Transfer(NamedTuple):
    """Measures of an accuracy matrix.

    Attributes:
        accuracy: mean over all groups at the end.
        forgetting: mean over all groups but the last of the best accuracy after an earlier stage, less that at the end
            (Chaudhry et al. 2018).
        backward: mean over all groups but the last of the accuracy at the end, less that after their own stage
            (Lopez-Paz and Ranzato 2017).
        forward: mean over all groups but the first of the accuracy before their own stage, less that of the untrained
            network (Lopez-Paz and Ranzato 2017).
    """

    accuracy: float
    forgetting: float
    backward: float
    forward: float


def transfer(matrix: NDArray[np.float64]) -> Transfer:
    """Return the measures of accuracies (K + 1, K) on K ≥ 2 groups: of the untrained network, then after each stage."""
    untrained, after = matrix[0], matrix[1:]
    end, own = after[-1], np.diag(after)
    return Transfer(
        float(end.mean()),
        float((after[:-1].max(axis=0) - end)[:-1].mean()),
        float((end - own)[:-1].mean()),
        float((np.diag(after, 1) - untrained[1:]).mean()),
    )


def groups_of(tasks: Sequence[str], order: str, seed: int, n_groups: int = 4) -> dict[str, tuple[str, ...]]:
    """Return the tasks of each stage by its name.

    Args:
        tasks: by family and extension, groups come in the order of their first tasks.
        order: ``"family"``, ``"extension"`` or ``"random"``.
        seed: that decides a random order.
        n_groups: number of groups of a random order, of nearly the same size.

    Raises:
        UnknownNameError: for an order that does not exist.
        ModcogError: if the tasks make fewer than two groups.
    """
    if order not in ORDERS:
        raise unknown("order", order, ORDERS)
    found: dict[str, tuple[str, ...]] = {}
    if order == "random":
        mixed = Seed.of(seed, Purpose.STAGES).rng().permutation(np.array(tasks))
        parts = np.array_split(mixed, check_count("n_groups", n_groups, at_least=2))
        found = {str(k): tuple(part.tolist()) for k, part in enumerate(parts, 1) if len(part)}
    else:
        for task in tasks:
            name = parse(task).family if order == "family" else extension(parse(task))
            found[name] = (*found.get(name, ()), task)
    if len(found) < 2:
        raise ModcogError(f"order: got {order!r}, by which the {len(tasks)} tasks make one group")
    return found


def plan(
    out: Path,
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    n_trials: int,
    *,
    order: str = "family",
    methods: Sequence[str] = tuple(METHODS),
    n_groups: int = 4,
    strength: float | None = None,
) -> list[Stage]:
    """Return the runs of each stage; keys are method, group and seed.

    The first stage is the same for all methods. It keeps the path integral, which changes nothing and which synaptic
    intelligence needs later.

    Args:
        out: folder of the runs.
        settings: of each run; ``steps`` are the updates of a stage.
        seeds: of the networks, and of random orders.
        n_trials: trials of each task to score a run on.
        order: of the groups; see ``groups_of``.
        methods: names in ``METHODS``.
        n_groups: number of groups of a random order.
        strength: of a penalty; None: that of the method.

    Raises:
        UnknownNameError: for an order or method that does not exist.
        ModcogError: for a wrong setting, or fewer than two groups.
    """
    for name in methods:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    tasks = cell_of(out, n_trials, settings).config.tasks
    stages: list[Stage] = []
    for name in methods:
        for seed in seeds:
            start = None
            for k, (group, members) in enumerate(groups_of(tasks, order, seed, n_groups).items()):
                own: dict[str, Any] = {"penalty": "si"} if start is None else dict(METHODS[name])
                if start is not None and strength is not None and "penalty" in own:
                    own["strength"] = strength
                start = cell_of(out, n_trials, {**settings, **own, "seed": seed, "train_on": members}, start)
                stages += [{}] if k == len(stages) else []
                stages[k][name, group, seed] = start
    return stages


def table(stages: Sequence[Stage], records: Sequence[Mapping[Key, Record]]) -> pd.DataFrame:
    """Return a row for each method, seed, stage (0: untrained) and group: the mean decision accuracy on its tasks."""
    rows = []
    for (name, _, seed), first in stages[0].items():
        groups = {key[1]: cell.config.trained for stage in stages for key, cell in stage.items()
                  if (key[0], key[2]) == (name, seed)}  # fmt: skip
        before = read_metrics(first.config.out)[0]["decision_accuracy_per_task"]
        after = [found[name, group, seed] for found, group in zip(records, groups, strict=True)]
        for group, tasks in groups.items():
            scores = [[before[task] for task in tasks], *(accuracies(record, tasks) for record in after)]
            rows += [[name, seed, k, group, float(np.mean(of))] for k, of in enumerate(scores)]
    return pd.DataFrame(rows, columns=["method", "seed", "stage", "group", "accuracy"])


def _matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean accuracies as stages by groups."""
    wide = rows.pivot_table(index="stage", columns="group", values="accuracy", sort=False)
    return wide[rows["group"].unique()].sort_index()


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of ``Transfer`` for each method, with their intervals over seeds."""
    found = [
        {"method": name, "seed": seed, **transfer(_matrix(of).to_numpy(float))._asdict()}
        for (name, seed), of in rows.groupby(["method", "seed"], sort=False)
    ]
    return over_seeds(pd.DataFrame(found), ["method"], Transfer._fields)


@rc_context(STYLE)
def draw(rows: pd.DataFrame) -> Figure:
    """Draw the accuracy matrix of each method, a mean over seeds; the group of the stage is bold."""
    names, measures = rows["method"].unique(), summary(rows)
    one = _matrix(rows)
    figure = Figure(figsize=(1.2 + len(names) * (0.9 + 0.55 * one.shape[1]), 1.5 + 0.4 * len(one)))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names, strict=True):
        matrix = 100 * _matrix(rows[rows["method"] == name])
        picture = axes.imshow(matrix, aspect="auto", cmap="viridis", vmin=0, vmax=100)
        for (i, j), value in np.ndenumerate(matrix.to_numpy(float)):
            weight, colour = ("bold" if i == j + 1 else "normal"), ("white" if value < 60 else "black")
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8, color=colour, fontweight=weight)
        axes.set_title(f"{name}: forgets {round(100 * measures.loc[name, 'forgetting'])} points")
        axes.set_xticks(range(matrix.shape[1]), matrix.columns, rotation=30, ha="right", fontsize=8)
        axes.spines[:].set_visible(False)
    figure.axes[0].set_yticks(range(len(one)), ["untrained", *(f"after {group}" for group in one.columns)], fontsize=8)
    figure.colorbar(picture, ax=figure.axes, label="decision accuracy (%)")
    return figure
