"""Self-weights of autapses, units connected to themselves only, and the time constants that follow from them.

While an autapse is active (relu: its input is above 0), h(t) = r h(t−1) + α · input, with r = 1 − α + α w. So

- 0 < r < 1: it forgets exponentially, with the time constant −dt / ln r, slowly if w is close to 1;
- r = 1: it is a perfect integrator;
- r > 1: it grows, without bound with relu, until its input stops it;
- r ≤ 0: its state changes sign or vanishes with the next step, so nothing is kept.

A silent relu unit only decays, by 1 − α a step: with α = 1 it is at 0 at once. For tanh and softplus, whose slope is
below 1, r is the largest value of ∂h(t)/∂h(t−1) for w > 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from modcog.analysis.states import Floats, Network, open_network
from modcog.colours import BLUE, PALE, STYLE, VERMILLION
from modcog.errors import ModcogError, shown
from modcog.models.cells import MaskedRNN
from modcog.models.kernels import DiagonalKernel
from modcog.tables import Brief

KINDS = {"forgets at once": PALE, "forgets slowly": BLUE, "grows": VERMILLION}
"""Kinds of active units, by r ≤ 0, 0 < r < 1 and r ≥ 1, and their colours."""


@dataclass(frozen=True, eq=False, repr=False)
class SelfWeights(Brief):
    """Self-weights of a pool of autapses.

    Attributes:
        weight: (N,) w of each unit.
        rate: (N,) r: the share of an active unit's state that is left a step later.
        dt: time step, ms.
        alpha: α of the units.
    """

    weight: Floats
    rate: Floats
    dt: float
    alpha: float

    @property
    def time_constant(self) -> Floats:
        """(N,) −dt / ln r in ms; infinite where r ≥ 1, 0 where r ≤ 0."""
        with np.errstate(divide="ignore"):
            return self.dt / np.abs(np.log(np.clip(self.rate, 0, 1)))

    @property
    def kind(self) -> NDArray[np.intp]:
        """(N,) index into ``KINDS``."""
        return np.digitize(self.rate, (np.nextafter(0, 1), 1))

    @property
    def kinds(self) -> dict[str, int]:
        """Number of units of each of ``KINDS``."""
        return dict(zip(KINDS, np.bincount(self.kind, minlength=3).tolist(), strict=True))


def self_weights(network: Network, dt: float | None = None, *, trust: bool = False) -> SelfWeights:
    """Return the self-weights of an autapse network and their time constants.

    Args:
        network: an autapse network of ``modcog.models``, or the folder of a run of one.
        dt: time step in ms; None: the one in the network's configuration.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network has connections between units, or dt is missing or not above 0.
    """
    model = open_network(network, trust)
    if not isinstance(model, MaskedRNN) or not DiagonalKernel.fits(model.mask):
        given = str(model.mask) if isinstance(model, MaskedRNN) else type(model).__name__
        raise ModcogError(f"network: got {given}, must be an autapse network: each unit connected to itself only")
    dt = getattr(getattr(model, "config", None), "dt", None) if dt is None else dt
    if dt is None or not dt > 0:
        raise ModcogError(f"dt: got {shown(dt)}, must be ms above 0; networks from models.build know their own")
    weight = model.weight_recurrent.detach().cpu().numpy().astype(np.float64)
    return SelfWeights(weight, 1 - model.alpha + model.alpha * weight, float(dt), model.alpha)


@rc_context(STYLE)
def plot_self_weights(result: SelfWeights) -> Figure:
    """Draw the distribution of the self-weights, and of the time constants of the units that forget slowly."""
    figure = Figure(figsize=(9, 3.2))
    weights, constants = figure.subplots(1, 2)
    parts = [result.weight[result.kind == kind] for kind in range(len(KINDS))]
    weights.hist(parts, bins=40, stacked=True, color=list(KINDS.values()))
    weights.set(xlabel="self-weight w", ylabel="units", title=f"{len(result.weight)} autapses")
    weights.legend(handles=[Patch(color=KINDS[name], label=f"{name} ({n})") for name, n in result.kinds.items()])
    constants.set(xlabel="time constant −dt / ln r (ms)", ylabel="units", title="no unit forgets slowly")
    slow = result.time_constant[result.kind == 1]
    if len(slow):
        low, high = np.log10(slow.min()), np.log10(slow.max())
        constants.hist(slow, bins=np.logspace(low - 0.05, high + 0.05, 30), color=KINDS["forgets slowly"])
        constants.axvline(np.median(slow), color="black", linestyle="--", linewidth=1)
        constants.set(xscale="log", title=f"time constants, median {np.median(slow):,.0f} ms")
    return figure
