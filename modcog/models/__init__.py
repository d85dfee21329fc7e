"""Recurrent networks for the battery: locality-masked, dense, random, autapse, gated, or a user's own."""

from __future__ import annotations

from modcog.models import masks
from modcog.models.cells import GatedRNN, MaskedRNN, from_dense_state, to_dense_state
from modcog.models.config import ModelConfig
from modcog.models.factory import ARCHITECTURES, Description, build, configure, describe
from modcog.models.masks import Mask

__all__ = [
    "ARCHITECTURES",
    "Description",
    "GatedRNN",
    "Mask",
    "MaskedRNN",
    "ModelConfig",
    "build",
    "configure",
    "describe",
    "from_dense_state",
    "masks",
    "to_dense_state",
]
