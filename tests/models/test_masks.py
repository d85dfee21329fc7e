"""Masks, checked against definitions written down directly: all pairs of units, brute force."""

import math
import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog.errors import ModcogError
from modcog.models import masks
from modcog.seeds import Purpose, Seed


def distances(rows, columns, torus):
    """(n, n): Euclidean distance of all pairs of units, the shortest over the sheet's copies if it is a torus."""
    place = np.array([(r, c) for r in range(rows) for c in range(columns)])
    copies = [(a * rows, b * columns) for a in (-1, 0, 1) for b in (-1, 0, 1)] if torus else [(0, 0)]
    return np.min([np.linalg.norm(place[:, None] - place[None] + shift, axis=2) for shift in copies], axis=0)


sheets = st.tuples(st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=40, deadline=None)
@given(sheets, st.booleans(), st.booleans(), st.floats(0.3, 8))
def test_locality_by_radius_connects_exactly_the_units_within_it(shape, torus, own, radius):
    n = shape[0] * shape[1]
    wanted = distances(*shape, torus) <= radius + 1e-9
    if not own:
        np.fill_diagonal(wanted, False)
    if not wanted.any():
        with pytest.raises(ModcogError, match="leaves no connection"):
            masks.locality(n, radius=radius, shape=shape, torus=torus, self_connections=own)
        return
    mask = masks.locality(n, radius=radius, shape=shape, torus=torus, self_connections=own)
    np.testing.assert_array_equal(mask.to_dense(), wanted)


@pytest.mark.filterwarnings("ignore:locality mask")
@settings(max_examples=40, deadline=None)
@given(sheets.filter(lambda s: s[0] * s[1] > 1), st.booleans(), st.booleans(), st.floats(0.01, 1))
def test_locality_by_density_is_symmetric_from_near_to_far_and_as_dense_as_can_be(shape, torus, own, share):
    n = shape[0] * shape[1]
    density = share * (1 if own else 1 - 1 / n)
    mask = masks.locality(n, density=density, shape=shape, torus=torus, self_connections=own)
    matrix, distance = mask.to_dense(), distances(*shape, torus)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix.diagonal().all() if own else not matrix.diagonal().any()
    # a pair of opposite steps adds at most 2 connections per unit; the nearest pair is always there
    assert abs(mask.synapses - density * n * n) <= n + 1e-6 or mask.synapses <= 2 * n
    absent = ~matrix if own else ~matrix & ~np.eye(n, dtype=bool)
    if absent.any():
        assert distance[absent].min() >= distance[matrix].max() - 1e-9
    if torus:
        assert len(set(mask.degrees)) == 1


@pytest.mark.parametrize("n", [64, 100, 256, 1024, 4096])
@pytest.mark.parametrize("torus", [True, False])
def test_four_percent_density_works(n, torus):
    mask = masks.locality(n, density=0.04, torus=torus)
    assert abs(mask.density - 0.04) <= 1 / n + 1e-12
    assert mask.self_connections == n
    if torus:  # a disc of k places on a grid has a radius near √(k / π)
        assert mask.wiring_mean == pytest.approx(2 / 3 * math.sqrt(0.04 * n / math.pi), rel=0.15)


def test_sheet_is_near_to_square_and_units_go_along_rows():
    mask = masks.locality(12, radius=1)
    assert (mask.sheet.rows, mask.sheet.columns) == (3, 4)
    np.testing.assert_array_equal(mask.positions[[0, 3, 4, 11]], [[0, 0], [0, 3], [1, 0], [2, 3]])
    assert mask.positions.dtype == np.float32


def test_wiring_is_the_sum_of_the_distances():
    for torus in (True, False):
        mask = masks.random(30, density=0.2, seed=3, shape=(5, 6), torus=torus)
        total = distances(5, 6, torus)[mask.to_dense()].sum()
        assert mask.wiring_total == pytest.approx(total)
        assert mask.wiring_mean == pytest.approx(total / mask.synapses)
    assert masks.random(7, density=0.5).wiring_total is None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0.01, 1), st.integers(0, 5), st.booleans())
def test_random_has_exactly_the_density_asked_for(n, density, seed, own):
    if not own:
        density *= 1 - 1 / n
    if round(density * n * n) == 0:
        return
    mask = masks.random(n, density=density, seed=seed, self_connections=own)
    assert mask.synapses == round(density * n * n) == mask.to_dense().sum()
    assert own or mask.self_connections == 0
    np.testing.assert_array_equal(
        mask.to_dense(), masks.random(n, density=density, seed=seed, self_connections=own).to_dense()
    )


@pytest.mark.parametrize("own", [True, False])
def test_random_takes_every_connection_equally_often(own):
    n, draws, density = 6, 1500, 0.25
    count = sum(
        masks.random(n, density=density, seed=s, self_connections=own).to_dense().astype(int) for s in range(draws)
    )
    places = np.ones((n, n), bool) if own else ~np.eye(n, dtype=bool)
    share = 9 / places.sum()
    deviation = (count[places] - share * draws) / math.sqrt(draws * share * (1 - share))
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() < 1.5


