"""Few-shot learning of combinations of base task and extension that a network was not trained on.

Asked: how few updates a trained network needs for a combination of known parts, with all weights or with those of its
rule input alone, against a network that is trained from scratch (after Riveland and Pouget 2024).

Settings: a base run on the training tasks of a named split (``modcog.split``) with the compositional rule input; from
its weights, runs of few updates on the held-out tasks at a constant learning rate, and the same from initial weights.

Scored: the way from chance (0) to the ceiling (1) of the decision accuracy, on the tasks that were held out and on
those of the base run, of which the new training may cost some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import BLUE, GREY, STYLE, VERMILLION
from modcog.errors import ModcogError
from modcog.evaluation.ceilings import rough_levels
from modcog.experiments.studies.stages import Key, Stage, accuracies, cell_of, over_seeds
from modcog.experiments.sweeps.results import Record
from modcog.tasks.splits import split as split_of

ZERO = "zero-shot"
CONDITIONS: dict[str, tuple[bool, dict[str, Any], str]] = {
    "all weights": (True, {}, BLUE),
    "rule weights": (True, {"trainable": "rules"}, VERMILLION),
    "from scratch": (False, {}, GREY),
}
"""For each kind of run: if it starts from the base run, its settings, and its colour."""


def plan(
    out: Path,
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    n_trials: int,
    *,
    split: str = "composition-1",
    updates: Sequence[int] = (10, 100, 1000),
    each: bool = False,
) -> list[Stage]:
    """Return the base runs, and the runs of few updates; keys are condition, updates, seed and the tasks trained.

    Args:
        out: folder of the runs.
        settings: of the base run; ``steps`` are its updates.
        seeds: of the networks.
        n_trials: trials of each task to score a run on.
        split: name of the split.
        updates: numbers of few-shot updates.
        each: train each held-out task in runs of its own, instead of all together.

    Raises:
        ModcogError: for a wrong setting, or if the split holds out all of the tasks or none.
    """
    settings = {**settings, "battery.rule_input": "compositional"}
    tasks = cell_of(out, n_trials, settings).config.tasks
    training, held_out = split_of(tasks, name=split)
    if not (training and held_out):
        raise ModcogError(f"split: {split} holds out {len(held_out)} of the {len(tasks)} tasks")
    groups = [(task,) for task in held_out] if each else [held_out]
    base: Stage = {
        (ZERO, 0, seed, held_out): cell_of(out, n_trials, {**settings, "seed": seed, "train_on": training})
        for seed in seeds
    }
    few: Stage = {}
    for n in (check_count("updates", n) for n in updates):
        short = {**settings, "steps": n, "eval_every": n, "schedule": "constant", "warmup": 0, "target_accuracy": None}
        for name, (starts, own, _) in CONDITIONS.items():
            for (*_, seed, _), start in base.items():
                for group in groups:
                    asked = {**short, **own, "seed": seed, "train_on": group}
                    few[name, n, seed, group] = cell_of(out, n_trials, asked, start if starts else None)
    return [base, few]


def table(stages: Sequence[Stage], records: Sequence[Mapping[Key, Record]]) -> pd.DataFrame:
    """Return a row for each run and task: those that the run trained, and those of the base run."""
    (start, *_) = stages[0].values()
    known = rough_levels(Battery.from_config(start.config.battery_settings()))
    rows = []
    for (name, n, seed, group), record in ((key, one) for found in records for key, one in found.items()):
        for which, tasks in (("held out", group), ("trained", start.config.trained)):
            for task, accuracy in zip(tasks, accuracies(record, tasks), strict=True):
                chance, ceiling = known[task].ends("decision")
                share = (accuracy - chance) / (ceiling - chance)
                rows.append([name, n, seed, "+".join(group), which, task, accuracy, share])
    columns = ["condition", "updates", "seed", "trained_on", "tasks", "task", "accuracy", "share"]
    return pd.DataFrame(rows, columns=columns)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean share of each condition after each number of updates, with its interval over seeds."""
    by = ["condition", "updates", "tasks"]
    per_seed = rows.groupby([*by, "seed"], sort=False)["share"].mean().reset_index()
    return over_seeds(per_seed, by, ["share"])


@rc_context(STYLE)
def draw(rows: pd.DataFrame) -> Figure:
    """Draw the few-shot curves, held-out tasks on the left and those of the base run on the right."""
    found = summary(rows).reset_index()
    figure = Figure(figsize=(8.6, 3.4))
    for axes, which in zip(figure.subplots(1, 2, sharey=True), ("held out", "trained"), strict=True):
        of = found[found["tasks"] == which].set_index("condition")
        axes.axhline(of.loc[ZERO, "share"], color="black", lw=1, ls=":", label=f"{ZERO} (before)")
        for name, (*_, colour) in CONDITIONS.items():
            curve = of.loc[[name]].replace([np.inf, -np.inf], np.nan).sort_values("updates")
            error = (curve["share"] - curve["share_low"], curve["share_high"] - curve["share"])
            axes.errorbar(
                curve["updates"], curve["share"], error, color=colour, marker="o", ms=4, capsize=2, label=name
            )
        axes.set(xscale="log", xlabel="updates", title=f"tasks {which}")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(alpha=0.25)
    figure.axes[0].set_ylabel("way from chance (0) to ceiling (1)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure
