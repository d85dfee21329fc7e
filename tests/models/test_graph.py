"""Figures of graphs, against definitions written down directly, and what each control shares with an LM-RNN."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog.models import masks
from modcog.models.graph import count_parts, measure_graph

LM = masks.locality(256, density=0.08)


def brute_force(matrix: np.ndarray) -> tuple[float, float, float, float]:
    """Reciprocity, clustering, path length and share of reachable pairs of a matrix (n, n) of connections j to i."""
    n = len(matrix)
    there = matrix & ~np.eye(n, dtype=bool)
    pairs = list(itertools.permutations(range(n), 2))
    mutual = sum(there[i, j] and there[j, i] for i, j in pairs)
    shares = []
    for i in range(n):
        # every pair of connections of i with two others can be closed by a connection in either direction
        found = allowed = 0
        for j, k in itertools.combinations([j for j in range(n) if j != i], 2):
            ends = int(there[i, j]) + int(there[j, i]), int(there[i, k]) + int(there[k, i])
            allowed += 2 * ends[0] * ends[1]
            found += ends[0] * ends[1] * (int(there[j, k]) + int(there[k, j]))
        if allowed:
            shares.append(found / allowed)
    distance = np.where(there, 1.0, np.inf)
    for k in range(n):
        distance = np.minimum(distance, distance[:, [k]] + distance[[k]])
    lengths = np.array([distance[i, j] for i, j in pairs])
    some = np.isfinite(lengths)
    return (
        mutual / there.sum() if there.any() else math.nan,
        np.mean(shares) if shares else math.nan,
        lengths[some].mean() if some.any() else math.nan,
        some.mean() if pairs else math.nan,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.floats(0.05, 1), st.integers(0, 99))
def test_figures_are_those_of_the_definitions(n, density, seed):
    if round(density * n * n) == 0:
        return
    mask = masks.random(n, density=density, seed=seed, self_connections="drawn", in_degree="drawn")
    found, matrix = measure_graph(mask), mask.to_dense()
    got = (found.reciprocity, found.clustering, found.path_length, found.reachable)
    np.testing.assert_allclose(got, brute_force(matrix), atol=1e-12)
    assert found.self_connections == matrix.diagonal().sum()
    spread = matrix.sum(axis=1).std(), matrix.sum(axis=0).std()
    np.testing.assert_allclose((found.in_degree_sd, found.out_degree_sd), spread, atol=1e-12)
    assert found.degree == pytest.approx(matrix.sum() / n)
    assert found.wiring_mean == mask.wiring_mean


SHARED = {
    "shuffled": ("self_connections", "in_degree_sd", "out_degree_sd", "reciprocity", "clustering", "path_length"),
    "reciprocal": ("self_connections", "in_degree_sd", "out_degree_sd", "reciprocity"),
    "small-world": ("self_connections", "in_degree_sd"),
    "random": ("self_connections", "in_degree_sd"),
}
CONTROLS = {
    "shuffled": masks.shuffled(LM),
    "reciprocal": masks.reciprocal(256, density=0.08),
    "small-world": masks.small_world(256, density=0.08),
    "random": masks.random(256, density=0.08),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_each_control_shares_with_the_lm_rnn_what_it_should_and_no_more(name):
    near, found = measure_graph(LM), measure_graph(CONTROLS[name])
    assert found.synapses == near.synapses
    assert found.degree == near.degree
    for figure in SHARED["shuffled"]:
        same = getattr(found, figure) == pytest.approx(getattr(near, figure), abs=1e-12)
        assert same == (figure in SHARED[name]), figure
    assert found.wiring_mean > 1.2 * near.wiring_mean


def test_the_lm_rnn_is_clustered_and_the_random_ones_are_not():
    near, *random = (measure_graph(mask) for mask in (LM, CONTROLS["random"], CONTROLS["reciprocal"]))
    assert near.clustering == pytest.approx(0.537, abs=0.001)
    for found in random:
        assert found.clustering == pytest.approx(20 / 255, abs=0.01)  # as if all connections were independent
        assert found.path_length < 0.7 * near.path_length
    assert random[0].reciprocity == pytest.approx(20 / 255, abs=0.01)


def test_parts_are_counted_by_connections_in_either_direction() -> None:
    assert count_parts(masks.locality(256, density=0.01)) == 16  # rings of the sheet's 16 columns
    assert count_parts(masks.locality(256, density=0.02)) == 1
    assert count_parts(masks.identity(9)) == 9
    assert count_parts(masks.dense(9)) == 1
