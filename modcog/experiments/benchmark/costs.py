"""Costs and learning curve of a network, from the records of its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from modcog.experiments.benchmark.report import Cost, Point, Reached
from modcog.experiments.sweeps.results import THRESHOLDS, Record


def cost(records: Sequence[Record]) -> Cost:
    """Return the costs of a network from the records of its seeds."""
    progress = [record["progress"] for record in records if "progress" in record]
    figures = [{**record.get("network", {}), **record.get("progress", {})} for record in records]
    names = [name for name in Cost.model_fields if name != "reached"]
    means = pd.DataFrame(figures, columns=names, dtype=float).mean(skipna=False)  # unknown unless all are known
    reached = {}
    for percent in THRESHOLDS:
        trials = [done["milestones"][percent]["trials"] for done in progress if percent in done["milestones"]]
        if trials:
            reached[percent] = Reached(trials=float(np.mean(trials)), seeds=len(trials), of=len(progress))
    return Cost(**means.dropna().to_dict(), reached=reached)


def curve(records: Sequence[Record], tasks: Sequence[str] | None = None) -> tuple[Point, ...]:
    """Return the learning curve over seeds, at the numbers of trials where all of them were evaluated.

    Args:
        records: of the seeds; those without a curve are left out.
        tasks: some of the tasks; seeds whose curve has no accuracy of each task are left out, too. None: all tasks.
    """

    def accuracy(point: Record) -> float:
        if tasks is None:
            return float(point["decision_accuracy"])
        return float(np.mean([point["decision_accuracy_per_task"][task] for task in tasks]))

    curves = [record["curve"] for record in records if record.get("curve")]
    curves = [points for points in curves if tasks is None or "decision_accuracy_per_task" in points[0]]
    seeds = [{point["trials"]: accuracy(point) for point in points} for points in curves]
    table = pd.DataFrame(seeds).dropna(axis=1)
    return tuple(
        Point(trials=trials, mean=accuracy.mean(), low=accuracy.min(), high=accuracy.max())
        for trials, accuracy in table.items()
    )
