"""One cell of a sweep: train it or go on, score it, and keep the result; whatever goes wrong is a result too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError, one_line
from modcog.experiments.sweeps.grid import Cell
from modcog.files import write_json
from modcog.training.config import MACHINE_SETTINGS
from modcog.user_code import FAILURES, error_text

RESULT = "result.json"

DONE = ("finished", "reached")
"""Statuses of a cell that is not run again."""

Record = dict[str, Any]


def run_cell(cell: Cell) -> Record:
    """Train and score a cell, unless that is done; runs in a worker.

    Returns:
        What is in its ``result.json``: ``status``, ``error`` (in one line, of a cell that failed), ``cell`` (what it
        was), ``network`` (figures of ``modcog.models.measure``), ``progress``, ``curve`` and ``scores``.
    """
    if (known := finished(cell)) is not None:
        return known
    try:
        record = _run(cell)
    except FAILURES as error:  # the other cells go on
        return failed(cell, one_line(error) if isinstance(error, ModcogError) else error_text(error))
    if record["status"] == "interrupted":
        return record
    write_json(cell.config.out / RESULT, record)
    return read_result(cell.config.out) or record  # as the next sweep will read it


def lost_cell(cell: Cell) -> Record:
    """The record of a cell whose process is killed whenever it is run."""
    return failed(cell, "the process that trained it was killed, perhaps for lack of memory")


def failed(cell: Cell, error: str) -> Record:
    """The record of a cell that failed. It is written unless there is a result, which would be worth more."""
    record: Record = {"status": "failed", "error": error, "cell": about(cell)}
    known = read_result(cell.config.out)
    if known is None or known["status"] not in DONE:
        with suppress(OSError):  # it may be what went wrong
            write_json(cell.config.out / RESULT, record)
    return record


def finished(cell: Cell) -> Record | None:
    """The result of a cell that is done, scored on the trials that the cell names; else None."""
    record = read_result(cell.config.out)
    if record is None or record["status"] not in DONE:
        return None
    return record if _decisive(record["cell"]) == _decisive(about(cell)) else None


def read_result(folder: Path) -> Record | None:
    """A cell's ``result.json``, or None if there is none that can be read."""
    try:
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return record if {"status", "cell"} <= record.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def about(cell: Cell) -> Record:
    """What a cell is, as its result says."""
    config = json.loads(cell.config.model_dump_json(exclude={"out"}))
    trials = {"n_trials": cell.n_trials, "score_seed": cell.score_seed}
    return {"name": cell.name, "tasks": cell.tasks, "config": config, **trials}


def _decisive(cell: Record) -> Record:
    """What a cell is, without where it ran."""
    config = {name: value for name, value in cell["config"].items() if name not in MACHINE_SETTINGS}
    return {**cell, "config": config}


def _run(cell: Cell) -> Record:
    import torch

    from modcog.training import train

    threads = torch.get_num_threads()
    try:
        run = train(cell.config, resume=True, progress_bar=False, wait=math.inf)  # for another sweep with this cell
    finally:
        torch.set_num_threads(threads)  # the cell's own number may be another, and this process may be the user's
    if (step := run.record["progress"]["step"]) > cell.config.steps:
        raise ModcogError(f"{run.folder} was trained for {step} updates instead of {cell.config.steps}; move it away")
    record: Record = {"status": run.status, "error": None, "cell": about(cell)}
    if run.status not in DONE:
        return record
    return {**record, **score_run(run.folder, cell.n_trials, cell.score_seed), "progress": run.record["progress"]}


def score_run(folder: Path, n_trials: int, seed: int) -> Record:
    """``network``, ``scores`` and ``curve`` of a run."""
    from modcog.training import load_model
    from modcog.training.metrics import read_metrics

    model = load_model(folder)
    found = score_network(model, model.battery, n_trials, seed)  # type: ignore[arg-type]
    fields = ("step", "trials", "seconds", "decision_accuracy", "trial_accuracy")
    curve = [{name: record[name] for name in fields} for record in read_metrics(folder)]
    return {**found, "curve": curve}


def score_network(predict: Any, battery: Battery, n_trials: int, seed: int) -> Record:
    """``network`` (of a torch module) and ``scores`` of a network."""
    from torch import nn

    from modcog.evaluation import evaluate
    from modcog.models import measure

    network = asdict(measure(predict)) if isinstance(predict, nn.Module) else {}
    table = evaluate(predict, battery, n_trials, seed).table(_levels(battery))
    return {
        "network": network,
        "scores": {task: asdict(score) for task, score in table.items() if task in battery.tasks},
    }


def _levels(battery: Battery) -> Mapping[str, Any] | None:
    """Chance and ceiling of the tasks, where they are known without computing for minutes."""
    from modcog.evaluation.ceilings import stored

    known = stored().get(battery.settings.model_dump_json(), {})
    return known if set(battery.tasks) <= set(known) else None
