"""The settings of a battery: one pydantic model, from Python, TOML or YAML, with one-line errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from modcog import names
from modcog.errors import ModcogError, unknown

RULES = ("corrected", "published")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Timing = float | tuple[float, ...] | tuple[str, tuple[float, ...]]
"""ms: a number, a list to choose from, ``("uniform", (a, b))`` or ``("choice", (...))``."""


class BatterySettings(BaseModel):
    """What a battery is made of; the defaults are the battery of Khona et al. 2023 with its errors mended.

    Every field can stand in a TOML or YAML file under the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    tasks: tuple[str, ...] = Field("modcog132", description="Task names, or the name of a collection, in order.")
    dt: Positive = Field(100.0, description="Time step in ms.")
    sigma: NotNegative = Field(1.0, description="Noise: its sd per channel and step is sigma / sqrt(dt).")
    dim_ring: Annotated[int, Field(ge=4, le=1024)] = Field(16, description="Number of directions n; even.")
    rules: Literal["corrected", "published"] = Field(
        "corrected", description="'corrected', or 'published': the trials of the published code, errors and all."
    )
    rule_input: bool = Field(False, description="Append one one-hot column per task to the observations.")
    omega: NotNegative = Field(0.01, description="Speed of interval and sequence, in positions per ms.")
    interval: Annotated[tuple[NotNegative, ...], Field(min_length=1)] | None = Field(
        None, description="Durations in ms that the timed period is drawn from; None: 100, 200, … 1200, or what the rules say."
    )
    coherences: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = Field(
        (0.08, 0.16, 0.32, 0.64), description="dm tasks: the strengths are (1 ± c) / 2."
    )
    strengths: Annotated[tuple[Positive, ...], Field(min_length=2)] = Field(
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
        if value not in RULES:
            raise unknown("rule set", value, RULES)
        return value

    @field_validator("dt", "sigma", "omega", "dim_ring", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        if isinstance(value, bool | str):
            raise ModcogError("must be a number")
        return value

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
        return {str(period): _timing(str(period), timing) for period, timing in value.items()}


def _timing(period: str, value: Any) -> Timing:
    """Bring one duration into one of the four forms.

    Raises:
        ModcogError: naming the period, what came and what is allowed.
    """
    forms = "must be a number of ms, a list of numbers, ('uniform', (a, b)) or ('choice', [...])"
    wrong = ModcogError(f"{period}: got {value!r}, {forms}")
    if _is_duration(value):
        return float(value)
    if not isinstance(value, list | tuple) or not value:
        raise wrong
    kind, numbers = (value[0], value[1]) if isinstance(value[0], str) and len(value) == 2 else ("choice", value)
    if kind not in ("uniform", "choice") or not isinstance(numbers, list | tuple) or not numbers:
        raise wrong
    if not all(_is_duration(number) for number in numbers):
        raise ModcogError(f"{period}: got {value!r}, durations must be finite numbers of ms, at least 0")
    durations = tuple(float(number) for number in numbers)
    if kind == "uniform" and (len(durations) != 2 or durations[0] > durations[1]):
        raise ModcogError(f"{period}: got {value!r}, 'uniform' takes two durations (a, b) with a ≤ b")
    return (kind, durations)


def _is_duration(value: Any) -> bool:
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        return False
    return math.isfinite(number := float(value)) and number >= 0


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
        for item in error.errors():
            cause = item.get("ctx", {}).get("error")
            if isinstance(cause, ModcogError) and len(error.errors()) == 1 and isinstance(cause, KeyError):
                raise cause from None
        raise ModcogError("; ".join(dict.fromkeys(map(_sentence, error.errors())))) from None


def _sentence(item: Any) -> str:
    """One of pydantic's findings as ``field: got …, must be …``."""
    path = ".".join(str(part) for part in item["loc"] if not (isinstance(part, str) and "[" in part))
    given = repr(item["input"])
    given = given if len(given) < 80 else given[:77] + "…"
    cause = item.get("ctx", {}).get("error")
    what = str(cause) if cause is not None else item["msg"].replace("Input should", "should")
    for verb in ("should be ", "should have "):
        what = what.replace(verb, "must " + verb.split()[1] + " ", 1)
    if what.startswith("must "):
        return f"{path}: got {given}, {what}"
    return what if what.startswith(path) else f"{path}: {what}"


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a TOML, YAML or JSON file of settings into a dict.

    Raises:
        ModcogError: if the file cannot be read, is not of one of the three kinds, or holds no table.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = _parser(path)(text)
    except OSError as error:
        raise ModcogError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, UnicodeDecodeError) as error:
        if isinstance(error, ModcogError):
            raise
        raise ModcogError(f"{path} cannot be parsed: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ModcogError(f"{path} holds no settings: it must be a table of names and values")
    return values


def _parser(path: Path) -> Any:
    """The function that turns a file's text into a dict, by the file's ending."""
    match path.suffix.lower():
        case ".toml":
            try:
                import tomllib
            except ImportError:  # Python 3.10
                import tomli as tomllib
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
