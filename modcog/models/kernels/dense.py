"""The masked weights as a full matrix: the fastest for dense masks and for few units."""

from __future__ import annotations

import torch
from torch import Tensor

from modcog.models.kernels.base import StepKernel
from modcog.models.masks import Mask


class DenseKernel(StepKernel):
    """One BLAS product per step, and one for the weight gradient of the whole sequence."""

    name = "dense"
    unit_rows = False

    def __init__(self, mask: Mask) -> None:
        super().__init__(mask)
        self._full = mask.synapses == mask.n**2
        if not self._full:
            self._flat = torch.from_numpy(mask.targets().astype("int64") * mask.n + mask.indices)

    def matrix(self, weight: Tensor) -> Tensor:
        """Return the matrix (N, N) that row vectors are multiplied with."""
        return self._square(weight).t()

    def transposed(self, weight: Tensor) -> Tensor:
        """Return the transposed matrix (N, N) that row vectors are multiplied with."""
        return self._square(weight)

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:  # noqa: D102
        out.addmm_(state, matrix)

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:  # noqa: D102
        full = (delta.flatten(0, 1).t() @ before.flatten(0, 1)).view(-1)
        return full if self._full else full.index_select(0, self._index(full.device))

    def _square(self, weight: Tensor) -> Tensor:
        n = self.mask.n
        if self._full:
            return weight.view(n, n)
        return weight.new_zeros(n * n).index_copy_(0, self._index(weight.device), weight).view(n, n)

    def _index(self, device: torch.device) -> Tensor:
        if self._flat.device != device:
            self._flat = self._flat.to(device)
        return self._flat
