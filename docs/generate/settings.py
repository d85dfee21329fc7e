"""Extension of the Python reference: a table of fields for each pydantic model, generated from the model."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from griffe import Attribute, Class, Docstring, Extension, Module
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_HEAD = "| field | meaning | default | type |\n| --- | --- | --- | --- |\n"


_LONGEST = 1000
"""Characters of a value that is shown."""


class Fields(Extension):
    """Append the table to the docstring of each model whose fields have descriptions; leave out tables of values."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Leave out a value that has no room: it is long, or has a text that cannot be broken."""
        texts = re.findall(r"'[^']*'|\"[^\"]*\"", str(attr.value))
        if len(str(attr.value)) > _LONGEST or any(len(text) > 60 for text in texts):
            attr.value = None

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Append the tables once the whole package has been read."""
        for described in _classes(pkg):
            found = getattr(import_module(described.module.path), described.name)
            if issubclass(found, BaseModel) and (table := fields(found)):
                text = described.docstring.value if described.docstring else ""
                described.docstring = Docstring(f"{text}\n\n{table}", parent=described)


def fields(model: type[BaseModel]) -> str:
    """Return a model's own fields as a Markdown table, with a link to inherited ones; empty without descriptions."""
    types = {name: text for name, text in inspect.get_annotations(model).items() if name in model.model_fields}
    own = {name: model.model_fields[name] for name in types}
    if not any(field.description for field in model.model_fields.values()):
        return ""
    rows = [f"| `{name}` | {_meaning(f)} | {_default(f)} | `{_type(types[name])}` |\n" for name, f in own.items()]
    base = next(one for one in model.__mro__[1:] if issubclass(one, BaseModel))
    parts = ["".join([_HEAD, *rows])] if rows else []
    if base.model_fields:
        parts.append(f"Also the fields of [`{base.__name__}`][{base.__module__}.{base.__name__}].\n")
    return "\n".join(parts)


def _classes(module: Module) -> Iterator[Class]:
    """Yield the classes that a module and the modules within it define."""
    yield from (found for found in module.classes.values() if not found.is_alias)
    for inner in module.modules.values():
        if not inner.is_alias:
            yield from _classes(inner)


def _type(annotation: str) -> str:
    """Return a type as in the source, without what ``Annotated`` adds, which error messages tell."""
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
