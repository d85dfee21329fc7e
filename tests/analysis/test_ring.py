"""Ringness: 1 on a perfect circle, like its null on noise, and the same as a Procrustes analysis."""

import numpy as np
import pytest
from hand_built import RingAttractor, draw_apart
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes

from modcog import Battery
from modcog.analysis import HiddenStates, plot_ring, ringness
from modcog.analysis.ring import fit_circle
from modcog.errors import ModcogError

BATTERY = Battery(["dlygo", "dms"])
TRIALS = BATTERY.sample(per_task=300, seed=0)
SEEN = np.where(TRIALS.task == 0, TRIALS.conditions["direction"], TRIALS.conditions["sample_direction"])
SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(2, 12).map(lambda half: 2 * half)


def circle(n: int) -> np.ndarray:
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def embedded(plane: np.ndarray, rng: np.random.Generator, n_units: int = 20) -> np.ndarray:
    """Points of the plane turned, scaled and moved anywhere in a space of more dimensions."""
    frame = np.linalg.qr(rng.normal(size=(n_units, 2)))[0]
    return rng.uniform(0.1, 50) * plane @ frame.T + 10 * rng.normal(size=n_units)


@given(SEEDS, SIZES)
@settings(max_examples=40, deadline=None)
def test_a_perfect_circle_has_1(seed: int, n: int) -> None:
    share, fourier, frame, radius = fit_circle(embedded(circle(n), np.random.default_rng(seed)))
    assert share == pytest.approx(1)
    assert fourier == pytest.approx(1)
    np.testing.assert_allclose(frame.T @ frame, np.eye(2), atol=1e-9)
    assert radius > 0


@pytest.mark.parametrize(("flat", "expected"), [(0.0, 0.5), (0.5, 0.9), (1.0, 1.0)])
def test_ellipses_fall_to_a_half_as_they_become_a_line(flat: float, expected: float) -> None:
    means = embedded(circle(16) * [1, flat], np.random.default_rng(3))
    share, fourier, _, _ = fit_circle(means)
    assert share == pytest.approx(expected)  # (1 + flat)² / 2 (1 + flat²)
    assert fourier == pytest.approx(1)


def test_twice_round_is_no_ring() -> None:
    means = embedded(circle(16)[2 * np.arange(16) % 16], np.random.default_rng(4))
    assert fit_circle(means)[0] == pytest.approx(0, abs=1e-9)


@given(SEEDS, SIZES, st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_it_is_one_less_the_disparity_of_procrustes(seed: int, n: int, n_units: int) -> None:
    means = np.random.default_rng(seed).normal(size=(n, n_units))
    reference = np.pad(circle(n), ((0, 0), (0, n_units - 2)))
    share, fourier, _, _ = fit_circle(means)
    assert share == pytest.approx(1 - procrustes(reference, means)[2])
    assert 0 <= share <= fourier + 1e-12 <= 1 + 1e-9
    spectrum = (np.abs(np.fft.fft(means - means.mean(axis=0), axis=0)) ** 2).sum(axis=1)
    assert fourier == pytest.approx((spectrum[1] + spectrum[-1]) / spectrum.sum())


def test_equal_states_have_none() -> None:
    assert fit_circle(np.full((16, 5), 0.1))[0] == 0


def test_noise_is_like_its_null() -> None:
    """Of states that know nothing of the direction, about one in twenty is called a ring at 5 %."""
    rng = np.random.default_rng(0)
    states = [HiddenStates(TRIALS, rng.normal(size=(len(TRIALS.packed_labels), 6))) for _ in range(100)]
    p = np.array([ringness(s, task="dlygo", n_shuffles=39, seed=i).p_value for i, s in enumerate(states)])
    assert (p <= 0.05).sum() <= 13  # binomial (100, 0.05): more than 13 has a probability below 0.001
    assert 0.4 < p.mean() < 0.6


def test_a_ring_attractor_holds_a_ring() -> None:
    result = ringness(RingAttractor(), BATTERY, task="dms", n_trials=300, n_shuffles=200)
    assert result.ringness > 0.98  # the sample is noisy
    assert result.p_value < 0.01
    assert result.angle_error < 5
    clean = ringness(RingAttractor(), BATTERY, task="dlygo", n_trials=300, n_shuffles=200)
    assert clean.ringness == pytest.approx(1, abs=1e-6)
    assert clean.angle_error == pytest.approx(0, abs=1e-3)
    assert clean.over_time == pytest.approx(np.ones(5), abs=1e-6)
    assert clean.radius == pytest.approx(np.linalg.norm(clean.coordinates, axis=1).mean())


def test_a_forgetful_network_loses_its_ring_over_time() -> None:
    rng = np.random.default_rng(6)
    angle, step = np.repeat(2 * np.pi * SEEN / 16, TRIALS.lengths), np.arange(len(TRIALS.packed_labels))
    step = step - np.repeat(TRIALS.offsets[:-1], TRIALS.lengths)
    ring = np.exp(-step / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    result = ringness(HiddenStates(TRIALS, ring + 0.005 * rng.normal(size=ring.shape)), task="dlygo")
    assert result.over_time[0] > 0.9
    assert result.over_time[-1] < 0.8


def test_every_direction_must_have_a_trial() -> None:
    with pytest.raises(ModcogError, match=r"direction \d+: no trial of dlygo has it"):
        ringness(RingAttractor(), BATTERY, task="dlygo", n_trials=5)


def test_figure_draws_every_direction() -> None:
    figure = plot_ring(ringness(RingAttractor(), BATTERY, task="dlygo", n_trials=300, n_shuffles=50))
    assert len(figure.axes[0].collections[0].get_offsets()) == 16
    draw_apart(figure)
