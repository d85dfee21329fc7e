"""The settings that a battery's trials are drawn under: time, noise, ring, timing and rules. They know no tasks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from modcog.checks import LARGEST_STRENGTH, LONGEST_MS, is_list
from modcog.errors import FixedError, ModcogError, shown, unknown
from modcog.tables import Brief
from modcog.validation import ReadOnlyDict, is_number, number, numbers, plain

RULES = ("corrected", "published")

Timing = float | tuple[float, ...] | tuple[str, tuple[float, ...]] | Callable[..., Any]
"""A duration in ms: a number, a list to choose from, ``("uniform", (a, b))``, ``("choice", (...))``,
``("truncated_exponential", (mean, shortest, longest))``, or a function that returns one trial's."""

KINDS = ("uniform", "choice", "truncated_exponential", "constant")
"""Names of the distributions of a duration, as neurogym has them."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)]
Noise = Annotated[float, Field(ge=0, le=LARGEST_STRENGTH, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Coherence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Strength = Annotated[float, Field(gt=0, le=LARGEST_STRENGTH, allow_inf_nan=False)]


class SettingsKeywords(TypedDict, total=False):
    """The keyword arguments that stand for the fields of ``Settings``, as type checkers read them."""

    dt: float
    sigma: float
    dim_ring: int
    rules: Literal["corrected", "published"]
    omega: float
    interval: Iterable[float] | None
    coherences: Iterable[float]
    strengths: Iterable[float]
    timing: Mapping[str, Any] | None


class Settings(Brief, BaseModel):
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
    timing: Annotated[
        Mapping[str, Annotated[Timing, SkipValidation, WithJsonSchema({})]],
        AfterValidator(lambda timing: ReadOnlyDict(timing, "timing: is fixed; make another with timing={...}")),
    ] = Field(
        default_factory=dict,
        description="Durations of periods in ms, replacing the tasks' own: a number, a list to choose from, "
        "('uniform', (a, b)), ('choice', [...]), ('truncated_exponential', (mean, shortest, longest)), "
        "('constant', ms), or None for the task's own. A timed period given here is no longer drawn from `interval`.",
    )

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise ``FixedError``: settings do not change."""
        raise FixedError(f"{name}: is fixed in these settings; make others with {name}={shown(value)}")

    def model_dump(self, *, mode: str = "python", **options: Any) -> dict[str, Any]:
        """Return the settings as a dict; in mode json without functions, see ``model_dump_json``."""
        if mode == "json":
            self.check_storable()
        return super().model_dump(mode=mode, **options)

    def model_dump_json(self, **options: Any) -> str:
        """Return the settings as JSON.

        Raises:
            ModcogError: if a duration is a function: whoever reads the file would not have it.
        """
        self.check_storable()
        return super().model_dump_json(**options)

    def check_storable(self) -> None:
        """Refuse a duration that is a function.

        Raises:
            ModcogError: naming the period.
        """
        for period, duration in self.timing.items():
            if callable(duration):
                raise ModcogError(
                    f"timing: {period} is a function, {shown(duration)}, which cannot be stored in a file or sent to "
                    f"another process; give a number, a list, or one of the distributions {', '.join(KINDS)}"
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
        if not isinstance(value, Mapping | None):
            raise ModcogError("must map period names to durations")
        # neurogym takes None for the task's own duration
        given = {str(period): timing for period, timing in (value or {}).items() if timing is not None}
        return {period: read_timing(period, timing) for period, timing in given.items()}


def read_timing(period: str, value: Any) -> Timing:
    """Return a duration in one of the forms of ``Timing``.

    Raises:
        ModcogError: naming the period, what was given and what is allowed.
    """
    if callable(value):
        generator_argument(period, value)
        return value
    items = [value] if is_number(value) else list(value) if is_list(value) else []
    named = len(items) == 2 and isinstance(items[0], str)
    kind, listed = items if named else ("choice", items)
    if kind not in KINDS:
        raise unknown(f"kind of duration in timing of {period}", kind, KINDS)
    if kind == "constant" and is_number(listed):
        listed = [listed]
    found = tuple(map(plain, listed)) if is_list(listed) else ()
    if not found:
        raise ModcogError(
            f"{period}: got {shown(value)}, must be a number of ms, a list of numbers, ('uniform', (a, b)), "
            "('choice', [...]), ('truncated_exponential', (mean, shortest, longest)), ('constant', ms) or a function"
        )
    if kind == "truncated_exponential" and len(found) == 3 and found[2] == np.inf:
        found = found[:2]
    if not all(is_number(ms) and 0 <= ms <= LONGEST_MS for ms in found):
        raise ModcogError(
            f"{period}: got {shown(value)}, durations must be finite numbers of ms, from 0 to {LONGEST_MS:g}"
        )
    durations = tuple(map(float, found))
    if kind == "uniform" and (len(durations) != 2 or durations[0] > durations[1]):
        raise ModcogError(f"{period}: got {shown(value)}, 'uniform' takes two durations (a, b) with a ≤ b")
    if kind == "constant" and len(durations) != 1:
        raise ModcogError(f"{period}: got {shown(value)}, 'constant' takes one duration")
    if kind == "truncated_exponential":
        if len(durations) > 3 or not durations[0]:
            raise ModcogError(
                f"{period}: got {shown(value)}, 'truncated_exponential' takes a mean greater than 0, and if wanted the "
                "shortest and the longest duration"
            )
        if len(durations) == 3 and durations[1] >= durations[2]:  # as neurogym has it
            return durations[2]
    return durations[0] if kind == "constant" or is_number(value) else (str(kind), durations)


def generator_argument(period: str, function: Callable[..., Any]) -> str | None:
    """Return the argument through which a function of a duration takes a random number generator; None: through none.

    It is the one called ``rng`` or ``random_state``, or else the only one without a default.

    Raises:
        ModcogError: if the function needs more than that.
    """
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of some functions that are not written in Python
        return None
    named = [one for one in arguments if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    needed = [one.name for one in named if one.default is one.empty]
    found = [one.name for one in named if one.name in ("rng", "random_state")] or needed
    if not set(needed) <= set(found[:1]):
        raise ModcogError(
            f"{period}: {shown(function)} needs the arguments {', '.join(needed)}; the function of a duration is "
            "called without arguments, or with a NumPy generator if it takes one as rng"
        )
    return found[0] if found else None
