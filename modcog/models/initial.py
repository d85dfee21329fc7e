"""Initial recurrent weights, scaled by the number of inputs of each unit."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from modcog.errors import ModcogError, unknown
from modcog.models.masks import Mask

INITS = ("degree", "identity", "orthogonal")


def draw_recurrent(mask: Mask, init: str, gain: float, rng: torch.Generator) -> Tensor:
    """Draw recurrent weights (synapses,) float32, in the mask's order.

    ``"degree"``: normal with variance gain² / (number of inputs of the unit), so that activity keeps its size at every
    density (Sompolinsky et al. 1988). ``"identity"``: gain on self-connections and a tenth of ``"degree"`` elsewhere,
    so that units hold their activity (Le et al. 2015). ``"orthogonal"``: gain times a random orthogonal matrix, for
    dense masks only (Saxe et al. 2014).

    Args:
        mask: the connections that exist.
        init: a name in ``INITS``.
        gain: scale of the weights.
        rng: source of the random numbers.

    Raises:
        UnknownNameError: if there is no such init.
        ModcogError: for an orthogonal matrix on a mask that is not dense.
    """
    if init not in INITS:
        raise unknown("init", init, INITS)
    if init == "orthogonal":
        if mask.synapses != mask.n**2:
            raise ModcogError(f"init: got 'orthogonal' for {mask}; allowed for dense masks only")
        q, r = torch.linalg.qr(torch.randn(mask.n, mask.n, generator=rng))
        return (q * r.diagonal().sign()).mul_(gain).flatten()
    inputs = torch.from_numpy(np.repeat(mask.degrees, mask.degrees)).float()
    weight = torch.randn(mask.synapses, generator=rng).mul_(gain).div_(inputs.sqrt_())
    if init == "identity":
        weight.mul_(0.1).masked_fill_(torch.from_numpy(mask.targets() == mask.indices), gain)
    return weight
