"""Results of cells as tidy tables: one of scores, one of learning curves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modcog.errors import ModcogError, unknown
from modcog.evaluation.scores import extension
from modcog.experiments.sweeps.cell import Record
from modcog.files import whole_file
from modcog.tasks.names import parse

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = ("arch", "hidden", "density", "seed", "steps", "batch_size", "learning_rate")
"""Settings of a run that have a column; others are in the cell's record."""

NETWORK = ("parameters", "synapses", "wiring_mean")
SCORES = (
    "decision_accuracy", "decision_low", "decision_high", "decision_chance", "decision_ceiling", "decision_share",
    "trial_accuracy", "trial_low", "trial_high", "n_trials",
)  # fmt: skip

FORMATS = ("csv", "parquet")


def results(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each cell and task; a cell that is not finished has one row without a task, and its error.

    Columns: ``cell``, ``status``, ``error``; ``collection`` and the settings of ``SETTINGS``; ``parameters``,
    ``synapses``, ``wiring_mean``; ``trials`` and ``seconds`` of training, ``trials_to_50`` (50, 75, 90, 95 % mean
    decision accuracy on held-out trials; empty where it was not reached); ``task``, ``family``, ``extension``, and the
    scores of the task with 95 % intervals (``_low``, ``_high``), chance, ceiling and share. Accuracies from 0 to 1.
    """
    pandas = _pandas()
    rows = [row for record in records for row in _rows(record)]
    return pandas.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(WHOLE, "Int64"))


def curves(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each evaluation of each cell: ``cell``, ``step``, ``trials``, ``seconds`` and mean accuracies."""
    pandas = _pandas()
    names = ["cell", "step", "trials", "seconds", "decision_accuracy", "trial_accuracy"]
    rows = [{"cell": record["cell"]["name"], **point} for record in records for point in record.get("curve", [])]
    return pandas.DataFrame(rows, columns=names)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as ``.csv`` (floats with 6 digits) or ``.parquet``, whole or not at all.

    Raises:
        ModcogError: for another ending, or if a package is missing.
    """
    kind = path.suffix.lstrip(".")
    if kind not in FORMATS:
        raise unknown("format of a table", kind, FORMATS)
    with whole_file(path) as part:
        if kind == "csv":
            table.to_csv(part, index=False, float_format="%.6g")
            return
        try:
            table.to_parquet(part, index=False)
        except ImportError:
            raise ModcogError("parquet needs the package pyarrow; pip install 'modcog[parquet]'") from None


MILESTONES = ("50", "75", "90", "95")

WHOLE = (
    "hidden", "seed", "steps", "batch_size", "parameters", "synapses", "trials", "n_trials",
    *(f"trials_to_{percent}" for percent in MILESTONES),
)  # fmt: skip
"""Columns of whole numbers, some of which may be missing."""

COLUMNS = [
    "cell", "status", "error", "collection", *SETTINGS, *NETWORK, "trials", "seconds",
    *(f"trials_to_{percent}" for percent in MILESTONES), "task", "family", "extension", *SCORES,
]  # fmt: skip


def _rows(record: Record) -> list[Record]:
    shared = _shared(record)
    scores = record.get("scores") or {}
    return [{**shared, **_task(name), **_score(score)} for name, score in scores.items()] or [shared]


def _shared(record: Record) -> Record:
    cell, config = record["cell"], record["cell"]["config"]
    row: Record = {"cell": cell["name"], "status": record["status"], "error": record["error"]}
    row |= {"collection": cell["tasks"], **{name: config[name] for name in SETTINGS}}
    if "network" in record:
        row |= {name: record["network"].get(name) for name in NETWORK}
    if "progress" in record:
        progress = record["progress"]
        row |= {name: progress[name] for name in ("trials", "seconds")}
        reached = progress["milestones"]
        row |= {f"trials_to_{percent}": reached[percent]["trials"] for percent in MILESTONES if percent in reached}
    return row


def _task(name: str) -> Record:
    spec = parse(name)
    return {"task": name, "family": spec.family, "extension": extension(spec)}


def _score(score: Record) -> Record:
    row = {name: score.get(name) for name in SCORES}
    for kind in ("decision", "trial"):
        row[f"{kind}_low"], row[f"{kind}_high"] = score[f"{kind}_interval"]
    return row


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ModcogError("tables of results need the package pandas; pip install 'modcog[benchmark]'") from None
    return pandas
