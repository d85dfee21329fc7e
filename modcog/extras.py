"""Extras of the package: optional features, and the packages that each of them needs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import lazy_loader

from modcog.errors import ModcogError

DISTRIBUTION = "modcog-battery"
"""Name to install the package by; it is imported as ``modcog``."""

EXTRAS = {
    "hdf5": ("h5py",),
    "zarr": ("zarr",),
    "parquet": ("pyarrow",),
    "dask": ("dask", "distributed"),
    "croissant": ("mlcroissant",),
    "psychometric": ("psignifit",),
    "sb3": ("stable_baselines3",),
    "play": ("pygame",),
    "train": ("torch", "lightning_fabric", "safetensors", "tensorboard", "llvmlite", "pandas", "scipy", "networkx"),
    "neurogym": ("neurogym", "torch"),
}
"""Modules that each extra of pyproject.toml installs and modcog imports."""


class MissingExtraError(ModcogError, ImportError):
    """A feature whose extra is not installed."""


def require(extra: str, feature: str) -> None:
    """Raise unless everything that an extra installs is there; nothing is imported.

    Args:
        extra: a name of ``EXTRAS``.
        feature: what needs it, e.g. ``"modcog train"``.

    Raises:
        MissingExtraError: it names the missing packages and the command that installs them.
    """
    if missing := missing_modules(extra):
        raise missing_extra(extra, feature, *missing)


def missing_modules(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed; nothing is imported."""
    return [module for module in EXTRAS[extra] if find_spec(module) is None]


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f'pip install "{DISTRIBUTION}[{extra}]"'


def missing_extra(extra: str, feature: str, *modules: str) -> MissingExtraError:
    """Build the error of a feature that cannot import ``modules``."""
    packages = ", ".join(module.replace("_", "-") for module in modules)
    plural = "s" if len(modules) > 1 else ""
    return MissingExtraError(f"{feature} needs the package{plural} {packages}: {install_command(extra)}")


def explained(error: ImportError, feature: str) -> ImportError:
    """Return the error of a missing extra for one that an import raised; the same if no extra has what is missing."""
    module = (error.name or "").split(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules and not find_spec(module)), None)
    return error if extra is None else missing_extra(extra, feature, module)


def attach_stub(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Attach names that are imported when they are first used, as ``lazy_loader`` does; errors name the extra.

    Args:
        package: ``__name__`` of a package.
        file: its ``__file__``, beside which a stub lists the names.
    """
    load, names, public = lazy_loader.attach_stub(package, file)

    def __getattr__(name: str) -> Any:  # noqa: N807
        try:
            return load(name)
        except ModuleNotFoundError as error:
            raise explained(error, f"{package}.{name}") from error

    return __getattr__, names, public
