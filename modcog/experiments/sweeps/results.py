"""Results of cells as tidy tables: one of scores, one of learning curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from modcog.errors import unknown
from modcog.evaluation.scores import extension
from modcog.experiments.sweeps.cell import Record
from modcog.extras import missing_extra
from modcog.files import whole_file
from modcog.tasks.names import parse

SETTINGS = ("arch", "hidden", "density", "seed", "steps", "batch_size", "learning_rate")
"""Settings of a run that have a column; its record has all."""

NETWORK = ("parameters", "synapses", "wiring_mean")

MILESTONES = ("50", "75", "90", "95")
"""Mean decision accuracies in percent."""

TRIALS_TO = tuple(f"trials_to_{percent}" for percent in MILESTONES)

COLUMNS = [
    "cell", "status", "error", "collection", *SETTINGS, *NETWORK, "trials", "seconds", *TRIALS_TO,
    "task", "family", "extension",
    "decision_accuracy", "decision_low", "decision_high", "decision_chance", "decision_ceiling", "decision_share",
    "trial_accuracy", "trial_low", "trial_high", "n_trials",
]  # fmt: skip

WHOLE = ("hidden", "seed", "steps", "batch_size", "parameters", "synapses", "trials", "n_trials", *TRIALS_TO)
"""Columns of whole numbers, some of which may be missing."""


def results(records: Iterable[Record]) -> pd.DataFrame:
    """Return a table with a row for each cell and task; an unfinished cell has one row, without a task.

    Columns: ``cell``, ``status``, ``error``; ``collection`` and the settings of ``SETTINGS``; ``parameters``,
    ``synapses``, ``wiring_mean``; ``trials`` and ``seconds`` of training, ``trials_to_50`` (50, 75, 90, 95 % mean
    decision accuracy on held-out trials; empty where it was not reached); ``task``, ``family``, ``extension``, and the
    scores of the task with 95 % intervals (``_low``, ``_high``), chance, ceiling and share. Accuracies from 0 to 1.
    """
    rows = [row for record in records for row in _rows(record)]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(WHOLE, "Int64"))


def _rows(record: Record) -> Iterator[Record]:
    cell, network, progress = record["cell"], record.get("network", {}), record.get("progress", {})
    run = {"cell": cell["name"], "status": record["status"], "error": record["error"], "collection": cell.get("tasks")}
    run |= {name: cell["config"].get(name) for name in SETTINGS} | {name: network.get(name) for name in NETWORK}
    run |= {name: progress.get(name) for name in ("trials", "seconds")}
    run |= {f"trials_to_{percent}": at["trials"] for percent, at in progress.get("milestones", {}).items()}
    if not record.get("scores"):
        yield run
        return
    for task, score in record["scores"].items():
        spec = parse(task)
        ends = {f"{kind}_{end}": value for kind in ("decision", "trial")
                for end, value in zip(("low", "high"), score[f"{kind}_interval"], strict=True)}  # fmt: skip
        yield {**run, **score, **ends, "task": task, "family": spec.family, "extension": extension(spec)}


def curves(records: Iterable[Record]) -> pd.DataFrame:
    """Return a table with a row for each evaluation of each cell.

    Columns: ``cell``, ``step``, ``trials``, ``seconds``, and the mean accuracies over the tasks.
    """
    names = ["cell", "step", "trials", "seconds", "decision_accuracy", "trial_accuracy"]
    rows = [{"cell": record["cell"]["name"], **point} for record in records for point in record.get("curve", [])]
    return pd.DataFrame(rows, columns=names)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as ``.csv`` (floats with 6 digits) or ``.parquet``, whole or not at all.

    Raises:
        UnknownNameError: for another ending.
        ModcogError: if the package that the format needs is not installed.
    """
    kind = path.suffix.lstrip(".")
    if kind not in ("csv", "parquet"):
        raise unknown("format of a table", kind, ("csv", "parquet"))
    with whole_file(path) as part:
        if kind == "csv":
            table.to_csv(part, index=False, float_format="%.6g")
            return
        try:
            table.to_parquet(part, index=False)
        except ImportError as error:
            raise missing_extra("parquet", "a table in parquet", str(error.name or "pyarrow")) from None
