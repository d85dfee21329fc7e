"""The notebooks install on Colab what they use, and nothing elsewhere."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
HEAVY = {"modcog.training", "modcog.analysis", "modcog.models", "torch"}
"""Packages that only the extra ``train`` installs."""


def code(path: Path) -> list[str]:
    """The source of a notebook's code cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def installed(path: Path) -> list[str]:
    """The arguments that a notebook's first code cell gives to ``%pip``."""
    manager = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager()
    called, names = list[str](), dict[str, Any]()
    shell = SimpleNamespace(run_line_magic=lambda magic, line: called.append(f"{magic} {line.format(**names)}"))
    names["get_ipython"] = lambda: shell
    exec(manager.transform_cell(code(path)[0]), names)
    return called


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_installs_on_colab_alone(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    used = {name for text in code(path)[1:] for name in imported(text)}
    extra = "[train]" if HEAVY & used else ""
    assert installed(path) == []
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert installed(path) == [f'pip install -q "modcog-battery{extra}"']
    wheel = tmp_path / "modcog_battery-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert installed(path) == [f'pip install -q "{wheel.name}{extra}"']


def imported(text: str) -> set[str]:
    """The modules that a cell imports, and members of ``modcog`` that it names."""
    tree = ast.parse("\n".join(line for line in text.splitlines() if not line.startswith("%")))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    return found


def test_the_notebooks_are_found() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"explore", "compare", "inside"}
