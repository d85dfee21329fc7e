"""The extras: their table agrees with pyproject.toml, and an error names what is missing and how to install it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from modcog.errors import ModcogError
from modcog.extras import DISTRIBUTION, EXTRAS, require

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
