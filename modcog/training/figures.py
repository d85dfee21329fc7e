"""The pictures of a finished run: its learning curve, and the accuracy of every task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from modcog.colours import EXTENSIONS
from modcog.evaluation.scores import extension
from modcog.files import whole_file
from modcog.tasks.names import parse
from modcog.training.metrics import read_metrics

Record = dict[str, Any]


def draw_run(folder: Path) -> None:
    """Draw ``learning_curve.png`` and ``tasks.png`` into the folder of a run, from its metrics."""
    records = read_metrics(folder)
    for name, figure in (("learning_curve.png", learning_curve(records)), ("tasks.png", per_task(records[-1]))):
        with whole_file(folder / name) as part:
            figure.savefig(part, format="png", dpi=150)


def learning_curve(records: list[Record]) -> Figure:
    """Plot decision accuracy over trials: of the battery, and of its tasks by extension."""
    trials = [record["trials"] for record in records]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="trials trained on", ylabel="decision accuracy", ylim=(0, 1.02))
    groups = _by_extension(records[-1])
    for name, tasks in groups.items() if len(groups) > 1 else ():
        means = [np.mean([record["decision_accuracy_per_task"][task] for task in tasks]) for record in records]
        axes.plot(trials, means, color=EXTENSIONS[name], lw=1.5, label=f"{_title(name)} ({len(tasks)})")
    battery = [record["decision_accuracy"] for record in records]
    axes.plot(trials, battery, color="black", lw=2.5, label="all tasks")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 500k, 1M
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


def per_task(record: Record) -> Figure:
    """Plot the decision accuracy of every task at one evaluation, grouped by extension."""
    accuracy = record["decision_accuracy_per_task"]
    groups = _by_extension(record)
    rows = max(map(len, groups.values()))
    figure = Figure(figsize=(3.2 * len(groups) + 0.5, 0.17 * rows + 1.2), layout="constrained")
    for axes, (name, tasks) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        axes.barh(range(len(tasks)), [accuracy[task] for task in tasks], color=EXTENSIONS[name])
        axes.set_yticks(range(len(tasks)), tasks, fontsize=7)
        axes.set(xlim=(0, 1), ylim=(rows - 0.4, -0.6), xlabel="decision accuracy")
        axes.set_title(_title(name), fontsize=9)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _by_extension(record: Record) -> dict[str, list[str]]:
    """Return the tasks of an evaluation by extension."""
    tasks = record["decision_accuracy_per_task"]
    groups = {name: [task for task in tasks if extension(parse(task)) == name] for name in EXTENSIONS}
    return {name: members for name, members in groups.items() if members}


def _title(name: str) -> str:
    return "no extension" if name == "none" else name
