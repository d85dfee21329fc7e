"""C1: a pool of autapses solves the 20 base tasks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from modcog.colours import PALETTE
from modcog.errors import ModcogError
from modcog.experiments.claims.claim import LESS_IS_BETTER, MARGIN, Claim, Contrast, Part, Runs
from modcog.experiments.claims.figures import draw_levels, draw_seeds, log_axis, percent_axis
from modcog.experiments.claims.protocol import POOLS

SOLVED, LOWEST = 0.95, 0.80
"""Least share of the ceiling of a pool that solves the tasks, and that on the task where it is lowest."""

ALIKE = 0.05
"""Largest relative difference of two networks' parameters that count as as many."""


def shares(runs: Runs) -> pd.DataFrame:
    """Return the share of the ceiling of each pool and seed: mean over tasks, and the lowest task.

    Raises:
        ModcogError: if the measure is an error, which has no such share.
    """
    if runs.kind in LESS_IS_BETTER:
        raise ModcogError("errors have no share of the ceiling")
    rows = runs.results[runs.results["arch"] == "autapse"]
    share = rows.assign(share=rows[runs.column] / rows[f"{runs.kind}_ceiling"])
    return share.groupby(["hidden", "seed"])["share"].agg(["mean", "min"])


def solved(runs: Runs) -> list[Contrast]:
    """Compare the mean share of each pool with what solves the tasks."""
    pools = shares(runs).groupby(level="hidden")["mean"]
    return [Contrast.of(f"{n} autapses, share of the ceiling", of.droplevel(0), SOLVED, "%") for n, of in pools]


def no_task_left_out(runs: Runs) -> list[Contrast]:
    """Compare the share on each pool's lowest task with the least that is asked for."""
    pools = shares(runs).groupby(level="hidden")["min"]
    return [Contrast.of(f"{n} autapses, share on the lowest task", of.droplevel(0), LOWEST, "%") for n, of in pools]


def pairs(runs: Runs, what: str, tolerance: float) -> list[tuple[str, str]]:
    """Return each pool with the dense network that is nearest to it in ``what``.

    Raises:
        ModcogError: if a preset's pools are not all there, or the nearest is not near enough to one of them.
    """
    dense, pools = runs.arms("dense"), runs.arms("autapse")
    sizes = tuple(int(runs.value(pool, "hidden")) for pool in pools)
    if sizes not in POOLS.values():
        raise ModcogError(f"the tables have pools of {', '.join(map(str, sizes))} autapses, not all")
    found = []
    for pool in pools:
        wanted = runs.value(pool, what)
        nearest = min(dense, key=lambda arm: abs(runs.value(arm, what) - wanted))
        runs.check_alike(pool, [nearest], what, tolerance)
        found.append((pool, nearest))
    return found


def against_dense(runs: Runs, what: str, tolerance: float) -> list[Contrast]:
    """Compare each pool with the dense network of its size."""
    null = -MARGIN if runs.unit == "points" else 0.0
    return [runs.contrast(pool, dense, null=null) for pool, dense in pairs(runs, what, tolerance)]


def draw(panels: Sequence[Axes], runs: Runs) -> None:
    """Draw accuracy against pool size: the mean and the lowest task; and that of dense networks."""
    (axes,) = panels
    for colour, arch in zip(PALETTE, ("autapse", "dense"), strict=False):
        rows = runs.cells[runs.cells["arch"] == arch]
        if len(rows):
            draw_seeds(axes, rows, "hidden", "at_end", colour, f"{arch}, mean over tasks")
    pools = runs.cells[runs.cells["arch"] == "autapse"]
    draw_seeds(axes, pools, "hidden", "lowest", PALETTE[2], "autapse, lowest task")
    draw_levels(axes, runs)
    log_axis(axes, pools["hidden"], "units")
    percent_axis(axes, "accuracy at the end")
    axes.legend(loc="lower right")


C1 = Claim(
    name="C1",
    title="A pool of autapses solves the 20 base tasks",
    says="A small pool of units that are connected to themselves alone learns all 20 tasks of Yang et al. (2019).",
    parts=(
        Part("C1a", "Some pool of autapses solves the tasks on average.",
             f"The share of the ideal observer's accuracy, mean over tasks, is above {100 * SOLVED:g} % for some pool. "
             "Whether a *small* one does is not tested.",
             solved, planned=6, alone=True, holds_if="any"),
        Part("C1b", "Some pool leaves no task out.",
             f"On the task where a pool is lowest, its share is above {100 * LOWEST:g} % for some pool.",
             no_task_left_out, planned=6, alone=True, holds_if="any"),
        Part("C1c", "Autapses do as well as a dense network of as many units.",
             f"The difference is above −{100 * MARGIN:g} points at every size.",
             lambda runs: against_dense(runs, "hidden", 0), planned=6),
        Part("C1d", "Autapses do as well as a dense network of as many parameters.",
             f"The difference is above −{100 * MARGIN:g} points at every size.",
             lambda runs: against_dense(runs, "parameters", ALIKE), planned=6),
    ),
    panels=("accuracy at the end",),
    draw=draw,
)  # fmt: skip
