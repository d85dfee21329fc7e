"""From the records of a network's seeds to means, intervals, costs and learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from modcog.evaluation import Level
from modcog.evaluation.scores import SMALLEST_RANGE
from modcog.experiments.benchmark.report import REACHED, Cost, Interval, Point, Reached, Row
from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps import results
from modcog.experiments.sweeps.cell import Record

COSTS = ["parameters", "synapses", "density", "wiring_mean", "trials", "seconds"]
"""Figures of a network and of its training, as ``modcog.models.measure`` and ``run.json`` name them."""


def score_table(records: Sequence[Record], levels: Mapping[str, Level] | None = None) -> pd.DataFrame:
    """Return a row for each network (``cell``) and task.

    Columns: those of ``sweeps.results``, ``chance`` and ``ceiling`` (NaN: unknown), and ``decision``, ``trial`` and
    ``share``, each with the ends of its bootstrap interval (``_low``, ``_high``) and with the bounds that accuracies
    from 0 to 1 allow (``_least``, ``_most``).

    Args:
        records: of the networks that were scored.
        levels: chance and ceiling of the tasks; None: unknown.
    """
    table = results(records).rename(columns={"decision_accuracy": "decision", "trial_accuracy": "trial"})
    for end in ("chance", "ceiling"):
        table[end] = [getattr(levels[task], f"decision_{end}") if levels else np.nan for task in table["task"]]
    table[["decision_least", "trial_least"]], table[["decision_most", "trial_most"]] = 0.0, 1.0
    width = table["ceiling"] - table["chance"]
    for end in ("", "_low", "_high", "_least", "_most"):
        table[f"share{end}"] = (table[f"decision{end}"] - table["chance"]) / width.where(width > SMALLEST_RANGE)
    return table


def mean_interval(table: pd.DataFrame, kind: str) -> Interval | None:
    """Return the mean of ``"decision"``, ``"trial"`` or ``"share"`` over the tasks of a ``score_table``.

    The interval is over networks, that of Student (1908); of a single network it is over trials, from the bootstrap
    intervals (Efron 1979) of its tasks, which are independent. Tasks whose share is undefined are left out; None if
    that leaves none.
    """
    known = table[table[kind].notna()]
    if known.empty:
        return None
    means = known.groupby("cell")[kind].mean()
    mean, low, high, n = Estimate.of(means)
    if n == 1:
        below, above = (
            float(np.linalg.norm(known[f"{kind}_{end}"] - known[kind])) / len(known) for end in ("low", "high")
        )
        low, high = mean - below, mean + above
    low, high = np.clip((low, high), known[f"{kind}_least"].mean(), known[f"{kind}_most"].mean()).tolist()
    return Interval(mean=mean, low=low, high=high)


def report_rows(table: pd.DataFrame, references: Mapping[str, Mapping[str, tuple[float, float]]]) -> Iterator[Row]:
    """Yield the rows of a report: the battery, its families, its extensions, its tasks.

    Args:
        table: of scores.
        references: by name, for each task decision and trial accuracy.
    """
    groups: list[tuple[Any, str, pd.DataFrame]] = [("battery", "all tasks", table)]
    for kind in ("family", "extension", "task"):
        groups += [(kind, str(name), group) for name, group in table.groupby(kind, sort=False)]
    for kind, name, group in groups:
        tasks = tuple(group["task"].unique())
        decision, trial = mean_interval(group, "decision"), mean_interval(group, "trial")
        assert decision is not None
        assert trial is not None
        known = group[["chance", "ceiling"]].notna().all(axis=None)
        chance, ceiling = group[["chance", "ceiling"]].mean() if known else (None, None)
        yield Row(
            kind=kind,
            name=name,
            tasks=tasks,
            decision=decision,
            trial=trial,
            chance=chance,
            ceiling=ceiling,
            share=mean_interval(group, "share"),
            references={
                reference: float(np.mean([scores[task][0] for task in tasks]))
                for reference, scores in references.items()
                if set(tasks) <= scores.keys()
            },
        )


def cost(records: Sequence[Record]) -> Cost:
    """Return the costs of a network from the records of its seeds."""
    progress = [record["progress"] for record in records if "progress" in record]
    figures = [{**record.get("network", {}), **record.get("progress", {})} for record in records]
    means = pd.DataFrame(figures, columns=COSTS, dtype=float).mean(skipna=False)  # unknown unless all are known
    reached = {}
    for percent in REACHED:
        trials = [done["milestones"][percent]["trials"] for done in progress if percent in done["milestones"]]
        if trials:
            reached[percent] = Reached(trials=float(np.mean(trials)), seeds=len(trials), of=len(progress))
    return Cost(**means.dropna().to_dict(), reached=reached)


def curve(records: Sequence[Record]) -> tuple[Point, ...]:
    """Return the learning curve over seeds, at the numbers of trials where all of them were evaluated."""
    curves = [record["curve"] for record in records if record.get("curve")]
    seeds = [{point["trials"]: point["decision_accuracy"] for point in points} for points in curves]
    table = pd.DataFrame(seeds).dropna(axis=1)
    return tuple(
        Point(trials=trials, mean=accuracy.mean(), low=accuracy.min(), high=accuracy.max())
        for trials, accuracy in table.items()
    )
