"""From records, levels and references to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from modcog.battery import BatteryConfig
from modcog.evaluation import Level
from modcog.evaluation.scores import extension
from modcog.experiments.benchmark import references
from modcog.experiments.benchmark.command import called
from modcog.experiments.benchmark.measured import Measured, Record, cost, curve
from modcog.experiments.benchmark.report import Column, Report, Row, Seed
from modcog.tasks.names import parse


@dataclass(frozen=True)
class Origin:
    """Where the records of a report come from.

    Attributes:
        name: of the network.
        trained: whether it was trained for the report.
        command: that makes the report.
        battery: that it was scored on.
        settings: of training, without the seed; empty if they are not known.
        n_trials: of each task that it was scored on.
        score_seed: of those trials.
        versions: of what the numbers depend on.
        git: state of the working directory.
    """

    name: str
    trained: bool
    command: str
    battery: BatteryConfig
    settings: dict[str, Any]
    n_trials: int
    score_seed: int
    versions: dict[str, str]
    git: dict[str, Any] | None


def assemble(
    origin: Origin,
    records: Sequence[Record],
    levels: Mapping[str, Level] | None,
    known: Sequence[references.Reference],
    notes: Iterable[str] = (),
) -> Report:
    """Put a report together.

    Args:
        origin: what it is about.
        records: of the seeds, at least one of them scored.
        levels: chance and ceiling of the tasks; None: not known.
        known: reference networks, of which those are shown that fit.
        notes: what else a reader should know, in sentences.
    """
    scored = [record for record in records if record.get("scores")]
    measured = Measured(scored, levels)
    shown, left = references.columns(known, origin.battery, origin.settings, origin.n_trials, origin.score_seed)
    return Report(
        name=origin.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        trained=origin.trained,
        command=origin.command,
        tasks=called(origin.battery.tasks),
        n_trials=origin.n_trials,
        score_seed=origin.score_seed,
        interval="seeds" if len(scored) > 1 else "trials",
        settings=origin.settings,
        battery=origin.battery.model_dump(mode="json", exclude={"tasks"}),
        versions=origin.versions,
        git=origin.git,
        seeds=tuple(_seed(record) for record in records),
        rows=tuple(_row(kind, name, tasks, measured, shown) for kind, name, tasks in groups(measured.tasks)),
        cost=cost(scored),
        curve=curve(scored),
        references=tuple(shown),
        notes=(*notes, *left),
    )


def groups(tasks: Sequence[str]) -> list[tuple[Any, str, tuple[str, ...]]]:
    """Kind, name and tasks of every row: the battery, its families, its extensions, its tasks."""
    found: dict[tuple[str, str], list[str]] = {("battery", "all tasks"): list(tasks)}
    for kind, group in (("family", lambda spec: spec.family), ("extension", extension)):
        for spec in map(parse, tasks):
            found.setdefault((kind, group(spec)), []).append(spec.name)
    found |= {("task", task): [task] for task in tasks}
    return [(kind, name, tuple(members)) for (kind, name), members in found.items()]


def _row(kind: Any, name: str, tasks: tuple[str, ...], measured: Measured, beside: Sequence[Column]) -> Row:
    chance, ceiling = measured.level(tasks)
    return Row(
        kind=kind,
        name=name,
        tasks=tasks,
        decision=measured.accuracy("decision", tasks),
        trial=measured.accuracy("trial", tasks),
        chance=chance,
        ceiling=ceiling,
        share=measured.share(tasks),
        references={
            column.name: sum(column.scores[task][0] for task in tasks) / len(tasks)
            for column in beside
            if set(tasks) <= set(column.scores)
        },
    )


def _seed(record: Record) -> Seed:
    """One network's part of the report."""
    scores = {
        task: (score["decision_accuracy"], score["trial_accuracy"]) for task, score in record.get("scores", {}).items()
    }
    alone = Measured([record], None) if scores else None
    return Seed(
        name=record["cell"]["name"],
        seed=record["cell"]["config"].get("seed"),
        status=record["status"],
        error=record["error"],
        decision=alone.accuracy("decision", alone.tasks).mean if alone else None,
        trial=alone.accuracy("trial", alone.tasks).mean if alone else None,
        cost=cost([record]),
        curve=curve([record]),
        scores=scores,
    )
