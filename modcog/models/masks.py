"""Masks: the connections that a network may have, fixed before training and independent of the tasks.

A mask M is stored by its connections only, so its memory grows with the synapses and not with N². M[i, j] is the
connection **from j to i**, as in ``W @ h``. Units stand on a sheet of rows × columns with unit spacing.
"""

from __future__ import annotations

import math
import warnings
import zlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from modcog.checks import as_array, check_count
from modcog.errors import ModcogError, shown, unknown
from modcog.seeds import Purpose, Seed

MOST_UNITS = 10_000_000
"""Largest number of units of a mask."""

SELF_CONNECTIONS, IN_DEGREES = ("all", "none", "drawn"), ("fixed", "drawn")
"""Options of ``random``."""

_SWAPS, _ROUNDS = 10, 300  # swaps of each edge, on average, and rounds after which a nearly full graph is given up

_ELONGATED = 4  # a sheet longer than this many times its width is refused unless its shape is given


Shape = tuple[int, int] | None


@dataclass(frozen=True)
class Sheet:
    """The places of the units: a grid of ``rows`` × ``columns``, numbered along the rows.

    Attributes:
        rows: number of rows.
        columns: number of columns.
        torus: True if opposite borders meet.
    """

    rows: int
    columns: int
    torus: bool = True

    def distances(self, target: NDArray[np.integer], source: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return Euclidean distances (k,) between units given by index, (k,) each; on a torus the shortest ones."""
        rows = np.abs(target // self.columns - source // self.columns)
        columns = np.abs(target % self.columns - source % self.columns)
        if self.torus:
            rows, columns = np.minimum(rows, self.rows - rows), np.minimum(columns, self.columns - columns)
        return np.hypot(rows, columns)


@dataclass(frozen=True, eq=False)
class Mask:
    """The allowed connections, row by row (compressed sparse rows).

    Attributes:
        name: how it was made.
        indptr: (n + 1,) int64; the inputs of unit i are ``indices[indptr[i]:indptr[i + 1]]``.
        indices: (synapses,) int32, ascending in each row.
        sheet: places of the units; None if they have none.
    """

    name: str
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    sheet: Sheet | None = None

    def __post_init__(self) -> None:
        if not self.indices.size:
            raise ModcogError(f"{self.name} mask: it leaves no connection; allowed: at least one")
        self.indptr.flags.writeable = self.indices.flags.writeable = False

    def __repr__(self) -> str:
        return f"Mask({self.name!r}, n={self.n}, synapses={self.synapses}, density={self.density:.4g})"

    @property
    def n(self) -> int:
        """Number of units."""
        return self.indptr.size - 1

    @property
    def synapses(self) -> int:
        """Number of allowed connections."""
        return self.indices.size

    @property
    def density(self) -> float:
        """Allowed share of the n² possible connections."""
        return self.synapses / self.n**2

    @property
    def degrees(self) -> NDArray[np.int64]:
        """(n,) int64: number of inputs of each unit, its self-connection included."""
        return np.diff(self.indptr)

    @property
    def positions(self) -> NDArray[np.float32] | None:
        """(n, 2) float32: row and column of each unit, or None."""
        if self.sheet is None:
            return None
        return np.indices((self.sheet.rows, self.sheet.columns), np.float32).reshape(2, -1).T.copy()

    @cached_property
    def self_connections(self) -> int:
        """Number of units that are connected to themselves."""
        return int((self.targets() == self.indices).sum())

    @cached_property
    def wiring_total(self) -> float | None:
        """Sum of the distances between connected units, in units of the sheet's spacing; None without a sheet."""
        return None if self.sheet is None else float(self.sheet.distances(self.targets(), self.indices).sum())

    @property
    def wiring_mean(self) -> float | None:
        """Mean distance between connected units; None without a sheet."""
        return None if self.wiring_total is None else self.wiring_total / self.synapses

    @cached_property
    def fingerprint(self) -> int:
        """Checksum of the connections."""
        return zlib.crc32(self.indices.astype("<i4").tobytes(), zlib.crc32(self.indptr.astype("<i8").tobytes()))

    def targets(self) -> NDArray[np.int32]:
        """Return the unit that each connection leads to, (synapses,) int32, in the order of ``indices``."""
        return np.repeat(np.arange(self.n, dtype=np.int32), self.degrees)

    def transpose(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Return ``indptr`` and ``indices`` of the transposed mask, and the permutation of the weights it takes."""
        order = np.argsort(self.indices, kind="stable").astype(np.int32)
        return _row_bounds(np.bincount(self.indices, minlength=self.n)), self.targets()[order], order

    def to_csr(self) -> Any:
        """Return the mask as a SciPy sparse array, (n, n) bool."""
        return scipy.sparse.csr_array((np.ones(self.synapses, bool), self.indices, self.indptr), shape=(self.n, self.n))

    def to_dense(self) -> NDArray[np.bool_]:
        """Return the mask as a matrix, (n, n) bool."""
        return self.to_csr().toarray()


def locality(
    n: int,
    *,
    density: float | None = None,
    radius: float | None = None,
    shape: Shape = None,
    torus: bool = True,
    self_connections: bool = True,
) -> Mask:
    """Connect the units of a sheet within a radius (Euclidean distance); a symmetric matrix.

    The mask of the LM-RNNs of Khona et al. (2023).

    With ``density`` neighbours are added from near to far until the number of connections is as near to density · n²
    as it gets; every unit of a torus has the same number.

    Args:
        n: number of units; without ``shape`` it is split into the two factors nearest to a square.
        density: share of the n² connections, in (0, 1].
        radius: largest distance, in units of the grid's spacing; give this or ``density``.
        shape: (rows, columns) of the sheet.
        torus: let opposite borders meet; at the border of an open sheet units have fewer neighbours.
        self_connections: connect units to themselves.

    Raises:
        ModcogError: if n makes no sheet, not exactly one of density and radius is given, or no connection is left.

    Warns:
        UserWarning: if the density is so low that units have no neighbours.
    """
    sheet = _make_sheet(n, shape, torus)
    _check_one_of("locality", density, radius)
    offsets, squared, ends_pair = _sorted_offsets(sheet, self_connections)
    if radius is not None:
        count = int(np.searchsorted(squared, _check_positive("radius", radius) ** 2 * (1 + 1e-12), side="right"))
        return _connect(sheet, offsets[:count])
    wanted = _check_positive("density", density, 1 if self_connections else 1 - 1 / n) * n * n
    counts = np.flatnonzero(ends_pair) + 1  # of offsets, wherever no pair would be torn apart
    lost = np.zeros_like(offsets) if torus else np.abs(offsets)  # rows and columns from which an offset leads off
    synapses = np.cumsum((sheet.rows - lost[:, 0]) * (sheet.columns - lost[:, 1]))[counts - 1]
    best = int(np.abs(synapses - wanted).argmin())
    if best == 0 and self_connections and counts.size > 1:
        warnings.warn(
            f"locality mask: at density {density:g} each of the {n} units is connected to itself alone; "
            f"neighbours need a density of about {synapses[1] / n**2:.2g}",
            stacklevel=2,
        )
    return _connect(sheet, offsets[: counts[best]])


def random(
    n: int,
    *,
    density: float | None = None,
    radius: float | None = None,
    seed: int = 0,
    shape: Shape = None,
    torus: bool = True,
    self_connections: str = "all",
    in_degree: str = "fixed",
) -> Mask:
    """Draw connections at random: by default the twin of ``locality`` without locality.

    With the defaults each unit is connected to itself and to as many others as in ``locality`` of the same density or
    radius, so the two masks have the same self-connections, the same numbers of inputs and the same synapses. With
    ``self_connections="drawn"`` and ``in_degree="drawn"`` it is the random graph of Erdős and Rényi (1959).

    Args:
        n: number of units.
        density: share of the n² connections, in (0, 1].
        radius: that of ``locality``; give this or ``density``.
        seed: seed of the draw.
        shape: (rows, columns) of the sheet that wiring lengths are measured on.
        torus: let opposite borders of that sheet meet.
        self_connections: ``"all"`` units have one, ``"none"`` has, or ``"drawn"``, as likely as any other connection.
        in_degree: ``"fixed"``: as in ``locality``; where n makes no sheet, density · n, rounded. ``"drawn"``:
            round(density · n²) connections, every choice of them equally likely.

    Raises:
        UnknownNameError: for another value of ``self_connections`` or ``in_degree``.
        ModcogError: if not exactly one of density and radius is given, or the density is too high or too low for the
            self-connections.
    """
    _check_units(n)
    if not isinstance(self_connections, str) or self_connections not in SELF_CONNECTIONS:
        raise unknown("self_connections", self_connections, SELF_CONNECTIONS)
    if not isinstance(in_degree, str) or in_degree not in IN_DEGREES:
        raise unknown("in_degree", in_degree, IN_DEGREES)
    _check_one_of("random", density, radius)
    if density is not None:
        _check_positive("density", density, 1 - 1 / n if self_connections == "none" else 1)
    sheet, rng = _find_sheet(n, shape, torus), Seed.of(seed, Purpose.MASK).rng()
    if density is not None and (sheet is None or in_degree == "drawn"):
        synapses, degrees = round(density * n * n), np.repeat(max(1, round(density * n)), n)
    else:
        twin = locality(n, density=density, radius=radius, shape=shape, torus=torus)
        synapses, degrees = twin.synapses, twin.degrees
    if in_degree == "drawn":
        return _draw_connections(n, synapses, self_connections, rng, sheet)
    if self_connections == "drawn":
        return _draw_inputs("random", np.zeros(n + 1, np.int64), np.empty(0, np.int32), degrees, rng, sheet)
    own, without = np.arange(n, dtype=np.int32), self_connections == "none"
    mask = _draw_inputs("random", np.arange(n + 1), own, np.minimum(degrees + without, n), rng, sheet)
    if not without:
        return mask
    others = mask.targets() != mask.indices
    return Mask("random", _row_bounds(mask.degrees - 1), mask.indices[others], sheet)


def small_world(
    n: int,
    *,
    rewired: float = 0.1,
    density: float | None = None,
    radius: float | None = None,
    seed: int = 0,
    shape: Shape = None,
    torus: bool = True,
) -> Mask:
    """Rewire a share of the connections of ``locality`` (Watts and Strogatz 1998, for directed connections).

    A rewired connection keeps its target, and its source is drawn anew among all units that are not yet an input of the
    target. Self-connections are not rewired. So every unit keeps its self-connection and its number of inputs; with
    ``rewired=1`` the mask is one of ``random``.

    Args:
        n: number of units.
        rewired: share of the connections between different units, in [0, 1].
        density: share of the n² connections, in (0, 1].
        radius: that of ``locality``; give this or ``density``.
        seed: seed of the draw.
        shape: (rows, columns) of the sheet.
        torus: let opposite borders meet.

    Raises:
        ModcogError: as ``locality``, or if ``rewired`` is no share.
    """
    if isinstance(rewired, bool) or not isinstance(rewired, int | float | np.number) or not 0 <= rewired <= 1:
        raise ModcogError(f"rewired: got {shown(rewired)}, must be a number from 0 to 1")
    near = locality(n, density=density, radius=radius, shape=shape, torus=torus)
    rng, target = Seed.of(seed, Purpose.MASK).rng(), near.targets()
    others = np.flatnonzero(target != near.indices)
    kept = np.ones(near.synapses, bool)
    kept[rng.choice(others, round(rewired * others.size), replace=False)] = False
    rows = _row_bounds(np.bincount(target[kept], minlength=n))
    return _draw_inputs("small-world", rows, near.indices[kept], near.degrees, rng, near.sheet)


def reciprocal(
    n: int,
    *,
    density: float | None = None,
    radius: float | None = None,
    seed: int = 0,
    shape: Shape = None,
    torus: bool = True,
) -> Mask:
    """Draw random connections that all go both ways, with the degrees of ``locality``.

    The undirected graph of ``locality`` is mixed by swaps: two edges a–b and c–d become a–d and c–b, unless a unit
    would be connected to itself or twice to another (Maslov and Sneppen 2002). Each unit keeps its self-connection and
    its number of neighbours.

    Args:
        n: number of units.
        density: share of the n² connections, in (0, 1].
        radius: that of ``locality``; give this or ``density``.
        seed: seed of the draw.
        shape: (rows, columns) of the sheet.
        torus: let opposite borders meet.

    Raises:
        ModcogError: as ``locality``.
    """
    near = locality(n, density=density, radius=radius, shape=shape, torus=torus)
    edges = np.stack([near.targets(), near.indices])[:, near.targets() < near.indices].astype(np.int64)
    edges = _swap_ends(edges, n, Seed.of(seed, Purpose.MASK).rng())
    own = np.arange(n)
    target, source = (np.concatenate([own, *ends]) for ends in (edges, edges[::-1]))
    values = np.ones(near.synapses, bool)
    return _from_matrix("reciprocal", scipy.sparse.csr_array((values, (target, source)), shape=(n, n)), near.sheet)


def identity(n: int, *, shape: Shape = None, torus: bool = True) -> Mask:
    """Connect every unit to itself only: autapses (Khona et al. 2023)."""
    indices = np.arange(_check_units(n), dtype=np.int32)
    return Mask("identity", _row_bounds(np.ones_like(indices)), indices, _find_sheet(n, shape, torus))


def dense(n: int, *, shape: Shape = None, torus: bool = True, self_connections: bool = True) -> Mask:
    """Connect every unit to every unit."""
    indices = np.tile(np.arange(_check_units(n), dtype=np.int32), (n, 1))
    if not self_connections:
        indices = indices[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    return Mask("dense", np.arange(n + 1) * indices.shape[1], indices.ravel(), _find_sheet(n, shape, torus))


def areas(
    n: int, *, areas: int = 4, between: float = 0.05, seed: int = 0, shape: Shape = None, torus: bool = True
) -> Mask:
    """Connect all units within each of several areas, and draw connections between areas at random.

    Args:
        n: number of units.
        areas: number of areas; the first units are in the first one, and sizes differ by one at most.
        between: share of the connections from other areas that exist, the same number for each unit of an area.
        seed: seed of the draw.
        shape: (rows, columns) of the sheet that wiring lengths are measured on.
        torus: let opposite borders of that sheet meet.

    Raises:
        ModcogError: for more areas than units.
    """
    if _check_units(n) < areas:
        raise ModcogError(f"areas: got {areas}, must be at most {n}, the number of units")
    first = np.arange(areas + 1) * n // areas
    sizes = np.repeat(np.diff(first), np.diff(first))
    own = np.concatenate(
        [np.arange(*first[area : area + 2]) for area in np.searchsorted(first, np.arange(n), "right") - 1]
    )
    degrees = sizes + np.rint(between * (n - sizes)).astype(np.int64)
    rng = Seed.of(seed, Purpose.MASK).rng()
    return _draw_inputs(
        "multi-area", _row_bounds(sizes), own.astype(np.int32), degrees, rng, _find_sheet(n, shape, torus)
    )


def shuffled(mask: Mask, *, seed: int = 0) -> Mask:
    """Permute the units of a mask on their sheet, so that its connections are no longer local.

    Degrees, self-connections and every other property of the graph are kept; only the wiring gets longer.

    Raises:
        ModcogError: if it is no mask.
    """
    if not isinstance(mask, Mask):
        raise ModcogError(f"shuffled: got {shown(mask)}, must be a mask")
    order = np.argsort(Seed.of(seed, Purpose.MASK).rng().permutation(mask.n))
    return _from_matrix("shuffled", mask.to_csr()[order][:, order], mask.sheet)


def custom(matrix: Any, *, shape: Shape = None, torus: bool = True) -> Mask:
    """Connect j to i where ``matrix[i, j]`` is not 0.

    Args:
        matrix: (n, n) booleans or numbers, or a SciPy sparse array or matrix; the values themselves are not used.
        shape: (rows, columns) of the sheet, if the units stand on one.
        torus: let opposite borders of that sheet meet.

    Raises:
        ModcogError: if it is not a square matrix of finite numbers, or holds no connection.
    """
    sparse = scipy.sparse.issparse(matrix)
    try:
        values: Any = matrix.tocsr(copy=True) if sparse else as_array(matrix, 2)
    except ValueError:
        raise ModcogError(f"custom mask: got {shown(matrix)}, must be a square matrix (n, n)") from None
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.shape[0] < 1:
        raise ModcogError(f"custom mask: got shape {values.shape}, must be a square matrix (n, n)")
    data = values.data if sparse else values
    if data.dtype.kind not in "biuf" or not np.isfinite(data).all():
        raise ModcogError(f"custom mask: got values of type {data.dtype}, must be booleans or finite numbers")
    sheet = None if shape is None else _make_sheet(values.shape[0], shape, torus)
    return _from_matrix("custom", values if sparse else scipy.sparse.csr_array(values != 0), sheet)


def _from_matrix(name: str, matrix: Any, sheet: Sheet | None) -> Mask:
    """Make a mask of the entries of a CSR matrix that are not 0; the matrix is changed."""
    matrix.sum_duplicates()  # sorts, too
    matrix.eliminate_zeros()
    return Mask(name, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), sheet)


def _row_bounds(degrees: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(degrees, dtype=np.int64)])


def _check_units(n: Any) -> int:
    if check_count("n", n) > MOST_UNITS:
        raise ModcogError(f"n: got {n}, must be at most {MOST_UNITS:,} units")
    return int(n)


def _make_sheet(n: int, shape: Shape, torus: bool) -> Sheet:
    """Return the sheet for n units: of the given shape, or as square as n allows; refuse a very long one."""
    _check_units(n)
    if shape is not None:
        if not isinstance(shape, tuple | list) or len(shape) != 2:
            raise ModcogError(f"shape: got {shown(shape)}, must be (rows, columns)")
        rows, columns = (check_count("shape", side) for side in shape)
        if rows * columns != n:
            raise ModcogError(f"shape: got {rows} × {columns} = {rows * columns} units, must be {n}")
        return Sheet(rows, columns, torus)
    side = math.isqrt(n)
    rows = next(d for d in range(side, 0, -1) if n % d == 0)
    if n > _ELONGATED * rows**2:
        near = f"{side * side} ({side} × {side}) or {side * (side + 1)} ({side} × {side + 1})"
        raise ModcogError(f"n: got {n}, which makes a sheet of {rows} × {n // rows}; take {near}, or give shape")
    return Sheet(rows, n // rows, torus)


def _find_sheet(n: int, shape: Shape, torus: bool) -> Sheet | None:
    """Return the sheet for n units, or None if n makes none and the mask needs none."""
    try:
        return _make_sheet(n, shape, torus)
    except ModcogError:
        if shape is not None:
            raise
        return None


def _sorted_offsets(
    sheet: Sheet, self_connections: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return all (row, column) offsets from a unit to another, from near to far, opposite ones side by side.

    A mask takes the first k of them for every unit. To sort them by length alone would leave the order among equally
    long ones to chance: the mask could hold an offset without its opposite, so that its matrix is not symmetric, and
    it could stretch along one axis of the sheet. So opposite offsets are a pair, and pairs of equal length come with
    the pair at right angles next to them.

    Returns:
        The offsets (K, 2), their squared lengths (K,), and True where an offset is the last of its pair (K,).
    """
    rows, columns = (side if sheet.torus else 2 * side - 1 for side in (sheet.rows, sheet.columns))
    row, column = np.divmod(np.arange(rows * columns), columns)
    # An offset and its opposite share the larger of their numbers. On a torus with an even side, half of it is its own
    # opposite, so that (rows / 2, c) and (rows / 2, −c) are a pair and the signs of one of them must do for both.
    pair = np.maximum(row * columns + column, -row % rows * columns + -column % columns)
    row, column = row - rows * (row > rows // 2), column - columns * (column > columns // 2)
    squared = row**2 + column**2
    turned = (row * column < 0) | (row == 0)  # differs between pairs at right angles,
    lean = np.abs(np.where(turned, column, row))  # which agree in this
    order = np.lexsort((pair, turned[pair], lean[pair], squared))
    if not self_connections:
        order = order[1:]
    return np.stack([row, column], axis=1)[order], squared[order], np.diff(pair[order], append=-1) != 0


def _connect(sheet: Sheet, offsets: NDArray[np.int64]) -> Mask:
    """Connect every unit of a sheet to those that the offsets (K, 2) lead to."""
    offsets = offsets[np.lexsort((offsets[:, 1], offsets[:, 0]))].astype(np.int32)  # so that sources ascend
    row, column = np.indices((sheet.rows, sheet.columns), np.int32).reshape(2, -1, 1) + offsets.T[:, None]
    if sheet.torus:
        source = row % sheet.rows * sheet.columns + column % sheet.columns
        source.sort(axis=1)
        return Mask("locality", np.arange(len(source) + 1) * len(offsets), source.ravel(), sheet)
    inside = (row >= 0) & (row < sheet.rows) & (column >= 0) & (column < sheet.columns)
    return Mask("locality", _row_bounds(inside.sum(axis=1)), (row * sheet.columns + column)[inside], sheet)


def _draw_connections(
    n: int, synapses: int, self_connections: str, rng: np.random.Generator, sheet: Sheet | None
) -> Mask:
    """Draw connections among all pairs of units, every choice of them equally likely; see ``random``."""
    own, columns = np.arange(n if self_connections == "all" else 0), n - (self_connections != "drawn")
    if synapses < own.size:
        raise ModcogError(f"density: got {synapses / n**2:.2g}, must be at least 1/n for self-connections of all units")
    target, source = np.divmod(_choose(n * columns, synapses - own.size, rng), columns)
    source += (source >= target) & (columns < n)
    targets, sources = np.concatenate([target, own]), np.concatenate([source, own])
    order = np.lexsort((sources, targets))
    return Mask("random", _row_bounds(np.bincount(targets, minlength=n)), sources[order].astype(np.int32), sheet)


def _draw_inputs(
    name: str,
    rows: NDArray[np.int64],
    indices: NDArray[np.int32],
    degrees: NDArray[np.integer],
    rng: np.random.Generator,
    sheet: Sheet | None,
) -> Mask:
    """Add random inputs to those that units have, until each unit has its number; all choices are equally likely.

    Args:
        name: of the mask.
        rows: (n + 1,) bounds of the inputs of each unit in ``indices``.
        indices: the inputs that are there, ascending in each row.
        degrees: (n,) number of inputs of each unit in the end.
        rng: source of the draw.
        sheet: places of the units.
    """
    n, whole = len(degrees), []
    for bounds, degree in zip(pairwise(rows), degrees, strict=True):
        there = indices[slice(*bounds)]
        # Ranks among the units that are not there yet become units by stepping over those that are.
        ranks = rng.choice(n - there.size, degree - there.size, replace=False, shuffle=False)
        drawn = ranks + np.searchsorted(there - np.arange(there.size), ranks, side="right")
        whole.append(np.sort(np.concatenate([there, drawn])))
    return Mask(name, _row_bounds(degrees), np.concatenate(whole).astype(np.int32), sheet)


def _swap_ends(edges: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return undirected edges (2, E), each with its smaller end first, after ``_SWAPS`` swaps of each on average.

    One swap at a time would take seconds in Python. Instead the edges are paired at random and all pairs are swapped at
    once, but for those that would make an edge which is there or which another pair makes.
    """
    edges, done = edges.copy(), 0
    half = edges.shape[1] // 2
    for _ in range(_ROUNDS):
        if done >= _SWAPS * half:
            break
        pairs = rng.permutation(edges.shape[1])[: 2 * half].reshape(2, half)
        (a, b), (c, d) = edges[:, pairs[0]], edges[:, pairs[1]]
        turned = rng.random(half) < 0.5
        c, d = np.where(turned, d, c), np.where(turned, c, d)
        new = np.sort([[a, c], [d, b]], axis=0)  # the smaller end, and the larger one, of a–d and of c–b
        keys = new[0] * n + new[1]
        _, place, count = np.unique(keys, return_inverse=True, return_counts=True)
        single = count[place].reshape(keys.shape) == 1
        free = single & (new[0] != new[1]) & ~np.isin(keys, edges[0] * n + edges[1])
        swapped = free.all(axis=0)
        for k in (0, 1):
            edges[:, pairs[k, swapped]] = new[:, k, swapped]
        done += 2 * int(swapped.sum())
    return edges


def _choose(population: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose ``count`` of the numbers below ``population``, ascending, in memory of ``count``.

    ``rng.choice`` without replacement would take memory of the population, n² numbers of 8 bytes. The gaps between the
    members of a random subset are geometric; slightly too many are drawn, and some are dropped.
    """
    if count == population:
        return np.arange(population)
    share = min(1.0, (count + 6 * math.sqrt(count) + 10) / population)
    while True:
        draws = int(population * share + 6 * math.sqrt(population * share) + 10)
        flat = np.cumsum(rng.geometric(share, draws)) - 1
        flat = flat[: np.searchsorted(flat, population)]
        if flat.size >= count:
            return np.delete(flat, rng.choice(flat.size, flat.size - count, replace=False))


def _check_one_of(name: str, density: Any, radius: Any) -> None:
    if (density is None) == (radius is None):
        given = f"density={shown(density)} and radius={shown(radius)}"
        raise ModcogError(f"{name} mask: got {given}; give exactly one of them")


def _check_positive(field: str, value: Any, at_most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ModcogError(f"{field}: got {shown(value)}, must be a number above 0")
    if value > at_most:
        raise ModcogError(f"{field}: got {shown(value)}, must be at most {at_most:.6g}")
    return float(value)
