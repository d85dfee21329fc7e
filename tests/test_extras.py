"""The extras: their table agrees with pyproject.toml, and an error names what is missing and how to install it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modcog.errors import ModcogError
from modcog.extras import DISTRIBUTION, EXTRAS, MissingExtraError, explained, require

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def installed_by(extra: str) -> set[str]:
    """The distributions of an extra, those of the extras that it includes too."""
    found = set()
    for text in PROJECT["optional-dependencies"][extra]:
        name, _, included = re.match(r"([\w-]+)(\[([\w,]+)\])?", text).groups()
        found |= set().union(*map(installed_by, included.split(","))) if name == DISTRIBUTION else {name}
    return found


def test_the_name_is_that_of_the_project() -> None:
    assert PROJECT["name"] == DISTRIBUTION


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_module_of_an_extra_is_installed_by_it(extra: str) -> None:
    packages = {module.replace("_", "-") for module in EXTRAS[extra]} - {"distributed"}  # comes with dask[distributed]
    assert packages == installed_by(extra)


def test_every_extra_of_a_feature_is_in_the_table() -> None:
    assert set(PROJECT["optional-dependencies"]) - {"all", "docs", "test"} == set(EXTRAS)


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch) -> None:
    missing = ("safetensors", "lightning_fabric")
    monkeypatch.setattr("modcog.extras.find_spec", lambda module: None if module in missing else module)
    message = rf'modcog train needs the packages lightning-fabric, safetensors: pip install "{DISTRIBUTION}\[train\]"'
    with pytest.raises(ModcogError, match=message):
        require("train", "modcog train")
    with pytest.raises(ImportError, match=message):
        require("train", "modcog train")


@pytest.mark.parametrize(("module", "extra"), [("torch.nn", "train"), ("neurogym.core", "neurogym"), ("h5py", "hdf5")])
def test_an_import_that_fails_is_explained(monkeypatch, module: str, extra: str) -> None:
    monkeypatch.setattr("modcog.extras.find_spec", lambda name: None)
    error = explained(ModuleNotFoundError(f"No module named {module!r}", name=module), "modcog.this")
    assert isinstance(error, MissingExtraError)
    assert str(error).startswith(f"modcog.this needs the package {module.split('.')[0]}: ")
    assert str(error).endswith(f'[{extra}]"')


def test_other_imports_that_fail_are_left_as_they_are() -> None:
    for error in (ImportError("circular"), ModuleNotFoundError("No module named 'odd'", name="odd")):
        assert explained(error, "modcog.this") is error


@pytest.mark.parametrize(
    "use", ["models", "analysis", "load_model", "training.train", "data.LiveDataset", "experiments"]
)
def test_what_needs_torch_says_so(use: str) -> None:
    """In a process that cannot find torch, as after installing the core alone."""
    code = f"""
import importlib.util, sys
sys.modules["torch"] = None
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "torch" else find(name, *more)
import modcog
try:
    modcog.{use}
except modcog.ModcogError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert re.fullmatch(rf'modcog.* torch: pip install "{DISTRIBUTION}\[train\]"\n', done.stdout)
