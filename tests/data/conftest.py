"""Small data sets of every format and layout, made once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "trials"))  # for the oracle that reads trials back

from small_data import small

from modcog.data import DataSet, export


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], DataSet]:
    """The data set of a layout and a format, not to be changed."""
    found: dict[tuple[str, str], DataSet] = {}

    def get(kind: str, form: str = "npy") -> DataSet:
        if (kind, form) not in found:
            found[kind, form] = export(tmp_path_factory.mktemp(f"{kind}-{form}"), **small(kind, form))
        return found[kind, form]

    return get
