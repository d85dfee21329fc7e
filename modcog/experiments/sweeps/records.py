"""The record of a cell: what ``result.json`` holds, how it is made and how it is read again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation import evaluate
from modcog.evaluation.ceilings import stored
from modcog.evaluation.scores import Scores
from modcog.experiments.sweeps.grid import Cell
from modcog.experiments.sweeps.results import CURVE_COLUMNS, Record
from modcog.files import write_json
from modcog.training.config import MACHINE_SETTINGS, decisive
from modcog.training.record import Accuracy, Point, Progress
from modcog.validation import read_record

RESULT = "result.json"

DONE = ("finished", "reached")
"""Statuses of a cell that is not run again."""


class TaskScores(BaseModel, extra="allow"):
    """The scores of a task, as ``Score.as_dict`` gives them; those below are needed."""

    decision_accuracy: Accuracy
    trial_accuracy: Accuracy
    decision_interval: tuple[float, float]
    trial_interval: tuple[float, float]
    n_trials: int


class Result(BaseModel):
    """Content of ``result.json``. A cell that failed has neither scores nor what belongs to them."""

    status: str
    error: str | None
    cell: Record
    network: dict[str, float | None] = {}
    progress: Progress = Progress()
    curve: list[Point] = []
    scores: dict[str, TaskScores] = {}


def write_result(cell: Cell, record: Record) -> Record:
    """Write the ``result.json`` of a cell, and return what a later sweep will read."""
    write_json(cell.config.out / RESULT, record)
    return read_result(cell.config.out) or record  # with lists for tuples


def record_failure(cell: Cell, error: str) -> Record:
    """Write and return the record of a cell that failed; a finished result in its folder is kept."""
    record: Record = {"status": "failed", "error": error, "cell": describe_cell(cell)}
    known = read_result(cell.config.out)
    if known is None or known["status"] not in DONE:
        with suppress(OSError):  # the folder may be the reason of the failure
            write_json(cell.config.out / RESULT, record)
    return record


def unfinished(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells that a sweep would run."""
    return [cell for cell in cells if finished_record(cell) is None]


def finished_record(cell: Cell) -> Record | None:
    """Return the result of a finished cell that was scored on the trials which the cell asks for; else None."""
    record = read_result(cell.config.out)
    if record is None or record["status"] not in DONE or _deciding(record["cell"]) != _deciding(describe_cell(cell)):
        return None
    return record if record.get("scores", {}).keys() == set(cell.config.tasks) else None


def _deciding(described: Record) -> Record:
    """Return the part of a cell's description that decides its result, whichever version wrote it."""
    config = described.get("config")
    return {**described, "config": decisive(config) if isinstance(config, dict) else None}


def read_result(folder: Path) -> Record | None:
    """Read a cell's ``result.json``; None if there is none that can be read, so that the cell is scored again."""
    try:
        result: Result = read_record(folder / RESULT, Result)
    except ModcogError:
        return None
    return result.model_dump(mode="json", exclude_unset=True)


def describe_cell(cell: Cell) -> Record:
    """Return a cell as JSON, without its folder and the machine that it is run on."""
    config = cell.config.model_dump(mode="json", exclude={"out", *MACHINE_SETTINGS})
    return {field.name: getattr(cell, field.name) for field in fields(cell)} | {"config": config}


def score_run(folder: Path, n_trials: int, seed: int, trust: bool = False, scores: Scores | None = None) -> Record:
    """Return ``network``, ``scores``, ``curve`` and ``progress`` of a training run, at its newest checkpoint.

    ``scores`` are those on these trials, if they are known.
    """
    from modcog.training.metrics import read_metrics
    from modcog.training.run import load_run

    model, progress = load_run(folder, trust)
    curve = [{name: record.get(name) for name in CURVE_COLUMNS[1:]} for record in read_metrics(folder)]
    scored = score_network(model, model.battery, n_trials, seed, scores)  # type: ignore[arg-type]
    return {**scored, "curve": curve, "progress": asdict(progress)}


def score_network(predict: Any, battery: Battery, n_trials: int, seed: int, scores: Scores | None = None) -> Record:
    """Return ``scores`` of a network, and ``network``, its figures, which are empty unless it is a torch module."""
    from torch import nn

    from modcog.models import measure

    network = asdict(measure(predict)) if isinstance(predict, nn.Module) else {}
    known = stored().get(battery.settings.model_dump_json(), {})  # computing chance and ceiling would take minutes
    levels = known if set(battery.tasks) <= known.keys() else None
    scores = evaluate(predict, battery, n_trials, seed) if scores is None else replace(scores, battery=battery)
    table = scores.table(levels)
    return {"network": network, "scores": {task: table[task].as_dict() for task in battery.tasks}}
