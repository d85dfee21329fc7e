"""Ringness: how well the mean states of the directions lie on a circle, in order, while a delay is remembered.

Let m(k) be the mean state of direction k = 0 … n − 1, less the mean over directions, and θ(k) = 2πk/n. Take the circle
of n evenly spaced points, rotated, reflected, scaled and placed in the plane of state space where it fits best. It
explains the share

    ringness = (s₁ + s₂)² / (n Σ |m(k)|²)

of the variance over directions, where s₁ ≥ s₂ are the singular values of the N × 2 matrix [Σ m(k) cos θ(k), Σ m(k) sin
θ(k)]. This is 1 less the disparity of an orthogonal Procrustes analysis against that circle (Schönemann 1966,
Psychometrika 31, 1; Gower 1975, Psychometrika 40, 33). Only a perfect ring has 1; directions on a line as cos θ have ½.
The share of the first Fourier pair over directions, 2 (s₁² + s₂²) / (n Σ |m(k)|²), is never smaller: ellipses and lines
have 1, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states, mean_by_direction
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import CYCLE, PALE, STYLE, VERMILLION
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Ring(Brief):
    """Ringness of the mean states of the n directions.

    Attributes:
        task: task of the trials.
        period: the period that was averaged over.
        by: name of the condition that holds the direction.
        ringness: of the states averaged over the period, from 0 to 1.
        fourier: share of the variance over directions in the first Fourier pair, at least as large.
        null: (R,) ringness with the directions shuffled.
        coordinates: (n, 2) mean states in the plane of the best circle, rotated so that direction k belongs at 2πk/n;
            in units of the states.
        radius: radius of that circle.
        time: (T,) ms from the start of the period to the end of each step.
        over_time: (T,) ringness of the states at each step; NaN where a direction has no trial that lasts so long.
    """

    task: str
    period: str
    by: str
    ringness: float
    fourier: float
    null: Floats
    coordinates: Floats
    radius: float
    time: Floats
    over_time: Floats

    @property
    def p_value(self) -> float:
        """Share of shuffles, the unshuffled order among them, that reach ``ringness`` (Phipson and Smyth 2010)."""
        return float((1 + (self.null >= self.ringness - 1e-12).sum()) / (1 + len(self.null)))

    @property
    def angle_error(self) -> float:
        """Mean error of the directions' angles in the plane, degrees."""
        expected = np.linspace(0, 2 * np.pi, len(self.coordinates), endpoint=False)
        error = (self.coordinates @ [1, 1j]) * np.exp(-1j * expected)
        return float(np.degrees(np.abs(np.angle(error))).mean())


def ringness(
    network: Network | HiddenStates,
    battery: Battery | None = None,
    *,
    task: str,
    period: str = "delay",
    by: str | None = None,
    n_trials: int = 800,
    n_shuffles: int = 1000,
    seed: int = 0,
    trust: bool = False,
) -> Ring:
    """Return how well a network's mean states in a period lie on a circle, in the order of the directions.

    This is a Procrustes fit (Schönemann 1966); ``modcog.analysis.ring`` has the formula.

    Args:
        network: see ``hidden_states``; or the hidden states themselves.
        battery: the battery that has the task; None: the one that the network was trained on.
        task: task of the trials.
        period: the period whose steps are averaged over in each trial.
        by: the condition that holds the direction, such as ``"target"``; None: the direction of the first stimulus.
        n_trials: number of trials; every direction must have one.
        n_shuffles: number of random orders of the directions for the null distribution.
        seed: seed of the trials and the shuffles.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states, or a direction has no trial.
        UnknownNameError: if the task, period or condition does not exist.
    """
    n_shuffles = check_count("n_shuffles", n_shuffles)
    states = hidden_states(network, battery, tasks=[task], n_trials=n_trials, seed=seed, trust=trust)
    aligned, label = states.aligned(task, period), states.directions(task, by)
    directions = np.arange(states.trials.dim_ring)
    lasting = np.isfinite(aligned[:, 0, 0])
    for direction in directions:
        if direction not in label[lasting]:
            raise ModcogError(f"direction {direction}: no trial of {task} has it and a {period}; take more n_trials")
    over_trials = np.nanmean(aligned[lasting], axis=1, keepdims=True)
    means = mean_by_direction(over_trials, label[lasting], directions)[:, 0]
    share, fourier, frame, radius = fit_circle(means)
    # The null shuffles mean states, not trials. Means over shuffled trials would be noise in all dimensions, and mean
    # states that differ in a few dimensions, in no order, would then pass as a ring. This null takes only their order.
    rng = Seed.of(seed, Purpose.SEARCH).rng()
    null = np.array([fit_circle(rng.permutation(means))[0] for _ in range(n_shuffles)])
    each_step = mean_by_direction(aligned, label, directions).swapaxes(0, 1)
    return Ring(
        task=task,
        period=period,
        by=states.grouping(task, by),
        ringness=share,
        fourier=fourier,
        null=null,
        coordinates=(means - means.mean(axis=0)) @ frame,
        radius=radius,
        time=states.trials.dt * np.arange(1, aligned.shape[1] + 1, dtype=np.float64),
        over_time=np.array([fit_circle(now)[0] if np.isfinite(now).all() else np.nan for now in each_step]),
    )


