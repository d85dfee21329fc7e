"""Metrics of a run: a line of JSON per evaluation, and TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from modcog.evaluation.scores import Scores
from modcog.files import whole_file
from modcog.training.checkpoint import Progress

SCORES = ("decision_accuracy", "trial_accuracy", "decision_accuracy_per_task", "trial_accuracy_per_task")
"""What is kept of an evaluation."""


def scores_record(scores: Scores) -> dict[str, Any]:
    """Scores as plain values, under the names in ``SCORES``."""
    values = (scores.decision_accuracy, scores.trial_accuracy, scores.per_task(), scores.trial_accuracy_per_task())
    return dict(zip(SCORES, values, strict=True))


class Metrics:
    """Writes ``metrics.jsonl`` and TensorBoard events into the folder of a run.

    Args:
        folder: of the run.
        step: the step the run goes on from, −1 for a new one; what an interrupted run wrote after it is dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / "metrics.jsonl"
        kept = [record for record in read_metrics(folder) if record["step"] <= step]
        with whole_file(self.path) as part:
            part.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, progress: Progress, rate: float, scores: dict[str, Any]) -> None:
        """Add one evaluation: how far the run is, the learning rate, and the scores as ``scores_record`` gives them."""
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

    def __enter__(self) -> Metrics:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The evaluations of a run, in order; a line that was cut off is left out."""
    path = folder / "metrics.jsonl"
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
