"""Fixed and slow points: where a network would rest under a constant input.

The method is that of Sussillo and Barak (2013, Neural Computation 25, 626). From states that the network visits, q(h)
= ½ |F(h, x) − h|² is minimised under a constant input x, such as that of a delay. This is a least-squares problem, so
the Levenberg–Marquardt method is tried first; in double precision it finds a fixed point to rounding, and along a line
of fixed points each start settles at one near to it. A start from which it finds none takes the gradient instead, by
Adam, and is finished by the first method. Minima that are not quite 0 are slow points: the state drifts through them.
With relu many of them sit where a unit is about to fall silent, at a kink of q. Private noise is switched off.

Near a point, a deviation is multiplied by the eigenvalues λ of the Jacobian ∂F/∂h in each step: it dies out along those
with |λ| < 1, with the time constant −dt / ln |λ|, is kept at |λ| = 1 and grows at |λ| > 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modcog.analysis.network import Network, Recurrent, battery_for, opened
from modcog.analysis.pca import principal
from modcog.analysis.states import HiddenStates, sample
from modcog.analysis.style import panel
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import BLUE, ORANGE, PALE, VERMILLION
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed

AT_REST = 1e-8
"""A point whose speed is below this is fixed: nothing but rounding moves it."""

UNIT = 1e-6
"""An eigenvalue within this of the unit circle lies on it."""

COLOURS = {"stable": BLUE, "marginal": ORANGE, "unstable": VERMILLION}
"""Of points by their largest |λ|: below, on and above 1."""

_STEPS, _RATE, _FALL = 1000, 0.05, 1e-4  # of Adam; its rate as a share of the scale of a unit, and how far it falls
_ITERATIONS, _DAMPING, _LEAST, _MOST = 50, 1e-4, 1e-10, 1e4  # of Levenberg–Marquardt
_CONVERGED, _STUCK = 1e-14, 0.1  # residual as a share of the scale; gain of an iteration as a share of the residual


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Points of a network where it rests or nearly so, under a constant input; the slowest first.

    Attributes:
        points: (P, N) states; of an LSTM its hidden states and cells, side by side.
        speed: (P,) |F(h, x) − h| per step, as a share of ``scale``.
        scale: root mean square of |h| over the visited states.
        distance: (P,) from the visited state that the search began at, as a share of ``scale``.
        eigenvalues: (P, N) complex, of the Jacobian at each point, the largest |λ| first.
        input: (C,) x.
        visited: (V, N) the states that the network visits there.
        n_starts: searches that were begun.
        dt: time step, ms.
    """

    points: NDArray[np.float64]
    speed: NDArray[np.float64]
    scale: float
    distance: NDArray[np.float64]
    eigenvalues: NDArray[np.complex128]
    input: NDArray[np.float64]
    visited: NDArray[np.float64]
    n_starts: int
    dt: float

    def __len__(self) -> int:
        """Number of different points."""
        return len(self.points)

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """(P,) whether a point is fixed to rounding; the others are slow."""
        return self.speed < AT_REST

    @property
    def n_unstable(self) -> NDArray[np.int64]:
        """(P,) number of eigenvalues with |λ| > 1: directions in which deviations grow."""
        return (np.abs(self.eigenvalues) > 1 + UNIT).sum(axis=1)

    @property
    def n_marginal(self) -> NDArray[np.int64]:
        """(P,) number of eigenvalues with |λ| = 1: directions in which deviations stay."""
        return (np.abs(np.abs(self.eigenvalues) - 1) <= UNIT).sum(axis=1)

    @property
    def kind(self) -> NDArray[np.str_]:
        """(P,) ``"unstable"`` if any deviation grows, else ``"marginal"`` if any stays, else ``"stable"``."""
        return np.where(self.n_unstable > 0, "unstable", np.where(self.n_marginal > 0, "marginal", "stable"))

    @property
    def time_constants(self) -> NDArray[np.float64]:
        """(P, N) −dt / ln |λ| in ms: positive where deviations die out, negative where they grow."""
        with np.errstate(divide="ignore"):
            return -self.dt / np.log(np.abs(self.eigenvalues))


