"""What a claim is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from modcog.experiments.claims.estimate import Estimate
from modcog.experiments.sweeps import Grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Answer = Literal["holds", "does not hold", "cannot tell"]


@dataclass(frozen=True)
class Finding:
    """One figure that a verdict rests on.

    Attributes:
        what: what was measured.
        estimate: mean and 95 % interval over seeds.
        unit: ``"%"`` (the estimate is a share), ``"points"`` (a difference of shares), ``"ratio"`` or ``""``.
    """

    what: str
    estimate: Estimate
    unit: Literal["%", "points", "ratio", ""] = "%"

    def __str__(self) -> str:
        values = np.asarray(self.estimate.values)
        if self.unit == "%":  # Student's interval knows no bounds, a share has two
            values = values.clip(0, 1)
        scale, digits = {"%": (100, 1), "points": (100, 1), "ratio": (1, 2), "": (1, 1)}[self.unit]
        mean, low, high = (f"{scale * value:.{digits}f}" for value in values)
        ends = f"{low}, {high}"
        if self.unit == "ratio" and self.estimate.n > 1:  # it has one end where runs did not get there
            if values[1] == 0:
                mean, ends = f"≤ {mean}", f"≤ {high}"
            elif values[2] == np.inf:
                mean, ends = f"≥ {mean}", f"≥ {low}"
        unit = {"%": " %", "points": " points", "ratio": " ×", "": ""}[self.unit]
        seeds = f"{self.estimate.n} seed{'s' if self.estimate.n != 1 else ''}"
        return f"{self.what}: {mean}{unit} [{ends}] ({seeds})"


@dataclass(frozen=True)
class Verdict:
    """What the results say of a claim.

    Attributes:
        answer: whether it holds.
        because: why, in a sentence or two.
        findings: the figures.
    """

    answer: Answer
    because: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Claim:
    """A claim of Khona, Chandra, Ma and Fiete (2023), and how it is put to the test.

    Attributes:
        name: C1 … C5.
        title: a few words.
        says: the claim.
        test: when it is taken to hold.
        presets: ``small`` for a look in minutes, ``full`` for the figures that the docs quote.
        score: from the tables of results and of learning curves to the verdict.
        figure: from the same tables to a picture.
    """

    name: str
    title: str
    says: str
    test: str
    presets: dict[str, Grid]
    score: Callable[[pd.DataFrame, pd.DataFrame], Verdict]
    figure: Callable[[pd.DataFrame, pd.DataFrame], Figure]
