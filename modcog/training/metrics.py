"""Metrics of a run: a line of JSON per evaluation, and TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from modcog.evaluation.scores import Scores
from modcog.files import whole_file
from modcog.training.checkpoint import Progress

METRICS = "metrics.jsonl"
SCORES = ("decision_accuracy", "trial_accuracy", "decision_accuracy_per_task", "trial_accuracy_per_task")
"""Names of the scores that are kept of an evaluation."""


def scores_record(scores: Scores) -> dict[str, Any]:
    """Return scores as plain values, under the names in ``SCORES``."""
    values = (scores.decision_accuracy, scores.trial_accuracy, scores.per_task(), scores.trial_accuracy_per_task())
    return dict(zip(SCORES, values, strict=True))


class Metrics:
    """Writer of ``metrics.jsonl`` and TensorBoard events; to be closed, as by ``contextlib.closing``.

    Args:
        folder: folder of the run.
        step: step that the run resumes from, −1 for a new one; later records of an interrupted run are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        kept = [record for record in read_metrics(folder) if record["step"] <= step]
        with whole_file(folder / METRICS) as part:
            part.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self._file = (folder / METRICS).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, progress: Progress, rate: float, scores: dict[str, Any]) -> None:
        """Add an evaluation: progress of the run, learning rate, and scores from ``scores_record``."""
        done = {name: getattr(progress, name) for name in ("step", "trials", "seconds", "loss")}
        record = {**done, "learning_rate": rate, **scores}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        for name, value in record.items():
            for key, number in value.items() if isinstance(value, dict) else [("", value)]:
                if name != "step" and number is not None:
                    self._board.add_scalar(f"{name}/{key}".rstrip("/"), number, progress.step)
        self._board.flush()

    def close(self) -> None:
        """Close both files."""
        self._file.close()
        self._board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the evaluations of a run, in order; a line that was cut off and all after it are left out."""
    path = folder / METRICS
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
