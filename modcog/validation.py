"""Settings from Python and from files, checked by pydantic, with errors of one line in plain words."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import sys
from collections.abc import Mapping
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from modcog.checks import is_list
from modcog.errors import FixedError, ModcogError, UnknownKeywordError, UnknownNameError, one_line, shown, unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Build ``model`` from ``values``; errors come as one line instead of pydantic's report.

    Raises:
        ModcogError: names each field, what was given and what is allowed.
        UnknownKeywordError: for a setting that does not exist.
    """
    for key in values:
        if key not in model.model_fields:
            raise UnknownKeywordError(str(unknown("setting", key, model.model_fields)))
    try:
        return model(**values)
    except ValidationError as error:
        raise _in_plain_words(error) from None


def _in_plain_words(error: ValidationError) -> ModcogError:
    """Return pydantic's report as one line."""
    details = error.errors()
    cause = details[0].get("ctx", {}).get("error")
    if len(details) == 1 and isinstance(cause, UnknownNameError):
        return cause
    # Once an item of a list is refused, pydantic also calls the list too short.
    inner = {detail["loc"][:-1] for detail in details}
    kept = [d for d in details if not (d["type"] == "too_short" and d["loc"] in inner)]
    named = list(dict.fromkeys(map(_sentence, kept[:MOST_FINDINGS])))
    more = [f"and {len(kept) - MOST_FINDINGS} more"] if len(kept) > MOST_FINDINGS else []
    return ModcogError("; ".join(named + more))


_PLAIN_WORDS = (
    (r"^\w+ should (be|have)( a valid)?", r"must \1"),
    (r"(, (unable|got)|; |, not \d| after validation).*", ""),
    (r"be (an )?integer", "be a whole number"),
    (r"be number", "be a number"),
    (r"be boolean", "be true or false"),
    (r"be (string|str)\b", "be text"),
    (r"be (tuple|list)\b", "be a list"),
    (r"be (a )?dictionary\b.*", "be a table of names and values"),
    (r"^Field required", "missing"),
    (r"have at least (\d+) items?", r"have \1 or more values"),
    (r"have at most (\d+) items?", r"have \1 or fewer values"),
)
"""Rewrites pydantic's findings for readers who do not know its terms."""


def _sentence(detail: Any) -> str:
    """Return one of pydantic's findings as ``field: got …, must be …``."""
    parts = (part for part in detail["loc"] if not (isinstance(part, str) and "[" in part))
    path = one_line(".".join(map(str, parts)), 200)
    cause = detail.get("ctx", {}).get("error")
    text = str(detail["msg"] if cause is None else cause)
    for pattern, words in _PLAIN_WORDS if cause is None else ():
        text = re.sub(pattern, words, text)
    if text.startswith("must "):
        text = f"got {shown(detail['input'])}, {text}"
    return text if not path or text.startswith(path) else f"{path}: {text}"


class _ReadOnly:
    """Refuses to be written, with the advice that it was made with."""

    def __init__(self, values: Any, advice: str) -> None:
        super().__init__(values)  # type: ignore[call-arg]
        self.advice = advice

    def _refuse(self, *values: Any, **named: Any) -> Any:
        raise FixedError(self.advice)

    __setitem__ = __delitem__ = _refuse


class ReadOnlyDict(_ReadOnly, dict[str, Any]):
    """A dict that raises ``FixedError`` where one writes to it; ``dict(it)`` can be changed.

    It is a dict, and no view of one, so that it can be copied, pickled and written as JSON.
    """

    __ior__ = update = setdefault = pop = popitem = clear = _ReadOnly._refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self), self.advice)


class ReadOnlyList(_ReadOnly, list[Any]):
    """A list that raises ``FixedError`` where one writes to it; ``list(it)`` can be changed."""

    __iadd__ = __imul__ = append = extend = insert = remove = pop = clear = sort = reverse = _ReadOnly._refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self), self.advice)


MOST_FINDINGS = 8
"""Largest number of wrong settings that one error names."""


def plain(value: Any) -> Any:
    """Return a scalar of NumPy or torch as Python's own, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def is_number(value: Any) -> bool:
    """Tell whether ``value`` is a real number; truth values are none."""
    return isinstance(number := plain(value), Real) and not isinstance(number, bool)


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


LARGEST_TEXT = 2**28
"""Bytes of a text file that is read at once; far beyond use."""


def check_file(path: Path, largest: float = math.inf) -> None:
    """Check that a path is a regular file; to open a named pipe, say, would wait forever.

    Raises:
        ModcogError: if it is none, or is larger than ``largest`` bytes, naming it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise ModcogError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = os.strerror(errno.EISDIR) if stat.S_ISDIR(found.st_mode) else "Not a regular file"
        raise ModcogError(f"cannot read {path}: {kind}")
    if found.st_size > largest:
        raise ModcogError(f"cannot read {path}: it has {found.st_size:,} bytes, at most {largest:,} are allowed")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        ModcogError: if it cannot be read, naming it.
    """
    check_file(path, LARGEST_TEXT)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ModcogError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModcogError(f"{path} cannot be parsed: it is no text in UTF-8") from None


def read_record(path: Path, model: type[Any]) -> Any:
    """Read a JSON file that the package wrote itself, as an instance of ``model``.

    Raises:
        ModcogError: if it cannot be read or has other content, naming it.
    """
    return parse_record(read_text(path), model, path)


def parse_record(text: str, model: type[Any], source: object) -> Any:
    """Return what JSON that the package wrote itself holds, as an instance of ``model``.

    Args:
        text: the JSON.
        model: type of the content: a model of pydantic, a dataclass …
        source: file that it comes from, for the error.

    Raises:
        ModcogError: if it is no JSON or has other content, naming the source.
    """
    try:
        return _adapter(model).validate_python(json.loads(text))
    except (ValueError, RecursionError) as error:
        reason = _in_plain_words(error) if isinstance(error, ValidationError) else error
        raise ModcogError(f"{source} is damaged: {one_line(reason)}") from None


_adapter: Any = lru_cache(TypeAdapter)  # which takes longer to make than to use


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
    text = read_text(path)
    try:
        values = parse(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ModcogError(f"{path} cannot be parsed: {one_line(error)}") from None
    if not isinstance(values, dict):
        raise ModcogError(f"{path} holds no settings: it must be a table of names and values")
    for name in values:
        if not isinstance(name, str):
            raise ModcogError(f"{path} holds a setting called {shown(name)}; names must be text")
    return values
