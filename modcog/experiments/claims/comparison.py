"""Compare two arms: accuracy at the end, and trials of training to a mean accuracy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from modcog.experiments.claims.claim import Answer, Finding
from modcog.experiments.estimate import Estimate, difference, ratio

THRESHOLDS = ("50", "75", "90")
"""Mean decision accuracies, in percent."""


class Comparison(NamedTuple):
    """Arm ``one`` against arm ``other``.

    Attributes:
        findings: the gap, and a ratio of trials for each threshold that a run reached.
        gap: final accuracy of ``one`` less that of ``other``.
        speed: trials of ``one`` as a multiple of those of ``other`` to the highest of these thresholds; None: there
            is none.
    """

    findings: list[Finding]
    gap: Estimate
    speed: Estimate | None

    @property
    def answer(self) -> Answer:
        """The verdict on ``one`` ending significantly higher, and needing significantly fewer trials."""
        if self.gap.high <= 0 or (self.speed and self.speed.low >= 1):
            return "does not hold"
        return "holds" if self.gap.low > 0 and self.speed and self.speed.high < 1 else "cannot tell"


def compare(cells: pd.DataFrame, one: str, other: str) -> Comparison:
    """Compare two arms of ``tables.per_cell``, paired by seed.

    A run that did not reach a threshold counts with all its trials. Where that happens to ``other``, the ratios are
    upper bounds and their interval has no lower end; where to ``one``, lower bounds. Seeds of which neither run reached
    it are left out.
    """
    ones, others = (cells[cells["arm"] == arm].set_index("seed") for arm in (one, other))
    gap = difference(ones["accuracy"], others["accuracy"])
    findings = [Finding(f"{one} against {other}, decision accuracy at the end", gap, "points")]
    for percent in THRESHOLDS:
        reached, trials = f"reached_{percent}", f"trials_to_{percent}"
        known = ones[reached] | others[reached]
        if known.any():
            speed = ratio(ones.loc[known, trials], others.loc[known, trials])
            speed = speed._replace(
                low=speed.low if others.loc[known, reached].all() else 0.0,
                high=speed.high if ones.loc[known, reached].all() else np.inf,
            )
            counts = [f"{int(rows[reached].sum())} of {len(rows)}" for rows in (ones, others)]
            some = not (ones[reached].all() and others[reached].all())
            note = f" (reached by {' and '.join(counts)} runs)" if some else ""
            findings.append(Finding(f"{one} against {other}, trials to {percent} %{note}", speed, "ratio"))
    return Comparison(findings, gap, findings[-1].estimate if len(findings) > 1 else None)


def final_accuracy(cells: pd.DataFrame, arm: str) -> Finding:
    """Return the accuracy of an arm at the end of training."""
    return Finding(f"{arm}, decision accuracy at the end", Estimate.of(cells.loc[cells["arm"] == arm, "accuracy"]))
