"""Metrics of a run: a line of JSON per evaluation, TensorBoard, and pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from modcog.battery import Battery
from modcog.colours import EXTENSIONS
from modcog.errors import ModcogError
from modcog.evaluation.ceilings import Level, rough_levels
from modcog.evaluation.measures import MEASURES
from modcog.evaluation.scores import Scores, extension
from modcog.files import naming, whole_file
from modcog.tasks.names import known_tasks, parse
from modcog.training.record import Evaluation
from modcog.validation import parse_record, read_text

METRICS = "metrics.jsonl"
PER_TASK = ("decision", "trial", "directional")
"""Measures that are kept of each task; of all, the mean over the tasks is."""

LEVELS: dict[str, Any] = {"chance": (0, (1, 1)), "ceiling": "-"}
"""Levels that the pictures show, and their lines."""

PROGRESS = ("step", "trials", "seconds", "loss", "learning_rate")
"""Names in a record of an evaluation that are no scores."""


def summarize(scores: Scores) -> dict[str, Any]:
    """Return what is kept of an evaluation: means of all measures, and some of each task; None: undefined."""
    means = {one.column: None if np.isnan(mean := scores.mean(kind)) else mean for kind, one in MEASURES.items()}
    return means | {f"{MEASURES[kind].column}_per_task": scores.per_task(kind) for kind in PER_TASK}


def write_metrics(folder: Path, evaluations: Iterable[Evaluation]) -> None:
    """Write the ``metrics.jsonl`` of a whole run."""
    _write(folder / METRICS, map(asdict, evaluations))


def _write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    records = list(records)  # they may come from the same file
    with whole_file(path) as part:
        part.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


class Metrics:
    """Writer of ``metrics.jsonl`` and TensorBoard events; to be closed, as by ``contextlib.closing``.

    Args:
        folder: folder of the run.
        step: step that the run resumes from, −1 for a new one; later records of an interrupted run are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        self._path = folder / METRICS
        _write(self._path, (record for record in read_metrics(folder) if record["step"] <= step))
        self._file = self._path.open("a", encoding="utf-8")
        with naming(folder / "tensorboard"):
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, evaluation: Evaluation) -> None:
        """Add an evaluation."""
        record = asdict(evaluation)
        with naming(self._path):
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        with naming(Path(self._board.log_dir)):
            for name, value in record.items():
                for key, number in value.items() if isinstance(value, dict) else [("", value)]:
                    if name != "step" and number is not None:
                        self._board.add_scalar(f"{name}/{key}".rstrip("/"), number, evaluation.step)
            self._board.flush()

    def close(self) -> None:
        """Close both files."""
        try:
            with naming(self._path):
                self._file.close()
        finally:
            with naming(Path(self._board.log_dir)):
                self._board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the evaluations of a run, in order; a last line that was cut off is left out.

    Raises:
        ModcogError: if the file cannot be read or a line is no evaluation of the same tasks, naming the line.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    *lines, _ = read_text(path).split("\n")
    found, known = list[Evaluation](), set(known_tasks())
    for number, line in enumerate(lines, 1):
        source = f"line {number} of {path}"
        found.append(one := parse_record(line, Evaluation, source))
        if not one.decision_accuracy_per_task.keys() == found[0].decision_accuracy_per_task.keys() <= known:
            raise ModcogError(f"{source} is damaged: its tasks are unknown or others than in the first line")
    return [asdict(one) for one in found]


def draw_run(folder: Path, battery: Battery) -> None:
    """Draw ``learning_curve.png`` and ``tasks.png`` into the folder of a run, from its metrics."""
    if not (records := read_metrics(folder)):
        return
    known = levels_to_draw(battery)
    for name, figure in (
        ("learning_curve.png", learning_curve(records, known)),
        ("tasks.png", per_task(records[-1], known)),
    ):
        with whole_file(folder / name) as part:
            figure.savefig(part, format="png", dpi=150)


def levels_to_draw(battery: Battery) -> dict[str, Level]:
    """Return the levels of the tasks, roughly where none are stored; none if a task has no ideal observer."""
    try:
        return rough_levels(battery)
    except ModcogError:
        return {}


def learning_curve(records: list[dict[str, Any]], known: Mapping[str, Level]) -> Figure:
    """Plot decision accuracy over trials: of the battery, with its levels, and of its tasks by extension."""
    trials = [record["trials"] for record in records]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="trials trained on", ylabel="decision accuracy", ylim=(0, 1.02))
    groups = _by_extension(records[-1])
    for name, tasks in groups.items() if len(groups) > 1 else ():
        means = [np.mean([record["decision_accuracy_per_task"][task] for task in tasks]) for record in records]
        axes.plot(trials, means, color=EXTENSIONS[name], lw=1.5, label=f"{_title(name)} ({len(tasks)})")
    battery = [record["decision_accuracy"] for record in records]
    axes.plot(trials, battery, color="black", lw=2.5, label="all tasks")
    for name, level in _means(known).items():
        axes.axhline(level, color="black", lw=1, ls=LEVELS[name], label=f"all tasks: {name}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 500k, 1M
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside right upper", fontsize=9)
    return figure


def per_task(record: dict[str, Any], known: Mapping[str, Level]) -> Figure:
    """Plot the decision accuracy of every task at one evaluation, with its levels, grouped by extension."""
    accuracy = record["decision_accuracy_per_task"]
    groups = _by_extension(record)
    rows = max(map(len, groups.values()))
    figure = Figure(figsize=(3.2 * len(groups) + 0.5, 0.17 * rows + 1.6), layout="constrained")
    for axes, (name, tasks) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        axes.barh(range(len(tasks)), [accuracy[task] for task in tasks], color=EXTENSIONS[name])
        ends = [known[task].ends("decision") for task in tasks if task in known]
        for levels_of, style in zip(zip(*ends, strict=True), LEVELS.values(), strict=False):
            places = np.arange(len(tasks))
            axes.vlines(levels_of, places - 0.5, places + 0.5, color="black", lw=1.2, linestyles=style)
        axes.set_yticks(range(len(tasks)), tasks, fontsize=7)
        axes.set(xlim=(0, 1.01), ylim=(rows - 0.4, -0.6), xlabel="decision accuracy")
        axes.set_title(_title(name), fontsize=9)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if known:
        lines = [Line2D([], [], color="black", lw=1.2, ls=style, label=name) for name, style in LEVELS.items()]
        figure.legend(handles=lines, frameon=False, loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _means(known: Mapping[str, Level]) -> dict[str, float]:
    """Return the means of the levels over the tasks."""
    ends = [level.ends("decision") for level in known.values()]
    return dict(zip(LEVELS, np.mean(ends, axis=0).tolist(), strict=True)) if ends else {}


def _by_extension(record: dict[str, Any]) -> dict[str, list[str]]:
    """Return the tasks of an evaluation by extension."""
    tasks = record["decision_accuracy_per_task"]
    groups = {name: [task for task in tasks if extension(parse(task)) == name] for name in EXTENSIONS}
    return {name: members for name, members in groups.items() if members}


def _title(name: str) -> str:
    return "no extension" if name == "none" else name
