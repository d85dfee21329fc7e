"""Task variance of every unit and clusters of units (Yang et al. 2019, Nature Neuroscience 22, 297)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import pdist, squareform

from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states
from modcog.battery import Battery
from modcog.colours import STYLE, VERMILLION
from modcog.errors import ModcogError, unknown
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief

SILENT = 1e-3
"""Units whose largest task variance is below this share of the network's largest are left out."""

SILENT_YANG2019 = 1e-3
"""Units whose variance, summed over tasks, is not above this are left out by Yang et al."""

MOST_CLUSTERS = 30
"""Largest number of clusters that is tried, as by Yang et al."""

RESTARTS = 20
"""Starts of k-means, as by Yang et al."""

CLUSTERINGS = ("ward", "yang2019")
"""Ways to choose and cluster units."""


@dataclass(frozen=True, eq=False, repr=False)
class TaskVariance(Brief):
    """Variance of each unit in each task, and clusters of units that vary in the same tasks.

    Attributes:
        tasks: K names.
        variance: (N, K) variance of a unit over the trials of a task, averaged over the steps after fixation.
        units: (U,) the units that are not silent, cluster after cluster.
        normalised: (U, K) their variance as a share of their largest over tasks.
        cluster: (U,) their cluster, from 0.
        silhouette: (U,) their silhouette, from −1 to 1: how well they fit their cluster.
        mean_silhouette: mean silhouette of each number of clusters tried; the largest is chosen.
    """

    tasks: tuple[str, ...]
    variance: Floats
    units: NDArray[np.intp]
    normalised: Floats
    cluster: NDArray[np.int64]
    silhouette: Floats
    mean_silhouette: dict[int, float]

    @property
    def n_clusters(self) -> int:
        """Number of clusters; 1 if there are too few different units to separate."""
        return int(self.cluster.max(initial=0)) + 1


def task_variance(
    network: Network | HiddenStates,
    battery: Battery | None = None,
    *,
    tasks: Sequence[str] | None = None,
    n_trials: int = 200,
    clustering: str = "ward",
    seed: int = 0,
    trust: bool = False,
) -> TaskVariance:
    """Return the task variance of every unit in every task (Yang et al. 2019), and clusters of units.

    The variance over trials, which differ in stimuli, is taken at each step of a task; steps are aligned within their
    period, since periods differ in length. It is averaged over the steps after fixation, each weighted by the number of
    trials that have it. Units are clustered by Ward's method (Ward 1963) on the normalised variance; the number of
    clusters is the one with the largest mean silhouette (Rousseeuw 1987).

    Args:
        network: see ``hidden_states``; or the hidden states themselves.
        battery: None: the one that the network was trained on.
        tasks: some of the battery's tasks, at least two; None: all.
        n_trials: number of trials of each task.
        clustering: ``"ward"``, as above, of the units whose largest variance is above 0.1 % of the network's largest;
            or ``"yang2019"``: k-means with the best of 20 starts, of the units whose variances add up to more than
            0.001, as in that paper.
        seed: seed of the trials, and of the starts of k-means.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states, there is a single task, or no unit varies.
    """
    if clustering not in CLUSTERINGS:
        raise unknown("clustering", clustering, CLUSTERINGS)
    states = hidden_states(network, battery, tasks=tasks, n_trials=n_trials, seed=seed, trust=trust)
    names = tuple(states.trials.tasks[i] for i in np.unique(states.trials.task))
    if len(names) < 2:
        raise ModcogError(f"tasks: got {len(names)}, must be at least 2 to compare")
    variance = np.empty((states.n_units, len(names)))
    for k, task in enumerate(names):
        periods = states.trials.periods[states.trials.tasks.index(task)]
        # The stimulus is still to come in the fixation.
        aligned = np.hstack([states.aligned(task, period) for period in periods if period != "fixation"])
        count = np.isfinite(aligned[:, :, 0]).sum(axis=0)
        variance[:, k] = np.average(np.nanvar(aligned, axis=0), axis=0, weights=count)
    largest = variance.max(axis=1)
    if not largest.max() > 0:
        raise ModcogError("states: no unit varies over the trials of any task")
    as_yang = clustering == "yang2019"
    units = np.flatnonzero(variance.sum(axis=1) > SILENT_YANG2019 if as_yang else largest > SILENT * largest.max())
    if not units.size:
        raise ModcogError(f"states: no unit's task variances add up to more than {SILENT_YANG2019:g}")
    normalised = variance[units] / largest[units, None]
    order, cluster, silhouette, tried = clusters(normalised, Seed.of(seed, Purpose.ANALYSIS).rng() if as_yang else None)
    return TaskVariance(names, variance, units[order], normalised[order], cluster[order], silhouette[order], tried)


