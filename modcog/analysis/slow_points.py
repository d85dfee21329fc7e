"""Fixed and slow points of a network's dynamics under a constant input.

The method is that of Sussillo and Barak (2013, Neural Computation 25, 626): from states that the network visits,
minimise q(h) = ½ |F(h, x) − h|² under a constant input x, such as that of a delay. Where the minimum is 0 the network
stays at a fixed point; at other minima, the slow points, it drifts. Private noise is switched off.

Near a point, every step multiplies a deviation by the eigenvalues λ of the Jacobian ∂F/∂h: it decays where |λ| < 1,
with the time constant −dt / ln |λ|, persists where |λ| = 1 and grows where |λ| > 1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modcog.analysis.pca import principal
from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states, open_network, run_module
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import BLUE, ORANGE, PALE, STYLE, VERMILLION
from modcog.errors import ModcogError
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief

AT_REST = 1e-8
"""Speed below which a point is fixed: only rounding moves it."""

UNIT = 1e-6
"""Distance from the unit circle up to which an eigenvalue lies on it."""

COLOURS = {"stable": BLUE, "marginal": ORANGE, "unstable": VERMILLION}
"""Colours of points by their largest |λ|: below, on and above 1."""

_STEPS, _RATE, _FALL = 1000, 0.05, 1e-4  # Adam: updates; learning rate, as a share of a unit's scale; its final factor
_ITERATIONS, _DAMPING, _LEAST, _MOST = 50, 1e-4, 1e-10, 1e4  # Levenberg–Marquardt: first damping, and its bounds
_CONVERGED, _STUCK = 1e-14, 0.003  # it ends at this residual (share of the scale), or at this relative gain


@dataclass(frozen=True, eq=False, repr=False)
class FixedPoints(Brief):
    """Fixed and slow points of a network under a constant input, the slowest first.

    Attributes:
        points: (P, N) states; for an LSTM, hidden and cell states side by side.
        speed: (P,) |F(h, x) − h| per step, as a share of ``scale``.
        scale: root mean square of |h| over the visited states.
        distance: (P,) distance from the visited state at which the search started, as a share of ``scale``.
        eigenvalues: (P, N) complex, of the Jacobian at each point, the largest |λ| first.
        input: (C,) x.
        visited: (V, N) states that the network visits in the period.
        n_starts: number of searches.
        dt: time step, ms.
    """

    points: Floats
    speed: Floats
    scale: float
    distance: Floats
    eigenvalues: NDArray[np.complex128]
    input: Floats
    visited: Floats
    n_starts: int
    dt: float

    def __len__(self) -> int:
        """Return the number of distinct points."""
        return len(self.points)

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """(P,) True where a point is fixed up to rounding, False where it is slow."""
        return self.speed < AT_REST

    @property
    def n_unstable(self) -> NDArray[np.int64]:
        """(P,) number of eigenvalues with |λ| > 1: directions in which deviations grow."""
        return (np.abs(self.eigenvalues) > 1 + UNIT).sum(axis=1)

    @property
    def n_marginal(self) -> NDArray[np.int64]:
        """(P,) number of eigenvalues with |λ| = 1: directions in which deviations persist."""
        return (np.abs(np.abs(self.eigenvalues) - 1) <= UNIT).sum(axis=1)

    @property
    def kind(self) -> NDArray[np.str_]:
        """(P,) ``"unstable"`` if any deviation grows, else ``"marginal"`` if any persists, else ``"stable"``."""
        return np.where(self.n_unstable > 0, "unstable", np.where(self.n_marginal > 0, "marginal", "stable"))

    @property
    def time_constants(self) -> Floats:
        """(P, N) −dt / ln |λ| in ms: positive where deviations decay, negative where they grow."""
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
    far: float = np.inf,
    n_starts: int = 32,
    n_trials: int = 100,
    seed: int = 0,
    trust: bool = False,
) -> FixedPoints:
    """Find fixed and slow points of a network under a constant input (Sussillo and Barak 2013).

    Args:
        network: a run's folder, a reference network, or any torch module that takes an initial state and returns its
            whole state; see ``modcog.analysis.states``.
        battery: the battery that has the task; None: the one that the network was trained on.
        task: the task whose trials give the initial states and the input.
        period: the period of these trials.
        x: the input (C,); None: the observation in the period, which must be constant, as in a delay.
        slow: speed per step below which points are kept, as a share of the scale of the states.
        apart: smallest distance between distinct points, as a share of the scale.
        far: largest distance of a point from the mean of the visited states, as a multiple of their own mean distance
            from it; points beyond it are left out. FixedPointFinder (Golub and Sussillo 2018) takes 10.
        n_starts: number of searches, from visited states drawn at random; fewer if fewer are visited.
        n_trials: number of trials.
        seed: seed of the trials and the initial states.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states or takes no initial state, or the input of the period varies.
        UnknownNameError: if the task or period does not exist.
    """
    exact, states = exact_states(network, battery, [task], n_trials, seed, trust)
    visited, constant = visited_under(states, task, period, x)
    options = {"slow": slow, "apart": apart, "far": far, "n_starts": n_starts, "seed": seed}
    return points_under(exact, visited, constant[None], states.trials.dt, **options)[0]  # type: ignore[arg-type]


def exact_states(
    network: Network, battery: Battery | None, tasks: Sequence[str], n_trials: int, seed: int, trust: bool
) -> tuple[nn.Module, HiddenStates]:
    """Return an exact copy of a network, and its states over trials of some tasks; arguments as in ``fixed_points``.

    Raises:
        ModcogError: for a network that cannot be searched.
    """
    model = open_network(network, trust)
    if not isinstance(model, nn.Module):
        raise ModcogError(f"network: got {type(model).__name__}, must be a torch module, which can be differentiated")
    exact = exact_copy(model)
    states = hidden_states(exact, battery, tasks=tasks, n_trials=n_trials, seed=seed)
    h, after = torch.from_numpy(states.packed[:2])
    x = torch.from_numpy(states.trials.packed_observations[1]).double()
    if not torch.allclose(step(exact, h[None], x)[0], after, 1e-5, 1e-8):
        raise ModcogError("network: a step from its first state misses its second; states must be its whole state")
    return exact, states


def visited_under(
    states: HiddenStates, task: str, period: str, x: ArrayLike | None = None
) -> tuple[Floats, NDArray[np.float64]]:
    """Return the states (V, N) in a period of a task, and its input (C,), or ``x`` instead.

    Raises:
        ModcogError: if the input varies, or ``x`` has another shape.
        UnknownNameError: if the task or period does not exist.
    """
    observations, steps = states.trials.packed_observations, states.steps(task, period)
    steps = steps[steps >= 0]
    if x is None and np.ptp(observations[steps], axis=0).any():
        raise ModcogError(f"x: the input in the {period} of {task} varies; give one input, (C,)")
    constant = np.array(observations[steps[0]] if x is None else x, np.float64)
    if constant.shape != (observations.shape[1],):
        raise ModcogError(f"x: got shape {constant.shape}, must be (C,) = ({observations.shape[1]},)")
    return states.packed[steps], constant


def points_under(
    network: nn.Module,
    visited: Floats,
    inputs: Floats,
    dt: float,
    *,
    slow: float,
    apart: float,
    far: float,
    n_starts: int,
    seed: int,
) -> list[FixedPoints]:
    """Return the fixed points under each of L inputs (L, C), from the same starts among visited states (V, N).

    ``dt`` is the time step in ms; other arguments are those of ``fixed_points``. All inputs are searched at once.
    """
    rng = Seed.of(seed, Purpose.SEARCH).rng()
    starts = visited[rng.permutation(len(visited))[: check_count("n_starts", n_starts)]]
    scale = float(np.sqrt((visited**2).sum(axis=1).mean())) or 1.0
    x = torch.from_numpy(inputs).repeat_interleave(len(starts), 0)
    h = search(network, torch.from_numpy(np.tile(starts, (len(inputs), 1))), x, scale)
    speeds = (_change(network, h, x).norm(dim=1).numpy() / scale).reshape(len(inputs), -1)
    centre = visited.mean(axis=0)
    reach = far * np.linalg.norm(visited - centre, axis=1).mean() if np.isfinite(far) else np.inf
    found = []
    for constant, points, speed in zip(inputs, h.numpy().reshape(len(inputs), *starts.shape), speeds, strict=True):
        near = np.linalg.norm(points - centre, axis=1) <= reach
        kept = distinct(points / scale, np.where(near, speed, np.inf), slow, apart)
        x = torch.from_numpy(constant)
        jacobians = np.array([jacobian(network, one, x).numpy() for one in torch.from_numpy(points[kept])])
        values = np.linalg.eigvals(jacobians.reshape(-1, *points.shape[1:] * 2)).astype(np.complex128)
        found.append(
            FixedPoints(
                points=points[kept],
                speed=speed[kept],
                scale=scale,
                distance=np.linalg.norm(points - starts, axis=1)[kept] / scale,
                eigenvalues=np.take_along_axis(values, np.argsort(-np.abs(values), kind="stable"), axis=1),
                input=constant,
                visited=visited,
                n_starts=len(starts),
                dt=dt,
            )
        )
    return found


def search(network: nn.Module, h: Tensor, x: Tensor, scale: float) -> Tensor:
    """Return the minima of ½ |F(h, x) − h|² from states h (V, N), each under its x (V, C); |h| is near ``scale``."""
    # Gradient descent alone, the usual way, takes thousands of steps towards a fixed point and never quite arrives.
    # This is a least-squares problem: Levenberg–Marquardt finds a fixed point up to rounding in a few steps, and along
    # a line of fixed points it stops at a near one. But it gets stuck at the kinks of q, of which relu makes many,
    # where a unit is about to fall silent. Adam (Kingma and Ba 2015) slides along those, so it takes over where no
    # fixed point was found.
    found = torch.stack([levenberg_marquardt(network, *start, scale) for start in zip(h, x, strict=True)])
    moving = _change(network, found, x).norm(dim=1) >= AT_REST * scale
    if moving.any():
        h, x = found[moving].requires_grad_(), x[moving]
        optimizer = torch.optim.Adam([h], lr=_RATE * scale / h.shape[1] ** 0.5, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, _FALL ** (1 / _STEPS))
        for _ in range(_STEPS):
            (h.grad,) = torch.autograd.grad(((step(network, h, x) - h) ** 2).sum() / 2, h)
            optimizer.step()
            schedule.step()
        ends = zip(h.detach(), x, strict=True)
        found[moving] = torch.stack([levenberg_marquardt(network, *end, scale) for end in ends])
    return found


def levenberg_marquardt(network: nn.Module, h: Tensor, x: Tensor, scale: float) -> Tensor:
    """Return the minimum (N,) that damped least squares (Marquardt 1963) reach from a state h (N,); see ``search``."""
    # scipy.optimize.least_squares reaches the same minima, but 5 to 30 times slower at 256 units.
    damping, r, identity = _DAMPING, _change(network, h[None], x)[0], torch.eye(len(h), dtype=h.dtype)
    for _ in range(_ITERATIONS):
        slope = jacobian(network, h, x) - identity
        normal, gradient, before = slope.T @ slope, slope.T @ r, r.norm()
        while damping <= _MOST:
            move = torch.linalg.solve(normal + damping * identity, -gradient)
            after = _change(network, (h + move)[None], x)[0]
            if after.norm() < before:
                h, r, damping = h + move, after, max(damping / 10, _LEAST)
                break
            damping *= 10
        if r.norm() <= _CONVERGED * scale or before - r.norm() <= _STUCK * before:
            break
    return h


def exact_copy(network: nn.Module) -> nn.Module:
    """Return a network without private noise, in double precision on the CPU, with an LSTM's cells in its state."""
    network = copy.deepcopy(_LSTM(network) if isinstance(network, GatedRNN) and network.kind == "lstm" else network)
    if isinstance(network, MaskedRNN):
        network.noise = 0.0
    return network.eval().cpu().double()


