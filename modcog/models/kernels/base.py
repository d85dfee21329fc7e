"""The interface of kernels: the recurrence over a whole sequence, forward and backward, and its weight gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from modcog.models.masks import Mask


@dataclass(frozen=True)
class Activation:
    """A nonlinearity φ, with a gradient from its output, so that its input need not be kept.

    Attributes:
        apply_: replace pre-activations by φ of them, in place.
        pull_: multiply a gradient, in place, by φ′ at the inputs that gave these outputs of φ.
    """

    apply_: Callable[[Tensor], Tensor]
    pull_: Callable[[Tensor, Tensor], Tensor]


_ATEN = torch.ops.aten

ACTIVATIONS = {
    "relu": Activation(torch.relu_, lambda grad, r: _ATEN.threshold_backward.grad_input(grad, r, 0, grad_input=grad)),
    "tanh": Activation(torch.tanh_, lambda grad, r: _ATEN.tanh_backward.grad_input(grad, r, grad_input=grad)),
    "softplus": Activation(
        lambda pre: torch.logaddexp(pre, pre.new_zeros(()), out=pre),
        lambda grad, r: grad.mul_(torch.neg(r).expm1_().neg_()),
    ),
}
"""Nonlinearities by name."""


class Kernel(ABC):
    """The recurrence h(t) = (1 − α) h(t−1) + α φ(W h(t−1) + u(t)) on one mask, for whole sequences.

    States have the shape (T, B, N). In memory their units are innermost, or, with ``unit_rows``, they lie as (T, N, B):
    then a connection adds one contiguous row of the batch to another, which suits masks with few connections.
    ``weight`` is (synapses,) in the mask's order.

    Args:
        mask: the connections that exist.
        activation: name of φ.
        alpha: α in (0, 1].

    Attributes:
        name: as in a configuration.
        unit_rows: memory layout of the states.
    """

    name: str
    unit_rows = False

    def __init__(self, mask: Mask, activation: str, alpha: float) -> None:
        self.mask, self.activation, self.alpha = mask, activation, alpha
        self._spare: list[Tensor] = []

    def empty(self, like: Tensor, steps: int, batch: int, size: int) -> Tensor:
        """Return an uninitialized tensor (steps, batch, size) of the type of ``like``, in the layout of the states."""
        if self.unit_rows:
            return like.new_empty(steps, size, batch).transpose(1, 2)
        return like.new_empty(steps, batch, size)

    def borrow(self, like: Tensor) -> Tensor:
        """Return uninitialized states of the shape of ``like``, in the memory given back last if it fits.

        The system maps fresh memory page by page, which takes long enough to show beside a sparse product.
        """
        spare = self._spare.pop() if self._spare else None
        if spare is not None and (spare.shape, spare.dtype, spare.device) == (like.shape, like.dtype, like.device):
            return spare
        return self.empty(like, *like.shape)

    def give_back(self, states: Tensor) -> None:
        """Keep the states from ``borrow`` for the next call; nothing else may refer to them."""
        self._spare[:] = [states]

    @abstractmethod
    def forward(self, states: Tensor, rates: Tensor, weight: Tensor) -> None:
        """Run the recurrence in place.

        Args:
            states: (T + 1, B, N), the initial state, and then space for h(1) … h(T).
            rates: (T, B, N), the drive u(t), which is replaced by φ(…). With α = 1 this is ``states[1:]``.
            weight: (synapses,).
        """

    @abstractmethod
    def backward(self, grad: Tensor, rates: Tensor, weight: Tensor) -> None:
        """Propagate the gradient in place, from the last step to the first.

        Args:
            grad: (T + 1, B, N), the direct derivatives of the loss by h(0) … h(T). They are replaced by the gradient
                by h(0), in ``grad[0]``, and by the drive, in ``grad[1:]``.
            rates: (T, B, N), φ(…), as ``forward`` left it.
            weight: (synapses,).
        """

    @abstractmethod
    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        """Return the gradient by the weights, (synapses,).

        Args:
            delta: (T, B, N), gradient by the drive.
            before: (T, B, N), the states one step earlier.
        """