def fit_circle(means: Floats) -> tuple[float, float, Floats, float]:
    """Fit a circle of evenly spaced points to mean states (n, N), in order (Schönemann 1966).

    Returns:
        Ringness; the share of the first Fourier pair; the plane (N, 2), in which direction k belongs at 2πk/n; and the
        circle's radius. All 0 if the means are all the same.
    """
    angles = np.linspace(0, 2 * np.pi, len(means), endpoint=False)
    centred = means - means.mean(axis=0)
    total = len(means) * (centred**2).sum()
    if np.abs(centred).max() <= 1e-12 * np.abs(means).max():  # rounding alone makes them differ
        return 0.0, 0.0, np.zeros((means.shape[1], 2)), 0.0
    left, s, right = np.linalg.svd(centred.T @ np.stack([np.cos(angles), np.sin(angles)], axis=1), full_matrices=False)
    radius = s.sum() / len(means)
    return float(s.sum() ** 2 / total), float(2 * (s**2).sum() / total), left @ right, float(radius)


@rc_context(STYLE)
def plot_ring(result: Ring) -> Figure:
    """Draw the mean states in the plane of the circle, ringness with its null distribution, and ringness over time."""
    figure = Figure(figsize=(10.5, 3.4))
    plane, null, over_time = figure.subplots(1, 3)
    n, colours = len(result.coordinates), LinearSegmentedColormap.from_list("cycle", CYCLE)
    plane.add_patch(Circle((0, 0), result.radius, fill=False, edgecolor=PALE))
    plane.plot(*np.vstack([result.coordinates, result.coordinates[:1]]).T, color="black", linewidth=0.6)
    plane.scatter(*result.coordinates.T, c=np.arange(n), cmap=colours, vmin=0, vmax=n, s=40, zorder=2)
    for k in range(0, n, max(1, n // 8)):
        plane.annotate(str(k), result.coordinates[k], (4, 4), textcoords="offset points", fontsize=7)
    plane.set(xlabel="along cos θ", ylabel="along sin θ", aspect="equal", adjustable="datalim")
    plane.set_title(f"{result.task}, {result.period}: mean of each direction")
    null.hist(result.null, bins=30, color=PALE)
    null.axvline(result.ringness, color=VERMILLION, linewidth=2)
    null.set(xlim=(0, 1), xlabel="ringness", ylabel="shuffles")
    null.set_title(f"{result.ringness:.2f} (orange) and shuffled, p = {result.p_value:.2g}")
    over_time.plot(result.time, result.over_time, ".-", color="black", linewidth=1)
    over_time.axhspan(0, np.quantile(result.null, 0.95), color="#DDDDDD", linewidth=0)
    over_time.set(ylim=(0, 1.03), xlabel=f"time since the start of the {result.period} (ms)", ylabel="ringness")
    over_time.set_title("at each step (grey: 95 % of shuffles)")
    return figure
