"""Intervals over seeds cover as often as they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modcog.experiments.claims.claim import Finding
from modcog.experiments.estimate import Estimate


@pytest.mark.parametrize("n", [2, 3, 10])
def test_coverage(n: int) -> None:
    rng = np.random.default_rng(0)
    found = [Estimate.of(row) for row in rng.normal(3, 2, (2_000, n))]
    covered = np.mean([one.low <= 3 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_seed_says_nothing_and_none_even_less() -> None:
    assert Estimate.of([0.4])[:3] == (0.4, -np.inf, np.inf)
    assert np.isnan(Estimate.of([]).mean)


def test_pairs_are_made_by_seed_and_those_without_a_partner_left_out() -> None:
    one = pd.Series({0: 1.0, 1: 2.0, 2: 3.0})
    other = pd.Series({2: 2.5, 1: 1.5, 3: 9.0})
    found = Estimate.of(one - other)
    assert found[:3] == pytest.approx((0.5, 0.5, 0.5))
    assert found.n == 2


def test_a_ratio_is_a_geometric_mean() -> None:
    found = Estimate.of_ratio(pd.Series({0: 2.0, 1: 8.0}), pd.Series({0: 1.0, 1: 1.0}))
    assert found.mean == pytest.approx(4)
    assert found.low * found.high == pytest.approx(16)


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(Finding("accuracy", Estimate(0.9, 0.75, 1.05, 3))) == "accuracy: 90.0 % [75.0, 100.0] (3 seeds)"
    assert str(Finding("gap", Estimate(-0.1, -0.3, 0.1, 1), "points")) == "gap: −10.0 points [−30.0, 10.0] (1 seed)"
    assert str(Finding("trials", Estimate(0.5, 0.25, 1.0, 2), "ratio")) == "trials: 0.50 × [0.25, 1.00] (2 seeds)"
