"""Tables of results with known effects in them, instead of trained networks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from modcog.evaluation.measures import MEASURES
from modcog.evaluation.scores import extension
from modcog.experiments.claims import protocol
from modcog.experiments.claims.claim import Runs
from modcog.experiments.sweeps.results import COLUMNS
from modcog.tasks.names import parse

Arm = dict[str, Any]

Learner = Callable[[Arm, str], float]
"""The accuracy of a network on a task after training, but for noise."""

STEPS, BATCH = 8_000, 64
EIGHT = protocol.SMALL["modcog"]["tasks"]


def tables(
    claim: str,
    accuracy: Learner,
    learned_at: Callable[[Arm], float] = lambda arm: STEPS,
    *,
    recipe: str = "modcog",
    rules: str = "corrected",
    seeds: Sequence[int] = range(8),
    tasks: Sequence[str] = EIGHT,
    noise: float = 0.003,
    arms: Sequence[Arm] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and learning curves as the runs of a claim would make them.

    Each run's accuracy grows with the updates until ``learned_at``, and is the same in all measures; the angular error
    falls with it.
    """
    rows, points = [], []
    for arm in arms or protocol.arms(claim, recipe):
        name, hidden = protocol.name_of(arm), arm["hidden"]
        synapses = {"autapse": hidden, "dense": hidden**2}.get(arm["arch"], round(arm.get("density", 0) * hidden**2))
        for seed in seeds:
            cell = f"{name}, {rules}, {recipe}, {seed}"
            shift = np.random.default_rng(zlib.crc32(cell.encode())).normal(0, noise)
            shared = {
                "cell": cell, "status": "finished", "collection": "few", "arch": arm["arch"], "rules": rules,
                "recipe": recipe, "arm": name, "hidden": hidden, "density": arm.get("density"), "seed": seed,
                "steps": STEPS, "batch_size": BATCH, "learning_rate": 0.004, "trials": STEPS * BATCH, "seconds": 60.0,
                "synapses": synapses, "parameters": 71 * hidden + 17 + synapses, "n_trials": 200,
            }  # fmt: skip
            scores = {task: float(np.clip(accuracy(arm, task) + shift, 0, 1)) for task in tasks}
            for task, value in scores.items():
                spec = parse(task)
                own = {"task": task, "family": spec.family, "extension": extension(spec)}
                rows.append({**shared, **own, **_measures(value), **_levels(value)})
            mean = float(np.mean(list(scores.values())))
            for step in (0, 100, 200, 400, 1000, 2000, 4000, STEPS):
                reached = mean * min(1.0, step / learned_at(arm))
                points.append({"cell": cell, "rules": rules, "recipe": recipe, "step": step, "trials": step * BATCH,
                               **_measures(reached)})  # fmt: skip
    return pd.DataFrame(rows, columns=["recipe", *COLUMNS]), pd.DataFrame(points)


def _measures(value: float) -> dict[str, float]:
    return {one.column: 180 * (1 - value) if kind == "angular_error" else value for kind, one in MEASURES.items()}


def _levels(value: float) -> dict[str, float]:
    levels = ("chance", 0.0), ("ceiling", 1.0), ("share", value)
    return {f"{kind}_{level}": number for kind in MEASURES for level, number in levels}


def runs(claim: str, *args: Any, **options: Any) -> Runs:
    """Return the runs of a claim that ``tables`` makes."""
    recipe = options.get("recipe", "modcog")
    return Runs(
        options.get("rules", "corrected"), recipe, protocol.FIRST_SCORE[recipe], *tables(claim, *args, **options)
    )
