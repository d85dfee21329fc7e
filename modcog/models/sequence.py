"""A network over a whole sequence as one differentiable function with its backward pass written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from modcog.models.kernels import Dynamics, Kernel

_CHUNK = 1 << 19  # numbers in the gradients that the backward pass holds at a time,
_LEAST_STEPS = 8  # but so many steps at least


class Sequence(torch.autograd.Function):
    """Input, recurrence and read-out of T steps; backpropagation through time without a graph of steps.

    The bias counts as the weight of an input that is always 1, so that its gradient costs no pass of its own.
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
        dynamics: Dynamics,
    ) -> tuple[Tensor, Tensor]:
        steps, batch, _ = x.shape
        states = kernel.empty(x, steps + 1, batch)
        states[0] = 0 if h0 is None else h0
        rates = states[1:] if dynamics.alpha == 1 else kernel.empty(x, steps, batch)
        x_and_1 = torch.cat([x, x.new_ones(steps, batch, 1)], dim=2)
        _product(x_and_1, torch.cat([weight_in, bias[:, None]], dim=1), out=rates)
        if noise is not None:
            rates += noise
        kernel.forward(states, rates, weight, dynamics)
        logits = _product(states[1:], weight_out, out=_like(rates, len(weight_out)))
        ctx.kernel, ctx.dynamics = kernel, dynamics
        ctx.save_for_backward(x_and_1, weight_in, weight, weight_out, states, None if dynamics.alpha == 1 else rates)
        ctx.set_materialize_grads(False)
        return torch.add(logits, bias_out, out=x.new_empty(logits.shape)), states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_logits: Tensor | None, grad_states: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        x_and_1, weight_in, weight, weight_out, states, rates = ctx.saved_tensors
        kernel, needed = ctx.kernel, ctx.needs_input_grad
        rates = states[1:] if rates is None else rates
        steps, batch, units = rates.shape
        grad_logits = None if grad_logits is None else grad_logits.contiguous()
        grad_x = x_and_1.new_empty(steps, batch, weight_in.shape[1]) if needed[0] else None
        grad_in = x_and_1.new_zeros(x_and_1.shape[2], units)
        grad_weight, grad_out = torch.zeros_like(weight), torch.zeros_like(weight_out)
        size = min(steps, max(_LEAST_STEPS, _CHUNK // (batch * units)))
        grad = kernel.empty(states, size + 1, batch)
        carried = torch.zeros_like(grad[0])
        for stop in range(steps, 0, -size):  # a few steps at a time: their gradients stay in the cache
            part = slice(max(0, stop - size), stop)
            chunk = grad[: part.stop - part.start + 1]
            chunk[0], delta = 0, chunk[1:]
            if grad_logits is None:
                delta.zero_()
            else:
                _product(grad_logits[part], weight_out.t(), out=delta)
                grad_out += _correlation(grad_logits[part], states[1:][part])
            if grad_states is not None:
                delta += grad_states[part]
            delta[-1] += carried
            kernel.backward(chunk, rates[part], weight, ctx.dynamics)
            carried.copy_(chunk[0])
            grad_in += _correlation(x_and_1[part], delta)
            grad_weight += kernel.weight_gradient(delta, states[part])
            if grad_x is not None:
                grad_x[part] = _product(delta, weight_in.t(), out=_like(delta, weight_in.shape[1]))
        return (
            grad_x,
            grad_in[:-1].t(),
            grad_in[-1],
            grad_weight,
            None if grad_logits is None else grad_out,
            None if grad_logits is None else grad_logits.sum((0, 1)),
            carried if needed[6] else None,
            None,
            None,
            None,
        )


def _like(states: Tensor, size: int) -> Tensor:
    """Space for (T, B, size) in the order in which ``states`` (T, B, N) lie in memory."""
    steps, batch, _ = states.shape
    if states.stride(2) == 1:
        return states.new_empty(steps, batch, size)
    return states.new_empty(steps, size, batch).transpose(1, 2)


def _product(x: Tensor, weight: Tensor, *, out: Tensor) -> Tensor:
    """``out`` (T, B, N) = x (T, B, C) · weight (N, C)ᵀ, whichever way either lies in memory."""
    if x.is_contiguous() and out.is_contiguous():
        torch.mm(x.flatten(0, 1), weight.t(), out=out.flatten(0, 1))
    else:
        torch.bmm(weight.expand(len(x), *weight.shape), x.transpose(1, 2), out=out.transpose(1, 2))
    return out


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Σ over steps and batch of left (T, B, N) ⊗ right (T, B, M): (N, M)."""
    if left.is_contiguous() and right.is_contiguous():
        return left.flatten(0, 1).t() @ right.flatten(0, 1)
    total = left.new_empty(left.shape[2], right.shape[2])
    return torch.addbmm(total, left.transpose(1, 2), right, beta=0)
