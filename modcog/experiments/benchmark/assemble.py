"""From records, levels and references to a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation import levels
from modcog.experiments.benchmark.measure import cost, curve, report_rows, score_table
from modcog.experiments.benchmark.references import comparable, stored
from modcog.experiments.benchmark.report import NetworkResult, Report
from modcog.experiments.sweeps.cell import Record
from modcog.experiments.sweeps.grid import collection_name


def assemble(
    records: Sequence[Record], battery: Battery, ceiling: bool, jobs: int, notes: Iterable[str] = (), **head: Any
) -> Report:
    """Put a report together.

    Args:
        records: of the seeds, at least one of them scored.
        battery: that they were scored on.
        ceiling: compute chance and ceiling where they are not stored.
        jobs: processes that compute them.
        notes: sentences that a reader should know.
        **head: the other fields of ``Report``: name, trained, command, n_trials, score_seed, settings, versions, git.
    """
    known = None
    try:
        known = levels(battery, jobs=jobs) if ceiling else None
    except ModcogError as error:
        notes = [*notes, f"Chance and ceiling are unknown: {error}."]
    scored = [record for record in records if record.get("scores")]
    beside, left_out = comparable(stored(), battery, head["settings"], head["n_trials"], head["score_seed"])
    table = score_table(scored, known)
    return Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        tasks=collection_name(battery.tasks) or list(battery.tasks),
        interval="seeds" if len(scored) > 1 else "trials",
        battery=battery.config.model_dump(mode="json", exclude={"tasks"}),
        seeds=tuple(map(_network_result, records)),
        rows=tuple(report_rows(table, {reference.name: reference.scores for reference in beside})),
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
