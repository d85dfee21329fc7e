"""The settings that a battery's trials are drawn under: time, noise, ring, timing and rules. They know no tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from modcog.checks import LARGEST_STRENGTH, LONGEST_MS
from modcog.errors import ModcogError, shown, unknown
from modcog.validation import is_list, is_number, number, numbers, plain

RULES = ("corrected", "published")

Timing = float | tuple[float, ...] | tuple[str, tuple[float, ...]]
"""A duration in ms: a number, a list to choose from, ``("uniform", (a, b))`` or ``("choice", (...))``."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)]
Noise = Annotated[float, Field(ge=0, le=LARGEST_STRENGTH, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Coherence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Strength = Annotated[float, Field(gt=0, le=LARGEST_STRENGTH, allow_inf_nan=False)]


class Settings(BaseModel):
    """Settings of the trials; the defaults are the battery of Khona et al. 2023 with its errors corrected."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    dt: Positive = Field(default=100.0, description="Time step in ms.")
    sigma: Noise = Field(default=1.0, description="Noise level; its sd per channel and step is sigma / sqrt(dt).")
    dim_ring: Annotated[int, Field(ge=4, le=1024)] = Field(default=16, description="Number of directions n; even.")
    rules: Literal["corrected", "published"] = Field(
        default="corrected", description="'corrected', or 'published' for the trials of the published code."
    )
    omega: Speed = Field(default=0.01, description="Speed of interval and sequence, in positions per ms.")
    interval: Annotated[tuple[Milliseconds, ...], Field(min_length=1)] | None = Field(
        default=None, description="Durations of the timed period in ms; default: 100, 200, … 1200, or as the rules say."
    )
    coherences: Annotated[tuple[Coherence, ...], Field(min_length=1)] = Field(
        default=(0.08, 0.16, 0.32, 0.64), description="Coherences c of the dm tasks: the strengths are (1 ± c) / 2."
    )
    strengths: Annotated[tuple[Strength, ...], Field(min_length=2)] = Field(
        default=(0.3, 0.6, 1.0), description="Strengths in the dlydm tasks, of which each trial shows two."
    )
    timing: Mapping[str, Timing] = Field(
        default_factory=dict,
        description="Durations of periods in ms, replacing the tasks' own: a number, a list to choose from, "
        "('uniform', (a, b)) or ('choice', [...]). A timed period given here is no longer drawn from `interval`.",
    )

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        if not isinstance(value, str) or value not in RULES:
            raise unknown("rule set", value, RULES)
        return str(value)

    @field_validator("dt", "sigma", "omega", "dim_ring", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return number(value)

    @field_validator("interval", "coherences", "strengths", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        return None if value is None and info.field_name == "interval" else numbers(value)

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
    def _timing(cls, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ModcogError("must map period names to durations")
        return {str(period): read_timing(str(period), timing) for period, timing in value.items()}


def read_timing(period: str, value: Any) -> Timing:
    """Return a duration in one of the four forms of ``Timing``.

    Raises:
        ModcogError: naming the period, what was given and what is allowed.
    """
    items = [value] if is_number(value) else list(value) if is_list(value) else []
    named = len(items) == 2 and isinstance(items[0], str)
    kind, listed = items if named else ("choice", items)
    if kind not in ("uniform", "choice"):
        raise unknown(f"kind of duration in timing of {period}", kind, ("uniform", "choice"))
    found = tuple(map(plain, listed)) if is_list(listed) else ()
    if not found:
        raise ModcogError(
            f"{period}: got {shown(value)}, must be a number of ms, a list of numbers, "
            "('uniform', (a, b)) or ('choice', [...])"
        )
    if not all(is_number(ms) and 0 <= ms <= LONGEST_MS for ms in found):
        raise ModcogError(
            f"{period}: got {shown(value)}, durations must be finite numbers of ms, from 0 to {LONGEST_MS:g}"
        )
    durations = tuple(map(float, found))
    if kind == "uniform" and (len(durations) != 2 or durations[0] > durations[1]):
        raise ModcogError(f"{period}: got {shown(value)}, 'uniform' takes two durations (a, b) with a ≤ b")
    return durations[0] if is_number(value) else (str(kind), durations)
