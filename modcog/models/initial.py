"""Initial recurrent weights, drawn for the number of inputs that each unit has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from modcog.errors import ModcogError, unknown
from modcog.models.masks import Mask


def draw_recurrent(mask: Mask, init: str, gain: float, rng: torch.Generator) -> Tensor:
    """Recurrent weights (synapses,) float32 in the mask's order.

    ``"degree"``: normal with variance gain² / (number of inputs of the unit) (Sompolinsky et al. 1988). ``"identity"``:
    gain on self-connections, a tenth of ``"degree"`` elsewhere (Le et al. 2015). ``"orthogonal"``: gain times a random
    orthogonal matrix (Saxe et al. 2014).

    Args:
        mask: which connections there are.
        init: a name in ``INITS``.
        gain: scale of what is drawn.
        rng: where the numbers come from.

    Raises:
        UnknownNameError: if there is no such init.
    """
    if init not in INITS:
        raise unknown("init", init, INITS)
    return INITS[init](mask, gain, rng)


def _degree(mask: Mask, gain: float, rng: torch.Generator) -> Tensor:
    """Normal with variance gain² / (number of inputs of the unit): activity keeps its size whatever the density."""
    inputs = torch.from_numpy(np.repeat(mask.degrees, mask.degrees)).float()
    return torch.randn(mask.synapses, generator=rng).mul_(gain).div_(inputs.sqrt_())


def _identity(mask: Mask, gain: float, rng: torch.Generator) -> Tensor:
    """1 on self-connections, a tenth of ``degree`` elsewhere: units hold what they were told (Le et al. 2015)."""
    weight = _degree(mask, 0.1 * gain, rng)
    return weight.masked_fill_(torch.from_numpy(mask.targets() == mask.indices), gain)


def _orthogonal(mask: Mask, gain: float, rng: torch.Generator) -> Tensor:
    """A random orthogonal matrix: activity keeps its size exactly; for dense masks only."""
    if mask.synapses != mask.n**2:
        raise ModcogError(f"init: got 'orthogonal' for {mask}; allowed for dense masks only")
    q, r = torch.linalg.qr(torch.randn(mask.n, mask.n, generator=rng))
    return (q * r.diagonal().sign()).mul_(gain).flatten()


INITS: dict[str, Callable[[Mask, float, torch.Generator], Tensor]] = {
    "degree": _degree,
    "identity": _identity,
    "orthogonal": _orthogonal,
}
