"""modcog: the Mod-Cog battery of 132 cognitive tasks for recurrent networks.

Public names are imported when they are first used, so that ``import modcog`` stays cheap; ``__init__.pyi`` lists them.
"""

import importlib
import os
import sys

from modcog.extras import DISTRIBUTION, attach_stub
from modcog.version import __version__ as __version__

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)


def _register() -> None:
    """Register the environments, unless gymnasium, not imported yet, will find them by itself."""
    if "gymnasium" in sys.modules or not _found_as_plugin():
        from modcog.envs.registration import register_envs

        register_envs()


def _found_as_plugin() -> bool:
    """Tell whether gymnasium looks for plugins, which it gave up with 1.0, and modcog is installed as one."""
    from importlib import metadata

    try:
        return bool(metadata.distribution(DISTRIBUTION)) and metadata.version("gymnasium").startswith("0.")
    except metadata.PackageNotFoundError:
        return False


_register()

for _module in filter(None, os.environ.get("MODCOG_IMPORT", "").split(",")):
    importlib.import_module(_module)  # modules that add base tasks; worker processes inherit the variable
