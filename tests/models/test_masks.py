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
        mask = masks.random(30, density=0.2, seed=3, shape=(5, 6), torus=torus, in_degree="drawn")
        total = distances(5, 6, torus)[mask.to_dense()].sum()
        assert mask.wiring_total == pytest.approx(total)
        assert mask.wiring_mean == pytest.approx(total / mask.synapses)
    assert masks.random(7, density=0.5).wiring_total is None


SELF = ("all", "none", "drawn")
DRAWN = {"self_connections": "drawn", "in_degree": "drawn"}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0.01, 1), st.integers(0, 5), st.sampled_from(SELF))
def test_random_with_drawn_degrees_has_exactly_the_density_asked_for(n, density, seed, own):
    if own == "none":
        density *= 1 - 1 / n
    if round(density * n * n) < (n if own == "all" else 1):
        return
    mask = masks.random(n, density=density, seed=seed, self_connections=own, in_degree="drawn")
    matrix = mask.to_dense()
    assert mask.synapses == round(density * n * n) == matrix.sum()
    assert own != "none" or mask.self_connections == 0
    assert own != "all" or mask.self_connections == n
    again = masks.random(n, density=density, seed=seed, self_connections=own, in_degree="drawn")
    np.testing.assert_array_equal(matrix, again.to_dense())


@pytest.mark.filterwarnings("ignore:locality mask")
@settings(max_examples=60, deadline=None)
@given(sheets, st.booleans(), st.floats(0.01, 1), st.booleans(), st.integers(0, 5))
def test_every_control_has_the_self_connections_and_degrees_of_locality(shape, torus, size, by_radius, seed):
    n = shape[0] * shape[1]
    how = {"shape": shape, "torus": torus, **({"radius": 8 * size} if by_radius else {"density": size})}
    near = masks.locality(n, **how)
    made = {
        "random": masks.random(n, seed=seed, **how),
        "small-world": masks.small_world(n, rewired=size, seed=seed, **how),
        "reciprocal": masks.reciprocal(n, seed=seed, **how),
    }
    for name, mask in made.items():
        matrix = mask.to_dense()
        assert mask.name == name
        assert mask.self_connections == n, name
        np.testing.assert_array_equal(mask.degrees, near.degrees, name)
        np.testing.assert_array_equal(matrix.sum(axis=1), near.degrees, name)
        assert all((np.diff(row) > 0).all() for row in np.split(mask.indices, mask.indptr[1:-1])), name
        assert mask.sheet == near.sheet, name
    both = made["reciprocal"].to_dense()
    np.testing.assert_array_equal(both, both.T)
    kept = made["small-world"].to_dense() & near.to_dense()
    others = near.synapses - n
    assert kept.sum() >= near.synapses - round(size * others)
    mixed = masks.shuffled(near, seed=seed)
    assert sorted(mixed.degrees) == sorted(near.degrees)
    assert mixed.self_connections == n


@pytest.mark.parametrize("torus", [True, False])
def test_random_controls_for_self_connections_have_the_synapses_of_locality(torus):
    near = masks.locality(64, density=0.1, torus=torus)
    for own, count in (("all", 64), ("none", 0)):
        mask = masks.random(64, density=0.1, torus=torus, self_connections=own)
        np.testing.assert_array_equal(mask.degrees, near.degrees)
        assert mask.self_connections == count
    drawn = masks.random(64, density=0.1, torus=torus, self_connections="drawn")
    np.testing.assert_array_equal(drawn.degrees, near.degrees)
    assert 0 < drawn.self_connections < 32


def test_without_a_sheet_random_has_the_rounded_degree():
    assert set(masks.random(13, density=0.4).degrees) == {5}
    assert set(masks.random(13, density=0.01).degrees) == {1}


def test_small_world_goes_from_locality_to_random():
    near = masks.locality(256, density=0.1)
    np.testing.assert_array_equal(masks.small_world(256, rewired=0, density=0.1).to_dense(), near.to_dense())
    lost = [(near.to_dense() & ~masks.small_world(256, rewired=p, density=0.1).to_dense()).sum() for p in (0.01, 0.1)]
    others = near.synapses - 256
    assert lost[0] == pytest.approx(0.01 * others, rel=0.25)  # some are drawn again as they were
    assert lost[1] == pytest.approx(0.1 * 0.9 * others, rel=0.15)
    assert masks.small_world(256, rewired=1, density=0.1).to_dense().mean(axis=0).std() > 0.01


EQUALLY_OFTEN = {
    "Erdős and Rényi": lambda s: masks.random(6, density=0.25, seed=s, **DRAWN),
    "drawn, none": lambda s: masks.random(6, density=0.25, seed=s, self_connections="none", in_degree="drawn"),
    "drawn, all": lambda s: masks.random(6, density=0.5, seed=s, in_degree="drawn"),
    "the twin": lambda s: masks.random(6, density=0.6, seed=s),
    "fixed, none": lambda s: masks.random(6, density=0.6, seed=s, self_connections="none"),
    "fixed, drawn": lambda s: masks.random(6, density=0.6, seed=s, self_connections="drawn"),
    "rewired": lambda s: masks.small_world(6, density=0.6, seed=s, rewired=1),
    "reciprocal": lambda s: masks.reciprocal(9, density=0.55, seed=s),
}


