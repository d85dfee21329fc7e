"""Tables of results with known effects in them, instead of trained networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from modcog.evaluation.scores import extension
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.grid import Cell, arm_name
from modcog.experiments.sweeps.results import COLUMNS
from modcog.tasks.names import parse

Learner = Callable[[Cell, str], float]
"""The decision accuracy of a cell's network on a task."""

Speed = Callable[[Cell], float | None]
"""Trials until a cell's network reaches 75 %; None: never."""


def tables(grid: Grid, accuracy: Learner, speed: Speed = lambda cell: None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and learning curves as a sweep over ``grid`` would make them."""
    rows, points = [], []
    for cell in grid.cells("nowhere"):
        config, reached = cell.config, speed(cell)
        shared = {
            "cell": cell.name, "status": "finished", "error": None, "collection": cell.tasks, "arch": config.arch,
            "arm": arm_name(config.arch, config.density, config.hidden), "rules": "corrected",
            "hidden": config.hidden, "density": config.density, "seed": config.seed, "steps": config.steps,
            "trials": config.steps * config.batch_size, "seconds": 60.0, "synapses": 100, "parameters": 200,
            "trials_to_50": None if reached is None else reached / 2, "trials_to_75": reached,
        }  # fmt: skip
        scores = {task: float(np.clip(accuracy(cell, task), 0, 1)) for task in config.tasks}
        for task, value in scores.items():
            spec = parse(task)
            row = {**shared, "task": task, "family": spec.family, "extension": extension(spec)}
            levels = {"decision_chance": 0.0, "decision_ceiling": 1.0, "decision_share": value}
            rows.append({**row, **levels, "decision_accuracy": value})
        mean = np.mean(list(scores.values()))
        points += [
            {"cell": cell.name, "step": step, "trials": step * 64, "decision_accuracy": mean * step / config.steps}
            for step in range(0, config.steps + 1, config.steps // 4)
        ]
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(points)


def by_arch(means: dict[str, float], spread: float = 0.002) -> Learner:
    """Every network of an architecture has the same accuracy on all tasks, a little apart for each seed."""
    return lambda cell, task: means[cell.config.arch] + spread * (cell.config.seed - 1)
