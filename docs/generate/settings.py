"""An extension of the Python reference: each pydantic model has a table of its fields, asked of the model itself."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from griffe import Class, Docstring, Extension, Module
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_HEAD = "| field | meaning | default | type |\n| --- | --- | --- | --- |\n"


class Fields(Extension):
    """Puts the table below what the docstring of a model says; models whose fields have no descriptions are left."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Called when all of the package has been read."""
        for described in _classes(pkg):
            found = getattr(import_module(described.module.path), described.name)
            if issubclass(found, BaseModel) and (table := fields(found)):
                text = described.docstring.value if described.docstring else ""
                described.docstring = Docstring(f"{text}\n\n{table}", parent=described)


def fields(model: type[BaseModel]) -> str:
    """A model's own fields as a Markdown table, and a link to those it inherits; empty if none is described."""
    types = {name: text for name, text in inspect.get_annotations(model).items() if name in model.model_fields}
    own = {name: model.model_fields[name] for name in types}
    if not any(field.description for field in model.model_fields.values()):
        return ""
    rows = [f"| `{name}` | {_meaning(f)} | {_default(f)} | `{_type(types[name])}` |\n" for name, f in own.items()]
    base = model.__mro__[1]
    parts = ["".join([_HEAD, *rows])] if rows else []
    if base.model_fields:
        parts.append(f"Also the fields of [`{base.__name__}`][{base.__module__}.{base.__name__}].\n")
    return "\n".join(parts)


def _classes(module: Module) -> Iterator[Class]:
    """The classes that a module and the modules within it define."""
    yield from (found for found in module.classes.values() if not found.is_alias)
    for inner in module.modules.values():
        if not inner.is_alias:
            yield from _classes(inner)


def _type(annotation: str) -> str:
    """A type as the source has it, but for what ``Annotated`` adds: of that the messages of errors tell."""
    return ast.unparse(_Plain().visit(ast.parse(annotation, mode="eval")))


class _Plain(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return f"`{default if isinstance(default, Path) else repr(default)}`"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")
