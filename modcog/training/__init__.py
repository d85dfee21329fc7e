"""Training of the reference networks, or of your own, on a battery."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from modcog.extras import missing_extra

if TYPE_CHECKING:
    from modcog.training.config import PRESETS, TrainConfig
    from modcog.training.loop import DivergedError, train
    from modcog.training.run import Run, load_model

_MODULES = {
    "DivergedError": "loop", "PRESETS": "config", "Run": "run", "TrainConfig": "config", "load_model": "run",
    "train": "loop",
}  # fmt: skip

__all__ = ["PRESETS", "DivergedError", "Run", "TrainConfig", "load_model", "train"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that settings can be read without torch.

    Raises:
        MissingExtraError: if a package of the extra ``train`` is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'modcog.training' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"modcog.training.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        raise missing_extra("train", "modcog.training", str(error.name).split(".")[0]) from error
