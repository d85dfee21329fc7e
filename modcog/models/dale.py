"""Networks that obey Dale's law: a unit excites or inhibits all units that it is connected to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from modcog.models.cells import MaskedRNN
from modcog.models.masks import Mask
from modcog.seeds import Purpose, Seed


class DaleRNN(MaskedRNN):
    """A ``MaskedRNN`` whose units are excitatory or inhibitory (Song, Yang and Wang 2016).

    The weight of a connection is the rectified parameter times the sign of the unit that it comes from. The read-out
    sees excitatory units only, with rectified weights; the input is free. Initial weights are the absolute values of
    those of a ``MaskedRNN``; inhibitory ones are larger by as much as inhibitory units are fewer, so that the mean
    input of a unit is 0.

    Args:
        mask: the connections that exist.
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        inhibitory: share of the units that inhibit, drawn from ``seed``.
        seed: seed of the initial weights and of the choice.
        **options: those of ``MaskedRNN``.

    Attributes:
        sign: (N,) 1 for excitatory and −1 for inhibitory units.
    """

    sign: Tensor

    def __init__(
        self, mask: Mask, n_inputs: int, n_outputs: int, *, inhibitory: float = 0.2, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(mask, n_inputs, n_outputs, seed=seed, **options)
        count = round(inhibitory * mask.n)
        chosen = torch.from_numpy(Seed.of(seed, Purpose.MASK, 1).rng().permutation(mask.n)[:count].copy())
        sign = torch.ones(mask.n)
        sign[chosen] = -1
        self.register_buffer("sign", sign.to(self.bias.device))
        self._sources = torch.from_numpy(mask.indices.astype("int64"))
        with torch.no_grad():
            self.weight_out.abs_()
            self.weight_recurrent.abs_()
            if 0 < count < mask.n:
                inhibits = self.sign[self._sources.to(self.sign.device)] < 0
                self.weight_recurrent[inhibits] *= (mask.n - count) / count

    def effective_weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the weights with their signs; see ``MaskedRNN.effective_weights``."""
        recurrent = self.weight_recurrent.relu() * self.sign[self._sources.to(self.sign.device)]
        return self.weight_in, self.bias, recurrent, self.weight_out.relu() * self.sign.relu(), self.bias_out