@pytest.mark.parametrize("name", EQUALLY_OFTEN)
def test_every_connection_is_drawn_equally_often(name):
    draws, total = 500, EQUALLY_OFTEN[name](0).synapses
    count = sum(EQUALLY_OFTEN[name](s).to_dense().astype(int) for s in range(draws))
    n, own = len(count), count.diagonal()
    places = np.ones((n, n), bool)
    if set(own) in ({0}, {draws}):  # by rule
        np.fill_diagonal(places, False)
        total -= n * (own[0] > 0)
    share = total / places.sum()
    assert 0.2 < share < 0.9
    deviation = (count[places] - share * draws) / math.sqrt(draws * share * (1 - share))
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() < 1.5


def test_reciprocal_neighbours_are_others_each_time():
    near, (one, other) = masks.locality(64, density=0.15), (masks.reciprocal(64, density=0.15, seed=s) for s in (0, 1))
    for a, b in ((near, one), (near, other), (one, other)):
        shared = (a.to_dense() & b.to_dense()).sum() - 64
        assert shared / (near.synapses - 64) == pytest.approx(0.13, abs=0.06)
    np.testing.assert_array_equal(masks.reciprocal(16, density=1).to_dense(), np.ones((16, 16), bool))


def test_the_authors_sheets_have_their_densities():
    """Khona's notebook of 2021: an open sheet of 16 × 16, connected where the distance is below d."""
    for d, percent in ((2, 3.23), (3, 8.36), (4, 14.23)):
        mask = masks.locality(256, radius=d - 0.1, torus=False)
        np.testing.assert_array_equal(mask.to_dense(), distances(16, 16, False) < d)
        assert round(100 * mask.density, 2) == percent


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
        (lambda: masks.random(4, density=0.9, self_connections="none"), "at most 0.75"),
        (lambda: masks.random(4, density=0.01, **DRAWN), "leaves no connection"),
        (lambda: masks.random(4, density=0.1, in_degree="drawn"), "density: got 0.12, must be at least 1/n"),
        (
            lambda: masks.random(4, density=0.5, self_connections=True),
            "unknown self_connections True; allowed: all, none",
        ),
        (lambda: masks.random(4, density=0.5, self_connections=[]), "unknown self_connections"),
        (lambda: masks.random(4, density=0.5, in_degree="fix"), "unknown in_degree 'fix' .nearest: 'fixed'."),
        (lambda: masks.random(4), "give exactly one"),
        (lambda: masks.random(13, radius=2), "9 .3 × 3. or 12 .3 × 4., or give shape"),
        (lambda: masks.small_world(16, density=0.5, rewired=1.1), "rewired: got 1.1, must be a number from 0 to 1"),
        (lambda: masks.small_world(16, density=0.5, rewired="all"), "rewired: got 'all'"),
        (lambda: masks.small_world(16), "give exactly one"),
        (lambda: masks.reciprocal(16, density=0.5, radius=1), "give exactly one"),
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
@pytest.mark.parametrize(
    "make", [masks.identity, masks.dense, masks.locality, masks.random, masks.small_world, masks.reciprocal]
)
def test_more_units_than_any_memory_holds_are_refused_at_once(make, n):
    with pytest.raises(ModcogError, match="n: got"):
        make(n) if make in (masks.identity, masks.dense) else make(n, density=0.01)


def test_only_a_mask_can_be_shuffled():
    with pytest.raises(ModcogError, match="must be a mask"):
        masks.shuffled(1)


@pytest.mark.parametrize(("n", "areas", "between"), [(40, 4, 0.1), (41, 3, 0.0), (36, 1, 0.5), (20, 5, 1.0)])
def test_areas_are_dense_within_and_sparse_between(n, areas, between):
    matrix = masks.areas(n, areas=areas, between=between, seed=1).to_dense()
    area = np.searchsorted(np.arange(1, areas + 1) * n // areas, np.arange(n), "right")
    same = area[:, None] == area
    assert matrix[same].all()
    others = (~same).sum(axis=1)
    np.testing.assert_array_equal((matrix & ~same).sum(axis=1), np.rint(between * others))
    assert set(np.bincount(area)) <= {n // areas, n // areas + 1}
    if 0 < between < 1 and areas > 1:
        assert (matrix != masks.areas(n, areas=areas, between=between, seed=2).to_dense()).any()


def test_more_areas_than_units_are_refused():
    with pytest.raises(ModcogError, match="areas: got 5, must be at most 4"):
        masks.areas(4, areas=5)
