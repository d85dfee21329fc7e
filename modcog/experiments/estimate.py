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
        """Return the mean of independent values, with the t interval of Student (1908); missing ones are left out.

        Runs of the same seed see the same trials, in training and when they are scored. So two arms are compared by
        the differences of two series with the seed as index.
        """
        x = pd.Series(values, dtype=float).dropna()
        n, mean = len(x), float(x.mean())
        if n < 2:
            return cls(mean, -np.inf, np.inf, n)
        half = float(stdtrit(n - 1, 0.975) * x.std() / np.sqrt(n))  # the quantile of Student's t
        return cls(mean, mean - half, mean + half, n)

    @classmethod
    def of_ratio(cls, one: pd.Series, other: pd.Series) -> Estimate:
        """Return the geometric mean of ``one`` / ``other``, two series with the seed as index."""
        log = cls.of(np.log(one / other))
        mean, low, high = np.exp(log[:3]).tolist()
        return cls(mean, low, high, log.n)
