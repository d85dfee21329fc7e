"""Training the reference networks, or anyone's, on a battery."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modcog.training.config import TrainConfig
    from modcog.training.loop import DivergedError, train
    from modcog.training.presets import PRESETS
    from modcog.training.run import Run, load_model

_LAZY = {
    "DivergedError": "loop",
    "PRESETS": "presets",
    "Run": "run",
    "TrainConfig": "config",
    "load_model": "run",
    "train": "loop",
}

__all__ = ["PRESETS", "DivergedError", "Run", "TrainConfig", "load_model", "train"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: settings can be read without torch.

    Raises:
        ImportError: if a package of the extra ``train`` is not installed.
    """
    if name in _LAZY:
        try:
            return getattr(importlib.import_module(f"modcog.training.{_LAZY[name]}"), name)
        except ModuleNotFoundError as error:
            raise ImportError(f"training needs the package {error.name}; pip install 'modcog[train]'") from error
    raise AttributeError(f"module 'modcog.training' has no attribute {name!r}")
