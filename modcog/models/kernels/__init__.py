"""Kernels: algorithms for the same recurrence, one of which is the fastest for a mask, a type and a device."""

from __future__ import annotations

import torch

from modcog.models.kernels.base import Kernel, MaskedRecurrence, full_precision
from modcog.models.kernels.compiled import CompiledKernel
from modcog.models.kernels.plain import PlainNetwork, is_opaque
from modcog.models.kernels.rnn import RnnKernel
from modcog.models.kernels.step import ACTIVATIONS, CsrKernel, DenseKernel, DiagonalKernel
from modcog.models.masks import Mask

KERNELS: dict[str, type[Kernel]] = {
    kernel.name: kernel for kernel in (DenseKernel, CompiledKernel, CsrKernel, DiagonalKernel, RnnKernel)
}
"""Kernels by name."""

__all__ = [
    "ACTIVATIONS",
    "KERNELS",
    "DiagonalKernel",
    "Kernel",
    "MaskedRecurrence",
    "PlainNetwork",
    "RnnKernel",
    "choose",
    "full_precision",
    "is_opaque",
]


def choose(mask: Mask, device: torch.device, dtype: torch.dtype, *, rnn: bool = False) -> str:
    """Return the name of the kernel expected to be the fastest; the limits are where measured times cross on a CPU.

    On a GPU no time has been measured yet. torch's layer multiplies with the zeros of the mask, but calls Python once a
    sequence and not several times a step; its limit is where a matrix begins to take memory that shows.

    Args:
        mask: the connections that exist.
        device: place of the network.
        dtype: type of its weights.
        rnn: True if ``RnnKernel`` fits what else there is.
    """
    if CompiledKernel.available(device, dtype) and mask.density <= 0.4:
        return "compiled"
    if DiagonalKernel.fits(mask):
        return "diagonal"
    if rnn and device.type == "cuda" and mask.n <= 4096:
        return "rnn"
    if CsrKernel.available(device, dtype) and mask.density <= 0.1 and mask.n >= 256:
        return "csr"
    return "dense"
