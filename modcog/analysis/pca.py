"""Trajectories of the state in principal components, by direction and by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states, mean_by_direction
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import CYCLE, PALE, STYLE, VERMILLION
from modcog.errors import ModcogError
from modcog.tables import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Trajectories(Brief):
    """Mean states of each direction at each step, in the principal components of all states.

    Attributes:
        task: task of the trials.
        period: the period shown, None for whole trials.
        by: name of the condition that holds the direction.
        directions: (D,) the directions that occur.
        dim_ring: number of directions on the ring.
        time: (T,) ms from the start of the period to the end of each step.
        paths: (D, T, P) mean over a direction's trials, less the mean of all states; NaN at steps without a trial.
        components: (P, N) unit vectors, by falling variance.
        mean: (N,) mean of all states.
        explained: (R,) share of the variance along each of all R components.
    """

    task: str
    period: str | None
    by: str
    directions: NDArray[np.int64]
    dim_ring: int
    time: Floats
    paths: Floats
    components: Floats
    mean: Floats
    explained: Floats

    @property
    def participation_ratio(self) -> float:
        """(Σλ)² / Σλ² of the variances λ along the components, a number of dimensions (Gao et al. 2017)."""
        return float(self.explained.sum() ** 2 / (self.explained**2).sum())


def trajectories(
    network: Network | HiddenStates,
    battery: Battery | None = None,
    *,
    task: str,
    period: str | None = None,
    by: str | None = None,
    n_components: int = 3,
    n_trials: int = 400,
    seed: int = 0,
    trust: bool = False,
) -> Trajectories:
    """Return the path of a network's state for each direction of a task, in principal components (Pearson 1901).

    Args:
        network: see ``hidden_states``; or the hidden states themselves.
        battery: the battery that has the task; None: the one that the network was trained on.
        task: task of the trials.
        period: ``"delay"``, ``"decision"`` …: this period only, trials aligned at its start; None: whole trials.
        by: the condition that holds the direction, such as ``"target"``; None: the direction of the first stimulus.
        n_components: largest number of principal components to keep.
        n_trials: number of trials.
        seed: seed of the trials.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states, or they never change.
        UnknownNameError: if the task, period or condition does not exist.
    """
    states = hidden_states(network, battery, tasks=[task], n_trials=n_trials, seed=seed, trust=trust)
    aligned, label = states.aligned(task, period), states.directions(task, by)
    mean, components, variance = principal(aligned[np.isfinite(aligned[:, :, 0])])
    kept = components[: check_count("n_components", n_components)]
    directions = np.unique(label)
    return Trajectories(
        task=task,
        period=period,
        by=states.grouping(task, by),
        directions=directions,
        dim_ring=states.trials.dim_ring,
        time=states.trials.dt * np.arange(1, aligned.shape[1] + 1, dtype=np.float64),
        paths=(mean_by_direction(aligned, label, directions) - mean) @ kept.T,
        components=kept,
        mean=mean,
        explained=variance / variance.sum(),
    )


def principal(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the principal components of points (S, N), which must differ (Pearson 1901).

    They are the points' mean (N,), the components (R, N) as unit vectors, and the variance along each (R,), falling; R
    is the smaller of S and N.

    Raises:
        ModcogError: if the points are all the same.
    """
    mean = points.mean(axis=0)
    _, length, components = np.linalg.svd(points - mean, full_matrices=False)
    if not length.max(initial=0) > 0:
        raise ModcogError("states: they are all the same, so they have no principal components")
    return mean, components, length**2 / len(points)


@rc_context(STYLE)
def plot_trajectories(result: Trajectories) -> Figure:
    """Draw the first two components, coloured by direction and by time, and the explained variance."""
    figure = Figure(figsize=(11, 3.6))
    by_direction, by_time, explained = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    where = result.task if result.period is None else f"{result.task}, {result.period}"
    colours = ScalarMappable(Normalize(0, result.dim_ring), LinearSegmentedColormap.from_list("cycle", CYCLE))
    x, y = (result.paths[..., i] if result.paths.shape[-1] > i else np.zeros_like(result.paths[..., 0]) for i in (0, 1))
    for along, across, direction in zip(x, y, result.directions, strict=True):
        colour = colours.to_rgba(direction)
        by_direction.plot(along, across, "-", color=colour, linewidth=1.2)
        last = np.isfinite(along).sum() - 1
        by_direction.plot(along[last], across[last], "o", color=colour, markersize=5)
        by_time.plot(along, across, "-", color=PALE, linewidth=0.7, zorder=1)
    points = by_time.scatter(x, y, c=np.broadcast_to(result.time, x.shape), cmap="viridis", s=12, zorder=2)
    figure.colorbar(colours, ax=by_direction, label="direction", pad=0.01)
    figure.colorbar(points, ax=by_time, label="time since the start (ms)", pad=0.01)
    for axes, by in ((by_direction, result.by.replace("_", " ")), (by_time, "time")):
        axes.set(xlabel="component 1", ylabel="component 2", aspect="equal", adjustable="datalim")
        axes.set_title(f"{where}: by {by}")
    total, ratio = np.concatenate([[0], np.cumsum(result.explained)])[:21], result.participation_ratio
    explained.plot(range(len(total)), total, ".-", color="black", linewidth=1)
    explained.axvline(ratio, color=VERMILLION, linestyle="--", linewidth=1)
    explained.text(ratio + 0.3, 0.05, f"participation ratio {ratio:.1f}", color=VERMILLION, fontsize=8)
    explained.set(xlabel="components", ylabel="share of the variance", ylim=(0, 1.03), xlim=(0, len(total) - 1))
    explained.set_title("cumulative explained variance")
    return figure