def fixed_points(
    network: Network,
    battery: Battery | None = None,
    *,
    task: str,
    period: str = "delay",
    x: ArrayLike | None = None,
    slow: float = 0.01,
    apart: float = 0.01,
    n_starts: int = 32,
    n_trials: int = 100,
    seed: int = 0,
) -> FixedPoints:
    """Search a network's fixed and slow points under a constant input (Sussillo and Barak 2013).

    Args:
        network: a run's folder, a reference network, or any torch module that takes a state to start from and gives its
            whole state; see ``modcog.analysis.network``.
        battery: that has the task; None: the one that the network was trained on.
        task: whose trials give the states to start from, and the input.
        period: where in the trials.
        x: the input (C,); None: the observation in that period, which must always be the same, as in a delay.
        slow: keep points with a speed below this share of the states' scale per step.
        apart: points nearer to each other than this share of the scale count as one.
        n_starts: searches, from visited states drawn at random; fewer if fewer are visited.
        n_trials: of the task.
        seed: of the trials and the starts.

    Raises:
        ModcogError: if the network gives no states or cannot start from one, or the input of the period varies.
        UnknownNameError: if the task or period does not exist.
    """
    model = opened(network)
    if not isinstance(model, nn.Module):
        raise ModcogError(f"network: got {type(model).__name__}, must be a torch module to be differentiated")
    battery, system = battery_for(model, battery), Recurrent.whole(model)
    trials = sample(battery, [task], n_trials, seed)
    states = HiddenStates.of(system.module, trials)
    _check_whole(system, states)
    steps = states.steps(task, period)
    steps = steps[steps >= 0]
    constant = _constant(trials.packed_observations[steps], task, period) if x is None else _given(x, battery)
    visited = states.packed[steps]
    rng = Seed.of(seed, Purpose.SEARCH).rng()
    chosen = rng.permutation(len(visited))[: check_count("n_starts", n_starts)]
    scale = float(np.sqrt((visited**2).sum(axis=1).mean())) or 1.0
    inputs = torch.from_numpy(constant)
    found = search(system, torch.from_numpy(visited[chosen]), inputs, scale)
    speed = _speed(system, found, inputs, scale)
    points = found.numpy()
    kept = different(points / scale, speed, slow, apart)
    jacobians = [system.jacobian(found[i], inputs).numpy() for i in kept]
    return FixedPoints(
        points[kept],
        speed[kept],
        scale,
        np.linalg.norm(points - visited[chosen], axis=1)[kept] / scale,
        np.array([_eigenvalues(jacobian) for jacobian in jacobians], np.complex128).reshape(len(kept), points.shape[1]),
        constant,
        visited,
        len(chosen),
        battery.settings.dt,
    )


def search(system: Recurrent, h: Tensor, x: Tensor, scale: float) -> Tensor:
    """The minima (V, N) of ½ |F(h, x) − h|² (Sussillo and Barak 2013) that are reached from states h (V, N).

    Args:
        system: F.
        h: to start from.
        x: input (C,).
        scale: of states, |h|.
    """
    found = torch.stack([least_squares(system, start, x, scale) for start in h])
    moving = np.flatnonzero(_speed(system, found, x, scale) >= AT_REST)
    if len(moving):
        found[moving] = torch.stack(
            [least_squares(system, near, x, scale) for near in descend(system, h[moving], x, scale)]
        )
    return found


def descend(system: Recurrent, h: Tensor, x: Tensor, scale: float) -> Tensor:
    """States (V, N) near to minima, which Adam (Kingma and Ba 2015) comes to from states h (V, N).

    Arguments as ``search``.
    """
    h = h.clone().requires_grad_()
    optimizer = torch.optim.Adam([h], lr=_RATE * scale / h.shape[1] ** 0.5, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, _FALL ** (1 / _STEPS))
    for _ in range(_STEPS):
        (h.grad,) = torch.autograd.grad(((system.step(h, x) - h) ** 2).sum() / 2, h)
        optimizer.step()
        schedule.step()
    return h.detach()


def least_squares(system: Recurrent, h: Tensor, x: Tensor, scale: float) -> Tensor:
    """The minimum (N,) that Levenberg–Marquardt (Marquardt 1963) reaches from a state h (N,).

    Arguments as ``search``.
    """
    damping, r, identity = _DAMPING, _residual(system, h, x), torch.eye(len(h), dtype=h.dtype)
    for _ in range(_ITERATIONS):
        slope = system.jacobian(h, x) - identity
        normal, gradient, before = slope.T @ slope, slope.T @ r, r.norm()
        while damping <= _MOST:
            move = torch.linalg.solve(normal + damping * identity, -gradient)
            after = _residual(system, h + move, x)
            if after.norm() < before:
                h, r, damping = h + move, after, max(damping / 10, _LEAST)
                break
            damping *= 10
        if r.norm() <= _CONVERGED * scale or before - r.norm() <= _STUCK * before:
            break
    return h


