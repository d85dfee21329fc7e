"""Kernels that call torch once per step: with a full matrix, a sparse matrix, or an elementwise product."""
# ruff: noqa: D102

from __future__ import annotations

import warnings
from abc import abstractmethod
from functools import cache

import numpy as np
import torch
from torch import Tensor

from modcog.errors import ModcogError
from modcog.models.kernels.base import ACTIVATIONS, Kernel
from modcog.models.masks import Mask


class StepKernel(Kernel):
    """A kernel with one product per step, which its subclasses define."""

    @abstractmethod
    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        """Return the weights, or their transpose, in the form that ``add_product`` takes."""

    @abstractmethod
    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        """Add the product of ``matrix`` with each of the states (B, N) to ``out`` (B, N)."""

    def forward(self, states: Tensor, rates: Tensor, weight: Tensor) -> None:
        matrix, apply_ = self.matrix(weight, transposed=False), ACTIVATIONS[self.activation].apply_
        steps = states.unbind(0)
        for before, after, rate in zip(steps, steps[1:], rates.unbind(0), strict=False):
            self.add_product(rate, matrix, before)
            apply_(rate)
            if self.alpha != 1:
                torch.lerp(before, rate, self.alpha, out=after)

    def backward(self, grad: Tensor, rates: Tensor, weight: Tensor) -> None:
        matrix, pull_ = self.matrix(weight, transposed=True), ACTIVATIONS[self.activation].pull_
        steps = grad.unbind(0)
        for before, after, rate in zip(steps[-2::-1], steps[:0:-1], rates.unbind(0)[::-1], strict=True):
            if self.alpha != 1:
                before.add_(after, alpha=1 - self.alpha)
                after.mul_(self.alpha)
            pull_(after, rate)
            self.add_product(before, matrix, after)


class DenseKernel(StepKernel):
    """One BLAS product per step: the fastest for dense masks and for few units."""

    name = "dense"

    def __post_init__(self) -> None:
        mask, full = self.mask, self.mask.synapses == self.mask.n**2
        self._flat = None if full else torch.from_numpy(mask.targets().astype("int64") * mask.n + mask.indices)

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        n = self.mask.n
        if self._flat is not None:
            self._flat = self._flat.to(weight.device)
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

    def __post_init__(self) -> None:
        if not self.fits(self.mask):
            raise ModcogError(f"kernel: got 'diagonal' for {self.mask}; allowed for self-connections only")

    @staticmethod
    def fits(mask: Mask) -> bool:
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
            tuple(torch.from_numpy(part.astype(np.int32)) for part in pattern)
            for pattern in ((self.mask.indptr, self.mask.indices), (indptr, indices))
        )
        self._order = torch.from_numpy(order)

    @staticmethod
    def available(device: torch.device, dtype: torch.dtype) -> bool:
        """Return True if torch has sparse products for the device and the type; on a CPU they come from MKL."""
        on_device = device.type == "cuda" or (device.type == "cpu" and torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]
        return on_device and dtype in (torch.float32, torch.float64)

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        if transposed:
            self._order = self._order.to(weight.device)
            return self._sparse(self._columns, weight.index_select(0, self._order))
        return self._sparse(self._rows, weight)

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:
        torch.addmm(out.t(), matrix, state.t(), out=out.t())

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:
        zero = self._sparse(self._rows, delta.new_zeros(self.mask.synapses))
        rows, columns = delta.permute(2, 0, 1).flatten(1), before.flatten(0, 1)
        return torch.sparse.sampled_addmm(zero, rows, columns, beta=0).values()  # at the connections only

    def _sparse(self, pattern: tuple[Tensor, ...], values: Tensor) -> Tensor:
        crow, col = (part.to(values.device) for part in pattern)
        return torch.sparse_csr_tensor(crow, col, values, (self.mask.n, self.mask.n), check_invariants=False)


@cache
def _silence_beta_warning() -> None:
    """Use CSR once with warnings off: torch warns only on the first use that it is in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1))
