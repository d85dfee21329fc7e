"""The parts of a claim: how it is tested, and what the test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps import Grid

Answer = Literal["holds", "does not hold", "cannot tell"]

UNITS = {"%": (100, 1, " %"), "points": (100, 1, " points"), "ratio": (1, 2, " ×")}
"""Factor, decimals and text of each unit."""


@dataclass(frozen=True)
class Finding:
    """One figure that a verdict rests on.

    Attributes:
        what: the quantity.
        estimate: mean and 95 % interval over seeds.
        unit: ``"%"`` (the estimate is a share), ``"points"`` (a difference of shares) or ``"ratio"``.
    """

    what: str
    estimate: Estimate
    unit: Literal["%", "points", "ratio"] = "%"

    def __str__(self) -> str:
        factor, decimals, text = UNITS[self.unit]
        values = np.asarray(self.estimate[:3])
        if self.unit == "%":  # Student's interval has no bounds, a share has two
            values = values.clip(0, 1)
        mean, low, high = (f"{factor * value:.{decimals}f}" for value in values)
        ends = f"{low}, {high}"
        if self.unit == "ratio" and self.estimate.n > 1:  # see ``comparison.compare``
            if values[1] == 0:
                mean, ends = f"≤ {mean}", f"≤ {high}"
            elif values[2] == np.inf:
                mean, ends = f"≥ {mean}", f"≥ {low}"
        return f"{self.what}: {mean}{text} [{ends}] ({self.estimate.n} seed{'s' if self.estimate.n != 1 else ''})"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a test.

    Attributes:
        answer: whether the claim holds.
        because: the reason, in a sentence or two.
        findings: the figures.
    """

    answer: Answer
    because: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Claim:
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
