"""The match family: compare a test with a sample seen before the delay."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.tasks.draw import Draw, Outcome, Stimulus

Ints = NDArray[np.integer]

NAMES = ("match", "sample_direction", "test_direction")


def draw(t: Draw, sample_category: Callable[[Ints, int], Ints] = operator.floordiv) -> Outcome:
    """Draw match or non-match, modality, sample and test; the target is the test's direction.

    ``sample_category`` takes the sample's direction, (n,), and n/2, and returns its category, 0 or 1.

    Raises:
        ModcogError: if conditions that are given contradict each other or are out of range.
    """
    n, half, by_category = t.dim_ring, t.dim_ring // 2, t.param("category")

    def test_direction(match: Ints, sample: Ints, place: Ints, by_category: NDArray[np.bool_]) -> Ints:
        category = sample_category(sample, half)
        within = place + half * np.where(match, category, 1 - category)
        return np.where(by_category, within, (sample + half * (1 - match)) % n)

    match, modality = t.rng.integers(0, 2, t.n), t.rng.integers(1, 3, t.n)
    sample, place = t.rng.integers(0, n, t.n), t.rng.integers(0, half, t.n)
    test = test_direction(match, sample, place, by_category)
    if t.partly_given(NAMES):  # what is left to draw must go with what is not
        every = np.indices((2, n, half)).reshape(3, -1)
        tests = [test_direction(every[0], every[1], every[2], by) for by in by_category]
        choices = [np.stack([every[0], every[1], test], axis=1) for test in tests]
        match, sample, test = np.array([t.agreeing(i, NAMES, rows) for i, rows in enumerate(choices)]).T
    match = t.integers_from("match", match, 0, 2)
    modality = t.integers_from("modality", modality, 1, 3)
    sample = t.integers_from("sample_direction", sample, 0, n)
    test = t.integers_from("test_direction", test, 0, n)
    agrees = test == test_direction(match, sample, test % half, by_category)
    if t.given and not agrees.all():
        raise ModcogError("test_direction: contradicts match and sample_direction")
    respond = match == t.param("respond_to_match")
    return Outcome(test, [Stimulus(0, modality, sample), Stimulus(1, modality, test)], respond)
