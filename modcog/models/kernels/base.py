"""The interface of kernels: the recurrence over a whole sequence, forward and backward, and its weight gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from modcog.models.kernels.activations import Activation
from modcog.models.masks import Mask


@dataclass(frozen=True)
class Dynamics:
    """h(t) = (1 − α) h(t−1) + α φ(W h(t−1) + u(t)).

    Attributes:
        activation: φ.
        alpha: α in (0, 1].
    """

    activation: Activation
    alpha: float = 1.0


class Kernel(ABC):
    """The recurrence of one mask, for whole sequences.

    States have the shape (T, B, N). In memory their units are innermost, or, with ``unit_rows``, they lie as (T, N, B):
    then a connection adds one contiguous row of the batch to another, which suits masks with few connections.
    ``weight`` is (synapses,) in the mask's order.

    Attributes:
        name: as in a configuration.
        unit_rows: memory layout of the states.
    """

    name: str
    unit_rows: bool

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._spare: list[Tensor] = []

    def empty(self, like: Tensor, steps: int, batch: int) -> Tensor:
        """Return uninitialized states (steps, batch, N) of the type of ``like``."""
        if self.unit_rows:
            return like.new_empty(steps, self.mask.n, batch).transpose(1, 2)
        return like.new_empty(steps, batch, self.mask.n)

    def borrow(self, like: Tensor) -> Tensor:
        """Return uninitialized states of the shape of ``like``, in the memory given back last if it fits.

        The system maps fresh memory page by page, which takes long enough to show beside a sparse product.
        """
        spare = self._spare.pop() if self._spare else None
        if spare is not None and (spare.shape, spare.dtype, spare.device) == (like.shape, like.dtype, like.device):
            return spare
        return self.empty(like, *like.shape[:2])

    def give_back(self, states: Tensor) -> None:
        """Keep the states from ``borrow`` for the next call; nothing else may refer to them."""
        self._spare[:] = [states]

    @abstractmethod
    def forward(self, states: Tensor, rates: Tensor, weight: Tensor, dynamics: Dynamics) -> None:
        """Run the recurrence in place.

        Args:
            states: (T + 1, B, N), the initial state, and then space for h(1) … h(T).
            rates: (T, B, N), the drive u(t), which is replaced by φ(…). With α = 1 this is ``states[1:]``.
            weight: (synapses,).
            dynamics: φ and α.
        """

    @abstractmethod
    def backward(self, grad: Tensor, rates: Tensor, weight: Tensor, dynamics: Dynamics) -> None:
        """Propagate the gradient in place, from the last step to the first.

        Args:
            grad: (T + 1, B, N), the direct derivatives of the loss by h(0) … h(T). They are replaced by the gradient
                by h(0), in ``grad[0]``, and by the drive, in ``grad[1:]``.
            rates: (T, B, N), φ(…), as ``forward`` left it.
            weight: (synapses,).
            dynamics: φ and α.
        """

    @abstractmethod
    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        """Return the gradient by the weights, (synapses,).

        Args:
            delta: (T, B, N), gradient by the drive.
            before: (T, B, N), the states one step earlier.
        """


class StepKernel(Kernel):
    """A kernel with one product per step; its subclasses define the product and its transpose."""

    @abstractmethod
    def matrix(self, weight: Tensor) -> Tensor:
        """Return the weights in the form that ``add_product`` takes."""

    @abstractmethod
    def transposed(self, weight: Tensor) -> Tensor:
        """Return the transposed weights in the same form."""

    @abstractmethod
    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        """Add the product of ``matrix`` with each of the states (B, N) to ``out`` (B, N)."""

    def forward(self, states: Tensor, rates: Tensor, weight: Tensor, dynamics: Dynamics) -> None:  # noqa: D102
        matrix, alpha = self.matrix(weight), dynamics.alpha
        steps = states.unbind(0)
        for before, after, rate in zip(steps, steps[1:], rates.unbind(0), strict=False):
            self.add_product(rate, matrix, before)
            dynamics.activation.apply_(rate)
            if alpha != 1:
                torch.lerp(before, rate, alpha, out=after)

    def backward(self, grad: Tensor, rates: Tensor, weight: Tensor, dynamics: Dynamics) -> None:  # noqa: D102
        matrix, alpha = self.transposed(weight), dynamics.alpha
        steps = grad.unbind(0)
        for before, after, rate in zip(steps[-2::-1], steps[:0:-1], rates.unbind(0)[::-1], strict=True):
            if alpha != 1:
                before.add_(after, alpha=1 - alpha)
                after.mul_(alpha)
            dynamics.activation.pull_(after, rate)
            self.add_product(before, matrix, after)
