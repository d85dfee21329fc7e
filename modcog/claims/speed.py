"""Comparing how fast networks learn: trials of training to a mean accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modcog.claims.claim import Finding
from modcog.claims.estimate import Estimate, difference, ratio

if TYPE_CHECKING:
    import pandas as pd

THRESHOLDS = ("50", "75", "90")
"""Mean decision accuracies, in percent."""


def compare(cells: pd.DataFrame, one: str, other: str) -> list[Finding]:
    """Final accuracy of arm ``one`` less that of ``other``, and the ratio of trials to each threshold one reached."""
    rows, others = (cells[cells["arm"] == arm].set_index("seed") for arm in (one, other))
    name = f"{one} against {other}"
    gap = difference(rows["accuracy"], others["accuracy"])
    found = [Finding(f"{name}, decision accuracy at the end", gap, "points")]
    for percent in THRESHOLDS:
        if (rows[f"reached_{percent}"] | others[f"reached_{percent}"]).any():
            trials = ratio(rows[f"trials_to_{percent}"], others[f"trials_to_{percent}"])
            found.append(Finding(f"{name}, trials to {percent} %{_censored(rows, others, percent)}", trials, "ratio"))
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
    """A word on the runs that did not reach a threshold; they count with the trials of the whole run."""
    counts = [f"{int(r[f'reached_{percent}'].sum())} of {len(r)}" for r in (rows, others)]
    complete = all(r[f"reached_{percent}"].all() for r in (rows, others))
    return "" if complete else f" (reached by {counts[0]} and {counts[1]} runs)"
