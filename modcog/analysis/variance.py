"""Task variance of every unit and clusters of units (Yang et al. 2019, Nature Neuroscience 22, 297)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states
from modcog.battery import Battery
from modcog.colours import STYLE, VERMILLION
from modcog.errors import ModcogError
from modcog.tables import Brief

SILENT = 1e-3
"""Units whose largest task variance is below this share of the network's largest are left out."""

MOST_CLUSTERS = 30
"""Largest number of clusters that is tried, as by Yang et al."""


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
        seed: seed of the trials.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states, there is a single task, or no unit varies.
    """
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
    units = np.flatnonzero(largest > SILENT * largest.max())
    normalised = variance[units] / largest[units, None]
    order, cluster, silhouette, tried = clusters(normalised)
    return TaskVariance(names, variance, units[order], normalised[order], cluster[order], silhouette[order], tried)


def clusters(points: Floats) -> tuple[NDArray[np.intp], NDArray[np.int64], Floats, dict[int, float]]:
    """Cluster points (U, K) by Ward's method (Ward 1963), into the number with the largest mean silhouette.

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
    partitions = {k: fcluster(tree, k, "maxclust") for k in range(2, min(MOST_CLUSTERS, n - 1) + 1)}
    scores = {k: silhouettes(square, partition) for k, partition in partitions.items()}
    means = {k: float(score.mean()) for k, score in scores.items()}
    best = max(means, key=means.__getitem__)
    ordered = partitions[best][order]
    cluster = np.empty(n, np.int64)
    cluster[order] = np.cumsum(np.diff(ordered, prepend=ordered[0]) != 0)
    return order, cluster, scores[best], means


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
