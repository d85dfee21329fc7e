"""Comparing how fast networks learn: trials of training to a mean accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from modcog.experiments.claims.claim import Finding
from modcog.experiments.claims.estimate import Estimate, difference, ratio

if TYPE_CHECKING:
    import pandas as pd

THRESHOLDS = ("50", "75", "90")
"""Mean decision accuracies, in percent."""


def compare(cells: pd.DataFrame, one: str, other: str) -> list[Finding]:
    """Final accuracy of arm ``one`` less that of ``other``, and the ratio of trials to each threshold one reached.

    A run that did not reach it counts with all its trials: if that is the other's, ratios are no more than found, and
    have no lower end; if it is this one's, they are no less. Seeds of which neither did say nothing.
    """
    rows, others = (cells[cells["arm"] == arm].set_index("seed") for arm in (one, other))
    name = f"{one} against {other}"
    gap = difference(rows["accuracy"], others["accuracy"])
    found = [Finding(f"{name}, decision accuracy at the end", gap, "points")]
    for percent in THRESHOLDS:
        there, theirs = rows[f"reached_{percent}"], others[f"reached_{percent}"]
        known = there | theirs
        if known.any():
            trials = ratio(rows.loc[known, f"trials_to_{percent}"], others.loc[known, f"trials_to_{percent}"])
            low = trials.low if theirs[known].all() else 0.0
            high = trials.high if there[known].all() else np.inf
            bounded = replace(trials, low=low, high=high)
            found.append(Finding(f"{name}, trials to {percent} %{_censored(rows, others, percent)}", bounded, "ratio"))
    return found


def last_ratio(findings: list[Finding]) -> Estimate | None:
    """The ratio of trials to the highest threshold of ``compare``'s findings; None if no network reached one."""
    ratios = [finding.estimate for finding in findings if finding.unit == "ratio"]
    return ratios[-1] if ratios else None


def reach(cells: pd.DataFrame, arm: str) -> list[Finding]:
    """Final accuracy of an arm."""
    rows = cells[cells["arm"] == arm]
    return [Finding(f"{arm}, decision accuracy at the end", Estimate.of(rows["accuracy"]))]


def _censored(rows: pd.DataFrame, others: pd.DataFrame, percent: str) -> str:
    """A word on the runs that did not reach a threshold."""
    counts = [f"{int(r[f'reached_{percent}'].sum())} of {len(r)}" for r in (rows, others)]
    complete = all(r[f"reached_{percent}"].all() for r in (rows, others))
    return "" if complete else f" (reached by {counts[0]} and {counts[1]} runs)"
