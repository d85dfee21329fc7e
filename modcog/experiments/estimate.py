"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

ALIKE = 1e-12
"""Relative standard error below which values count as equal."""


class Estimate(NamedTuple):
    """A mean over n seeds and its 95 % interval; with one seed the interval is unbounded.

    ``p`` is that of a two-sided t test against 0, of a ratio against 1; NaN with one seed, or if all values are alike.
    """

    mean: float
    low: float
    high: float
    n: int
    p: float = float("nan")

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
        error = float(x.std() / np.sqrt(n))
        error = error if error > ALIKE * max(1.0, abs(mean)) else 0.0  # what rounding makes of equal values
        half = float(stdtrit(n - 1, 0.975)) * error  # the quantile of Student's t
        p = 2 * float(stdtr(n - 1, -abs(mean) / error)) if error else float("nan")
        return cls(mean, mean - half, mean + half, n, p)

    def p_against(self, value: float) -> float:
        """Return the p value of a two-sided t test of a mean against ``value``; NaN as ``p`` is."""
        if self.n < 2 or self.low == self.high:
            return float("nan")
        error = (self.high - self.low) / 2 / float(stdtrit(self.n - 1, 0.975))
        return 2 * float(stdtr(self.n - 1, -abs(self.mean - value) / error))

    @classmethod
    def of_ratio(cls, one: pd.Series, other: pd.Series) -> Estimate:
        """Return the geometric mean of ``one`` / ``other``, two series with the seed as index."""
        log = cls.of(np.log(one / other))
        mean, low, high = np.exp(log[:3]).tolist()
        return cls(mean, low, high, log.n, log.p)
