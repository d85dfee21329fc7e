"""Autapses: the product with the weights is elementwise."""

from __future__ import annotations

import torch
from torch import Tensor

from modcog.errors import ModcogError
from modcog.models.kernels.base import StepKernel
from modcog.models.masks import Mask


class DiagonalKernel(StepKernel):
    """One elementwise product per step."""

    name = "diagonal"
    unit_rows = False

    def __init__(self, mask: Mask) -> None:
        super().__init__(mask)
        if not self.fits(mask):
            raise ModcogError(f"kernel: got 'diagonal' for {mask}; allowed for self-connections only")

    @staticmethod
    def fits(mask: Mask) -> bool:
        """Return True if the mask has every self-connection and no other."""
        return mask.synapses == mask.n and mask.self_connections == mask.n

    def matrix(self, weight: Tensor) -> Tensor:  # noqa: D102
        return weight

    def transposed(self, weight: Tensor) -> Tensor:  # noqa: D102
        return weight

    def add_product(self, out: Tensor, matrix: Tensor, state: Tensor) -> None:  # noqa: D102
        out.addcmul_(state, matrix)

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:  # noqa: D102
        total = torch.zeros_like(delta[0])
        # step by step, so that the sum stays in the cache
        for one, other in zip(delta.unbind(0), before.unbind(0), strict=True):
            total.addcmul_(one, other)
        return total.sum(0)