def _residual(system: Recurrent, h: Tensor, x: Tensor) -> Tensor:
    """F(h, x) − h at one state h (N,)."""
    with torch.no_grad():
        return system.step(h[None], x)[0] - h


def _speed(system: Recurrent, h: Tensor, x: Tensor, scale: float) -> NDArray[np.float64]:
    """|F(h, x) − h| of states h (V, N) as a share of the scale, (V,)."""
    with torch.no_grad():
        return torch.linalg.vector_norm(system.step(h, x) - h, dim=1).numpy() / scale


def different(points: NDArray[np.float64], speed: NDArray[np.float64], slow: float, apart: float) -> list[int]:
    """Which of points (P, N) to keep: slow ones, the slowest first, each at least ``apart`` from those before it."""
    kept: list[int] = []
    for i in np.argsort(speed, kind="stable").tolist():
        if speed[i] < slow and (not kept or np.linalg.norm(points[kept] - points[i], axis=1).min() >= apart):
            kept.append(i)
    return kept


def _eigenvalues(jacobian: NDArray[np.float64]) -> NDArray[np.complex128]:
    values = np.linalg.eigvals(jacobian).astype(np.complex128)
    return values[np.argsort(-np.abs(values), kind="stable")]


def _constant(observations: NDArray[np.float32], task: str, period: str) -> NDArray[np.float64]:
    """The one observation that all of (S, C) are."""
    if np.ptp(observations, axis=0).any():
        raise ModcogError(f"x: the input in the {period} of {task} varies; give the one that is meant, (C,)")
    return observations[0].astype(np.float64)


def _given(x: ArrayLike, battery: Battery) -> NDArray[np.float64]:
    given = np.array(x, np.float64)
    if given.shape != (battery.n_channels,):
        raise ModcogError(f"x: got shape {given.shape}, must be (C,) = ({battery.n_channels},)")
    return given


def _check_whole(system: Recurrent, states: HiddenStates) -> None:
    """Refuse a network whose step from its own first state does not lead to its second."""
    first, second = (torch.from_numpy(h) for h in states.packed[:2])
    x = torch.from_numpy(states.trials.packed_observations[1].astype(np.float64))
    with torch.no_grad():
        after = system.step(first[None], x)[0]
    if not torch.allclose(after, second, rtol=1e-5, atol=1e-8):
        raise ModcogError(
            "network: starting at its first state it does not reach its second; states must be its whole state"
        )


def plot_fixed_points(result: FixedPoints) -> Figure:
    """Draw the points among the visited states, in these states' principal components, and the eigenvalues."""
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    space, plane = figure.subplots(1, 2)
    mean, components, _ = principal(result.visited)
    visited, points = ((h - mean) @ components[:2].T for h in (result.visited, result.points))
    space.plot(*visited.T, ".", color=PALE, markersize=3, label="visited")
    for kind, colour in COLOURS.items():
        for fixed, marker in ((True, "o"), (False, "x")):
            some = points[(result.kind == kind) & (result.fixed == fixed)]
            if len(some):
                name = f"{'fixed' if fixed else 'slow'}, {kind} ({len(some)})"
                space.plot(*some.T, marker, color=colour, markersize=6, markerfacecolor="none", label=name)
    space.legend(frameon=False, fontsize=8)
    space.set(xlabel="component 1", ylabel="component 2", aspect="equal", adjustable="datalim")
    panel(space, f"{len(result)} different points from {result.n_starts} starts")
    _draw_eigenvalues(plane, result)
    return figure


def _draw_eigenvalues(axes: Any, result: FixedPoints) -> None:
    around = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(around), np.sin(around), color=PALE, linewidth=1)
    for kind, colour in COLOURS.items():
        values = result.eigenvalues[result.kind == kind].ravel()
        axes.plot(values.real, values.imag, ".", color=colour, markersize=4, alpha=0.6)
    axes.set(xlabel="Re λ", ylabel="Im λ", aspect="equal", adjustable="datalim")
    panel(axes, "eigenvalues of the Jacobian, and the unit circle")
