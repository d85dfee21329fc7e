"""Recurrent networks for the battery: locality-masked, dense, random, autapse, gated, or your own."""

from __future__ import annotations

from modcog.models import masks
from modcog.models.cells import GatedRNN, MaskedRNN, from_dense_state, to_dense_state
from modcog.models.factory import ARCHITECTURES, Measures, ModelConfig, build, configure, measure
from modcog.models.masks import Mask

__all__ = [
    "ARCHITECTURES",
    "GatedRNN",
    "Mask",
    "MaskedRNN",
    "Measures",
    "ModelConfig",
    "build",
    "configure",
    "from_dense_state",
    "masks",
    "measure",
    "to_dense_state",
]
