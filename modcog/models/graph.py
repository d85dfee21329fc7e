"""Graph of a mask in figures: what masks share, and in what they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components, shortest_path

from modcog.models.masks import Mask

_TOGETHER = 256  # units whose distances to all others are computed at once


@dataclass(frozen=True)
class Graph:
    """Figures of the graph of a mask; those of connections between different units are NaN if there are none.

    Attributes:
        synapses: number of connections.
        self_connections: number of units connected to themselves.
        degree: mean number of inputs of a unit, which is that of outputs; the self-connection counts.
        in_degree_sd: standard deviation of the number of inputs over units.
        out_degree_sd: standard deviation of the number of outputs.
        reciprocity: share of the connections between different units whose reverse exists.
        clustering: mean over units of the share of triangles that exist among those that their connections to others
            allow, in any direction (Fagiolo 2007); for reciprocal connections that of Watts and Strogatz (1998).
        path_length: mean number of connections on the shortest way from a unit to another, over pairs that have a way.
        reachable: share of ordered pairs of different units that have a way.
        wiring_mean: mean length of a connection, in units of the sheet's spacing; None without a sheet.
    """

    synapses: int
    self_connections: int
    degree: float
    in_degree_sd: float
    out_degree_sd: float
    reciprocity: float
    clustering: float
    path_length: float
    reachable: float
    wiring_mean: float | None


def measure_graph(mask: Mask) -> Graph:
    """Measure the graph of a mask, self-connections left out but where a figure is about them."""
    inputs, outputs = mask.degrees, np.bincount(mask.indices, minlength=mask.n)
    graph = _without_self_connections(mask)
    lengths, ways = _total_lengths(graph)
    with np.errstate(invalid="ignore"):
        return Graph(
            synapses=mask.synapses,
            self_connections=mask.self_connections,
            degree=float(inputs.mean()),
            in_degree_sd=float(inputs.std()),
            out_degree_sd=float(outputs.std()),
            reciprocity=float(np.float64(graph.multiply(graph.T).sum()) / graph.nnz),
            clustering=_clustering(graph),
            path_length=float(np.float64(lengths) / ways),
            reachable=float(np.float64(ways) / (mask.n * (mask.n - 1))),
            wiring_mean=mask.wiring_mean,
        )


def count_parts(mask: Mask) -> int:
    """Return the number of parts of a mask's graph between which there is no connection in either direction."""
    return int(connected_components(_without_self_connections(mask), directed=False)[0])


def _without_self_connections(mask: Mask) -> scipy.sparse.csr_array:
    """Return the connections between different units, (N, N), from rows to columns."""
    others = mask.targets() != mask.indices
    pairs = (mask.indices[others], mask.targets()[others])
    return scipy.sparse.csr_array((np.ones(pairs[0].size), pairs), shape=(mask.n, mask.n))


def _clustering(graph: scipy.sparse.csr_array) -> float:
    """Return the mean clustering of units that have connections which could be part of a triangle; NaN without any."""
    both = graph + graph.T
    triangles = (both @ both).multiply(both).sum(axis=1) / 2
    total, mutual = both.sum(axis=1), graph.multiply(graph.T).sum(axis=1)
    allowed = total * (total - 1) - 2 * mutual
    some = allowed > 0
    return float((triangles[some] / allowed[some]).mean()) if some.any() else float("nan")


def _total_lengths(graph: scipy.sparse.csr_array) -> tuple[float, int]:
    """Return the sum of the lengths of the shortest ways between different units, and their number."""
    total, ways = 0.0, 0
    for first in range(0, graph.shape[0], _TOGETHER):
        units = np.arange(first, min(first + _TOGETHER, graph.shape[0]))
        lengths = shortest_path(graph, method="D", unweighted=True, indices=units)
        found = np.isfinite(lengths) & (lengths > 0)
        total, ways = total + float(lengths[found].sum()), ways + int(found.sum())
    return total, ways
