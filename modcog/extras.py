"""Extras of the package: optional features, and the packages that each of them needs."""

from __future__ import annotations

from importlib.util import find_spec

from modcog.errors import ModcogError

DISTRIBUTION = "modcog"
"""Name to install the package by; it is imported as ``modcog``."""

_TRAIN = ("lightning_fabric", "safetensors", "tensorboard", "llvmlite")

EXTRAS = {
    "hdf5": ("h5py",),
    "zarr": ("zarr",),
    "parquet": ("pyarrow",),
    "dask": ("dask", "distributed"),
    "croissant": ("mlcroissant",),
    "psychometric": ("psignifit",),
    "train": _TRAIN,
    "benchmark": (*_TRAIN, "pandas"),
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
    if missing := [module for module in EXTRAS[extra] if find_spec(module) is None]:
        raise missing_extra(extra, feature, *missing)


def missing_extra(extra: str, feature: str, *modules: str) -> MissingExtraError:
    """Build the error of a feature that cannot import ``modules``."""
    packages = ", ".join(module.replace("_", "-") for module in modules)
    plural = "s" if len(modules) > 1 else ""
    return MissingExtraError(f"{feature} needs the package{plural} {packages}: pip install '{DISTRIBUTION}[{extra}]'")
