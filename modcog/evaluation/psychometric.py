"""Psychometric functions: accuracy in a choice between two as a function of stimulus strength, fitted by psignifit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.errors import ModcogError
from modcog.extras import require

Interval = tuple[float, float]


@dataclass(frozen=True)
class Psychometric:
    """A psychometric function ψ(x) = ½ + (½ − λ) F(x), F a Weibull function, fitted as Schütt et al. (2016) do.

    F(0) = 0: without a difference between the alternatives the choice is a coin's.

    Attributes:
        threshold: x at which F is ½; with a lapse rate λ of 0, that of 75 % correct.
        slope: of ψ at the threshold, per unit of x.
        lapse: λ.
        threshold_interval: 95 % credible interval.
        slope_interval: the same; it follows from that of the function's width.
        lapse_interval: the same.
        result: of psignifit.
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
        with np.errstate(divide="ignore"):
            return np.asarray(self.result.proportion_correct(np.log(np.asarray(x, np.float64))))


def fit_psychometric(x: NDArray[np.floating], correct: NDArray[np.floating]) -> Psychometric:
    """Fit a psychometric function to choices between two alternatives.

    Args:
        x: (n,) stimulus strength of each trial, such as its coherence; trials at 0 are left out.
        correct: (n,) 1 where the choice was right, 0 elsewhere.

    Raises:
        MissingExtraError: without psignifit.
        ModcogError: if there are fewer than three strengths above 0.
    """
    require("psychometric", "a psychometric function")
    from psignifit import psignifit

    present = x > 0
    levels, place = np.unique(x[present].round(9), return_inverse=True)
    if len(levels) < 3:
        raise ModcogError(f"psychometric function: got {len(levels)} different strengths, must be at least 3")
    count, right = np.bincount(place), np.bincount(place, correct[present])
    data = np.stack([np.log(levels), right, count], axis=1)  # a Weibull function of x is a Gumbel function of log x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = psignifit(data, experiment_type="2AFC", sigmoid="gumbel", verbose=False)
    found = result.parameter_estimate
    (low, high), (narrow, wide), (least, most) = (
        map(float, result.confidence_intervals[name]["0.95"]) for name in ("threshold", "width", "lambda")
    )
    threshold = float(np.exp(found["threshold"]))
    slope = float(result.slope(found["threshold"])) / threshold
    steep = slope * found["width"] / wide, slope * found["width"] / narrow
    ends = float(np.exp(low)), float(np.exp(high))
    return Psychometric(threshold, ends, slope, steep, float(found["lambda"]), (least, most), result)
