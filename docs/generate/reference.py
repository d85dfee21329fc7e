"""Python reference: a page for each package with its modules, generated from their docstrings."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "modcog"

LEFT_OUT = "modcog.cli"
"""Package without a page here: the commands have their own."""

_MODULE = "::: {name}\n"
_PACKAGE = """\
::: {name}
    options:
      members: {members}
      show_root_heading: false
      show_root_toc_entry: false
"""


def navigation() -> list[Any]:
    """Return the paths of the pages, that of ``modcog`` first."""
    return [f"reference/{package}.md" for package in packages()]


def pages() -> dict[str, str]:
    """Return the pages by path; mkdocstrings inserts the docstrings."""
    return {f"reference/{package}.md": _page(package) for package in packages()}


def packages() -> list[str]:
    """Return the full names of the packages, ``modcog`` first."""
    folders = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
    return [name for folder in folders if not (name := _name(folder)).startswith(LEFT_OUT)]


def modules(package: str) -> list[str]:
    """Return the full names of the modules directly in a package."""
    paths = sorted(path for path in _folder(package).glob("*.py") if not path.name.startswith("_"))
    return [_name(path.with_suffix("")) for path in paths]


def _page(package: str) -> str:
    """Return the page of a package: its docstring, the names to import from it, and its modules."""
    folder = _folder(package)
    tree, stub = (ast.parse(path.read_text(encoding="utf-8")) for path in (folder / "__init__.py", _stub(folder)))
    parts = [f"# {package}\n", _PACKAGE.format(name=package, members=_own(tree)), _exported(package, stub)]
    return "\n".join([*parts, *(_MODULE.format(name=name) for name in modules(package))])


def _own(tree: ast.Module) -> list[str]:
    """Return the public names that the package's own file defines, without imports."""
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    targets = [t for node in tree.body for t in _targets(node) if isinstance(t, ast.Name)]
    return [name for name in (*defined, *(target.id for target in targets)) if not name.startswith("_")]


def _targets(node: ast.stmt) -> list[ast.expr]:
    """Return the targets of an assignment."""
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _exported(package: str, tree: ast.Module) -> str:
    """Return a line with the names that a package offers from its modules, each linked to its place."""
    sources = _imports(package, tree)
    if not sources:
        return ""
    targets = {name: f"({full}.md)" if full in packages() else f"[{full}]" for name, full in sources.items()}
    links = ", ".join(f"[`{name}`]{targets[name]}" for name in sorted(targets, key=str.lower))
    return f"**To import from `{package}`**: {links}\n"


def _imports(package: str, tree: ast.Module) -> dict[str, str]:
    """Return the full name of each thing that a package offers from its modules, by the name it has there."""
    offered, found = _offered(tree), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (package if node.level else "", node.module)))
            for alias in node.names if module.startswith("modcog") else ():
                if alias.name in offered or alias.asname == alias.name != "__version__":  # the latter in stubs
                    found[alias.name] = f"{module}.{alias.name}"
    return found


def _offered(tree: ast.Module) -> set[str]:
    """Return the names in ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return set()


def _stub(folder: Path) -> Path:
    """Return the stub of a package that imports its names lazily, else its own file."""
    stub = folder / "__init__.pyi"
    return stub if stub.exists() else folder / "__init__.py"


def _name(path: Path) -> str:
    """Return the full name of the package or module at a path."""
    return ".".join(path.relative_to(PACKAGE.parent).parts)


def _folder(package: str) -> Path:
    return PACKAGE.parent.joinpath(*package.split("."))
