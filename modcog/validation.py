"""Settings from Python and from files, checked by pydantic, with errors of one line in plain words."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from modcog.errors import ModcogError, UnknownNameError, one_line, shown, unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Build ``model`` from ``values``; errors come as one line instead of pydantic's report.

    Raises:
        ModcogError: names each field, what was given and what is allowed.
        UnknownNameError: for a setting that does not exist.
    """
    for key in values:
        if key not in model.model_fields:
            raise unknown("setting", key, model.model_fields)
    try:
        return model(**values)
    except ValidationError as error:
        details = error.errors()
        cause = details[0].get("ctx", {}).get("error")
        if len(details) == 1 and isinstance(cause, UnknownNameError):
            raise cause from None
        # Once an item of a list is refused, pydantic also calls the list too short.
        inner = {detail["loc"][:-1] for detail in details}
        kept = [d for d in details if not (d["type"] == "too_short" and d["loc"] in inner)]
        raise ModcogError("; ".join(dict.fromkeys(map(_sentence, kept)))) from None


_PLAIN_WORDS = (
    (r"^\w+ should (be|have)( a valid)?", r"must \1"),
    (r"(, (unable|got)|; |, not \d| after validation).*", ""),
    (r"be (an )?integer", "be a whole number"),
    (r"be number", "be a number"),
    (r"be boolean", "be true or false"),
    (r"be (string|str)\b", "be text"),
    (r"be (tuple|list)\b", "be a list"),
    (r"have at least (\d+) items?", r"have \1 or more values"),
    (r"have at most (\d+) items?", r"have \1 or fewer values"),
)
"""Rewrites pydantic's findings for readers who do not know its terms."""


def _sentence(detail: Any) -> str:
    """Return one of pydantic's findings as ``field: got …, must be …``."""
    path = ".".join(str(part) for part in detail["loc"] if not (isinstance(part, str) and "[" in part))
    cause = detail.get("ctx", {}).get("error")
    text = str(detail["msg"] if cause is None else cause)
    for pattern, words in _PLAIN_WORDS if cause is None else ():
        text = re.sub(pattern, words, text)
    if text.startswith("must "):
        return f"{path}: got {shown(detail['input'])}, {text}"
    return text if text.startswith(path) else f"{path}: {text}"


def plain(value: Any) -> Any:
    """Return a scalar of NumPy or torch as Python's own, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def is_number(value: Any) -> bool:
    """Tell whether ``value`` is a real number; truth values are none."""
    return isinstance(number := plain(value), Real) and not isinstance(number, bool)


def is_list(value: Any) -> bool:
    """Tell whether ``value`` is a list, tuple, range or array; a set is none, since the order decides the draws."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | set | frozenset)


def number(value: Any) -> Any:
    """Return a number as Python's own.

    Raises:
        ModcogError: for anything else; pydantic alone would take texts and truth values.
    """
    if not is_number(value):
        raise ModcogError("must be a number")
    return plain(value)


def numbers(value: Any) -> tuple[Any, ...]:
    """Return a list of numbers as a tuple of Python's own.

    Raises:
        ModcogError: for anything else.
    """
    if not is_list(value) or not all(map(is_number, found := tuple(map(plain, value)))):
        raise ModcogError("must be a list of numbers")
    return found


_PARSER: dict[str, Any] = {".toml": tomllib.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".json": json.loads}


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a TOML, YAML or JSON file of settings into a dict.

    Raises:
        ModcogError: if the file cannot be read, is not of one of the three kinds, or holds no table.
    """
    if not isinstance(path, str | os.PathLike):
        raise ModcogError(f"path: got {shown(path)}, must be the path of a .toml, .yaml or .json file")
    path = Path(path)
    if (parse := _PARSER.get(path.suffix.lower())) is None:
        raise ModcogError(f"{path} has the ending {path.suffix!r}; settings are read from .toml, .yaml, .yml and .json")
    try:
        values = parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModcogError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ModcogError(f"{path} cannot be parsed: {one_line(error)}") from None
    if not isinstance(values, dict):
        raise ModcogError(f"{path} holds no settings: it must be a table of names and values")
    for name in values:
        if not isinstance(name, str):
            raise ModcogError(f"{path} holds a setting called {shown(name)}; names must be text")
    return values
