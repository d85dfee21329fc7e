"""Results of cells as tidy tables: one of scores, one of learning curves."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.evaluation.scores import extension
from modcog.experiments.sweeps.grid import arm_name
from modcog.files import whole_file
from modcog.tasks.names import parse
from modcog.user_code import failures_as
from modcog.validation import check_file

Record = dict[str, Any]
"""Content of a cell's ``result.json``; see ``runner.run_cell``."""

MILESTONES = ("50", "75", "90", "95")
"""Mean decision accuracies in percent."""

THRESHOLDS = MILESTONES[:3]
"""Those to which claims and reports count trials of training."""

TRIALS_TO = tuple(f"trials_to_{percent}" for percent in MILESTONES)

COLUMNS = [
    "cell", "status", "error", "collection", "rules", "arm",
    "arch", "hidden", "density", "seed", "steps", "batch_size", "learning_rate",  # a run's record has all settings
    "parameters", "synapses", "wiring_mean", "trials", "seconds", *TRIALS_TO, "task", "family", "extension",
    *(column for kind, one in MEASURES.items()
      for column in (one.column, *(f"{kind}_{part}" for part in ("low", "high", "chance", "ceiling", "share")))),
    "n_trials",
]  # fmt: skip

CURVE_COLUMNS = ["cell", "step", "trials", "seconds", *(one.column for one in MEASURES.values())]

WHOLE = ("hidden", "seed", "steps", "batch_size", "parameters", "synapses", "trials", "n_trials", *TRIALS_TO)
"""Columns of whole numbers, some of which may be missing."""


def results(records: Iterable[Record]) -> pd.DataFrame:
    """Return a table with a row for each cell and task; an unfinished cell has one row, without a task.

    Columns: ``cell``, ``status``, ``error``; ``collection``, ``rules``, ``arm`` (the network) and the main settings;
    ``parameters``, ``synapses``, ``wiring_mean``; ``trials`` and ``seconds`` of training; ``trials_to_50`` (50, 75, 90,
    95 % mean decision accuracy on held-out trials; empty where it was not reached); ``task``, ``family``,
    ``extension``, and all measures of the task (``decision_accuracy``, ``angular_error`` in degrees, …) with 95 %
    intervals (``decision_low``, ``decision_high``), ``_chance``, ``_ceiling`` and ``_share``. Accuracies are from 0
    to 1.
    """
    rows = []
    for record in records:
        cell, network, progress = record["cell"], record.get("network", {}), record.get("progress", {})
        run = {"cell": cell["name"], "status": record["status"], "error": record["error"]}
        config = cell["config"]
        run |= {"collection": cell.get("tasks"), **config, **network}
        if "arch" in config:  # not that of a network from elsewhere
            run["rules"] = config["battery"].get("rules", "corrected")
            run["arm"] = arm_name(config["arch"], config["density"], config["hidden"], config["model"])
        run |= {name: progress.get(name) for name in ("trials", "seconds")}
        run |= {f"trials_to_{percent}": at["trials"] for percent, at in progress.get("milestones", {}).items()}
        scores = record.get("scores") or {}
        for task, score in scores.items():
            spec = parse(task)
            own = {"task": task, "family": spec.family, "extension": extension(spec)}
            for kind in MEASURES:
                own[f"{kind}_low"], own[f"{kind}_high"] = score.get(f"{kind}_interval") or (None, None)
            rows.append({**run, **score, **own})
        if not scores:
            rows.append(run)
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(WHOLE, "Int64"))


def curves(records: Iterable[Record]) -> pd.DataFrame:
    """Return a table with a row for each evaluation of each cell.

    Columns: ``cell``, ``step``, ``trials``, ``seconds``, and the means of all measures over the tasks.
    """
    rows = [{"cell": record["cell"]["name"], **point} for record in records for point in record.get("curve", [])]
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def read_table(path: Path, columns: Iterable[str], **options: Any) -> pd.DataFrame:
    """Read one of these tables from a ``.csv`` or ``.csv.gz`` file; ``options`` are those of pandas.

    Raises:
        ModcogError: if it cannot be read, or lacks one of ``columns``, naming it.
    """
    check_file(path)
    with failures_as(f"{path} is damaged"):
        table = pd.read_csv(path, compression="gzip" if path.suffix == ".gz" else None, **options)
    if lacking := [name for name in columns if name not in table]:
        raise ModcogError(f"{path} is damaged: it has no column {', '.join(lacking)}")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as ``.csv`` (floats with 6 digits), ``.csv.gz`` or ``.parquet``, whole or not at all.

    The bytes of a ``.csv.gz`` depend on the table alone, not on the time or the name.
    """
    with whole_file(path) as part:
        if path.suffix == ".parquet":
            table.to_parquet(part, index=False)
            return
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
        with part.open("wb") as file:
            if path.suffix != ".gz":
                file.write(text)
                return
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                packed.write(text)
