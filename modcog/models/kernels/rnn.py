"""torch's own recurrent layer with the weights in a full matrix; on CUDA it is that of cuDNN."""
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modcog.models.kernels.plain import gradients
from modcog.models.kernels.step import DenseKernel
from modcog.models.masks import Mask

_LAYERS = {"relu": torch.rnn_relu, "tanh": torch.rnn_tanh}


class RnnKernel(DenseKernel):
    """One call for all steps, that of ``torch.nn.RNN``, so there is no Python between them; without leak and noise.

    The gradient is torch's, too. The forward pass records a graph of its own, from detached inputs, and the backward
    pass goes through it, as often as asked. A gradient of a gradient, which cuDNN does not have, is computed elsewhere.
    """

    name = "rnn"
    fitting = "relu and tanh with alpha = 1 (tau = dt) and no noise"

    @staticmethod
    def fits(mask: Mask, activation: str = "relu", alpha: float = 1.0, noise: float = 0.0) -> bool:
        return activation in _LAYERS and alpha == 1 and not noise

    def forward(
        self, x: Tensor, h0: Tensor | None, noise: Tensor | None, weights: Sequence[Tensor], return_states: bool
    ) -> tuple[Tensor, Tensor | None, tuple[Any, ...]]:
        with torch.enable_grad():
            own = [t if t is None else t.detach().requires_grad_(t.requires_grad) for t in (x, h0, noise, *weights)]
            logits, states = self._run(own)
        # a copy of the logits, because a user may write into them, and those of the graph must stay
        return logits.detach().clone(), states.detach() if return_states else None, (logits, states, *own)

    def backward(
        self,
        kept: Sequence[Tensor],
        inputs: Sequence[Tensor],
        needed: Sequence[bool],
        grad_logits: Tensor | None,
        grad_states: Tensor | None,
    ) -> list[Tensor | None]:
        logits, states, *own = kept
        return gradients((logits, states), own, needed, (grad_logits, grad_states), retain_graph=True)

    def _run(self, inputs: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Return logits (T, B, A) and states (T, B, N), recorded by autograd."""
        x, h0, _, weight_in, bias, weight, weight_out, bias_out = inputs
        n, start = self.mask.n, x.new_zeros(x.shape[1], self.mask.n) if h0 is None else h0.contiguous()
        matrix = self.matrix(weight, transposed=True)
        # cuDNN takes its weights in this order from one block of memory; torch copies others at every call, and warns
        block = torch.cat([weight_in.flatten(), matrix.flatten(), bias, torch.zeros_like(bias)])
        of_inputs, of_units, *biases = block.split_with_sizes([weight_in.numel(), n * n, n, n])
        layer = [of_inputs.view_as(weight_in), of_units.view(n, n), *biases]
        states, _ = _LAYERS[self.activation](x, start[None], layer, True, 1, 0.0, True, False, False)
        return functional.linear(states, weight_out, bias_out), states
