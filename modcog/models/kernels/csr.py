"""The weights as a torch CSR matrix: for sparse masks on a GPU, and on a CPU without a compiler."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.models.kernels.base import StepKernel
from modcog.models.masks import Mask


class CsrKernel(StepKernel):
    """One sparse product per step; the weight gradient at the connections only (``sampled_addmm``)."""

    name = "csr"
    unit_rows = True

    def __init__(self, mask: Mask) -> None:
        super().__init__(mask)
        _silence_beta_warning()
        indptr, indices, order = mask.transpose()
        self._rows = _as_int32(mask.indptr, mask.indices)
        self._columns = _as_int32(indptr, indices)
        self._order = torch.from_numpy(order)

    @staticmethod
    def available(device: torch.device, dtype: torch.dtype) -> bool:
        """Return True if torch has sparse products for the device and the type; on a CPU they come from MKL."""
        on_device = device.type == "cuda" or (device.type == "cpu" and torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]
        return on_device and dtype in (torch.float32, torch.float64)

    def matrix(self, weight: Tensor) -> Tensor:
        """Return the weights as a CSR matrix."""
        return self._sparse(self._rows, weight)

    def transposed(self, weight: Tensor) -> Tensor:
        """Return the transposed weights as a CSR matrix."""
        if self._order.device != weight.device:
            self._order = self._order.to(weight.device)
        return self._sparse(self._columns, weight.index_select(0, self._order))

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:  # noqa: D102
        torch.addmm(out.t(), matrix, state.t(), out=out.t())

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:  # noqa: D102
        rows = delta.permute(2, 0, 1).flatten(1)
        columns = before.flatten(0, 1)
        zero = self._sparse(self._rows, delta.new_zeros(self.mask.synapses))
        return torch.sparse.sampled_addmm(zero, rows, columns, beta=0).values()

    def _sparse(self, pattern: tuple[Tensor, Tensor], values: Tensor) -> Tensor:
        n = self.mask.n
        crow, col = (part.to(values.device) for part in pattern)
        return torch.sparse_csr_tensor(crow, col, values, (n, n), check_invariants=False)


@cache
def _silence_beta_warning() -> None:
    """Use CSR once with warnings off: torch warns only on the first use that it is in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1))


def _as_int32(indptr: NDArray[Any], indices: NDArray[Any]) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(indptr.astype(np.int32)), torch.from_numpy(indices.astype(np.int32))
