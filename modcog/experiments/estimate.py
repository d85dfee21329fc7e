"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit


class Estimate(NamedTuple):
    """A mean over n seeds and its 95 % interval; with one seed the interval is unbounded."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Estimate:
        """Return the mean of independent values, with the t interval of Student (1908)."""
        x = np.asarray(list(values), float)
        n = len(x)
        if n < 2:
            return cls(float(x.mean()) if n else float("nan"), -np.inf, np.inf, n)
        half = float(stdtrit(n - 1, 0.975) * x.std(ddof=1) / np.sqrt(n))  # the quantile of Student's t
        return cls(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, n)


def difference(one: pd.Series, other: pd.Series) -> Estimate:
    """Return the mean of ``one`` − ``other``, two series with the seed as index, paired by seed.

    Runs of the same seed see the same trials, in training and when they are scored.
    """
    return Estimate.of((one - other).dropna())


def ratio(one: pd.Series, other: pd.Series) -> Estimate:
    """Return the geometric mean of ``one`` / ``other``, paired by seed."""
    log = difference(np.log(one), np.log(other))
    mean, low, high = np.exp(log[:3]).tolist()
    return Estimate(mean, low, high, log.n)
