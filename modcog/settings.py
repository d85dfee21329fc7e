"""The settings of a battery: one pydantic model, from Python, TOML or YAML, with one-line errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from modcog.errors import ModcogError, UnknownNameError, shown, unknown
from modcog.tasks import names
from modcog.tasks.decision import LARGEST
from modcog.tasks.table import Timing

RULES = ("corrected", "published")

LONGEST_MS = 1e9
"""Bound of a duration, in ms."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)]
Noise = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Coherence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Strength = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]


class BatterySettings(BaseModel):
    """What a battery is made of; the defaults are the battery of Khona et al. 2023 with its errors mended.

    Every field can stand in a TOML or YAML file under the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    tasks: tuple[str, ...] = Field("modcog132", description="Task names, or the name of a collection, in order.")  # type: ignore[arg-type]
    dt: Positive = Field(100.0, description="Time step in ms.")
    sigma: Noise = Field(1.0, description="Noise: its sd per channel and step is sigma / sqrt(dt).")
    dim_ring: Annotated[int, Field(ge=4, le=1024)] = Field(16, description="Number of directions n; even.")
    rules: Literal["corrected", "published"] = Field(
        "corrected", description="'corrected', or 'published': the trials of the published code, errors and all."
    )
    rule_input: bool = Field(False, description="Append one one-hot column per task to the observations.")
    omega: Speed = Field(0.01, description="Speed of interval and sequence, in positions per ms.")
    interval: Annotated[tuple[Milliseconds, ...], Field(min_length=1)] | None = Field(
        None,
        description="Durations in ms that the timed period is drawn from; "
        "None: 100, 200, … 1200, or what the rules say.",
    )
    coherences: Annotated[tuple[Coherence, ...], Field(min_length=1)] = Field(
        (0.08, 0.16, 0.32, 0.64), description="dm tasks: the strengths are (1 ± c) / 2."
    )
    strengths: Annotated[tuple[Strength, ...], Field(min_length=2)] = Field(
        (0.3, 0.6, 1.0), description="dlydm tasks: the two strengths are two different ones of these."
    )
    timing: Mapping[str, Timing] = Field(
        default_factory=dict,
        description="Period durations in ms instead of the tasks' own: a number, a list to choose from, "
        "('uniform', (a, b)) or ('choice', [...]). A timed period given here is no longer drawn from `interval`.",
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> tuple[str, ...]:
        return names.resolve(value)

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        if not isinstance(value, str) or value not in RULES:
            raise unknown("rule set", value, RULES)
        return str(value)

    @field_validator("dt", "sigma", "omega", "dim_ring", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return _number(value)

    @field_validator("rule_input", mode="before")
    @classmethod
    def _flag(cls, value: Any) -> Any:
        if not isinstance(flag := _plain(value), bool):
            raise ModcogError("must be true or false")
        return flag

    @field_validator("interval", "coherences", "strengths", mode="before")
    @classmethod
    def _list(cls, value: Any, info: ValidationInfo) -> Any:
        return None if value is None and info.field_name == "interval" else _numbers(value)

    @field_validator("dim_ring")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ModcogError("must be even, so that every direction has an opposite")
        return value

    @field_validator("strengths", "coherences")
    @classmethod
    def _distinct(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) != len(value):
            raise ModcogError("must not repeat a value")
        return value

    @field_validator("timing", mode="before")
    @classmethod
    def _durations(cls, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ModcogError("must map period names to durations")
        return {str(period): read_timing(str(period), timing) for period, timing in value.items()}


def read_timing(period: str, value: Any) -> Timing:
    """Bring one duration into one of the four forms.

    Raises:
        ModcogError: naming the period, what came and what is allowed.
    """
    wrong = ModcogError(
        f"{period}: got {shown(value)}, must be a number of ms, a list of numbers, "
        "('uniform', (a, b)) or ('choice', [...])"
    )
    if _is_number(value):
        return _durations(period, value, [value])[0]
    if not _is_list(value):
        raise wrong
    items = list(value)
    named = len(items) == 2 and isinstance(items[0], str)
    kind, numbers = items if named else ("choice", items)
    if kind not in ("uniform", "choice"):
        raise unknown(f"kind of duration in timing of {period}", kind, ("uniform", "choice"))
    if not _is_list(numbers):
        raise wrong
    durations = _durations(period, value, numbers)
    if not durations:
        raise wrong
    if kind == "uniform" and (len(durations) != 2 or durations[0] > durations[1]):
        raise ModcogError(f"{period}: got {shown(value)}, 'uniform' takes two durations (a, b) with a ≤ b")
    return (str(kind), durations)


def _durations(period: str, value: Any, numbers: Iterable[Any]) -> tuple[float, ...]:
    """``numbers`` as ms; ``value`` is what they stand in."""
    found = tuple(map(_plain, numbers))
    if not all(_is_number(number) and 0 <= number <= LONGEST_MS for number in found):
        raise ModcogError(
            f"{period}: got {shown(value)}, durations must be finite numbers of ms, from 0 to {LONGEST_MS:g}"
        )
    return tuple(map(float, found))


def _plain(value: Any) -> Any:
    """A scalar of NumPy or torch as Python's own; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _is_number(value: Any) -> bool:
    return isinstance(plain := _plain(value), Real) and not isinstance(plain, bool)


