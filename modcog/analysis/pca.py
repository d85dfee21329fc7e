"""How states move: trajectories in principal components, by direction and by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from modcog.analysis.network import Network
from modcog.analysis.states import HiddenStates, hidden_states, mean_over_trials
from modcog.analysis.style import CYCLE, TIME, panel
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import PALE, VERMILLION
from modcog.errors import ModcogError


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The mean state of each direction at each step, in the principal components of all states.

    Attributes:
        task: whose trials.
        period: the part of the trials, None for the whole of them.
        by: what the directions are, in words.
        directions: (D,) the directions that occur.
        dim_ring: directions on the ring.
        time: (T,) ms from the start of the period to the end of each step.
        paths: (D, T, P) mean over a direction's trials, less the mean of all states; NaN where none lasts so long.
        components: (P, N) unit vectors, by falling variance.
        mean: (N,) mean of all states.
        explained: (R,) share of the variance along each component, all that there are.
    """

    task: str
    period: str | None
    by: str
    directions: NDArray[np.int64]
    dim_ring: int
    time: NDArray[np.float64]
    paths: NDArray[np.float64]
    components: NDArray[np.float64]
    mean: NDArray[np.float64]
    explained: NDArray[np.float64]

    @property
    def participation_ratio(self) -> float:
        """(Σλ)² / Σλ² of the variances λ along the components: how many dimensions count (Gao et al. 2017)."""
        return float(self.explained.sum() ** 2 / (self.explained**2).sum())

    @classmethod
    def of(
        cls,
        states: HiddenStates,
        task: str,
        period: str | None = None,
        *,
        by: str | None = None,
        n_components: int = 3,
    ) -> Trajectories:
        """The trajectories in given states; see ``trajectories``."""
        aligned, label = states.aligned(task, period), states.directions(task, by)
        steps = aligned[np.isfinite(aligned[:, :, 0])]
        mean, components, variance = principal(steps)
        kept = components[: check_count("n_components", n_components)]
        directions = np.unique(label)
        paths = np.stack([mean_over_trials(aligned[label == direction]) for direction in directions])
        time = states.clock(aligned.shape[1])
        return cls(
            task, period, by or "direction of the first stimulus", directions, states.dim_ring, time,
            (paths - mean) @ kept.T, kept, mean, variance / variance.sum(),
        )  # fmt: skip


def trajectories(
    network: Network,
    battery: Battery | None = None,
    *,
    task: str,
    period: str | None = None,
    by: str | None = None,
    n_components: int = 3,
    n_trials: int = 400,
    seed: int = 0,
) -> Trajectories:
    """The path of a network's state in a task, for each direction, in its principal components (Pearson 1901).

    Args:
        network: see ``hidden_states``.
        battery: that has the task; None: the one that the network was trained on.
        task: whose trials.
        period: ``"delay"``, ``"decision"`` …: trials are aligned at its start, and only it counts; None: whole trials.
        by: the condition that holds the direction, ``"target"`` say; None: the direction of the first stimulus.
        n_components: principal components to keep, at most.
        n_trials: of the task.
        seed: of the trials.

    Raises:
        ModcogError: if the network gives no states, or they never change.
        UnknownNameError: if the task, period or condition does not exist.
    """
    states = hidden_states(network, battery, tasks=[task], n_trials=n_trials, seed=seed)
    return Trajectories.of(states, task, period, by=by, n_components=n_components)


def principal(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Principal components of points (S, N) (Pearson 1901).

    Returns:
        Their mean (N,), the components (R, N) as unit vectors, and the variance along each (R,), falling; R is the
        smaller of S and N.

    Raises:
        ModcogError: if all points are the same.
    """
    mean = points.mean(axis=0)
    _, length, components = np.linalg.svd(points - mean, full_matrices=False)
    if not length.max(initial=0) > 0:
        raise ModcogError("states: they are all the same, so they have no principal components")
    return mean, components, length**2 / len(points)


def plot_trajectories(result: Trajectories) -> Figure:
    """Draw the first two components, coloured by direction and by time, and the explained variance."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    by_direction, by_time, explained = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    where = result.task if result.period is None else f"{result.task}, {result.period}"
    shade = Normalize(0, result.dim_ring)
    x, y = (result.paths[..., i] if result.paths.shape[-1] > i else np.zeros_like(result.paths[..., 0]) for i in (0, 1))
    for along, across, direction in zip(x, y, result.directions, strict=True):
        colour = CYCLE(shade(direction))
        by_direction.plot(along, across, "-", color=colour, linewidth=1.2)
        last = np.isfinite(along).sum() - 1
        by_direction.plot(along[last], across[last], "o", color=colour, markersize=5)
        by_time.plot(along, across, "-", color=PALE, linewidth=0.7, zorder=1)
    points = by_time.scatter(x, y, c=np.broadcast_to(result.time, x.shape), cmap=TIME, s=12, zorder=2)
    panel(by_direction, f"{where}: by {result.by}")
    panel(by_time, f"{where}: by time")
    figure.colorbar(ScalarMappable(shade, CYCLE), ax=by_direction, label="direction", pad=0.01)
    figure.colorbar(points, ax=by_time, label="ms since its start", pad=0.01)
    for axes in (by_direction, by_time):
        axes.set(xlabel="component 1", ylabel="component 2", aspect="equal", adjustable="datalim")
    _draw_explained(explained, result)
    return figure


def _draw_explained(axes: Any, result: Trajectories) -> None:
    total = np.concatenate([[0], np.cumsum(result.explained)])[:21]
    axes.plot(range(len(total)), total, ".-", color="black", linewidth=1)
    axes.axvline(result.participation_ratio, color=VERMILLION, linestyle="--", linewidth=1)
    axes.text(
        result.participation_ratio + 0.3, 0.05, f"participation ratio {result.participation_ratio:.1f}",
        color=VERMILLION, fontsize=8,
    )  # fmt: skip
    axes.set(xlabel="components", ylabel="share of the variance", ylim=(0, 1.03), xlim=(0, len(total) - 1))
    panel(axes, "explained together")
