"""The match family: compare a test with a sample seen before the delay."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modcog.tasks.base import Draw, Outcome, Stimulus
from modcog.tasks.condition import Condition, Joint
from modcog.tasks.go import MODALITY

Ints = NDArray[np.integer]
Category = Callable[[Ints, int], Ints]
"""Returns the category, 0 or 1, of directions (k,), given n/2."""

PARTS = (
    Condition("match", "flag", "1: match; 0: non-match"),
    Condition("sample_direction", "direction", "where the sample stands"),
    Condition("test_direction", "direction", "where the test stands"),
)


def conditions(sample_category: Category) -> tuple[Joint, Condition]:
    """Return what a match task draws; ``sample_category`` is the category of a sample, and so of a matching test."""
    return (
        Joint(PARTS, lambda settings, params: _trials(settings.dim_ring, bool(params["category"]), sample_category)),
        MODALITY,
    )


@lru_cache(maxsize=8)
def _trials(n: int, by_category: bool, sample_category: Category) -> NDArray[np.int64]:
    """Return every (match, sample, test), (k, 3): as many matches as non-matches, as many tests for each sample."""
    half = n // 2
    match, sample, place = np.indices((2, n, half if by_category else 1)).reshape(3, -1)
    if by_category:
        category = sample_category(sample, half).astype(np.int64)
        test = place + half * np.where(match, category, 1 - category)
    else:
        test = (sample + half * (1 - match)) % n
    return np.stack([match, sample, test], axis=1)


CONDITIONS = conditions(operator.floordiv)


def draw(t: Draw) -> Outcome:
    """Return the trials: the target is the test's direction, where the task asks for a response."""
    modality, test = t["modality"], t["test_direction"]
    stimuli = [Stimulus(0, modality, t["sample_direction"]), Stimulus(1, modality, test)]
    return Outcome(test, stimuli, t["match"] == t.param("respond_to_match"))
