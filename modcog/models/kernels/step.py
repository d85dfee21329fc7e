"""Kernels that call torch once per step: with a full matrix, a sparse matrix, or an elementwise product."""
# ruff: noqa: D102

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from modcog.models.kernels.base import Kernel
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


class StepKernel(Kernel):
    """A kernel with one product per step, which its subclasses define.

    States have the shape (T, B, N). In memory their units are innermost, or, with ``unit_rows``, they lie as (T, N, B),
    as products with a sparse matrix take them.

    Attributes:
        unit_rows: memory layout of the states.
    """

    unit_rows: ClassVar[bool] = False

    @abstractmethod
    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        """Return the weights, or their transpose, in the form that ``add_product`` takes."""

    @abstractmethod
    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        """Add the product of ``matrix`` with each of the states (B, N) to ``out`` (B, N)."""

    @abstractmethod
    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        """Return the gradient by the weights, (synapses,).

        Args:
            delta: (T, B, N), gradient by the input of the units.
            before: (T, B, N), the states one step earlier.
        """

    def forward(
        self, x: Tensor, h0: Tensor | None, noise: Tensor | None, weights: Sequence[Tensor], return_states: bool
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        weight_in, bias, weight, weight_out, bias_out = weights
        steps, batch, _ = x.shape
        states = self._empty(x, steps + 1, batch, self.mask.n)
        states[0] = 0 if h0 is None else h0
        rates = states[1:] if self.alpha == 1 else self._empty(x, steps, batch, self.mask.n)
        _product(x, weight_in, bias, out=rates)
        if noise is not None:
            rates += noise
        matrix, apply_ = self.matrix(weight, transposed=False), ACTIVATIONS[self.activation].apply_
        for before, after, rate in zip(states.unbind(0), states[1:].unbind(0), rates.unbind(0), strict=False):
            self.add_product(rate, matrix, before)
            apply_(rate)
            if self.alpha != 1:
                torch.lerp(before, rate, self.alpha, out=after)
        logits = _product(states[1:], weight_out, bias_out, out=self._empty(x, steps, batch, len(weight_out)))
        return logits.contiguous(), states[1:] if return_states else None, (states, rates)

    def backward(
        self,
        kept: Sequence[Tensor],
        inputs: Sequence[Tensor],
        needed: Sequence[bool],
        grad_logits: Tensor | None,
        grad_states: Tensor | None,
    ) -> list[Tensor | None]:
        states, rates = kept
        x, _, _, weight_in, bias, weight, weight_out, _ = inputs
        need_x, need_h0, need_noise, need_in, need_bias, need_weight, need_out, need_bias_out = needed
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
        grad = self._empty(x, len(states), x.shape[1], self.mask.n)
        grad[0], delta = 0, grad[1:]
        if grad_logits is None:
            delta.zero_()
        else:
            _product(grad_logits, weight_out.t(), None, out=delta)
        if grad_states is not None:
            delta += grad_states
        matrix, pull_ = self.matrix(weight, transposed=True), ACTIVATIONS[self.activation].pull_
        steps = grad.unbind(0)
        for earlier, here, rate in zip(steps[-2::-1], steps[:0:-1], rates.unbind(0)[::-1], strict=True):
            if self.alpha != 1:
                earlier.add_(here, alpha=1 - self.alpha)
                here.mul_(self.alpha)
            pull_(here, rate)
            self.add_product(earlier, matrix, here)
        if need_x:
            found[0] = torch.matmul(delta, weight_in)
        if need_h0:
            found[1] = grad[0].contiguous()
        if need_noise:
            found[2] = delta
        if need_in:
            found[3] = _correlation(x, delta).t()
        if need_bias:
            found[4] = delta.sum((0, 1) if bias.ndim == 1 else 0)
        if need_weight:
            found[5] = self.weight_gradient(delta, before)
        return found

    def _empty(self, like: Tensor, steps: int, batch: int, size: int) -> Tensor:
        """Return an uninitialized tensor (steps, batch, size) of the type of ``like``, in the layout of the states."""
        if self.unit_rows:
            return like.new_empty(steps, size, batch).transpose(1, 2)
        return like.new_empty(steps, batch, size)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, *, out: Tensor) -> Tensor:
    """Write x (T, B, C) · weight (N, C)ᵀ + bias (N,) or (B, N) into ``out`` (T, B, N), for either memory layout."""
    if x.is_contiguous() and out.is_contiguous():
        flat = out.flatten(0, 1)
        if bias is not None and bias.ndim == 1:
            torch.addmm(bias, x.flatten(0, 1), weight.t(), out=flat)
            return out
        torch.mm(x.flatten(0, 1), weight.t(), out=flat)
    else:
        torch.bmm(weight.expand(len(x), *weight.shape), x.transpose(1, 2), out=out.transpose(1, 2))
    if bias is not None:
        out += bias
    return out


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Return Σ over steps and batch of left (T, B, N) ⊗ right (T, B, M), (N, M)."""
    if left.is_contiguous() and right.is_contiguous():
        return left.flatten(0, 1).t() @ right.flatten(0, 1)
    total = left.new_empty(left.shape[2], right.shape[2])
    return torch.addbmm(total, left.transpose(1, 2), right, beta=0)


class DenseKernel(StepKernel):
    """One BLAS product per step: the fastest for dense masks and for few units."""

    name = "dense"

    def __post_init__(self) -> None:
        mask, self._flat = self.mask, None
        if mask.synapses < mask.n**2:
            self._flat = torch.from_numpy(mask.targets().astype("int64") * mask.n + mask.indices).to(self.device)

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        n = self.mask.n
        if self._flat is not None:
            weight = weight.new_zeros(n * n).index_copy_(0, self._flat, weight)
        return weight.view(n, n) if transposed else weight.view(n, n).t()  # row vectors are multiplied with it

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        out.addmm_(state, matrix)

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        full = (delta.flatten(0, 1).t() @ before.flatten(0, 1)).view(-1)
        return full if self._flat is None else full.index_select(0, self._flat)


class DiagonalKernel(StepKernel):
    """One elementwise product per step, for autapses."""

    name = "diagonal"
    fitting = "self-connections only"

    def __post_init__(self) -> None:
        pass

    @staticmethod
    def fits(mask: Mask, activation: str = "relu", alpha: float = 1.0, noise: float = 0.0) -> bool:
        """Return True if the mask has every self-connection and no other."""
        return mask.synapses == mask.n and mask.self_connections == mask.n

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        return weight

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        out.addcmul_(state, matrix)

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        total = torch.zeros_like(delta[0])
        # step by step, so that the sum stays in the cache
        for one, other in zip(delta.unbind(0), before.unbind(0), strict=True):
            total.addcmul_(one, other)
        return total.sum(0)


class CsrKernel(StepKernel):
    """One product with a torch CSR matrix per step: for sparse masks on a GPU, or on a CPU without a compiler."""

    name = "csr"
    unit_rows = True

    def __post_init__(self) -> None:
        _silence_beta_warning()
        indptr, indices, order = self.mask.transpose()
        self._rows, self._columns = (
            tuple(torch.from_numpy(part.astype(np.int32)).to(self.device) for part in pattern)
            for pattern in ((self.mask.indptr, self.mask.indices), (indptr, indices))
        )
        self._order = torch.from_numpy(order).to(self.device)

    @staticmethod
    def available(device: torch.device, dtype: torch.dtype) -> bool:
        """Return True if torch has sparse products for the device and the type; on a CPU they come from MKL."""
        on_device = device.type == "cuda" or (device.type == "cpu" and torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]
        return on_device and dtype in (torch.float32, torch.float64)

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        if transposed:
            return self._sparse(self._columns, weight.index_select(0, self._order))
        return self._sparse(self._rows, weight)

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        torch.addmm(out.t(), matrix, state.t(), out=out.t())

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        zero = self._sparse(self._rows, delta.new_zeros(self.mask.synapses))
        rows, columns = delta.permute(2, 0, 1).flatten(1), before.flatten(0, 1)
        return torch.sparse.sampled_addmm(zero, rows, columns, beta=0).values()  # at the connections only

    def _sparse(self, pattern: tuple[Tensor, ...], values: Tensor) -> Tensor:
        crow, col = pattern
        return torch.sparse_csr_tensor(crow, col, values, (self.mask.n, self.mask.n), check_invariants=False)


@cache
def _silence_beta_warning() -> None:
    """Use CSR once with warnings off: torch warns only on the first use that it is in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1))
