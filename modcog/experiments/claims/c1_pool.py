"""C1: a pool of autapses solves the 20 base tasks."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from modcog.colours import PALETTE
from modcog.experiments.claims.claim import Claim, Finding, Verdict, per_cell
from modcog.experiments.claims.figures import draw_seeds, log_axis, percent_axis
from modcog.experiments.claims.protocol import SEEDS
from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps import Grid

SETTINGS = {
    "tasks": "yang19", "arch": "autapse", "learning_rate": 0.003, "batch_size": 64, "eval_every": 250,
    "eval_trials": 50,
}  # fmt: skip

SOLVED, LOWEST = 0.95, 0.80
"""Least mean decision accuracy of a pool that solves the tasks, and least mean over seeds of its lowest task."""


def verdict(results: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """Look for the smallest pool that solves the tasks."""
    findings, solving, perhaps = [], [], []
    for hidden, rows in results.groupby("hidden"):
        accuracy = Estimate.of(rows.groupby("seed")["decision_accuracy"].mean())
        tasks = rows.groupby("task")["decision_accuracy"]
        task = tasks.mean().idxmin()
        lowest = Estimate.of(tasks.get_group(task))
        findings.append(Finding(f"{hidden} autapses, mean decision accuracy", accuracy))
        findings.append(Finding(f"{hidden} autapses, lowest task ({task})", lowest))
        if accuracy.low > SOLVED and lowest.mean >= LOWEST:
            solving.append(hidden)
        if accuracy.high > SOLVED and lowest.high >= LOWEST:
            perhaps.append(hidden)
    if solving:
        because = f"The smallest pool that solves the 20 tasks has {solving[0]} units."
        return Verdict("holds", because, tuple(findings))
    because = f"No pool's accuracy is significantly above {SOLVED:.0%} with every task above {LOWEST:.0%}."
    return Verdict("cannot tell" if perhaps else "does not hold", because, tuple(findings))


def figure(results: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw accuracy against pool size: the mean and the lowest task."""
    drawing = Figure(figsize=(6, 4), layout="constrained")
    axes = drawing.subplots()
    cells = per_cell(results)
    draw_seeds(axes, cells, "hidden", "accuracy", PALETTE[0], "mean over 20 tasks")
    draw_seeds(axes, cells, "hidden", "lowest", PALETTE[1], "lowest task")
    ceiling = results.groupby("task")["decision_ceiling"].first()
    axes.axhline(ceiling.mean(), color="black", linestyle=":", label="ideal observer, mean")
    axes.axhline(ceiling.min(), color="grey", linestyle=":", label="ideal observer, lowest task")
    log_axis(axes, cells["hidden"], "autapses in the pool")
    percent_axis(axes)
    axes.legend(frameon=False, loc="lower right")
    return drawing


C1 = Claim(
    name="C1",
    title="A pool of autapses solves the 20 base tasks",
    says="Units that are connected to themselves alone, tens to hundreds of them, learn all 20 tasks of Yang et al.",
    test=f"It holds if the mean decision accuracy of some pool is significantly above {SOLVED:.0%} and no task's mean "
    f"over seeds is below {LOWEST:.0%}.",
    presets={
        "small": Grid(settings={**SETTINGS, "steps": 600}, axes={"hidden": [16, 64, 256], "seed": [0, 1]}),
        "full": Grid(
            settings={**SETTINGS, "steps": 6_000}, axes={"hidden": [16, 32, 64, 128, 256, 512], "seed": SEEDS}
        ),
    },
    verdict=verdict,
    figure=figure,
)
