"""Modularity: functional clusters of units beside the communities of the weight graph and places on the sheet.

Units that vary in the same tasks (``task_variance``) may also be those that are strongly connected, or neighbours. Each
statistic stands beside a null that keeps the sizes of the clusters and permutes their units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import comb
from torch import nn

from modcog.analysis.states import Floats, Network, hidden_states, open_both
from modcog.analysis.variance import CLUSTERINGS, task_variance
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import PALE, PALETTE, STYLE
from modcog.errors import ModcogError
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief

MEASURES = {"communities": 1, "weight": 1, "distance": -1}
"""Statistics by name; the sign of the change that modularity makes."""


@dataclass(frozen=True, eq=False, repr=False)
class Modularity(Brief):
    """Functional clusters of units beside communities of their weight graph and places on the sheet.

    Attributes:
        table: a row for each clustering and statistic: ``clustering``, number of ``clusters``, ``measure``, its
            ``value``, the ``null``'s mean and standard deviation ``sd``, and the ``p_value``, one-sided. ``measure`` is
            ``communities``, the adjusted Rand index of clusters and communities; ``weight``, the mean absolute weight
            within clusters as a share of that between any two of their units; or ``distance``, the same of the
            distance on the sheet, if there is one.
        cluster: (N,) cluster of each unit, from 0, by the name of the clustering; −1 for units that are silent.
        community: (N,) community of each unit, from 0.
        graph_modularity: Newman's modularity Q of the communities.
        weight: (N, N) absolute weight between two units, in both directions.
        shape: (rows, columns) of the sheet; None if there is none.
    """

    table: pd.DataFrame
    cluster: dict[str, NDArray[np.int64]]
    community: NDArray[np.int64]
    graph_modularity: float
    weight: Floats
    shape: tuple[int, int] | None


def modularity(
    network: Network,
    battery: Battery | None = None,
    *,
    tasks: Sequence[str] | None = None,
    n_trials: int = 100,
    n_shuffles: int = 1000,
    seed: int = 0,
    trust: bool = False,
) -> Modularity:
    """Compare the clusters of the task variance with the weight graph and the sheet.

    Communities are those of Louvain's method (Blondel et al. 2008) in the graph of absolute weights, both directions of
    a pair and all gates added up.

    Args:
        network: the folder of a run, or a reference network.
        battery: None: the one that the network was trained on.
        tasks: some of the battery's tasks, at least two; None: all.
        n_trials: number of trials of each task.
        n_shuffles: number of permutations behind the null.
        seed: seed of the trials, the search for communities and the permutations.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: for another network, one without connections between different units, or a single task.
    """
    model, battery = open_both(network, battery, trust)
    check_count("n_shuffles", n_shuffles)
    weight, search = connections(model), Seed.of(seed, Purpose.SEARCH)
    graph = nx.from_numpy_array(weight)
    found = nx.community.louvain_communities(graph, seed=search.integer())
    community = np.empty(len(weight), np.int64)
    for k, units in enumerate(sorted(found, key=min)):
        community[list(units)] = k
    pairs, sheet = {"weight": weight}, model.mask.sheet if isinstance(model, MaskedRNN) else None
    if sheet is not None:
        pairs["distance"] = sheet.distances(*np.indices(weight.shape))
    states = hidden_states(model, battery, tasks=tasks, n_trials=n_trials, seed=seed)
    clusters: dict[str, NDArray[np.int64]] = {}
    rows, rng = [], search.rng()
    for clustering in CLUSTERINGS:
        variance = task_variance(states, clustering=clustering, seed=seed)
        units = variance.units
        clusters[clustering] = np.full(len(weight), -1)
        clusters[clustering][units] = variance.cluster
        labels = [variance.cluster, *(rng.permutation(variance.cluster) for _ in range(n_shuffles))]
        values = {"communities": [rand_index(label, community[units]) for label in labels]}
        for name, of in pairs.items():
            values[name] = [share_within(of[np.ix_(units, units)], label) for label in labels]
        for name, (value, *null) in values.items():
            reached = np.sum(MEASURES[name] * (np.array(null) - value) >= 0)
            p = (1 + reached) / (1 + n_shuffles)
            rows.append([clustering, variance.n_clusters, name, value, np.mean(null), np.std(null), p])
    table = pd.DataFrame(rows, columns=["clustering", "clusters", "measure", "value", "null", "sd", "p_value"])
    shape = None if sheet is None else (sheet.rows, sheet.columns)
    return Modularity(table, clusters, community, nx.community.modularity(graph, found), weight, shape)


def connections(network: nn.Module) -> Floats:
    """Return the absolute recurrent weights between each two units of a reference network, (N, N), symmetric.

    Raises:
        ModcogError: for another network, or one whose units are at most connected to themselves.
    """
    if isinstance(network, MaskedRNN):
        mask, one_way = network.mask, np.zeros((network.hidden, network.hidden))
        one_way[mask.targets(), mask.indices] = network.effective_weights()[2].detach().abs().cpu().numpy()
    elif isinstance(network, GatedRNN):
        gates = network.recurrent.weight_hh_l0.detach().unflatten(0, (-1, network.hidden))  # type: ignore[operator]
        one_way = gates.abs().sum(0).double().cpu().numpy()
    else:
        raise ModcogError(f"network: got {type(network).__name__}, must be a reference network, to know its weights")
    np.fill_diagonal(one_way, 0)
    if not one_way.any():
        raise ModcogError("network: no two of its units are connected, so they form no communities")
    return one_way + one_way.T


def rand_index(one: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """Return the adjusted Rand index of two partitions (n,) of the same things (Hubert and Arabie 1985).

    It is 1 for the same partition, and 0 on average for one that is drawn at random.
    """
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    both, first, second, every = (comb(n, 2).sum() for n in (table, table.sum(1), table.sum(0), table.sum()))
    expected, most = first * second / max(every, 1), (first + second) / 2
    return 1.0 if most == expected else float((both - expected) / (most - expected))


def share_within(pairs: Floats, cluster: NDArray[np.integer]) -> float:
    """Return the mean of symmetric values (n, n) over pairs in the same cluster (n,), as a share of that of all pairs.

    Pairs are of different things. NaN if no cluster has two.
    """
    above = np.triu_indices(len(pairs), 1)
    same = (cluster[:, None] == cluster)[above]
    every = pairs[above]
    return float(every[same].mean() / every.mean()) if same.any() and every.any() else np.nan


@rc_context(STYLE)
def plot_modularity(result: Modularity) -> Figure:
    """Draw clusters by communities, both on the sheet, and each statistic in standard deviations of its null."""
    name, cluster = next(iter(result.cluster.items()))
    figure = Figure(figsize=(11 if result.shape else 6.5, 3.2))
    between, *sheets, scores = figure.subplots(1, 4 if result.shape else 2)
    member = np.eye(cluster.max() + 1)[cluster[cluster >= 0]]
    weight = result.weight[np.ix_(cluster >= 0, cluster >= 0)]
    pairs = np.outer(member.sum(0), member.sum(0)) - np.diag(member.sum(0))
    mean = member.T @ weight @ member / np.where(pairs, pairs, np.nan)
    picture = between.imshow(mean / weight[~np.eye(len(weight), dtype=bool)].mean(), cmap="viridis", vmin=0, vmax=4)
    figure.colorbar(picture, ax=between, label="mean weight / that of all", shrink=0.8)
    between.set(xlabel=f"cluster ({name})", ylabel="cluster", title="weights between clusters")
    for axes, title, of in zip(sheets, ("clusters", "communities"), (cluster, result.community), strict=False):
        axes.imshow(np.where(of < 0, np.nan, of).reshape(result.shape), cmap="nipy_spectral")
        axes.set(title=f"{title} on the sheet", xticks=[], yticks=[])
    scores.axvline(0, color=PALE)
    names = list(result.table["measure"].unique())
    for colour, (label, rows) in zip(PALETTE, result.table.groupby("clustering", sort=False), strict=False):
        z = (rows["value"] - rows["null"]) / rows["sd"].replace(0, np.nan)
        scores.plot(z, [names.index(name) for name in rows["measure"]], "o", color=colour, label=label)
    scores.set_yticks(range(len(names)), names)
    scores.set(xlabel="deviation from the null / sd", ylim=(len(names) - 0.5, -0.5))
    scores.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)  # above the panel, where no point is
    return figure
