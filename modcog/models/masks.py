"""Masks: which unit may be connected to which, fixed before training and blind to the task.

A mask M is stored by its connections only, so its memory grows with the synapses and not with N². M[i, j] is the
connection **from j to i**, as in ``W @ h``. Units stand on a sheet of rows × columns with unit spacing.
"""

from __future__ import annotations

import math
import operator
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed

_ELONGATED = 4  # a sheet that is longer than this many times its width is refused unless asked for
_SLICE = 1 << 22  # connections handled at once where only a sum is wanted


@dataclass(frozen=True)
class Sheet:
    """Where the units are: a grid of ``rows`` × ``columns``, unit after unit along a row.

    Attributes:
        rows: number of rows.
        columns: number of columns.
        torus: whether opposite borders meet.
    """

    rows: int
    columns: int
    torus: bool = True

    @property
    def positions(self) -> NDArray[np.float32]:
        """(n, 2) float32: row and column of each unit."""
        grid = np.indices((self.rows, self.columns), np.float32)
        return grid.reshape(2, -1).T.copy()

    def distances(self, target: NDArray[np.integer], source: NDArray[np.integer]) -> NDArray[np.float64]:
        """Euclidean distances between units given by index, (k,) each; the short way round on a torus."""
        rows = np.abs(target // self.columns - source // self.columns)
        columns = np.abs(target % self.columns - source % self.columns)
        if self.torus:
            rows, columns = np.minimum(rows, self.rows - rows), np.minimum(columns, self.columns - columns)
        return np.hypot(rows, columns)


@dataclass(frozen=True, eq=False)
class Mask:
    """The connections that are allowed, row by row (compressed sparse rows).

    Attributes:
        name: how it was made.
        indptr: (n + 1,) int64; the inputs of unit i are ``indices[indptr[i]:indptr[i + 1]]``.
        indices: (synapses,) int32, ascending in each row.
        sheet: where the units are; None if they have no place.
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
        """Number of connections allowed."""
        return self.indices.size

    @property
    def density(self) -> float:
        """Share of the n² possible connections that are allowed."""
        return self.synapses / self.n**2

    @property
    def degrees(self) -> NDArray[np.int64]:
        """(n,) int64: number of inputs that each unit has from other units and itself."""
        return np.diff(self.indptr)

    @property
    def positions(self) -> NDArray[np.float32] | None:
        """(n, 2) float32: row and column of each unit, or None."""
        return None if self.sheet is None else self.sheet.positions

    @cached_property
    def self_connections(self) -> int:
        """Number of units that are connected to themselves."""
        return sum(int((target == source).sum()) for target, source in self._connections())

    @cached_property
    def wiring_total(self) -> float | None:
        """Sum of the distances between connected units, in units of the sheet's spacing; None without a sheet."""
        sheet = self.sheet
        if sheet is None:
            return None
        return math.fsum(float(sheet.distances(target, source).sum()) for target, source in self._connections())

    @property
    def wiring_mean(self) -> float | None:
        """Mean distance between connected units; None without a sheet."""
        return None if self.wiring_total is None else self.wiring_total / self.synapses

    @cached_property
    def fingerprint(self) -> int:
        """A number that tells masks apart: the same connections, the same number."""
        return zlib.crc32(self.indices.astype("<i4").tobytes(), zlib.crc32(self.indptr.astype("<i8").tobytes()))

    def targets(self) -> NDArray[np.int32]:
        """(synapses,) int32: the unit that each connection ends at, in the order of ``indices``."""
        return np.repeat(np.arange(self.n, dtype=np.int32), self.degrees)

    def to_dense(self) -> NDArray[np.bool_]:
        """(n, n) bool: the mask as a matrix."""
        matrix = np.zeros((self.n, self.n), bool)
        matrix[self.targets(), self.indices] = True
        return matrix

    def _connections(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """(targets, sources) of all connections, some rows at a time."""
        rows = max(1, _SLICE // max(1, self.synapses // self.n))
        for first in range(0, self.n, rows):
            part = self.indptr[first : first + rows + 1]
            target = np.repeat(np.arange(first, first + part.size - 1, dtype=np.int32), np.diff(part))
            yield target, self.indices[part[0] : part[-1]]


def locality(
    n: int,
    *,
    density: float | None = None,
    radius: float | None = None,
    shape: tuple[int, int] | None = None,
    torus: bool = True,
    self_connections: bool = True,
) -> Mask:
    """Units on a sheet, each connected with those within a radius (Euclidean distance); a symmetric matrix.

    The mask of the LM-RNNs of Khona et al. (2023).

    With ``density`` the sheet is filled from near to far until the number of connections is as near as can be to
    density · n²; every unit of a torus has the same number. Connections at the same distance are taken in pairs of
    opposite directions, first those at right angles to each other, so the matrix is symmetric wherever it stops.

    Args:
        n: number of units; without ``shape`` it is split into the two factors nearest to a square.
        density: share of the n² connections wanted, in (0, 1].
        radius: largest distance, in units of the grid's spacing; give this or ``density``.
        shape: (rows, columns) of the sheet.
        torus: whether opposite borders meet; an open sheet has fewer neighbours at its border.
        self_connections: whether units are connected to themselves.

    Raises:
        ModcogError: if n makes no sheet, or not exactly one of density and radius is given, or none is left.

    Warns:
        UserWarning: if so low a density leaves no neighbours.
    """
    sheet = _sheet(n, shape, torus)
    if (density is None) == (radius is None):
        raise ModcogError(f"locality mask: got density={density!r} and radius={radius!r}; give exactly one of them")
    offsets, distance, last_of_pair = _offsets(sheet, self_connections)
    counts = _connections_per_offset(sheet, offsets)
    if radius is not None:
        taken = int(np.searchsorted(distance, _positive("radius", radius) ** 2 * (1 + 1e-12), side="right"))
    else:
        wanted = _density(density, n, self_connections) * n * n
        ends = np.flatnonzero(last_of_pair) + 1
        taken = int(ends[np.abs(np.cumsum(counts)[ends - 1] - wanted).argmin()]) if ends.size else 0
        if taken == 1 and self_connections and ends.size > 1:
            least = counts[: ends[1]].sum() / n**2
            warnings.warn(
                f"locality mask: {n} units at density {density:g} are connected with themselves alone, as autapses; "
                f"the first neighbours come at about {least:.2g}",
                stacklevel=2,
            )
    indptr, indices = _connect(sheet, offsets[:taken])
    return Mask("locality", indptr, indices, sheet)


def random(
    n: int,
    *,
    density: float,
    seed: int = 0,
    shape: tuple[int, int] | None = None,
    torus: bool = True,
    self_connections: bool = True,
) -> Mask:
    """Round(density · n²) connections, every choice of them equally likely (Erdős and Rényi 1959).

    Args:
        n: number of units.
        density: share of the n² connections, in (0, 1].
        seed: that repeats the draw.
        shape: (rows, columns) of the sheet that wiring lengths are measured on.
        torus: whether that sheet's opposite borders meet.
        self_connections: whether units may be connected to themselves.
    """
    _units(n)
    columns = n if self_connections else n - 1
    wanted = round(_density(density, n, self_connections) * n * n)
    flat = _choose(n * columns, wanted, Seed.of(seed, Purpose.MASK).rng())
    target, source = flat // columns, flat % columns
    if not self_connections:
        source += source >= target
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(target, minlength=n), out=indptr[1:])
    return Mask("random", indptr, source.astype(np.int32), _sheet_if_any(n, shape, torus))


def identity(n: int, *, shape: tuple[int, int] | None = None, torus: bool = True) -> Mask:
    """Autapses: every unit is connected to itself only (Khona et al. 2023)."""
    indptr = np.arange(_units(n) + 1, dtype=np.int64)
    return Mask("identity", indptr, np.arange(n, dtype=np.int32), _sheet_if_any(n, shape, torus))


def dense(n: int, *, shape: tuple[int, int] | None = None, torus: bool = True, self_connections: bool = True) -> Mask:
    """Every unit is connected to every unit."""
    indices = np.tile(np.arange(_units(n), dtype=np.int32), (n, 1))
    if not self_connections:
        indices = indices[~np.eye(n, dtype=bool)]
    indptr = np.arange(n + 1, dtype=np.int64) * (n if self_connections else n - 1)
    return Mask("dense", indptr, indices.ravel(), _sheet_if_any(n, shape, torus))


def shuffled(mask: Mask, *, seed: int = 0) -> Mask:
    """The same graph with its units permuted: the places on the sheet stay, so nothing is local any more.

    Degrees, self-connections and every other property of the graph are kept; only the wiring gets longer.

    Args:
        mask: usually a locality mask.
        seed: that repeats the permutation.
    """
    place = Seed.of(seed, Purpose.MASK).rng().permutation(mask.n).astype(np.int32)
    back = np.argsort(place)
    degrees = mask.degrees[back]
    indptr = np.concatenate([[0], np.cumsum(degrees)])
    # row i of the new matrix is row back[i] of the old one, with its columns renamed
    old = np.repeat(mask.indptr[back] - indptr[:-1], degrees) + np.arange(mask.synapses)
    indices = place[mask.indices[old]]
    order = np.lexsort((indices, np.repeat(np.arange(mask.n, dtype=np.int32), degrees)))
    return Mask("shuffled", indptr, indices[order], mask.sheet)


def custom(matrix: Any, *, shape: tuple[int, int] | None = None, torus: bool = True) -> Mask:
    """A matrix of the user's: connected from j to i where ``matrix[i, j]`` is not 0.

    Args:
        matrix: (n, n) booleans or numbers, or a SciPy sparse array or matrix; the values themselves are not used.
        shape: (rows, columns) of the sheet, if the units stand on one.
        torus: whether that sheet's opposite borders meet.

    Raises:
        ModcogError: if it is not a square matrix of finite numbers, or holds no connection.
    """
    sparse = hasattr(matrix, "tocsr")
    values: Any = matrix.tocsr(copy=True) if sparse else np.asarray(matrix)
    if len(values.shape) != 2 or values.shape[0] != values.shape[1] or values.shape[0] < 1:
        raise ModcogError(f"custom mask: got shape {values.shape}, must be a square matrix (n, n)")
    data = values.data if sparse else values
    if data.dtype.kind not in "biuf" or not np.isfinite(data).all():
        raise ModcogError(f"custom mask: got values of type {data.dtype}, must be booleans or finite numbers")
    n = values.shape[0]
    if sparse:
        values.sum_duplicates()
        values.eliminate_zeros()
        indptr, indices = values.indptr.astype(np.int64), values.indices.astype(np.int32)
    else:
        target, source = np.nonzero(values)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=n))]).astype(np.int64)
        indices = source.astype(np.int32)
    return Mask("custom", indptr, indices, None if shape is None else _sheet(n, shape, torus))


