"""modcog: the Mod-Cog battery of 132 cognitive tasks for recurrent networks."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modcog.battery import Battery, BatteryConfig
    from modcog.errors import ModcogError, UnknownNameError
    from modcog.evaluation.evaluate import evaluate
    from modcog.own_task import add_base, remove_base
    from modcog.tasks.base import Base, Draw, Outcome, Stimulus
    from modcog.tasks.condition import Condition, Joint
    from modcog.tasks.names import COLLECTIONS, TASKS, TaskSpec, collection, parse
    from modcog.training.run import load_model
    from modcog.trials.arrays import Trials

__version__ = "0.1.0"

_LAZY = {
    "Base": "modcog.tasks.base",
    "Battery": "modcog.battery",
    "BatteryConfig": "modcog.battery",
    "COLLECTIONS": "modcog.tasks.names",
    "Condition": "modcog.tasks.condition",
    "Joint": "modcog.tasks.condition",
    "Draw": "modcog.tasks.base",
    "ModcogError": "modcog.errors",
    "Outcome": "modcog.tasks.base",
    "Stimulus": "modcog.tasks.base",
    "TASKS": "modcog.tasks.names",
    "TaskSpec": "modcog.tasks.names",
    "Trials": "modcog.trials.arrays",
    "UnknownNameError": "modcog.errors",
    "add_base": "modcog.own_task",
    "collection": "modcog.tasks.names",
    "evaluate": "modcog.evaluation.evaluate",
    "load_model": "modcog.training.run",
    "parse": "modcog.tasks.names",
    "remove_base": "modcog.own_task",
}

_PARTS = ("analysis", "data", "evaluation", "experiments", "models", "plot", "training")
"""Modules that are imported when they are first used, as in ``modcog.models.build(...)``."""

__all__ = [
    "COLLECTIONS",
    "TASKS",
    "Base",
    "Battery",
    "BatteryConfig",
    "Condition",
    "Draw",
    "Joint",
    "ModcogError",
    "Outcome",
    "Stimulus",
    "TaskSpec",
    "Trials",
    "UnknownNameError",
    "__version__",
    "add_base",
    "collection",
    "evaluate",
    "load_model",
    "parse",
    "remove_base",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import modcog`` stays cheap."""
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _PARTS:
        return importlib.import_module(f"modcog.{name}")
    raise AttributeError(f"module 'modcog' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, *_PARTS))


def _register() -> None:
    """Register the environments, unless gymnasium, not imported yet, will find them by itself."""
    if "gymnasium" in sys.modules or not _found_as_plugin():
        from modcog.envs.registration import register_envs

        register_envs()


def _found_as_plugin() -> bool:
    """Whether gymnasium looks for plugins, which it gave up with 1.0, and modcog is installed as one."""
    from importlib import metadata

    try:
        return bool(metadata.distribution(__name__)) and metadata.version("gymnasium").startswith("0.")
    except metadata.PackageNotFoundError:
        return False


_register()

for _module in filter(None, os.environ.get("MODCOG_IMPORT", "").split(",")):
    importlib.import_module(_module)  # modules that add base tasks; worker processes inherit the variable
