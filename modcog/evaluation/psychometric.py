"""Psychometric functions: accuracy in a choice between two as a function of stimulus strength, fitted by psignifit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.errors import ModcogError
from modcog.extras import require

Interval = tuple[float, float]


@dataclass(frozen=True)
class Psychometric:
    """A psychometric function ψ(x) = ½ + (½ − λ) F(x), F a cumulative Gaussian (Schütt et al. 2016).

    Attributes:
        threshold: x at which F is ½; with a lapse rate λ of 0, that of 75 % correct.
        slope: of ψ at the threshold, per unit of x.
        lapse: λ.
        threshold_interval, slope_interval, lapse_interval: 95 % credible intervals; the slope's follows from that of
            the function's width.
    """

    threshold: float
    threshold_interval: Interval
    slope: float
    slope_interval: Interval
    lapse: float
    lapse_interval: Interval
    result: Any = field(repr=False, compare=False)

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """Return the share of correct choices at each of ``x``, same shape."""
        return np.asarray(self.result.proportion_correct(np.asarray(x, np.float64)))


def fit_psychometric(x: NDArray[np.floating], correct: NDArray[np.floating]) -> Psychometric:
    """Fit a psychometric function to choices between two alternatives.

    Args:
        x: (n,) stimulus strength of each trial, such as its coherence.
        correct: (n,) 1 where the choice was right, 0 elsewhere.

    Raises:
        MissingExtraError: without psignifit.
        ModcogError: if there are fewer than three strengths.
    """
    require("psychometric", "a psychometric function")
    from psignifit import psignifit

    levels, place = np.unique(x.round(9), return_inverse=True)
    if len(levels) < 3:
        raise ModcogError(f"psychometric function: got {len(levels)} different strengths, must be at least 3")
    count, right = np.bincount(place), np.bincount(place, correct)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = psignifit(
            np.stack([levels, right, count], axis=1), experiment_type="2AFC", sigmoid="norm", verbose=False
        )
    found = result.parameter_estimate
    ends = {name: _ends(values["0.95"]) for name, values in result.confidence_intervals.items()}
    slope = float(result.slope(found["threshold"]))
    narrow, wide = ends["width"]
    slope_interval = slope * found["width"] / wide, slope * found["width"] / narrow
    return Psychometric(
        float(found["threshold"]), ends["threshold"], slope, slope_interval, float(found["lambda"]), ends["lambda"],
        result,
    )  # fmt: skip


def _ends(interval: Sequence[float]) -> Interval:
    low, high = map(float, interval)
    return low, high
