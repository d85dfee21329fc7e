"""From the records of a network's seeds to a report: means, intervals, costs and learning curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd

from modcog.battery import Battery
from modcog.evaluation import MEASURES, STRATEGIES, Level
from modcog.evaluation.ceilings import SMALLEST_RANGE
from modcog.experiments.benchmark.costs import cost, curve
from modcog.experiments.benchmark.references import comparable, stored
from modcog.experiments.benchmark.report import Interval, NetworkResult, Report, Row, Scores
from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps.grid import collection_name
from modcog.experiments.sweeps.results import Record, results


def assemble(
    records: Sequence[Record],
    battery: Battery,
    known: Mapping[str, Level] | None,
    notes: Iterable[str] = (),
    **head: Any,
) -> Report:
    """Make the report on a network from the records of its seeds, at least one of which was scored on ``battery``.

    ``known`` are the levels of its tasks, None if unknown; ``notes`` are sentences for the reader, and ``head`` has the
    other fields of ``Report``. Curves by family and extension need records whose ``curve`` has whole evaluations, as
    ``modcog.training.metrics.read_metrics`` gives them.
    """
    scored = [record for record in records if record.get("scores")]
    beside, left_out = comparable(stored(), battery, head["settings"], head["n_trials"], head["score_seed"])
    table = score_table(scored, known)
    return Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        tasks=collection_name(battery.tasks) or list(battery.tasks),
        interval="seeds" if len(scored) > 1 else "trials",
        battery=battery.config.model_dump(mode="json", exclude={"tasks"}),
        seeds=tuple(map(_network_result, records)),
        rows=tuple(report_rows(table, {reference.name: reference.scores for reference in beside}, known, scored)),
        cost=cost(scored),
        curve=curve(scored),
        references=tuple(beside),
        notes=(*notes, *left_out),
        **head,
    )


def _network_result(record: Record) -> NetworkResult:
    scores = record.get("scores", {})
    means = score_table([record])[["decision", "trial"]].mean() if scores else {"decision": None, "trial": None}
    return NetworkResult(
        name=record["cell"]["name"],
        seed=record["cell"]["config"].get("seed"),
        status=record["status"],
        error=record["error"],
        cost=cost([record]),
        curve=curve([record]),
        scores={task: (score["decision_accuracy"], score["trial_accuracy"]) for task, score in scores.items()},
        **means,
    )


def score_table(records: Sequence[Record], levels: Mapping[str, Level] | None = None) -> pd.DataFrame:
    """Return a row for each network (``cell``) and task.

    Columns: those of ``sweeps.results``, ``chance`` and ``ceiling`` (NaN: unknown), and each measure by its name and
    ``share``, with the ends of its bootstrap interval (``_low``, ``_high``) and its bounds (``_least``, ``_most``).
    """
    table = results(records)
    ends = [levels[task].ends("decision") if levels else (np.nan, np.nan) for task in table["task"]]
    table[["chance", "ceiling"]] = np.array(ends).reshape(-1, 2)
    table = table.rename(columns={one.column: kind for kind, one in MEASURES.items()})
    for kind in MEASURES:
        table[f"{kind}_least"], table[f"{kind}_most"] = 0.0, 180.0 if kind == "angular_error" else 1.0
    width = table["ceiling"] - table["chance"]
    for end in ("", "_low", "_high", "_least", "_most"):
        table[f"share{end}"] = (table[f"decision{end}"] - table["chance"]) / width.where(width > SMALLEST_RANGE)
    return table


def mean_interval(table: pd.DataFrame, kind: str) -> Interval | None:
    """Return the mean of a measure or of ``"share"`` over the tasks of a ``score_table``.

    The interval is over networks, that of Student (1908); of a single network it is over trials, from the bootstrap
    intervals (Efron 1979) of its tasks, which are independent. Tasks whose share is undefined are left out; None if
    that leaves none.
    """
    columns = ["cell", kind, *(f"{kind}_{end}" for end in ("low", "high", "least", "most"))]
    known = table.loc[table[kind].notna(), columns]  # a fifth of the time of all columns
    if known.empty:
        return None
    means = known.groupby("cell")[kind].mean()
    mean, low, high, n, _ = Estimate.of(means)
    if n == 1:
        ends = (known[f"{kind}_{end}"] - known[kind] for end in ("low", "high"))
        below, above = (float(np.linalg.norm(end)) / len(known) for end in ends)
        low, high = mean - below, mean + above
    low, high = np.clip((low, high), known[f"{kind}_least"].mean(), known[f"{kind}_most"].mean()).tolist()
    return Interval(mean=mean, low=low, high=high)


def report_rows(
    table: pd.DataFrame,
    references: Mapping[str, Scores],
    levels: Mapping[str, Level] | None = None,
    records: Sequence[Record] = (),
) -> Iterator[Row]:
    """Yield the rows of a report from a table of scores: the battery, its families, its extensions, its tasks.

    ``levels`` are those of the tasks, None if unknown; ``records`` have the learning curves.
    """
    groups: list[tuple[Any, str, pd.DataFrame]] = [("battery", "all tasks", table)]
    for kind in ("family", "extension", "task"):
        groups += [(kind, str(name), group) for name, group in table.groupby(kind, sort=False)]
    for kind, name, group in groups:
        tasks = tuple(group["task"].unique())
        known = group[["chance", "ceiling"]].notna().all(axis=None)
        chance, ceiling = group[["chance", "ceiling"]].mean() if known else (None, None)
        means: dict[str, Any] = {measure: mean_interval(group, measure) for measure in ("decision", "trial", "share")}
        beside = {
            reference: float(np.mean([scores[task][0] for task in tasks]))
            for reference, scores in references.items()
            if set(tasks) <= scores.keys()
        }
        others = {one: mean_interval(group, one) for one in MEASURES if one not in ("decision", "trial")}
        yield Row(
            kind=kind, name=name, tasks=tasks, chance=chance, ceiling=ceiling, references=beside,
            levels=mean_levels([levels[task] for task in tasks]) if levels else {},
            others={one: interval for one, interval in others.items() if interval is not None}, **means,
            curve=curve(records, tasks) if kind in ("family", "extension") else (),
        )  # fmt: skip


def mean_levels(levels: Sequence[Level]) -> dict[str, float]:
    """Return the mean decision accuracy of each strategy over some tasks."""
    return {name: float(np.mean([level.values[name]["decision"] for level in levels])) for name in STRATEGIES}
