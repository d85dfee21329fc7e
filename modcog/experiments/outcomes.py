"""Outcomes of training runs that every run has, whether or not it reached an accuracy, and comparisons of arms.

A run is a row of a table of *cells*; its learning curve is a table of evaluations (``sweeps.results``). Runs of the
same seed see the same trials, so arms are compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import trapezoid

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments.estimate import Estimate

FIRST_UPDATE = 100
"""Update from which learning curves are averaged; what a network does before depends on its initial weights alone."""

LEVELS = (50, 75, 90)
"""Percent of the ceiling, to which trials of training are counted."""

ENOUGH = 0.75
"""Least share of pairs of which a run reached a level, for a ratio of trials to it; with fewer, too many ratios are 1
for an interval of Student's to cover what it should."""


def outcomes(results: pd.DataFrame, curves: pd.DataFrame, kind: str = "decision") -> pd.DataFrame:
    """Return a row for each finished run of a sweep.

    Args:
        results: a row for each run and task.
        curves: a row for each evaluation of each run.
        kind: measure (``MEASURES``).

    Returns:
        By ``cell``, the settings of the run, and ``at_end``, the measure on fresh trials after training; ``area``, its
        mean over the logarithm of the updates; ``share``, ``at_end`` as a share of the ceiling; and for each of
        ``LEVELS`` ``trials_to_…``, NaN where the run did not reach that percentage of its ceiling. ``trials`` are those
        of the whole run.

    Raises:
        ModcogError: if a run has no learning curve.
    """
    column = MEASURES[kind].column
    finished = results[results["task"].notna()]
    groups = finished.groupby("cell", sort=False)
    cells = finished.drop_duplicates("cell").set_index("cell")
    cells["at_end"] = groups[column].mean()
    cells["lowest"] = groups[column].min()
    ceiling = groups[f"{kind}_ceiling"].mean()
    cells["share"] = cells["at_end"] / ceiling
    own = dict(iter(curves.groupby("cell", sort=False)))
    if lacking := [name for name in cells.index if name not in own]:
        raise ModcogError(f"{lacking[0]}: the table of learning curves has no row of this run")
    sorted_curves = {name: own[name].sort_values("step") for name in cells.index}
    cells["area"] = [mean_over_log_updates(curve["step"], curve[column]) for curve in sorted_curves.values()]
    for percent in LEVELS:
        cells[f"trials_to_{percent}"] = [
            first_crossing(curve["trials"], curve[column], percent / 100 * ceiling[name])
            for name, curve in sorted_curves.items()
        ]
    return cells


def mean_over_log_updates(step: Sequence[int] | pd.Series, value: Sequence[float] | pd.Series) -> float:
    """Return the mean of a learning curve over the logarithm of the updates, from ``FIRST_UPDATE`` to the end.

    The area under the curve divided by its width, by the trapezoidal rule: early and late learning count alike, and
    all runs with as many updates have one.
    """
    x, y = np.asarray(step, np.float64), np.asarray(value, np.float64)
    later = x > FIRST_UPDATE
    if not later.any():
        return float("nan")
    grid = np.log(np.concatenate([[FIRST_UPDATE], x[later]]))
    values = np.concatenate([[np.interp(FIRST_UPDATE, x, y)], y[later]])
    return float(trapezoid(values, grid) / np.ptp(grid))


