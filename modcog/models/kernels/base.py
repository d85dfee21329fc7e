"""The interface of kernels, and a whole sequence, from input to read-out, as one differentiable function of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from modcog.models.kernels.plain import PlainNetwork, is_opaque
from modcog.models.masks import Mask


@dataclass(eq=False)
class Kernel(ABC):
    """A way to run the whole network over sequences, and its gradient.

    Attributes:
        mask: the connections that exist.
        activation: name of φ.
        alpha: α in (0, 1].
        device: place of the network, and of the tables.
        name: as in a configuration.
        fitting: networks that it can run, in words.
    """

    mask: Mask
    activation: str
    alpha: float
    device: torch.device

    name: ClassVar[str]
    fitting: ClassVar[str] = "all"

    @staticmethod
    def fits(mask: Mask, activation: str = "relu", alpha: float = 1.0, noise: float = 0.0) -> bool:
        """Return True if the kernel can run such networks, on some device."""
        return True

    @abstractmethod
    def __post_init__(self) -> None:
        """Make the tables of connections that the kernel needs, on its device."""

    @abstractmethod
    def forward(
        self, x: Tensor, h0: Tensor | None, noise: Tensor | None, weights: Sequence[Tensor], return_states: bool
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        """Run the network.

        Args:
            x: observations (T, B, C), contiguous.
            h0: initial state (B, N); None: zeros.
            noise: (T, B, N), added to the input of the units; None: none.
            weights: ``weight_in``, ``bias``, ``weight_recurrent``, ``weight_out`` and ``bias_out`` of the network; the
                bias is (N,), or (B, N), one for each sequence.
            return_states: whether the states are asked for.

        Returns:
            Logits (T, B, A), states h(1) … h(T), (T, B, N), if asked for, and what ``backward`` needs to have kept.
        """

    @abstractmethod
    def backward(
        self,
        kept: Sequence[Tensor],
        inputs: Sequence[Tensor],
        needed: Sequence[bool],
        grad_logits: Tensor | None,
        grad_states: Tensor | None,
    ) -> list[Tensor | None]:
        """Return the gradients by x, h0, noise and each of the weights, None where they are not needed.

        Args:
            kept: what ``forward`` kept; it stays as it is.
            inputs: x, h0, noise and the weights.
            needed: True for each of them whose gradient is wanted.
            grad_logits: derivatives of the loss by the logits (T, B, A); None for zero.
            grad_states: and by the states (T, B, N).
        """


class MaskedRecurrence(torch.autograd.Function):
    """Map x (T, B, C), an initial state (B, N), noise and weights to logits (T, B, A) and, if asked, states (T, B, N).

    The backward pass is backpropagation through time (Werbos 1990), written out. Autograd would keep a graph of T steps
    with several tensors each, and would add up T weight gradients of the size of the matrix; here a kernel runs through
    the steps, and the weight gradients of all steps are one product.

    A gradient that is itself to be differentiated is computed once more in plain operations.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kernel: Kernel,
        plain: PlainNetwork,
        return_states: bool,
        x: Tensor,
        h0: Tensor | None,
        noise: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor | None]:
        logits, states, kept = kernel.forward(x, h0, noise, weights, return_states)
        ctx.kernel, ctx.plain, ctx.n_kept = kernel, plain, len(kept)
        ctx.save_for_backward(*kept, x, h0, noise, *weights)
        ctx.set_materialize_grads(False)
        return logits, states

    @staticmethod
    def backward(ctx: Any, grad_logits: Tensor | None, grad_states: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        saved = ctx.saved_tensors
        kept, inputs = saved[: ctx.n_kept], saved[ctx.n_kept :]
        grads, needed = (grad_logits, grad_states), ctx.needs_input_grad[3:]
        with full_precision(inputs[0].device):
            if torch.is_grad_enabled() or not is_opaque(*grads, *inputs):
                return None, None, None, *ctx.plain.pull_back(inputs, needed, grads)
            return None, None, None, *ctx.kernel.backward(kept, inputs, needed, *grads)


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocasting, which would halve the precision of single products only."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)
