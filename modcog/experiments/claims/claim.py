"""The parts of a claim: how it is tested, what the test says, and the comparisons that tests rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.grid import arm_name
from modcog.experiments.sweeps.results import MILESTONES, THRESHOLDS
from modcog.tables import Brief

Answer = Literal["holds", "does not hold", "cannot tell"]

UNITS = {"%": (100, 1, " %"), "points": (100, 1, " points"), "ratio": (1, 2, " ×")}
"""Factor, decimals and text of each unit."""


@dataclass(frozen=True)
class Finding:
    """One figure that a verdict rests on.

    The unit is ``"%"`` if the estimate is a share, ``"points"`` if it is a difference of shares, or ``"ratio"``.
    """

    what: str
    estimate: Estimate
    unit: Literal["%", "points", "ratio"] = "%"

    def __str__(self) -> str:
        factor, decimals, text = UNITS[self.unit]
        bounds = (0, 1) if self.unit == "%" else (None, None)  # Student's interval has none, a share has two
        values = np.clip(self.estimate[:3], *bounds)
        mean, low, high = (f"{factor * value:.{decimals}f}" for value in values)
        ends = f"{low}, {high}"
        if self.unit == "ratio" and self.estimate.n > 1:  # see ``compare``
            if values[1] == 0:
                mean, ends = f"≤ {mean}", f"≤ {high}"
            elif values[2] == np.inf:
                mean, ends = f"≥ {mean}", f"≥ {low}"
        return f"{self.what}: {mean}{text} [{ends}] ({self.estimate.n} seed{'s' if self.estimate.n != 1 else ''})"


@dataclass(frozen=True, repr=False)
class Verdict(Brief):
    """The outcome of a test: the answer, the reason in a sentence or two, and the figures."""

    answer: Answer
    because: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, repr=False)
class Claim(Brief):
    """A claim of Khona, Chandra, Ma and Fiete (2023) and its test.

    Attributes:
        name: C1 … C5.
        title: a few words.
        says: the claim.
        test: the condition under which it holds.
        presets: ``small`` for a look in minutes, ``full`` for the figures that the docs quote.
        verdict: from the tables of results and of learning curves to the verdict.
        figure: from the same tables to a figure.
    """

    name: str
    title: str
    says: str
    test: str
    presets: dict[str, Grid]
    verdict: Callable[[pd.DataFrame, pd.DataFrame], Verdict]
    figure: Callable[[pd.DataFrame, pd.DataFrame], Figure]


def per_cell(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each finished cell: its settings, and ``accuracy`` and ``lowest`` over its tasks.

    ``arm`` is its name without the seed. ``reached_…`` tells whether a milestone was reached, and ``trials_to_…`` are
    the trials of the whole run where it was not.
    """
    groups = results[results["task"].notna()].groupby("cell", sort=False)
    cells = groups.first()
    cells["accuracy"] = groups["decision_accuracy"].mean()
    cells["lowest"] = groups["decision_accuracy"].min()
    for percent in MILESTONES:
        reached = cells[f"trials_to_{percent}"].notna()
        cells[f"reached_{percent}"] = reached
        cells[f"trials_to_{percent}"] = cells[f"trials_to_{percent}"].where(reached, cells["trials"])
    if "arm" not in cells:  # a table of an earlier version
        cells["arm"] = [arm_name(row.arch, row.density, row.hidden) for row in cells.itertuples()]
    return cells


class Comparison(NamedTuple):
    """Arm ``one`` against arm ``other``: the gap, and a ratio of trials for each threshold that a run reached.

    ``gap`` is the final accuracy of ``one`` less that of ``other``. ``speed`` is the ratio at the highest of these
    thresholds, the trials of ``one`` as a multiple of those of ``other``; None if there is none.
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
    """Compare two arms of ``per_cell``, paired by seed.

    A run that did not reach a threshold counts with all its trials. Where that happens to ``other``, the ratios are
    upper bounds and their interval has no lower end; where to ``one``, lower bounds. Seeds of which neither run reached
    it are left out.
    """
    ones, others = (cells[cells["arm"] == arm].set_index("seed") for arm in (one, other))
    gap = Estimate.of(ones["accuracy"] - others["accuracy"])
    findings = [Finding(f"{one} against {other}, decision accuracy at the end", gap, "points")]
    for percent in THRESHOLDS:
        reached, trials = f"reached_{percent}", f"trials_to_{percent}"
        known = ones[reached] | others[reached]
        if known.any():
            speed = Estimate.of_ratio(ones.loc[known, trials], others.loc[known, trials])
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
