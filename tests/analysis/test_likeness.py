"""Likeness of states that are rotated copies of each other, or known to have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
from hand_built import draw_apart
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes as scipy_procrustes
from scipy.stats import ortho_group

from modcog import Battery, ModcogError, UnknownNameError
from modcog.analysis import HiddenStates, angles, dimensions, likeness, plot_likeness
from modcog.analysis.likeness import cka, participation_ratio, procrustes

BATTERY = Battery(["go", "dlygo", "dms"], sigma=0)
TRIALS = BATTERY.sample(per_task=100, seed=0)
DIRECTION = np.where(TRIALS.task == 2, TRIALS.conditions["sample_direction"], TRIALS.conditions["direction"])
ANGLE = np.repeat(2 * np.pi * DIRECTION / 16, TRIALS.lengths)
TASK = np.repeat(TRIALS.task, TRIALS.lengths)
CIRCLE = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)


def states(packed: np.ndarray) -> HiddenStates:
    return HiddenStates(TRIALS, packed)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_measures_against_other_formulas(seed: int) -> None:
    """CKA by Gram matrices; the Procrustes distance as SciPy has it, of matrices of one shape."""
    rng = np.random.default_rng(seed)
    x, y = (one - one.mean(axis=0) for one in (rng.normal(size=(20, 4)), rng.normal(size=(20, 4))))
    gram_x, gram_y = x @ x.T, y @ y.T
    assert cka(x, y) == pytest.approx((gram_x * gram_y).sum() / np.sqrt((gram_x**2).sum() * (gram_y**2).sum()))
    assert procrustes(x, y) == pytest.approx(np.sqrt(1 - scipy_procrustes(x, y)[2]))
    turned = 3 * x @ ortho_group.rvs(4, random_state=seed)
    assert cka(x, turned) == pytest.approx(1)
    assert procrustes(x, turned) == pytest.approx(1)


@pytest.mark.parametrize("measure", ["cka", "procrustes"])
def test_rotated_copies_are_alike_and_noise_is_as_its_null(measure: str) -> None:
    rng = np.random.default_rng(0)
    own = np.hstack([CIRCLE * np.equal(TASK, k)[:, None] for k in range(3)])
    by_direction = rng.normal(size=(3, 16, 6))  # other responses to each direction
    unrelated = by_direction[TASK, np.repeat(DIRECTION, TRIALS.lengths)]
    networks = {
        "a": states(own),
        "turned": states(own @ ortho_group.rvs(6, random_state=1)),
        "other": states(unrelated),
    }
    result = likeness(networks, measure=measure)
    assert result.value.loc["a", "turned"] == pytest.approx(1)
    assert result.null.loc["a", "turned"] < 0.8
    assert result.value.loc["a", "other"] < 0.8
    assert (result.value == result.value.T).all(axis=None)
    assert (np.diag(result.value) == 1).all()
    figure = plot_likeness(result)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a (1)", "turned (2)", "other (3)"]
    draw_apart(figure)
    long = {"n" * 60: states(own), "m" * 60: states(unrelated)}
    draw_apart(plot_likeness(likeness(long, measure=measure, n_shuffles=2)))


def test_dimensions_of_a_circle_are_two_and_of_three_six() -> None:
    every = np.hstack([CIRCLE * np.equal(TASK, k)[:, None] for k in range(3)])
    found = dimensions(states(every))
    assert found[["go", "dlygo", "dms"]].to_numpy() == pytest.approx(np.full(3, 2.0), abs=0.05)
    assert 4 < found["all tasks"] <= 6
    delay = dimensions(states(every), "delay")
    assert list(delay.index) == ["dlygo", "dms", "all tasks"]  # go has none
    assert delay["all tasks"] == pytest.approx(4, abs=0.2)  # two circles
    with pytest.raises(UnknownNameError, match="nearest: 'delay'"):
        dimensions(states(every), "dely")
    assert participation_ratio(np.diag([1.0, 1, 1, 0])) == pytest.approx(3)


def test_angles_between_tasks() -> None:
    apart = np.hstack([CIRCLE * (TASK == 0)[:, None], CIRCLE * (TASK > 0)[:, None]])
    found = angles(states(apart), n_axes=2)
    assert found.loc["go", "dlygo"] == pytest.approx(90)
    assert found.loc["dlygo", "dms"] == pytest.approx(0, abs=1e-5)
    with pytest.raises(ModcogError, match="n_axes: got 9, must be at most 4"):
        angles(states(apart), n_axes=9)


def test_what_cannot_be_compared_is_refused() -> None:
    one = states(CIRCLE)
    with pytest.raises(UnknownNameError, match="nearest: 'cka'"):
        likeness({"a": one, "b": one}, measure="cca")
    with pytest.raises(ModcogError, match="got 1, must be at least 2"):
        likeness({"a": one})
    others = BATTERY.sample(per_task=100, seed=1)
    with pytest.raises(ModcogError, match="b did not see the trials of a"):
        likeness({"a": one, "b": HiddenStates(others, np.zeros((others.lengths.sum(), 2)))})
    with pytest.raises(ModcogError, match="do not vary"):
        likeness({"a": one, "b": states(np.zeros_like(CIRCLE))})
