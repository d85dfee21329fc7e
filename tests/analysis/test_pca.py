"""Trajectories in principal components, against numpy's SVD and states of known rank."""

import numpy as np
import pytest
from hand_built import draw_apart

from modcog import Battery
from modcog.analysis import HiddenStates, plot_trajectories, trajectories
from modcog.errors import ModcogError
from modcog.models import build

BATTERY = Battery(["dlygo", "dms"])
TRIALS = BATTERY.sample(per_task=80, seed=0)
SEEN = np.where(TRIALS.task == 0, TRIALS.conditions["direction"], TRIALS.conditions["sample_direction"])
ANGLE = np.repeat(2 * np.pi * SEEN / 16, TRIALS.lengths)
FRAME = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 2)))[0].T


def on_a_circle() -> HiddenStates:
    """States on a circle of radius 2 about a point that is not the origin, in a plane of 9 dimensions."""
    return HiddenStates(TRIALS, 2 * np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1) @ FRAME + 5)


def test_low_rank_states_need_no_more_components() -> None:
    result = trajectories(on_a_circle(), task="dms", period="delay")
    assert result.explained[:2].sum() == pytest.approx(1)
    np.testing.assert_allclose(result.components[:2] @ FRAME.T @ FRAME, result.components[:2], atol=1e-9)
    spread = np.linalg.svd(result.paths[:, 0] @ result.components, compute_uv=False)
    assert (spread > 1e-9).sum() <= 3


def test_paths_lie_where_the_states_of_their_direction_are() -> None:
    result = trajectories(on_a_circle(), task="dlygo", period="delay")
    back = result.paths @ result.components + result.mean
    angle = 2 * np.pi * result.directions / 16
    expected = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ FRAME + 5
    np.testing.assert_allclose(back, np.repeat(expected[:, None], 5, axis=1), atol=1e-9)
    assert result.time.tolist() == [100, 200, 300, 400, 500]


def test_variances_are_those_of_numpy() -> None:
    states = HiddenStates(TRIALS, np.random.default_rng(1).normal(size=(len(ANGLE), 9)) * np.arange(1, 10))
    result = trajectories(states, task="dlygo", n_components=9)
    steps = states.packed[np.repeat(TRIALS.task == 0, TRIALS.lengths)]
    values, vectors = np.linalg.eigh(np.cov(steps.T))
    np.testing.assert_allclose(result.explained, values[::-1] / values.sum())
    np.testing.assert_allclose(np.abs(np.diag(result.components @ vectors[:, ::-1])), 1)
    assert result.participation_ratio == pytest.approx(values.sum() ** 2 / (values**2).sum())


@pytest.mark.parametrize("dimensions", [1, 3, 9])
def test_participation_ratio_counts_equal_dimensions(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    states = np.zeros((len(ANGLE), 9))
    inside = np.repeat(TRIALS.task == 0, TRIALS.lengths)
    white = rng.normal(size=(inside.sum(), dimensions))
    white = np.linalg.qr(white - white.mean(axis=0))[0]  # equal variances, no covariance
    states[inside, :dimensions] = white
    result = trajectories(HiddenStates(TRIALS, states), task="dlygo")
    assert result.participation_ratio == pytest.approx(dimensions)


def test_means_end_with_the_longest_trial_of_a_direction() -> None:
    result = trajectories(on_a_circle(), task="dms", period="delay")
    lasting, rows = TRIALS.conditions["steps_delay"], TRIALS.task == 1
    for direction, path in zip(result.directions, result.paths, strict=True):
        longest = lasting[rows & (direction == SEEN)].max()
        assert np.isfinite(path[:, 0]).sum() == longest


def test_states_that_never_change_are_refused() -> None:
    with pytest.raises(ModcogError, match="all the same"):
        trajectories(HiddenStates(TRIALS, np.ones((len(ANGLE), 4))), task="dlygo")


def test_figure_draws_a_line_per_direction() -> None:
    network = build("gru", BATTERY.n_channels, BATTERY.n_actions, hidden=6)
    result = trajectories(network, BATTERY, task="dlygo", n_trials=200)
    figure = plot_trajectories(result)
    assert len(figure.axes[0].lines) == 2 * 16  # a path and its end
    draw_apart(figure)