def step(network: nn.Module, h: Tensor, x: Tensor) -> Tensor:
    """Return F(h, x): the states (B, N) that follow the states h (B, N) under one input x (C,), or one each (B, C)."""
    return run_module(network, x.expand(1, len(h), -1), h)[0]


def jacobian(network: nn.Module, h: Tensor, x: Tensor) -> Tensor:
    """Return ∂F/∂h at a state h (N,) under an input x (C,), (N, N)."""
    # One backward pass over N copies of the state instead of N passes; torch.func cannot do this for nn.GRU.
    rows = h.expand(len(h), -1).clone().requires_grad_()
    return torch.autograd.grad(step(network, rows, x), rows, torch.eye(len(h), dtype=h.dtype))[0]


class _LSTM(nn.Module):
    """An LSTM whose states are hidden and cell states side by side, so that they are its whole state."""

    def __init__(self, model: GatedRNN) -> None:
        super().__init__()
        self.hidden, self.recurrent, self.battery = model.hidden, model.recurrent, getattr(model, "battery", None)

    def forward(self, x: Tensor, h0: Tensor | None = None, return_states: bool = True) -> tuple[None, Tensor]:
        """Return the states (T, B, 2N) for x (T, B, C)."""
        h0 = x.new_zeros(x.shape[1], 2 * self.hidden) if h0 is None else h0
        state = tuple(part.contiguous()[None] for part in (h0[:, : self.hidden], h0[:, self.hidden :]))
        steps = []
        for now in x:
            _, state = self.recurrent(now[None], state)
            steps.append(torch.cat([part[0] for part in state], dim=1))
        return None, torch.stack(steps)


