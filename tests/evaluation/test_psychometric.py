"""Psychometric functions against choices that were made by a known one."""

import numpy as np
import pytest

from modcog import ModcogError
from modcog.evaluation.psychometric import fit_psychometric

pytest.importorskip("psignifit")


def test_a_known_function_is_found_with_intervals_that_hold_it():
    rng, steepness, threshold, lapse = np.random.default_rng(0), 1.8, 0.2, 0.02
    x = np.repeat([0, 0.04, 0.08, 0.16, 0.24, 0.32, 0.4, 0.64], 500)
    weibull = 1 - 2 ** -((x / threshold) ** steepness)  # ½ at the threshold
    correct = rng.random(len(x)) < 0.5 + (0.5 - lapse) * weibull
    found = fit_psychometric(x, correct.astype(float))
    slope = (0.5 - lapse) * 0.5 * np.log(2) * steepness / threshold
    assert found.threshold == pytest.approx(threshold, abs=0.02)
    assert found.threshold_interval[0] < threshold < found.threshold_interval[1]
    assert found.slope == pytest.approx(slope, rel=0.15)
    assert found.slope_interval[0] < slope < found.slope_interval[1]
    assert found.lapse_interval[0] <= lapse <= found.lapse_interval[1]
    np.testing.assert_allclose(found([0, threshold, 1.0]), [0.5, 0.74, 0.98], atol=0.02)
    step = 1e-5
    steep = (found(found.threshold + step) - found(found.threshold - step)) / (2 * step)
    assert found.slope == pytest.approx(steep, rel=1e-3)


def test_two_strengths_are_too_few():
    with pytest.raises(ModcogError, match="at least 3"):
        fit_psychometric(np.array([0.1, 0.2, 0.2]), np.ones(3))


def test_without_psignifit_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("modcog.extras.find_spec", lambda name: None)
    with pytest.raises(ModcogError, match=r"\[psychometric\]"):
        fit_psychometric(np.array([0.1, 0.2, 0.3]), np.ones(3))
