"""What ``import modcog`` brings, and what it must not bring."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import modcog
from modcog.extras import DISTRIBUTION

HEAVY = {
    "torch",
    "neurogym",
    "matplotlib",
    "pandas",
    "scipy",
    "networkx",
    "h5py",
    "zarr",
    "pyarrow",
    "tensorboard",
    "lightning_fabric",
}
PLUGIN = {"gymnasium", "numpy"} if version("gymnasium").startswith("0.") else set()
"""Gymnasium 0.29 finds the environments by itself; for later versions ``import modcog`` registers them with it."""


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has imported after some code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_brings_nothing_heavy() -> None:
    found = modules_after("import modcog")
    assert not found & (HEAVY | PLUGIN | {"pydantic", "yaml", "click", "rich", "joblib"})


def test_names_need_no_settings() -> None:
    """Gymnasium's plugin asks for the names whenever gymnasium is imported."""
    assert not modules_after("import modcog.tasks.names") & (HEAVY | {"pydantic", "yaml"})


def test_a_battery_and_its_batches_bring_nothing_heavy() -> None:
    code = "import modcog; b = modcog.Battery('yang19'); b.sample(5, seed=0).observations; next(b.stream(2, 10, 0))"
    assert not modules_after(code) & (HEAVY | (PLUGIN - {"numpy"}))


@pytest.mark.parametrize(
    "name",
    ["TASKS", "COLLECTIONS", "collection", "parse", "Battery", "BatteryConfig", "TaskSpec", "Trials", "ModcogError",
     "UnknownNameError"],
)  # fmt: skip
def test_the_public_names_are_there(name: str) -> None:
    assert name in modcog.__all__
    assert name in dir(modcog)
    assert getattr(modcog, name) is not None


def test_every_name_in_all_can_be_had() -> None:
    assert [name for name in modcog.__all__ if not hasattr(modcog, name)] == []
    assert sorted(set(modcog.__all__)) == sorted(modcog.__all__)


@pytest.mark.parametrize(
    "use",
    ["data.export", "data.load", "evaluation", "models.build", "plot.plot_trials", "training.train",
     "training.TrainConfig"],
)  # fmt: skip
def test_import_modcog_is_enough_for_its_modules(use: str) -> None:
    assert "modcog" in modules_after(f"import modcog; modcog.{use}")


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No modcog attribute batery"):
        modcog.batery  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert modcog.__version__ == version(DISTRIBUTION)