def _change(network: nn.Module, h: Tensor, x: Tensor) -> Tensor:
    """Return F(h, x) − h of states h (V, N)."""
    with torch.no_grad():
        return step(network, h, x) - h


def distinct(points: Floats, speed: Floats, slow: float, apart: float) -> list[int]:
    """Return the indices of slow points among (P, N), the slowest first, each at least ``apart`` from those before."""
    kept: list[int] = []
    for i in np.argsort(speed, kind="stable").tolist():
        if speed[i] < slow and (not kept or np.linalg.norm(points[kept] - points[i], axis=1).min() >= apart):
            kept.append(i)
    return kept


@rc_context(STYLE)
def plot_fixed_points(result: FixedPoints) -> Figure:
    """Draw the points and the visited states in the latter's principal components, and the eigenvalues."""
    figure = Figure(figsize=(9.5, 4))
    space, plane = figure.subplots(1, 2)
    mean, components, _ = principal(result.visited)
    visited, points = ((h - mean) @ components[:2].T for h in (result.visited, result.points))
    space.plot(*visited.T, ".", color=PALE, markersize=3, label="visited")
    plane.add_patch(Circle((0, 0), 1, fill=False, edgecolor=PALE))
    for kind, colour in COLOURS.items():
        for fixed, marker in ((True, "o"), (False, "x")):
            some = points[(result.kind == kind) & (result.fixed == fixed)]
            if len(some):
                name = f"{'fixed' if fixed else 'slow'}, {kind} ({len(some)})"
                space.plot(*some.T, marker, color=colour, markersize=6, markerfacecolor="none", label=name)
        values = result.eigenvalues[result.kind == kind].ravel()
        plane.plot(values.real, values.imag, ".", color=colour, markersize=4, alpha=0.6)
    space.legend()
    space.set(xlabel="component 1", ylabel="component 2", aspect="equal", adjustable="datalim")
    space.set_title(f"{len(result)} distinct points from {result.n_starts} starts")
    plane.set(xlabel="Re λ", ylabel="Im λ", aspect="equal", adjustable="datalim")
    plane.set_title("eigenvalues of the Jacobian, and the unit circle")
    return figure
