"""Descriptions of tasks in words, with the numbers of the settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from modcog.battery import Battery
from modcog.settings import Timing
from modcog.tasks.condition import DURATION, STEPS
from modcog.tasks.names import SIDE, TASKS
from modcog.trials import timing
from modcog.trials.rules import SEQUENCE_DECISION_MS
from modcog.trials.tables import Tables
from modcog.trials.timing import SLACK

_NOISE = {
    "none": "no noise",
    "shown": "noise on the ring that shows it",
    "both": "noise on both rings",
    "all": "noise on all channels",
}
"""Description of each ``Base.noise`` while a stimulus is shown."""


@dataclass(frozen=True)
class Period:
    """One period of a task.

    Attributes:
        name: as in ``timing``.
        ms: how long it lasts, e.g. ``"500 ms"`` or ``"one of 100, 200, … 1200 ms"``.
        steps: the same in whole steps, e.g. ``"5"`` or ``"1 to 12"``.
        shows: description of the screen.
    """

    name: str
    ms: str
    steps: str
    shows: str


@dataclass(frozen=True)
class Description:
    """A task in words.

    Attributes:
        task: its name.
        index: among the 132; None for a user's own base task.
        family: of its base task.
        base: its base task.
        summary: one sentence on what the subject must do.
        interval: one or two sentences on the interval extension, or ``""`` without it.
        sequence: the same for the sequence extension.
        answer: the formula of the label at step j of the decision.
        periods: in order.
        conditions: name and meaning of each condition of a trial.
        channels: of an observation, by name: first and last index.
        n_actions: hold fixation, and one for each direction.
    """

    task: str
    index: int | None
    family: str
    base: str
    summary: str
    interval: str
    sequence: str
    answer: str
    periods: tuple[Period, ...]
    conditions: dict[str, str]
    channels: dict[str, tuple[int, int]]
    n_actions: int


def describe(task: str, **settings: Any) -> Description:
    """Describe a task under any settings of ``modcog.Battery``.

    Raises:
        UnknownNameError: for a task or setting that does not exist.
        ModcogError: for a setting out of range.
    """
    battery = Battery([task], **settings)
    tables, spec, n = battery.tables, battery.tables.specs[0], battery.settings.dim_ring
    channels = {"fixation cue": (0, 0), "modality 1": (1, n), "modality 2": (n + 1, 2 * n)}
    if battery.rule_input:
        channels["rule input"] = (2 * n + 1, battery.n_channels - 1)
    return Description(
        task=spec.name,
        index=TASKS.index(spec.name) if spec.name in TASKS else None,
        family=spec.family,
        base=spec.base,
        summary=spec.row.summary,
        interval=_interval(tables) if spec.interval else "",
        sequence=_sequence(tables) if spec.sequence else "",
        answer=_answer(tables, holds=bool((battery.sample(64, seed=0).conditions["respond"] == 0).any())),
        periods=_periods(tables),
        conditions={
            c.name: c.meaning or c.name.replace("_", " ")
            for c in tables.conditions
            if not c.name.startswith((DURATION, STEPS))
        },
        channels=channels,
        n_actions=battery.n_actions,
    )


def _interval(tables: Tables) -> str:
    """Describe the interval extension under these settings."""
    row, settings, side = tables.rows[0], tables.settings, SIDE[tables.specs[0].interval]
    assert row.timed is not None  # the task has the extension
    counted = " (counted in whole steps)" if settings.rules == "corrected" else ""
    lasts = f"T is the length of the {row.timed}{counted}: {_ms(tables, row.timed)}."
    if not tables.move_sign[0]:
        return (
            f"{lasts} The published rules move the stimulus, not the answer: it stands {settings.omega:g} rad per ms "
            f"of T to the {side} of where it would be without the extension, off the grid of directions."
        )
    if callable(duration := tables.timings[0][row.timed]):
        return f"{lasts} The answer is moved to the {side} by {settings.omega:g} · T in whole positions."
    ends = np.array(timing.bounds(duration))
    if counted:
        ends = timing.whole_steps(ends, settings.dt) * settings.dt
    low, high = (int(settings.omega * ms + SLACK) for ms in ends)
    moved = f"{low} to {high} positions" if low != high else f"{low} position{'' if low == 1 else 's'}"
    pace = f", one per {1 / settings.omega:g} ms" if settings.omega else ""
    return f"{lasts} The answer is moved to the {side} by {settings.omega:g} · T in whole positions: {moved}{pace}."


def _sequence(tables: Tables) -> str:
    """Describe the sequence extension under these settings."""
    settings, side = tables.settings, SIDE[tables.specs[0].sequence]
    longest = timing.bounds(tables.timings[0]["decision"])[1]
    if longest == np.inf:  # as long as a function says
        longest = SEQUENCE_DECISION_MS
    steps = timing.whole_steps(np.array(longest), settings.dt)
    moved = [int(settings.omega * step * settings.dt + SLACK) for step in range(int(steps))]
    return (
        f"During the decision the answer keeps moving to the {side}: at its step j, counted from 0, it has moved "
        f"by {settings.omega:g} · {settings.dt:g} · j in whole positions: {_series(moved)}."
    )


def _answer(tables: Tables, holds: bool) -> str:
    """Return the label at step j of the decision, as a formula with the numbers of the settings."""
    settings, spec = tables.settings, tables.specs[0]
    published = settings.rules == "published"
    signs, formula = {+1: "+", -1: "−"}, "target"
    if tables.move_sign[0]:
        sign, moved = signs[spec.interval], f"{settings.omega:g} · T"
        formula = f"floor(target {sign} {moved})" if published else f"target {sign} floor({moved})"
    if spec.sequence:
        formula += f" {signs[spec.sequence]} floor({settings.omega:g} · {settings.dt:g} · j)"
    if published:
        formula = f"(1 + {formula}) mod {settings.dim_ring}"
    else:
        formula = f"1 + ({formula}) mod {settings.dim_ring}" if formula != "target" else "1 + target"
    return formula + (", or 0 where fixation is to be held" if holds else "")


def _periods(tables: Tables) -> tuple[Period, ...]:
    row, dt, found = tables.rows[0], tables.settings.dt, []
    for period, duration in tables.timings[0].items():
        steps = "any" if callable(duration) else _steps(duration, dt)
        shows = "fixation cue off: respond" if period == "decision" else "fixation cue"
        if numbers := [which for which, place in enumerate(row.shows) if place == period]:
            shows += f"; {_stimuli(numbers, len(row.shows))}, {_NOISE[row.noise]}"
        found.append(Period(period, _ms(tables, period), steps, shows))
    return tuple(found)


def _steps(duration: Timing, dt: float) -> str:
    """Describe the whole steps that a period lasts."""
    shortest, longest = timing.bounds(duration)
    low, high = timing.whole_steps(np.array((shortest, longest)), dt)
    if timing.normal_form(duration)[0] != "choice":  # the others never draw their upper end
        high = max(low, math.ceil(longest / dt - SLACK) - 1)
    return str(low) if low == high else f"{low} to {high}"


def _stimuli(numbers: list[int], of: int) -> str:
    """Name the stimuli that one period shows."""
    if len(numbers) == of:
        return {1: "stimulus", 2: "both stimuli"}.get(of, "stimuli")
    return " and ".join(("first", "second", "third")[i] if i < 3 else f"{i + 1}th" for i in numbers) + " stimulus"


def _ms(tables: Tables, period: str) -> str:
    """Describe the duration of a period."""
    duration = tables.timings[0][period]
    if callable(duration):
        return f"returned by the function {getattr(duration, '__name__', type(duration).__name__)}"
    (kind, durations), (shortest, longest) = timing.normal_form(duration), timing.bounds(duration)
    if shortest == longest:
        return f"{shortest:g} ms"
    if kind == "choice":
        return f"one of {_series(durations)} ms"
    if kind == "truncated_exponential":
        return f"{shortest:g} to {longest:g} ms, exponential with mean {durations[0]:g} ms"
    kept = ", kept for a whole sample" if period == "delay" and tables.timing.kept[0] >= 0 else ""
    return f"{shortest:g} to {longest:g} ms{kept}"


def _series(numbers: Any) -> str:
    """Join numbers with commas; of many, the first, the second and the last."""
    shown = [f"{number:g}" for number in numbers]
    return ", ".join(shown) if len(shown) <= 5 else f"{shown[0]}, {shown[1]}, … {shown[-1]}"