def first_crossing(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series, level: float) -> float:
    """Return the first x at which the line through the points reaches ``level``; NaN if it never does."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    above = np.flatnonzero(y >= level)
    if not above.size:
        return float("nan")
    after = above[0]
    if after == 0:
        return float(x[0])
    share = (level - y[after - 1]) / (y[after] - y[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))


class Survival(NamedTuple):
    """Trials that runs take to an accuracy, where some runs end before they reach it.

    Attributes:
        trials: (k,) at which a run reached it.
        not_yet: (k,) share of runs that have not reached it then (Kaplan and Meier 1958).
        restricted: mean of the trials taken, or of the whole run's where it was not reached.
        reached: number of runs that reached it.
        n: number of runs.
    """

    trials: NDArray[np.float64]
    not_yet: NDArray[np.float64]
    restricted: float
    reached: int
    n: int


def survival(reached: pd.Series, whole: pd.Series) -> Survival:
    """Return the survival estimate of the trials to an accuracy.

    Args:
        reached: trials at which each run reached it; NaN where it did not.
        whole: trials of each whole run.
    """
    ended = reached.isna()
    seen = reached.where(~ended, whole)
    data = stats.CensoredData.right_censored(seen.to_numpy(np.float64), ended.to_numpy())
    curve = stats.ecdf(data).sf
    return Survival(curve.quantiles, curve.probabilities, float(seen.mean()), int((~ended).sum()), len(seen))


class Comparison(NamedTuple):
    """Arm ``one`` against arm ``other``, paired by seed.

    Attributes:
        at_end: difference of the accuracies at the end.
        area: difference of the mean accuracies over log updates; above 0, ``one`` learns faster.
        trials: for each of ``LEVELS`` that enough runs reached, the ratio of trials to it, those of ``one`` as a
            multiple of those of ``other``, restricted: see ``restricted_ratio``.
        reached: for all levels, the number of runs of either arm that reached it.
    """

    at_end: Estimate
    area: Estimate
    trials: dict[int, Estimate]
    reached: dict[int, tuple[int, int]]


def paired(cells: pd.DataFrame, one: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of two arms of a table of outcomes that has a column ``arm``, with the seed as index.

    Raises:
        ModcogError: if one of them has no runs, or a run of theirs has no partner of the same seed.
    """
    ones, others = (cells[cells["arm"] == arm].set_index("seed").sort_index() for arm in (one, other))
    if not len(ones) or not ones.index.equals(others.index) or ones.index.has_duplicates:
        seeds = [", ".join(map(str, rows.index)) or "none" for rows in (ones, others)]
        raise ModcogError(
            f"{one} has the seeds {seeds[0]}, {other} has {seeds[1]}; they must be the same, one run each"
        )
    return ones, others


def compare(cells: pd.DataFrame, one: str, other: str) -> Comparison:
    """Compare two arms of a table of outcomes that has a column ``arm``.

    Raises:
        ModcogError: if one of them has no runs, or a run of theirs has no partner of the same seed.
    """
    ones, others = paired(cells, one, other)
    trials: dict[int, Estimate] = {}
    reached: dict[int, tuple[int, int]] = {}
    for percent in LEVELS:
        column = f"trials_to_{percent}"
        there = ones[column].notna(), others[column].notna()
        reached[percent] = int(there[0].sum()), int(there[1].sum())
        if enough(ones, others, column):
            trials[percent] = restricted_ratio(ones, others, column)
    return Comparison(
        Estimate.of(ones["at_end"] - others["at_end"]), Estimate.of(ones["area"] - others["area"]), trials, reached
    )


def enough(ones: pd.DataFrame, others: pd.DataFrame, column: str) -> bool:
    """Return True if ``ENOUGH`` of the pairs have a run that got there, with the seed as index."""
    return bool((ones[column].notna() | others[column].notna()).mean() >= ENOUGH)


def restricted_ratio(ones: pd.DataFrame, others: pd.DataFrame, column: str) -> Estimate:
    """Return the ratio of restricted trials to an accuracy, a geometric mean over pairs, with the seed as index.

    A run that ends before it gets there counts with all its trials, τ. So this estimates the ratio of min(trials, τ),
    which every run has, and the interval is one for that: it says nothing about what a run would have needed beyond τ.
    """
    taken = [rows[column].fillna(rows["trials"]).astype(float) for rows in (ones, others)]
    return Estimate.of_ratio(*taken)


def holm(p: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm 1979); NaN stays, and does not count."""
    values = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = values.copy()
    stepped = np.minimum(1.0, values[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.maximum.accumulate(stepped)
    return adjusted.tolist()


def pick_by_half(cells: pd.DataFrame, arms: Sequence[str], other: str, column: str = "at_end") -> pd.Series:
    """Pick the arm with the highest ``column`` on half of the seeds, to be judged on the other half, both ways.

    An arm that is picked and judged on the same runs looks better than it is. Here no run judges the choice that it
    took part in. The halves are the seeds in turn.

    Args:
        cells: outcomes of runs, with a column ``arm``.
        arms: to pick from.
        other: the arm that they are to be judged against.
        column: outcome to pick by.

    Returns:
        For each seed the arm that the seeds of the other half picked.

    Raises:
        ModcogError: if there are fewer than four seeds, or arms differ in theirs.
    """
    table = cells.pivot(index="seed", columns="arm", values=column).sort_index()
    wanted = table[[*arms, other]]
    if len(wanted) < 4:
        raise ModcogError(f"{len(wanted)} seeds; 4 are needed")
    if wanted.isna().any(axis=None):
        raise ModcogError("some networks have no run of a seed that others have")
    halves = wanted.iloc[::2], wanted.iloc[1::2]
    picks = [str(half[list(arms)].mean().idxmax()) for half in halves]
    judged = [pd.Series(pick, index=half.index) for pick, half in zip(picks, halves[::-1], strict=True)]
    return pd.concat(judged).sort_index()
