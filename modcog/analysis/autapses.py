"""What units that are connected to themselves only can hold: their self-weights and time constants.

While an autapse is active (relu: its input is above 0), h(t) = r h(t−1) + α · input, with r = 1 − α + α w. So

- 0 < r < 1: it forgets exponentially, with the time constant −dt / ln r; at w close to 1 it hardly forgets;
- r = 1: a perfect integrator;
- r > 1: it grows until its input stops it: relu sets no bound;
- r ≤ 0: the state changes its sign or is gone with the next step: what it held is not kept.

A relu unit at rest only decays, by 1 − α a step: with α = 1 it is at 0 at once. For tanh and softplus, whose slope is
below 1, r is the largest value of ∂h(t)/∂h(t−1) for w > 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from modcog.analysis.network import Network, opened
from modcog.analysis.style import panel
from modcog.colours import BLUE, PALE, VERMILLION
from modcog.errors import ModcogError
from modcog.models.cells import MaskedRNN
from modcog.models.kernels.diagonal import DiagonalKernel

KINDS = {"forgets at once": PALE, "forgets slowly": BLUE, "grows": VERMILLION}
"""What units do while active, by r ≤ 0, 0 < r < 1 and r ≥ 1, and their colours."""


@dataclass(frozen=True, eq=False)
class SelfWeights:
    """The self-weights of a pool of autapses.

    Attributes:
        weight: (N,) w of each unit.
        rate: (N,) r: the share of a unit's state that is left a step later while it is active.
        dt: time step, ms.
        alpha: α of the units.
    """

    weight: NDArray[np.float64]
    rate: NDArray[np.float64]
    dt: float
    alpha: float

    @property
    def time_constant(self) -> NDArray[np.float64]:
        """(N,) −dt / ln r in ms; infinite where r ≥ 1, 0 where r ≤ 0."""
        inside = (self.rate > 0) & (self.rate < 1)
        return np.where(
            inside, -self.dt / np.log(np.where(inside, self.rate, 0.5)), np.where(self.rate >= 1, np.inf, 0)
        )

    @property
    def kinds(self) -> dict[str, int]:
        """Number of units of each of ``KINDS``."""
        counts = np.histogram(np.digitize(self.rate, (np.nextafter(0, 1), 1)), range(4))[0]
        return dict(zip(KINDS, counts.tolist(), strict=True))


def self_weights(network: Network, dt: float | None = None) -> SelfWeights:
    """The self-weights of an autapse network and the time constants they make.

    Args:
        network: an autapse network of ``modcog.models``, or the folder of a run of one.
        dt: time step in ms; None: the one in the network's configuration.

    Raises:
        ModcogError: if the network has other connections than every unit's to itself, or dt is missing or not above 0.
    """
    model = opened(network)
    if not isinstance(model, MaskedRNN) or not DiagonalKernel.fits(model.mask):
        given = str(model.mask) if isinstance(model, MaskedRNN) else type(model).__name__
        raise ModcogError(f"network: got {given}, must be an autapse network: each unit connected with itself only")
    dt = getattr(getattr(model, "config", None), "dt", None) if dt is None else dt
    if dt is None or not dt > 0:
        raise ModcogError(f"dt: got {dt!r}, must be a number of ms above 0; a network from models.build knows its own")
    weight = model.weight_recurrent.detach().cpu().numpy().astype(np.float64)
    return SelfWeights(weight, 1 - model.alpha + model.alpha * weight, float(dt), model.alpha)


def plot_self_weights(result: SelfWeights) -> Figure:
    """Draw the distribution of the self-weights, and that of the time constants of the units that forget slowly."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    weights, constants = figure.subplots(1, 2)
    edges = np.linspace(*_span(result.weight), 41)
    kind = np.digitize(result.rate, (np.nextafter(0, 1), 1))
    parts = [result.weight[kind == k] for k in range(3)]
    weights.hist(parts, bins=edges, stacked=True, color=list(KINDS.values()))
    weights.set(xlabel="self-weight w", ylabel="units")
    panel(weights, f"{len(result.weight)} autapses")
    shown = [Patch(color=colour, label=f"{name} ({result.kinds[name]})") for name, colour in KINDS.items()]
    weights.legend(handles=shown, frameon=False, fontsize=8)
    _draw_constants(constants, result)
    return figure


def _draw_constants(axes: Any, result: SelfWeights) -> None:
    finite = result.time_constant[(result.rate > 0) & (result.rate < 1)]
    if len(finite):
        low, high = np.log10(finite.min()), np.log10(finite.max())
        axes.hist(finite, bins=np.logspace(low - 0.05, high + 0.05, 30), color=KINDS["forgets slowly"])
        axes.axvline(np.median(finite), color="black", linestyle="--", linewidth=1)
        axes.set_xscale("log")
    axes.set(xlabel="time constant −dt / ln r (ms)", ylabel="units")
    panel(
        axes, f"units that forget slowly; median {np.median(finite):,.0f} ms" if len(finite) else "none forgets slowly"
    )


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """A little more than from the least to the largest."""
    low, high = float(values.min()), float(values.max())
    margin = 0.02 * (high - low) or 0.1
    return low - margin, high + margin
