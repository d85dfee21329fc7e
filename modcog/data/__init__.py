"""Streams, data sets and what else brings trials to a learner."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modcog.data.config import ExportConfig
    from modcog.data.dataset import DataSet, load
    from modcog.data.exporter import export
    from modcog.data.live import LiveDataset
    from modcog.data.verification import verify

__all__ = ["DataSet", "ExportConfig", "LiveDataset", "export", "load", "verify"]

_LAZY = {
    "DataSet": "dataset",
    "ExportConfig": "config",
    "LiveDataset": "live",
    "export": "exporter",
    "load": "dataset",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: only ``LiveDataset`` imports torch."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
