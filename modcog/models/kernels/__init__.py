"""Kernels: algorithms for the same recurrence, one of which is the fastest for a mask, a type and a device."""

from __future__ import annotations

import torch

from modcog.models.kernels.base import Kernel, MaskedRecurrence, full_precision
from modcog.models.kernels.compiled import CompiledKernel
from modcog.models.kernels.plain import PlainNetwork, is_opaque
from modcog.models.kernels.step import ACTIVATIONS, CsrKernel, DenseKernel, DiagonalKernel
from modcog.models.masks import Mask

KERNELS: dict[str, type[Kernel]] = {
    kernel.name: kernel for kernel in (DenseKernel, CompiledKernel, CsrKernel, DiagonalKernel)
}
"""Kernels by name."""

__all__ = [
    "ACTIVATIONS",
    "KERNELS",
    "DiagonalKernel",
    "Kernel",
    "MaskedRecurrence",
    "PlainNetwork",
    "choose",
    "full_precision",
    "is_opaque",
]


def choose(mask: Mask, device: torch.device, dtype: torch.dtype) -> str:
    """Return the name of the kernel expected to be the fastest; the limits are where measured times cross."""
    if CompiledKernel.available(device, dtype) and mask.density <= 0.4:
        return "compiled"
    if DiagonalKernel.fits(mask):
        return "diagonal"
    if CsrKernel.available(device, dtype) and mask.density <= 0.1 and mask.n >= 256:
        return "csr"
    return "dense"
