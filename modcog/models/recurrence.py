"""Input, recurrence and read-out of a whole sequence as one differentiable function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from modcog.models.kernels import Kernel


class MaskedRecurrence(torch.autograd.Function):
    """Map x (T, B, C), weights and an initial state (B, N) to logits (T, B, A) and states (T, B, N).

    The backward pass is backpropagation through time (Werbos 1990), written out. Autograd would keep a graph of T steps
    with several tensors each, and would add up T weight gradients of the size of the matrix; here a kernel runs through
    the steps, and the weight gradients of all steps are one product. The bias is the weight of an input that is always
    1, so that its gradient costs no pass over the states.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        x: Tensor,
        weight_in: Tensor,
        bias: Tensor,
        weight: Tensor,
        weight_out: Tensor,
        bias_out: Tensor,
        h0: Tensor | None,
        noise: Tensor | None,
        kernel: Kernel,
    ) -> tuple[Tensor, Tensor]:
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
        ctx.kernel = kernel
        ctx.save_for_backward(x_and_1, weight_in, weight, weight_out, states, None if kernel.alpha == 1 else rates)
        ctx.set_materialize_grads(False)
        return torch.add(logits, bias_out, out=x.new_empty(logits.shape)), states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_logits: Tensor | None, grad_states: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        x_and_1, weight_in, weight, weight_out, states, rates = ctx.saved_tensors
        kernel, needed = ctx.kernel, ctx.needs_input_grad
        before, after = states[:-1], states[1:]
        grad = kernel.borrow(states)
        grad[0], delta = 0, grad[1:]
        grad_out, grad_bias_out = None, None
        if grad_logits is None:
            delta.zero_()
        else:
            grad_logits = grad_logits.contiguous()
            _product(grad_logits, weight_out.t(), out=delta)
            grad_out, grad_bias_out = _correlation(grad_logits, after), grad_logits.sum((0, 1))
        if grad_states is not None:
            delta += grad_states
        kernel.backward(grad, after if rates is None else rates, weight)
        grad_in, grad_weight = _correlation(x_and_1, delta), kernel.weight_gradient(delta, before)
        grad_x = None
        if needed[0]:
            grad_x = _product(delta, weight_in.t(), out=kernel.empty(delta, *delta.shape[:2], weight_in.shape[1]))
        grad_h0 = grad[0].clone() if needed[6] else None
        kernel.give_back(grad)
        return grad_x, grad_in[:-1].t(), grad_in[-1], grad_weight, grad_out, grad_bias_out, grad_h0, None, None


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
