"""modcog: the Mod-Cog battery of 132 cognitive tasks for recurrent networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modcog.battery import Battery
    from modcog.errors import ModcogError, UnknownNameError
    from modcog.names import COLLECTIONS, TASKS, TaskSpec, collection, parse
    from modcog.spec import BatterySettings
    from modcog.trials.trials import Trials

__version__ = "0.1.0"

_LAZY = {
    "Battery": "modcog.battery",
    "BatterySettings": "modcog.spec",
    "COLLECTIONS": "modcog.names",
    "ModcogError": "modcog.errors",
    "TASKS": "modcog.names",
    "TaskSpec": "modcog.names",
    "Trials": "modcog.trials.trials",
    "UnknownNameError": "modcog.errors",
    "collection": "modcog.names",
    "parse": "modcog.names",
}

__all__ = [
    "COLLECTIONS",
    "TASKS",
    "Battery",
    "BatterySettings",
    "ModcogError",
    "TaskSpec",
    "Trials",
    "UnknownNameError",
    "__version__",
    "collection",
    "parse",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import modcog`` stays cheap."""
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'modcog' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
