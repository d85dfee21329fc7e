"""The interface of kernels, and a whole sequence, from input to read-out, as one differentiable function of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from modcog.models.kernels.plain import PlainNetwork, is_opaque
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


@dataclass(eq=False)
class Kernel(ABC):
    """The recurrence h(t) = (1 − α) h(t−1) + α φ(W h(t−1) + u(t)) on one mask, for whole sequences.

    States have the shape (T, B, N). In memory their units are innermost, or, with ``unit_rows``, they lie as (T, N, B):
    then a connection adds one contiguous row of the batch to another, which suits masks with few connections.
    ``weight`` is (synapses,) in the mask's order.

    Attributes:
        mask: the connections that exist.
        activation: name of φ.
        alpha: α in (0, 1].
        name: as in a configuration.
        unit_rows: memory layout of the states.
    """

    mask: Mask
    activation: str
    alpha: float
    _spare: list[Tensor] = field(default_factory=list, init=False, repr=False)

    name: ClassVar[str]
    unit_rows: ClassVar[bool] = False

    @abstractmethod
    def __post_init__(self) -> None:
        """Check the mask, and make the tables of connections that the kernel needs."""

    def empty(self, like: Tensor, steps: int, batch: int, size: int) -> Tensor:
        """Return an uninitialized tensor (steps, batch, size) of the type of ``like``, in the layout of the states."""
        if self.unit_rows:
            return like.new_empty(steps, size, batch).transpose(1, 2)
        return like.new_empty(steps, batch, size)

    def borrow(self, like: Tensor) -> Tensor:
        """Return uninitialized states of the shape of ``like``, in the memory given back last if it fits.

        The system maps fresh memory page by page, which takes long enough to show beside a sparse product.
        """
        try:
            spare = self._spare.pop()  # at once, for another thread may take it
        except IndexError:
            return self.empty(like, *like.shape)
        fits = (spare.shape, spare.dtype, spare.device) == (like.shape, like.dtype, like.device)
        return spare if fits else self.empty(like, *like.shape)

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


class MaskedRecurrence(torch.autograd.Function):
    """Map x (T, B, C), an initial state (B, N), noise and weights to logits (T, B, A) and states (T, B, N).

    The backward pass is backpropagation through time (Werbos 1990), written out. Autograd would keep a graph of T steps
    with several tensors each, and would add up T weight gradients of the size of the matrix; here a kernel runs through
    the steps, and the weight gradients of all steps are one product. The bias is the weight of an input that is always
    1, so that its gradient costs no pass over the states.

    A gradient that is itself to be differentiated is computed once more in plain operations.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kernel: Kernel,
        plain: PlainNetwork,
        x: Tensor,
        h0: Tensor | None,
        noise: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        weight_in, bias, weight, weight_out, bias_out = weights
        steps, batch, _ = x.shape
        states = kernel.empty(x, steps + 1, batch, kernel.mask.n)
        states[0] = 0 if h0 is None else h0
        rates = states[1:] if kernel.alpha == 1 else kernel.empty(x, steps, batch, kernel.mask.n)
        x_and_1 = torch.cat([x, x.new_ones(steps, batch, 1)], dim=2)
        _product(x_and_1, torch.cat([weight_in, bias[:, None]], dim=1), out=rates)
        if noise is not None:
            rates += noise
        kernel.forward(states, rates, weight)
        logits = _product(states[1:], weight_out, out=kernel.empty(x, steps, batch, len(weight_out)))
        ctx.kernel, ctx.plain = kernel, plain
        ctx.save_for_backward(x_and_1, states, None if kernel.alpha == 1 else rates, x, h0, noise, *weights)
        ctx.set_materialize_grads(False)
        return torch.add(logits, bias_out, out=x.new_empty(logits.shape)), states[1:]

    @staticmethod
    def backward(ctx: Any, grad_logits: Tensor | None, grad_states: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        x_and_1, states, rates, *inputs = ctx.saved_tensors
        needed = ctx.needs_input_grad[2:]
        with full_precision(states.device):
            if torch.is_grad_enabled() or not is_opaque(grad_logits, grad_states, *inputs):
                return None, None, *ctx.plain.pull_back(inputs, needed, (grad_logits, grad_states))
            return None, None, *_gradients(ctx.kernel, x_and_1, states, rates, inputs, needed, grad_logits, grad_states)


def _gradients(
    kernel: Kernel,
    x_and_1: Tensor,
    states: Tensor,
    rates: Tensor | None,
    inputs: Sequence[Tensor],
    needed: Sequence[bool],
    grad_logits: Tensor | None,
    grad_states: Tensor | None,
) -> list[Tensor | None]:
    """Return the gradients by x, h0, noise and the weights, where they are needed."""
    _, _, _, weight_in, _, weight, weight_out, _ = inputs
    need_x, need_h0, _, need_in, need_bias, need_weight, need_out, need_bias_out = needed
    found: list[Tensor | None] = [None] * len(needed)
    before, after = states[:-1], states[1:]
    if grad_logits is not None:
        grad_logits = grad_logits.contiguous()
        if need_out:
            found[6] = _correlation(grad_logits, after)
        if need_bias_out:
            found[7] = grad_logits.sum((0, 1))
    if not any(needed[:6]):
        return found
    grad = kernel.borrow(states)
    grad[0], delta = 0, grad[1:]
    if grad_logits is None:
        delta.zero_()
    else:
        _product(grad_logits, weight_out.t(), out=delta)
    if grad_states is not None:
        delta += grad_states
    kernel.backward(grad, after if rates is None else rates, weight)
    if need_x:
        found[0] = _product(
            delta, weight_in.t(), out=kernel.empty(delta, len(delta), delta.shape[1], weight_in.shape[1])
        )
    if need_h0:
        found[1] = grad[0].clone()
    if need_in or need_bias:
        grad_in = _correlation(x_and_1, delta)
        found[3], found[4] = grad_in[:-1].t(), grad_in[-1]
    if need_weight:
        found[5] = kernel.weight_gradient(delta, before)
    kernel.give_back(grad)
    return found


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocasting, which would halve the precision of single products only."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _product(x: Tensor, weight: Tensor, *, out: Tensor) -> Tensor:
    """Write x (T, B, C) · weight (N, C)ᵀ into ``out`` (T, B, N), for either memory layout."""
    if x.is_contiguous() and out.is_contiguous():
        torch.mm(x.flatten(0, 1), weight.t(), out=out.flatten(0, 1))
    else:
        torch.bmm(weight.expand(len(x), *weight.shape), x.transpose(1, 2), out=out.transpose(1, 2))
    return out


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Return Σ over steps and batch of left (T, B, N) ⊗ right (T, B, M), (N, M)."""
    if left.is_contiguous() and right.is_contiguous():
        return left.flatten(0, 1).t() @ right.flatten(0, 1)
    total = left.new_empty(left.shape[2], right.shape[2])
    return torch.addbmm(total, left.transpose(1, 2), right, beta=0)
