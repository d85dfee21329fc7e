"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Estimate:
    """A mean over n seeds and its 95 % interval; with one seed the interval is unbounded."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def values(self) -> tuple[float, float, float]:
        """Mean, low and high."""
        return self.mean, self.low, self.high

    @classmethod
    def of(cls, values: Iterable[float]) -> Estimate:
        """The mean of independent values, with the interval of Student (1908)."""
        x = np.asarray(list(values), float)
        n = len(x)
        if n < 2:
            return cls(float(x.mean()) if n else float("nan"), -np.inf, np.inf, n)
        from scipy.stats import t

        half = float(t.ppf(0.975, n - 1) * x.std(ddof=1) / np.sqrt(n))
        return cls(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, n)

    @classmethod
    def ratio(cls, values: Iterable[float]) -> Estimate:
        """The geometric mean of ratios."""
        log = cls.of(np.log(list(values)))
        mean, low, high = np.exp(log.values).tolist()
        return cls(mean, low, high, log.n)


def difference(one: pd.Series, other: pd.Series) -> Estimate:
    """Mean of ``one`` − ``other``, two series with the seed as index, paired by seed.

    Runs of the same seed see the same trials, in training and when they are scored.
    """
    return Estimate.of((one - other).dropna())


def ratio(one: pd.Series, other: pd.Series) -> Estimate:
    """Geometric mean of ``one`` / ``other``, paired by seed."""
    return Estimate.ratio((one / other).dropna())