def _number(value: Any) -> Any:
    if not _is_number(value):
        raise ModcogError("must be a number")
    return _plain(value)


def _is_list(value: Any) -> bool:
    """A list, tuple, range, array …; not a set, whose order changes, and the order decides what a seed draws."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | set | frozenset)


def _numbers(value: Any) -> tuple[Any, ...]:
    numbers = tuple(map(_plain, value)) if _is_list(value) else ("none",)
    if not all(map(_is_number, numbers)):
        raise ModcogError("must be a list of numbers")
    return numbers


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Build ``model`` from ``values``; what is wrong comes as one line instead of pydantic's report.

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
        items = _own_findings(error)
        cause = items[0].get("ctx", {}).get("error")
        if len(items) == 1 and isinstance(cause, UnknownNameError):
            raise cause from None
        raise ModcogError("; ".join(dict.fromkeys(map(_sentence, items)))) from None


def _own_findings(error: ValidationError) -> list[Any]:
    """Pydantic's findings without those that another brings with it: a list is too short once an item is refused."""
    items = error.errors()
    places = [item["loc"] for item in items]

    def follows(item: Any) -> bool:
        at = len(item["loc"])
        return item["type"] == "too_short" and any(len(p) > at and p[:at] == item["loc"] for p in places)

    return [item for item in items if not follows(item)]


_MUST = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "too_short": "must have {min_length} or more values",
    "too_long": "must have {max_length} or fewer values",
}
"""What pydantic's findings mean to someone who does not know pydantic."""


def _sentence(item: Any) -> str:
    """One of pydantic's findings as ``field: got …, must be …``."""
    path = ".".join(str(part) for part in item["loc"] if not (isinstance(part, str) and "[" in part))
    context = item.get("ctx", {})
    cause = context.get("error")
    if cause is not None:
        what = str(cause)
    elif item["type"] in _MUST:
        what = _MUST[item["type"]].format(**context)
    else:
        what = item["msg"].replace("Input should", "should")
    for verb in ("should be ", "should have "):
        what = what.replace(verb, "must " + verb.split()[1] + " ", 1)
    if what.startswith("must "):
        return f"{path}: got {shown(item['input'])}, {what}"
    return what if what.startswith(path) else f"{path}: {what}"


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a TOML, YAML or JSON file of settings into a dict.

    Raises:
        ModcogError: if the file cannot be read, is not of one of the three kinds, or holds no table.
    """
    if not isinstance(path, str | os.PathLike):
        raise ModcogError(f"path: got {shown(path)}, must be the path of a .toml, .yaml or .json file")
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = _parser(path)(text)
    except OSError as error:
        raise ModcogError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModcogError):
            raise
        raise ModcogError(f"{path} cannot be parsed: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ModcogError(f"{path} holds no settings: it must be a table of names and values")
    for name in values:
        if not isinstance(name, str):
            raise ModcogError(f"{path} holds a setting called {shown(name)}; names must be text")
    return values


def _parser(path: Path) -> Any:
    """The function that turns a file's text into a dict, by the file's ending."""
    match path.suffix.lower():
        case ".toml":
            try:
                import tomllib
            except ImportError:  # Python 3.10
                import tomli as tomllib  # type: ignore[no-redef]
            return tomllib.loads
        case ".yaml" | ".yml":
            return _yaml
        case ".json":
            return json.loads
    raise ModcogError(f"{path} has the ending {path.suffix!r}; settings are read from .toml, .yaml, .yml and .json")


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