def _sheet(n: int, shape: tuple[int, int] | None, torus: bool) -> Sheet:
    """The sheet for n units: of the shape asked for, or as square as n allows."""
    _units(n)
    if shape is not None:
        rows, columns = _shape(shape)
        if rows * columns != n:
            raise ModcogError(f"shape: got {rows} × {columns} = {rows * columns} units, must be {n}")
        return Sheet(rows, columns, torus)
    rows = next(d for d in range(math.isqrt(n), 0, -1) if n % d == 0)
    if n > _ELONGATED * rows**2:
        side = math.isqrt(n)
        near = f"{side * side} ({side} × {side}) or {side * (side + 1)} ({side} × {side + 1})"
        raise ModcogError(f"n: got {n}, which makes a sheet of {rows} × {n // rows}; take {near}, or give shape")
    return Sheet(rows, n // rows, torus)


def _sheet_if_any(n: int, shape: tuple[int, int] | None, torus: bool) -> Sheet | None:
    """The sheet for n units, or None where the mask needs none and n makes none."""
    try:
        return _sheet(n, shape, torus)
    except ModcogError:
        if shape is not None:
            raise
        return None


def _offsets(sheet: Sheet, self_connections: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """All (row, column) steps from a unit to another, near to far, opposite ones next to each other.

    Returns:
        The steps (K, 2), their squared lengths (K,), and whether a step is the last of its pair (K,).
    """
    steps = [_steps(length, sheet.torus) for length in (sheet.rows, sheet.columns)]
    row, column = (grid.ravel() for grid in np.meshgrid(*steps, indexing="ij"))
    if sheet.torus:
        back = (-row % sheet.rows) * sheet.columns + -column % sheet.columns
        forth = (row % sheet.rows) * sheet.columns + column % sheet.columns
        number = np.empty(forth.size, np.int64)
        number[forth] = np.arange(forth.size)
        pair = np.minimum(np.arange(row.size), number[back])
    else:
        pair = np.minimum(np.arange(row.size), np.arange(row.size)[::-1])
    squared = row**2 + column**2
    first, second = np.abs(row), np.abs(column)
    turned = (row * column < 0) | (row == 0)  # steps at right angles differ in this
    lean = np.where(turned, second, first)  # and agree in this
    order = np.lexsort((pair, turned[pair], lean[pair], squared))
    if not self_connections:
        order = order[squared[order] > 0]
    ends = np.append(pair[order][1:] != pair[order][:-1], True)
    return np.stack([row, column], axis=1)[order], squared[order], ends[: order.size]


def _steps(length: int, torus: bool) -> NDArray[np.int64]:
    """Steps along one side of the sheet that lead to different units."""
    return np.arange(-((length - 1) // 2), length // 2 + 1) if torus else np.arange(1 - length, length)


def _connections_per_offset(sheet: Sheet, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K,) number of units from which each step leads to another unit of the sheet."""
    if sheet.torus:
        return np.full(len(offsets), sheet.rows * sheet.columns)
    return (sheet.rows - np.abs(offsets[:, 0])) * (sheet.columns - np.abs(offsets[:, 1]))


def _connect(sheet: Sheet, offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The connections that ``offsets`` make from every unit, built one row of the sheet at a time."""
    offsets = offsets[np.lexsort((offsets[:, 1], offsets[:, 0]))]
    column = np.arange(sheet.columns)[:, None] + offsets[:, 1]
    inside = (column >= 0) & (column < sheet.columns)
    degrees: list[NDArray[Any]] = []
    indices: list[NDArray[np.int32]] = []
    for first in range(sheet.rows):
        row = first + offsets[:, 0]
        if sheet.torus:
            found = (row % sheet.rows * sheet.columns + column % sheet.columns).astype(np.int32)
            found.sort(axis=1)
            degrees.append(np.full(sheet.columns, len(offsets)))
            indices.append(found.ravel())
        else:
            there = inside & (row >= 0) & (row < sheet.rows)
            degrees.append(there.sum(axis=1))
            indices.append((row * sheet.columns + column)[there].astype(np.int32))
    return np.concatenate([[0], np.cumsum(np.concatenate(degrees))]), np.concatenate(indices)


def _choose(population: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of the numbers below ``population``, ascending, in memory of ``count``.

    The gaps between the members of a random subset are geometric; slightly too many are drawn, and some are dropped.
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


def _units(n: int) -> int:
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if isinstance(n, bool) or number < 1:
        raise ModcogError(f"n: got {n!r}, must be a whole number of units, at least 1")
    return number


def _shape(shape: Any) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ModcogError(f"shape: got {shape!r}, must be (rows, columns)")
    return _units(shape[0]), _units(shape[1])


def _positive(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ModcogError(f"{field}: got {value!r}, must be a number above 0")
    return float(value)


def _density(density: Any, n: int, self_connections: bool) -> float:
    most = 1.0 if self_connections else 1 - 1 / n
    value = _positive("density", density)
    if value > most:
        raise ModcogError(f"density: got {density!r}, must be at most {most:.6g}")
    return value