def clusters(
    points: Floats, rng: np.random.Generator | None = None
) -> tuple[NDArray[np.intp], NDArray[np.int64], Floats, dict[int, float]]:
    """Cluster points (U, K) by Ward's method (Ward 1963), into the number with the largest mean silhouette.

    With ``rng``, which draws its starts, by k-means instead (Lloyd 1982), each number of clusters from the best start.

    Returns:
        An order (U,) that keeps clusters together and near points side by side (Bar-Joseph et al. 2001); the cluster of
        each point (U,), numbered in that order; its silhouette (U,); the mean silhouette of each number of clusters.
    """
    n = len(points)
    if n < 3 or not np.ptp(points, axis=0).any():
        return np.arange(n), np.zeros(n, np.int64), np.zeros(n), {}
    distances = pdist(points)
    # Above 2000 points, ordering takes longer than all the rest.
    tree, square = linkage(distances, "ward", optimal_ordering=n <= 2000), squareform(distances)
    order = leaves_list(tree)
    numbers = range(2, min(MOST_CLUSTERS, n - 1) + 1)
    if rng is None:
        partitions = {k: fcluster(tree, k, "maxclust") for k in numbers}
    else:
        partitions = {k: k_means(points, k, rng) for k in numbers}
    scores = {k: silhouettes(square, partition) for k, partition in partitions.items()}
    means = {k: float(score.mean()) for k, score in scores.items()}
    best = max(means, key=means.__getitem__)
    if rng is not None:  # k-means knows no tree: clusters come where the tree has their first point
        _, first = np.unique(partitions[best][order], return_index=True)
        rank = np.argsort(np.argsort(first))[np.unique(partitions[best], return_inverse=True)[1]]
        order = order[np.argsort(rank[order], kind="stable")]
    ordered = partitions[best][order]
    cluster = np.empty(n, np.int64)
    cluster[order] = np.cumsum(np.diff(ordered, prepend=ordered[0]) != 0)
    return order, cluster, scores[best], means


def k_means(points: Floats, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the cluster of each of n points, (n,), by the best of ``RESTARTS`` starts from k of the points."""
    found: list[tuple[float, NDArray[np.int64]]] = []
    for _ in range(RESTARTS):
        start = points[rng.choice(len(points), k, replace=False)]
        with warnings.catch_warnings():  # a cluster may lose all its points
            warnings.simplefilter("ignore", UserWarning)
            centres, cluster = kmeans2(points, start, minit="matrix", iter=100)
        found.append((float(((points - centres[cluster]) ** 2).sum()), cluster.astype(np.int64)))
    return min(found, key=lambda one: one[0])[1]


def silhouettes(distances: Floats, cluster: NDArray[np.integer]) -> Floats:
    """Return the silhouettes (n,) of n points, given their distances (n, n) and clusters (n,) (Rousseeuw 1987).

    A silhouette is (b − a) / max(a, b), with a the mean distance to the other points of the cluster, and b the smallest
    mean distance to another cluster; 0 for a point alone in its cluster, or if there is one cluster.
    """
    _, index = np.unique(cluster, return_inverse=True)
    member = np.eye(index.max() + 1)[index]
    size, total = member.sum(axis=0), distances @ member
    others = size[index] - 1
    within = total[member == 1] / np.maximum(others, 1)
    nearest = np.where(member == 1, np.inf, total / size).min(axis=1)
    largest = np.maximum(within, nearest)
    defined = (others > 0) & (largest > 0) & np.isfinite(nearest)
    return np.divide(nearest - within, largest, out=np.zeros(len(index)), where=defined)


@rc_context(STYLE)
def plot_task_variance(result: TaskVariance) -> Figure:
    """Draw the normalised variance, units ordered by cluster, and the silhouette of each number of clusters."""
    figure = Figure(figsize=(9, max(3.2, 1.6 + 0.14 * len(result.tasks))))
    left, *right = figure.subplots(1, 2, width_ratios=(4, 1.2)) if result.mean_silhouette else [figure.subplots()]
    left.spines[:].set_visible(True)
    picture = left.imshow(result.normalised.T, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(picture, ax=left, label="task variance / the unit's largest", pad=0.01)
    left.set_yticks(range(len(result.tasks)), result.tasks, fontsize=7)
    for edge in np.flatnonzero(np.diff(result.cluster)) + 0.5:
        left.axvline(edge, color="white", linewidth=0.8)
    left.set_xlabel(f"{len(result.units)} of {len(result.variance)} units, in {result.n_clusters} clusters")
    for axes in right:
        axes.plot(*zip(*result.mean_silhouette.items(), strict=True), ".-", color="black", linewidth=1)
        axes.plot(result.n_clusters, result.mean_silhouette[result.n_clusters], "o", color=VERMILLION)
        axes.set(xlabel="number of clusters", title="mean silhouette")
    return figure
