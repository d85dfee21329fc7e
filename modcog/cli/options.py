"""Options made from the fields of a pydantic model, so that a setting is described in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel

from modcog.errors import ModcogError, shown
from modcog.tasks import names
from modcog.tasks.table import BASES
from modcog.validation import read_settings


def settings_options(
    model: type[BaseModel], into: str = "settings", leave: Collection[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field of ``model``, and ``--config FILE``.

    The decorated function has a parameter called ``into``; it gets a dict of what the file and the options say, the
    options before the file, still to be validated by the model. A field becomes ``--field-name``: a truth value a pair
    of flags, a list ``a,b,c``, a mapping ``NAME=VALUE`` (repeated), anything else a number or a text.

    Args:
        model: its fields' names, descriptions and defaults make the options.
        into: the parameter of the function that takes the dict.
        leave: fields that the function takes itself, or that are not for the command line; a file may still hold them.
    """
    fields = {name: field for name, field in model.model_fields.items() if name not in leave}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(function, include_extras=True)
        own = [
            p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
            if p.name != into
        ]
        options = [_parameter(name, field) for name, field in fields.items()]

        @functools.wraps(function)
        def command(*, config: Path | None = None, **values: Any) -> Any:
            chosen = read_settings(config) if config else {}
            for name, field in fields.items():
                if (given := values.pop(name)) not in (None, [], ()):
                    chosen[name] = _read(name, field.annotation, given)
            return function(**values, **{into: chosen})

        parameters = [*own, *options, _CONFIG]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML or YAML file of settings; options come before it."),
    ],
)


def _parameter(name: str, field: Any) -> inspect.Parameter:
    kind, option = _kind(field.annotation), "--" + name.replace("_", "-")
    help_text = " ".join(filter(None, (field.description, _default(field))))
    if kind == "flag":
        annotation: Any = Annotated[bool | None, typer.Option(f"{option}/--no-{option[2:]}", help=help_text)]
    elif kind == "mapping":
        help_text += " Here: NAME=500, NAME=300,600 or NAME=uniform:300,900; once for each name."
        annotation = Annotated[list[str] | None, typer.Option(option, metavar="NAME=VALUE", help=help_text)]
    else:
        annotation = Annotated[str | None, typer.Option(option, metavar=_metavar(field.annotation), help=help_text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _default(field: Any) -> str:
    value = field.default
    if field.is_required() or value is None or field.default_factory is not None:
        return ""
    if isinstance(value, tuple | list):
        value = ",".join(map(str, value)) if len(value) <= 6 else f"{len(value)} values"
    if isinstance(value, Mapping):
        value = " ".join(f"{k}={v}" for k, v in value.items())
    return f"[default: {value}]"


def _inner(annotation: Any) -> Any:
    """What an annotation is at heart: without ``Annotated``, and the first choice of a union that is not None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _inner(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation


def _kind(annotation: Any) -> Literal["flag", "mapping", "list", "value"]:
    inner = _inner(annotation)
    if inner is bool:
        return "flag"
    origin = get_origin(inner)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return "mapping"
    return "list" if origin in (tuple, list) else "value"


def _metavar(annotation: Any) -> str:
    inner = _inner(annotation)
    if get_origin(inner) is Literal:
        return "|".join(map(str, get_args(inner)))
    if get_origin(inner) in (tuple, list):
        return "A,B,…"
    return {int: "N", float: "NUMBER", Path: "PATH"}.get(inner, "TEXT")


def _read(name: str, annotation: Any, given: Any) -> Any:
    kind = _kind(annotation)
    if kind == "flag":
        return given
    if kind == "mapping":
        return dict(_pair(name, text) for text in given)
    if kind == "list":
        return _list(name, given)
    return value(given)


def _list(name: str, text: str) -> list[Any]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    return tasks_of(items) if name == "tasks" else [value(item) for item in items]


def tasks_of(words: Iterable[str]) -> list[str]:
    """The tasks that names on a command line stand for, each once: of tasks, and of collections.

    ``go`` is both a task and a family, and stands for the task.

    Raises:
        UnknownNameError: for a name that is neither.
    """
    found: dict[str, None] = {}
    for word in words:
        found.update(dict.fromkeys([word] if word in BASES else names.resolve(word)))
    return list(found)


def _pair(name: str, text: str) -> tuple[str, Any]:
    key, equals, rest = text.partition("=")
    if not (key and equals and rest):
        raise ModcogError(f"--{name.replace('_', '-')}: got {shown(text)}, must be NAME=VALUE")
    return key, duration(rest)


def duration(text: str) -> Any:
    """A value of a mapping: ``500``, ``300,600,900`` (a list), ``uniform:300,900`` or ``choice:300,600``."""
    kind, colon, rest = text.partition(":")
    if colon and kind in ("uniform", "choice"):
        return (kind, [value(item) for item in rest.split(",")])
    return [value(item) for item in text.split(",")] if "," in text else value(text)


def value(text: str) -> Any:
    """A whole number, a number, true or false, or else the text itself."""
    text = text.strip()
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)
