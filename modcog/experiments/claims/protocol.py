"""Training settings that all networks of the claims C2 to C5 share, so that they differ in their connections alone.

The learning rate is the one of 0.001, 0.002, 0.004 and 0.008 that was best for the dense network after 2,500 updates on
132 tasks (seed 0); LM-RNNs and autapses do about as well with it as with 0.008. The page on results has the figures.
"""

from __future__ import annotations

from typing import Any

from modcog.experiments.sweeps import Grid

SEEDS = [0, 1, 2]

COMMON: dict[str, Any] = {"model": {"init": "identity"}, "learning_rate": 0.004, "warmup": 300, "batch_size": 64}

FULL: dict[str, Any] = {**COMMON, "tasks": "modcog82", "steps": 8_000, "eval_every": 200}
"""The 82 tasks of the authors' code, 512,000 trials: three minutes for an LM-RNN of 256 units on one core."""

ALL_TASKS: dict[str, Any] = {**COMMON, "tasks": "modcog132", "steps": 16_000, "eval_every": 250}
"""132 tasks, 1,024,000 trials: five minutes for an LM-RNN of 256 units on one core."""

SMALL: dict[str, Any] = {
    **FULL,
    "tasks": ["go", "dlygo", "goseqr", "dlygointr", "dms", "dmsintr", "dlydm1", "dlydm1seqr"],
    "warmup": 100,
    "steps": 1_200,
    "eval_every": 100,
}
"""Eight tasks, 76,800 trials: seconds for a network of 64 units."""

LOCAL = 0.08
"""Density of the LM-RNN where a claim names one network."""

ERDOS_RENYI: dict[str, Any] = {"model.self_connections": "drawn", "model.in_degree": "drawn"}
"""Options that make ``random`` the graph of Erdős and Rényi, which lacks most self-connections of an LM-RNN."""


def network(arch: str, hidden: int, density: float | None = None) -> dict[str, Any]:
    """Return an arm of a grid."""
    return {"arch": arch, "hidden": hidden, **({} if density is None else {"density": density})}


def presets(
    small: list[dict[str, Any]], full: list[dict[str, Any]], settings: dict[str, Any] = FULL
) -> dict[str, Grid]:
    """Return the grids of a claim from the arms of each; ``settings`` are those of the full one."""
    return {
        "small": Grid(settings=SMALL, arms=tuple(small), axes={"seed": SEEDS[:2]}),
        "full": Grid(settings=settings, arms=tuple(full), axes={"seed": SEEDS}),
    }
