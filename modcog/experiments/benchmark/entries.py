"""Entries of the leaderboard: what a file holds, how it is read and written, and where the stored ones are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from modcog.evaluation.measures import MEASURES
from modcog.experiments.benchmark.report import ReportModel
from modcog.experiments.sweeps.results import THRESHOLDS, Record
from modcog.files import write_text
from modcog.training.record import Accuracy, Angle, Count
from modcog.validation import read_record

FORMAT = 1
"""Version of the form of a file."""

HERE = Path(__file__).parent / "leaderboard"
"""Folder of the stored entries in an installed package."""

FOLDER = HERE if HERE.is_dir() else Path(__file__).parents[3] / "docs" / "leaderboard"
"""Folder of the stored entries: that of the installed package, or in a clone the one that the package is made from."""

DIGITS = 5
"""Digits after the point that accuracies are stored with."""

Line = Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text."""


class TaskScores(NamedTuple):
    """Scores of one network on one task; the names are those of ``MEASURES``, None where one is undefined.

    A file has them as a list in this order.
    """

    decision: Accuracy
    trial: Accuracy
    last_step: Accuracy
    directional: Accuracy
    angular_error: Angle | None
    unanswered: Accuracy | None


class EntryRun(ReportModel):
    """One network of an entry."""

    seed: Count
    scores: dict[str, TaskScores] = Field(description="Scores by task.")
    curve: tuple[tuple[Count, Accuracy], ...] = Field(
        description="Trials of training and mean decision accuracy on held-out trials, from 0 to the whole budget."
    )
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="Seconds of training.")


class Search(ReportModel):
    """Runs that chose the learning rate: whole ones, of a seed that no network of the entry has."""

    seed: Count
    scores: dict[str, Accuracy] = Field(
        description="Mean decision accuracy with each rate; 0 of a run that failed, as one that diverges does."
    )


class Code(ReportModel):
    """Address and hash of the code of a network, and the software and hardware that ran it."""

    address: Line | None = Field(description="Address of the repository, of a commit or of a paper; None: unpublished.")
    file_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        description="Hash of the file that the network is made by; None: of this package."
    )
    versions: dict[str, Line] = Field(description="Versions of this package and of those that it stands on.")
    cpu: Line = Field(description="Processor or device, of which the seconds are.")


class Entry(ReportModel):
    """One network on the leaderboard: how it was trained, and what each of its seeds scores on each task."""

    format: int = FORMAT
    protocol: Line
    protocol_digest: Line = Field(description="Hash of all that the protocol fixes.")
    name: Annotated[Line, Field(min_length=1)]
    by: Line = Field(description="Authors of the entry.")
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    code: Code
    settings: dict[str, Any] = Field(description="Settings of training, without seed and machine.")
    search: Search | None = Field(description="None: the learning rate was given.")
    parameters: Count
    synapses: Count | None
    measures: tuple[
        Literal["decision"],
        Literal["trial"],
        Literal["last_step"],
        Literal["directional"],
        Literal["angular_error"],
        Literal["unanswered"],
    ] = TaskScores._fields  # type: ignore[assignment]
    means: TaskScores = Field(description="Means over tasks, then over seeds.")
    runs: tuple[EntryRun, ...] = Field(min_length=1)

    def records(self) -> list[Record]:
        """Return a record for each seed, as a sweep leaves it, but for intervals over trials."""
        network = {"parameters": self.parameters, "synapses": self.synapses}
        return [
            {
                "status": "finished", "error": None, "network": network,
                "cell": {"name": f"{self.name}, seed {run.seed}", "config": {"seed": run.seed}},
                "progress": {
                    "trials": run.curve[-1][0], "seconds": run.seconds,
                    "milestones": {
                        percent: {"trials": reached[0]}
                        for percent in THRESHOLDS
                        if (reached := [trials for trials, value in run.curve if 100 * value >= int(percent)])
                    },
                },
                "scores": {
                    task: {MEASURES[kind].column: value for kind, value in one._asdict().items()}
                    for task, one in run.scores.items()
                },
                "curve": [{"trials": trials, "decision_accuracy": value} for trials, value in run.curve],
            }
            for run in self.runs
        ]  # fmt: skip


def mean_scores(runs: Sequence[EntryRun]) -> TaskScores:
    """Return the means over the tasks of each run, then over the runs; tasks where a measure is undefined are left out.

    All are rounded to the digits of a file.
    """

    def mean(kind: str) -> float | None:
        of_runs = [[getattr(one, kind) for one in run.scores.values()] for run in runs]
        known = [[value for value in values if value is not None] for values in of_runs]
        return round(float(np.mean([np.mean(values) for values in known])), DIGITS) if all(known) else None

    return TaskScores(**{kind: mean(kind) for kind in TaskScores._fields})  # type: ignore[arg-type]


def read_entry(path: str | Path) -> Entry:
    """Read an entry from a file.

    Raises:
        ModcogError: if it cannot be read or is of another form, naming what is wrong.
    """
    return read_record(Path(path), Entry)


def write_entry(entry: Entry, path: str | Path) -> None:
    """Write an entry to a file, the scores of a task on one line."""
    text = json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False)
    inner = re.compile(r"[\[{]\n\s+[^\[\]{}]*?[\]}]")
    text = inner.sub(lambda part: re.sub(r"\n\s*", " ", part[0]), text)
    write_text(Path(path), text + "\n")


def find_entries(folder: str | Path = FOLDER) -> tuple[Path, ...]:
    """Return the files of a folder that hold entries, in the order of their names."""
    return tuple(sorted(Path(folder).glob("*.json")))


@lru_cache(maxsize=1)
def stored_entries() -> dict[str, Entry]:
    """Return the entries that come with the package, by the name of the file."""
    return {path.name: read_entry(path) for path in find_entries()}
