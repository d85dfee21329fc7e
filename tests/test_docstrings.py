"""Docstrings of public functions say what their types do not: shapes of arrays, units of time, and errors.

ruff checks that every public thing has a docstring, and that a list of arguments names those that exist.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "modcog"
ARRAY = re.compile(r"\b(NDArray|ArrayLike|Tensor)\b")
SHAPE = re.compile(r"\(\w[^()]*,[^()]*\)|\bshapes?\b")
TIME = re.compile(r"^(dt|tau|ms|.*_ms)$")
ERROR = re.compile(r"\bRaises:|\brefuse")
NAMED = ast.FunctionDef | ast.ClassDef


def modules() -> dict[str, ast.Module]:
    """The package's files but for the commands, whose docstrings are their help."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "cli" not in path.parts]
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


MODULES = modules()
CLASSES = {node.name: node for tree in MODULES.values() for node in tree.body if isinstance(node, ast.ClassDef)}


def documented(owner: ast.ClassDef, name: str) -> str:
    """What is said of a method: by its class, by itself, and by the classes whose method it overrides."""
    own = [part for part in owner.body if isinstance(part, NAMED) and part.name == name]
    texts = [ast.get_docstring(node) or "" for node in (owner, *own)]
    bases = [CLASSES[base] for base in map(ast.unparse, owner.bases) if base in CLASSES]
    return "\n".join([*texts, *(documented(base, name) for base in bases)])


@cache
def public() -> list[tuple[str, ast.FunctionDef, str]]:
    """Every public function and method: where it is, itself, and what is said of it."""
    found = []
    for path, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found.append((f"{path}: {node.name}", node, ast.get_docstring(node) or ""))
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
                found += [(f"{path}: {node.name}.{part.name}", part, documented(node, part.name)) for part in methods]
    return [entry for entry in found if not entry[1].name.startswith("_")]


def raises(node: ast.AST) -> bool:
    """Whether a function itself, not one within it, raises an error of its making."""
    inner = [part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.FunctionDef | ast.Lambda)]
    return any(isinstance(part, ast.Raise) and part.exc is not None for part in inner) or any(map(raises, inner))


def arguments(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def takes_or_gives_arrays(node: ast.FunctionDef) -> bool:
    types = [part for part in (*(argument.annotation for argument in arguments(node)), node.returns) if part]
    return any(ARRAY.search(ast.unparse(part)) for part in types)


def test_there_are_functions_to_look_at() -> None:
    found = public()
    assert len(found) > 300
    assert sum(takes_or_gives_arrays(node) for _, node, _ in found) > 100
    assert sum(raises(node) for _, node, _ in found) > 50


def test_the_shapes_of_arrays_are_told() -> None:
    assert [name for name, node, text in public() if takes_or_gives_arrays(node) and not SHAPE.search(text)] == []


def test_the_unit_of_a_time_is_told() -> None:
    timed = [(name, text) for name, node, text in public() if any(TIME.match(part.arg) for part in arguments(node))]
    assert [name for name, text in timed if not re.search(r"\bms\b", text)] == []


def test_errors_are_told() -> None:
    assert [name for name, node, text in public() if raises(node) and not ERROR.search(text)] == []
