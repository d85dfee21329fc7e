"""One cell of a sweep: train it or resume it, score it, and record the result or the failure."""

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
from modcog.evaluation import evaluate
from modcog.evaluation.ceilings import stored
from modcog.experiments.sweeps.grid import Cell
from modcog.files import write_json
from modcog.training.config import MACHINE_SETTINGS
from modcog.user_code import FAILURES, error_text

RESULT = "result.json"

DONE = ("finished", "reached")
"""Statuses of a cell that is not run again."""

Record = dict[str, Any]


def run_cell(cell: Cell) -> Record:
    """Train and score a cell, unless that has been done; a failure is recorded, not raised.

    Returns:
        The content of its ``result.json``: ``status``, ``error`` (one line if the cell failed, else None), ``cell``
        (its description), ``network`` (figures of ``modcog.models.measure``), ``progress``, ``curve`` and ``scores``.
    """
    if (known := finished_record(cell)) is not None:
        return known
    try:
        record = _train_and_score(cell)
    except FAILURES as error:  # the cell may run a user's code, which must not end the sweep
        return record_failure(cell, one_line(error) if isinstance(error, ModcogError) else error_text(error))
    if record["status"] == "interrupted":
        return record
    write_json(cell.config.out / RESULT, record)
    return read_result(cell.config.out) or record  # with lists for tuples, as a later sweep reads it


def record_failure(cell: Cell, error: str) -> Record:
    """Write and return the record of a cell that failed; a finished result in its folder is kept."""
    record: Record = {"status": "failed", "error": error, "cell": describe_cell(cell)}
    known = read_result(cell.config.out)
    if known is None or known["status"] not in DONE:
        with suppress(OSError):  # the folder may be the reason of the failure
            write_json(cell.config.out / RESULT, record)
    return record


def finished_record(cell: Cell) -> Record | None:
    """Return the result of a finished cell that was scored on the trials which the cell asks for; else None."""
    record = read_result(cell.config.out)
    if record is None or record["status"] not in DONE:
        return None
    return record if record["cell"] == describe_cell(cell) else None


def read_result(folder: Path) -> Record | None:
    """Read a cell's ``result.json``; None if there is none that can be read."""
    try:
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return record if {"status", "cell"} <= record.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def describe_cell(cell: Cell) -> Record:
    """Return a cell as JSON, without its folder and the machine that it is run on."""
    config = cell.config.model_dump(mode="json", exclude={"out", *MACHINE_SETTINGS})
    trials = {"n_trials": cell.n_trials, "score_seed": cell.score_seed}
    return {"name": cell.name, "tasks": cell.tasks, "config": config, **trials}


def _train_and_score(cell: Cell) -> Record:
    import torch

    from modcog.training import train

    threads = torch.get_num_threads()
    try:
        # Another sweep may be training this cell: wait for as long as it takes, then find it done.
        run = train(cell.config, resume=True, progress_bar=False, wait=math.inf)
    finally:
        torch.set_num_threads(threads)  # the cell may have set its own number in the user's process
    if (step := run.record["progress"]["step"]) > cell.config.steps:
        raise ModcogError(f"{run.folder} was trained for {step} updates instead of {cell.config.steps}; move it away")
    record: Record = {"status": run.status, "error": None, "cell": describe_cell(cell)}
    if run.status not in DONE:
        return record
    return {**record, **score_run(run.folder, cell.n_trials, cell.score_seed), "progress": run.record["progress"]}


def score_run(folder: Path, n_trials: int, seed: int) -> Record:
    """Return ``network``, ``scores`` and ``curve`` of a training run."""
    from modcog.training import load_model
    from modcog.training.metrics import read_metrics

    model = load_model(folder)
    fields = ("step", "trials", "seconds", "decision_accuracy", "trial_accuracy")
    curve = [{name: record[name] for name in fields} for record in read_metrics(folder)]
    return {**score_network(model, model.battery, n_trials, seed), "curve": curve}  # type: ignore[arg-type]


def score_network(predict: Any, battery: Battery, n_trials: int, seed: int) -> Record:
    """Return ``scores`` of a network, and ``network``, its figures, which are empty unless it is a torch module."""
    from torch import nn

    from modcog.models import measure

    network = asdict(measure(predict)) if isinstance(predict, nn.Module) else {}
    table = evaluate(predict, battery, n_trials, seed).table(_stored_levels(battery))
    return {"network": network, "scores": {task: asdict(table[task]) for task in battery.tasks}}


def _stored_levels(battery: Battery) -> Mapping[str, Any] | None:
    """Chance and ceiling of the tasks if they are stored; computing them would take minutes."""
    known = stored().get(battery.settings.model_dump_json(), {})
    return known if set(battery.tasks) <= set(known) else None