def test_identity_and_dense():
    np.testing.assert_array_equal(masks.identity(5).to_dense(), np.eye(5, dtype=bool))
    assert masks.dense(5).to_dense().all()
    np.testing.assert_array_equal(masks.dense(5, self_connections=False).to_dense(), ~np.eye(5, dtype=bool))
    assert masks.dense(4).density == 1
    assert masks.identity(4).density == 0.25


@pytest.mark.parametrize("torus", [True, False])
def test_shuffled_is_the_same_graph_with_longer_wires(torus):
    mask = masks.locality(64, density=0.1, torus=torus)
    mixed = masks.shuffled(mask, seed=1)
    old, new = mask.to_dense().astype(float), mixed.to_dense().astype(float)
    assert (old != new).any()
    np.testing.assert_allclose(np.linalg.eigvalsh(old), np.linalg.eigvalsh(new), atol=1e-9)
    assert (mixed.synapses, mixed.self_connections) == (mask.synapses, 64)
    assert mixed.wiring_mean > 1.5 * mask.wiring_mean
    place = Seed.of(1, Purpose.MASK).rng().permutation(64)
    np.testing.assert_array_equal(new[np.ix_(place, place)], old)


@pytest.mark.parametrize(
    "form", [np.asarray, scipy.sparse.csr_array, scipy.sparse.coo_matrix, scipy.sparse.csc_array, np.ndarray.tolist]
)
def test_custom_takes_matrices_of_all_kinds(form):
    matrix = np.random.default_rng(0).normal(size=(7, 7)) * (np.random.default_rng(1).random((7, 7)) < 0.3)
    mask = masks.custom(form(matrix))
    np.testing.assert_array_equal(mask.to_dense(), matrix != 0)
    rows = np.split(mask.indices, mask.indptr[1:-1])
    assert all((np.diff(row) > 0).all() for row in rows)


def test_custom_keeps_the_users_sparse_matrix_and_drops_stored_zeros():
    matrix = scipy.sparse.coo_array(([1.0, -1.0, 2.0, 0.0], ([0, 0, 1, 1], [1, 1, 0, 1])), shape=(2, 2))
    mask = masks.custom(matrix)  # the two entries at (0, 1) sum to nothing
    np.testing.assert_array_equal(mask.to_dense(), [[False, False], [True, False]])
    assert matrix.nnz == 4


def test_fingerprint_tells_masks_apart():
    mask = masks.locality(16, density=0.3)
    assert mask.fingerprint == masks.custom(mask.to_dense()).fingerprint
    assert mask.fingerprint != masks.shuffled(mask).fingerprint


def test_memory_is_that_of_the_connections():
    mask = masks.locality(65_536, radius=3)
    assert mask.synapses == 29 * 65_536
    assert mask.indices.nbytes + mask.indptr.nbytes < 10 * mask.synapses


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masks.locality(13, density=0.1), "9 .3 × 3. or 12 .3 × 4., or give shape"),
        (lambda: masks.locality(16), "give exactly one"),
        (lambda: masks.locality(16, density=0.1, radius=1), "give exactly one"),
        (lambda: masks.locality(16, density=1.5), "density: got 1.5, must be at most 1"),
        (lambda: masks.locality(16, density=0), "density: got 0, must be a number above 0"),
        (lambda: masks.locality(16, radius=math.nan), "radius: got nan"),
        (lambda: masks.locality(16, radius=1, shape=(3, 4)), "3 × 4 = 12 units, must be 16"),
        (lambda: masks.locality(16, radius=1, shape=5), "must be .rows, columns."),
        (lambda: masks.locality(True, radius=1), "n: got True"),
        (lambda: masks.random(4, density=0.9, self_connections=False), "at most 0.75"),
        (lambda: masks.random(4, density=0.01), "leaves no connection"),
        (lambda: masks.random(4, density=0.5, seed=-1), "seed: got -1"),
        (lambda: masks.custom(np.ones((2, 3))), r"got shape \(2, 3\), must be a square matrix"),
        (lambda: masks.custom([["a"]]), "must be booleans or finite numbers"),
        (lambda: masks.custom([[math.nan]]), "must be booleans or finite numbers"),
        (lambda: masks.custom(np.zeros((3, 3))), "leaves no connection"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make, message):
    with pytest.raises(ModcogError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_density_without_neighbours_is_warned_of():
    with pytest.warns(UserWarning, match=r"density 0\.2 each of the 9 units is connected to itself alone.*about 0\.33"):
        mask = masks.locality(9, density=0.2)
    assert mask.synapses == 9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert masks.locality(9, density=0.34).synapses == 27
        assert masks.locality(9, radius=0.5).synapses == 9


@pytest.mark.parametrize("n", [10**7 + 1, 2**63])
@pytest.mark.parametrize("make", [masks.identity, masks.dense, masks.locality, masks.random])
def test_more_units_than_any_memory_holds_are_refused_at_once(make, n):
    with pytest.raises(ModcogError, match="n: got"):
        make(n) if make in (masks.identity, masks.dense) else make(n, density=0.01)


def test_only_a_mask_can_be_shuffled():
    with pytest.raises(ModcogError, match="must be a mask"):
        masks.shuffled(1)
