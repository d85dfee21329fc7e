"""The match family: compare a test with a sample seen before the delay."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.trials.draw import Draw, Outcome, Stimulus

Ints = NDArray[np.integer]


def draw(t: Draw, sample_category: Callable[[Ints, int], Ints] = operator.floordiv) -> Outcome:
    """Draw match or non-match, modality, sample and test; the target is the test's direction.

    ``sample_category`` takes the sample's direction, (n,), and n/2, and returns its category, 0 or 1.
    """
    half = t.dim_ring // 2
    match = t.integers("match", 0, 2)
    modality = t.integers("modality", 1, 3)
    sample = t.integers("sample_direction", 0, t.dim_ring)
    category = sample_category(sample, half)
    within = t.rng.integers(0, half, t.n) + half * np.where(match, category, 1 - category)
    exact = (sample + half * (1 - match)) % t.dim_ring
    by_category = t.param("category")
    test = t.integers_from("test_direction", np.where(by_category, within, exact), 0, t.dim_ring)
    if t.given and np.any(np.where(by_category, test // half == category, test == sample) != match):
        raise ModcogError("test_direction: contradicts match and sample_direction")
    respond = match == t.param("respond_to_match")
    return Outcome(test, [Stimulus(0, modality, sample), Stimulus(1, modality, test)], respond)
