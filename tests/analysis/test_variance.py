"""Task variance and clusters, on states made by hand."""

import numpy as np
import pytest
from hand_built import draw_apart
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import Battery
from modcog.analysis import HiddenStates, plot_task_variance, task_variance
from modcog.analysis.variance import clusters, silhouettes
from modcog.errors import ModcogError, UnknownNameError

TRIALS = Battery(["dlygo", "dms"], timing={"delay": 500}).sample(per_task=60, seed=0)
STEP_TASK = np.repeat(TRIALS.task, TRIALS.lengths)
STEP_IN_TRIAL = np.arange(len(STEP_TASK)) - np.repeat(TRIALS.offsets[:-1], TRIALS.lengths)
SEEN = np.where(TRIALS.task == 0, TRIALS.conditions["direction"], TRIALS.conditions["sample_direction"])
COS = np.cos(2 * np.pi * SEEN / 16)


def hand_made() -> HiddenStates:
    """Units that know the direction after fixation: in dlygo, in dms, in both, in both unequally, never, before it."""
    fixation = np.where(STEP_TASK == 0, 5, 3)
    after = fixation <= STEP_IN_TRIAL
    signal = np.repeat(COS, TRIALS.lengths)
    in_go, in_match = (STEP_TASK == 0) * after * signal, (STEP_TASK == 1) * after * signal
    units = [in_go, in_match, in_go + in_match, 2 * in_go + in_match, 0 * signal + 3, ~after * signal]
    return HiddenStates(TRIALS, np.stack(units, axis=1))


def test_variance_is_that_over_directions() -> None:
    result = task_variance(hand_made())
    go, match = (COS[TRIALS.task == task].var() for task in (0, 1))
    expected = [[go, 0], [0, match], [go, match], [4 * go, match], [0, 0], [0, 0]]
    np.testing.assert_allclose(result.variance, expected, atol=1e-12)


def test_silent_units_are_left_out_and_others_normalised() -> None:
    result = task_variance(hand_made())
    assert sorted(result.units) == [0, 1, 2, 3]
    assert np.array_equal(result.normalised.max(axis=1), np.ones(4))
    np.testing.assert_allclose(
        result.normalised[list(result.units).index(3), 1], 0.25 * result.variance[1, 1] / result.variance[0, 0]
    )


def test_steps_of_unequal_trials_are_aligned() -> None:
    """A unit that marks the step within each period has no variance over trials, however long their delays are."""
    trials = Battery(["dlygo", "dms"]).sample(per_task=60, seed=0)
    assert len(np.unique(trials.lengths)) > 5
    lasting = [np.arange(n) for i in range(len(trials)) for n in trials.period_steps(i).values()]
    within = np.concatenate(lasting)
    noise = np.random.default_rng(0).normal(size=len(within))
    assert (task_variance(HiddenStates(trials, np.stack([within, noise], axis=1))).variance[0] == 0).all()


def test_steps_that_fewer_trials_have_count_less() -> None:
    trials = Battery(["dlygo", "dms"]).sample(per_task=60, seed=0)
    noise = np.random.default_rng(0).normal(size=len(trials.packed_labels))
    moments: dict[tuple[str, int], list[float]] = {}
    for i in np.flatnonzero(trials.task == 1):
        at = trials.offsets[i]
        for period, n in trials.period_steps(i).items():
            for step in range(n):
                moments.setdefault((period, step), []).append(noise[at + step])
            at += n
    after = [values for (period, _), values in moments.items() if period != "fixation"]
    expected = np.average([np.var(values) for values in after], weights=[len(values) for values in after])
    assert task_variance(HiddenStates(trials, noise[:, None])).variance[0, 1] == pytest.approx(expected)


def test_one_task_is_refused() -> None:
    trials = TRIALS[:60]
    with pytest.raises(ModcogError, match="at least 2"):
        task_variance(HiddenStates(trials, np.zeros((len(trials.packed_labels), 3))))
    with pytest.raises(ModcogError, match="no unit varies"):
        task_variance(HiddenStates(TRIALS, np.zeros((len(TRIALS.packed_labels), 3))))


@pytest.mark.parametrize("n_blobs", [2, 3, 7])
def test_blobs_are_found(n_blobs: int) -> None:
    rng = np.random.default_rng(n_blobs)
    blob = rng.integers(0, n_blobs, 80)
    points = 3 * np.eye(8)[blob] + 0.05 * rng.normal(size=(80, 8))
    order, cluster, silhouette, tried = clusters(points)
    assert max(tried, key=tried.__getitem__) == n_blobs == len(np.unique(blob))
    assert len(set(zip(blob, cluster, strict=True))) == n_blobs  # the same partition
    assert (np.diff(cluster[order]) >= 0).all()
    assert np.array_equal(np.sort(order), np.arange(80))
    assert silhouette.min() > 0.9


def test_too_few_or_equal_points_are_one_cluster() -> None:
    for points in (np.eye(2), np.ones((9, 4))):
        order, cluster, _, tried = clusters(points)
        assert (cluster == 0).all()
        assert tried == {}
        assert len(order) == len(points)


@given(st.integers(0, 2**32 - 1), st.integers(3, 25), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_silhouettes_follow_their_definition(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, cluster = rng.normal(size=(n, 2)), rng.integers(0, k, n)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    found = silhouettes(distances, cluster)
    for i in range(n):
        others = [distances[i, j] for j in range(n) if j != i and cluster[j] == cluster[i]]
        elsewhere = [distances[i, cluster == c].mean() for c in set(cluster) - {cluster[i]}]
        if not others or not elsewhere:
            assert found[i] == 0
            continue
        a, b = np.mean(others), min(elsewhere)
        assert found[i] == pytest.approx((b - a) / max(a, b))


def test_a_network_can_be_compared_on_some_of_its_tasks() -> None:
    battery = Battery(["go", "dlygo", "dm1"])
    result = task_variance(lambda observations: observations, battery, tasks=["dlygo", "dm1"], n_trials=20)
    assert result.tasks == ("dlygo", "dm1")
    assert 0 not in result.units  # the cue tells trials of a task apart in nothing
    assert set(result.units) <= set(range(1, 33))


def test_figure_shows_the_matrix() -> None:
    result = task_variance(hand_made())
    figure = plot_task_variance(result)
    assert np.array_equal(figure.axes[0].images[0].get_array(), result.normalised.T)
    draw_apart(figure)


def test_the_clustering_of_yang2019() -> None:
    """Units of an absolute variance, in groups that k-means finds whatever their order."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(3), 8, axis=0) + rng.normal(0, 0.02, (24, 3))
    order, cluster, _, tried = clusters(groups, np.random.default_rng(1))
    assert max(tried, key=tried.__getitem__) == 3
    assert sorted(order) == list(range(24))
    assert [len(set(cluster[8 * k : 8 * k + 8])) for k in range(3)] == [1, 1, 1]
    assert np.array_equal(np.unique(cluster[order], return_index=True)[1], [0, 8, 16])  # numbered in that order

    states = hand_made()
    scaled = HiddenStates(states.trials, np.hstack([states.packed, 0.01 * states.packed[:, :1]]))
    chosen = task_variance(scaled, clustering="yang2019")
    assert set(chosen.units) == set(np.flatnonzero(chosen.variance.sum(axis=1) > 1e-3))
    assert 6 not in chosen.units
    with pytest.raises(UnknownNameError, match="nearest: 'yang2019'"):
        task_variance(scaled, clustering="yang")
