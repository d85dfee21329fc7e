"""Settings of an environment, under the names of its arguments: to be read, and refused where one writes them.

A write that changed nothing would go unnoticed. These are properties, since a ``__setattr__`` would slow every step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import FixedError, shown
from modcog.tasks.names import TaskSpec
from modcog.validation import ReadOnlyDict, ReadOnlyList


def fixed(name: str, read: Callable[[Any], Any], argument: str | None = None, meaning: str = "") -> Any:
    """Return a property that ``read`` reads, and that names the constructor's ``argument`` where one writes it.

    Args:
        name: of the attribute.
        read: returns the value for an environment.
        argument: that the value follows from; None: the one of the same name.
        meaning: docstring of the property.
    """

    def refuse(env: Any, value: Any) -> None:
        if "_battery" in vars(env):  # before, neurogym's constructor writes its own defaults
            raise FixedError(
                f"{name}: got {shown(value)}, but it is fixed in {env}; make another environment, with "
                f"{argument or name}="
            )

    return property(read, refuse, doc=meaning)


def whole(ms: Any) -> Any:
    """Return a whole number of ms as an int, as scripts count steps with ``//`` and slice with them."""
    return int(ms) if isinstance(ms, float) and ms.is_integer() else ms


@lru_cache(maxsize=16)
def ring(n: int) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """Return the directions of a ring, (n,), and their angles in radians, (n,), which cannot be written."""
    directions = np.arange(n)
    angles = directions * (2 * np.pi / n)
    directions.flags.writeable = angles.flags.writeable = False
    return directions, angles


def is_sequential(spec: TaskSpec) -> bool:
    """Tell whether the task's coherences are strengths: those of two stimuli shown one after the other."""
    return spec.family == "decision" and bool(spec.row.params.get("sequential"))


def _coherences(env: Any) -> ReadOnlyList:
    battery: Battery = env.battery
    spec = battery.tables.specs[0]
    if spec.family != "decision":
        raise AttributeError(f"cohs: {env} draws no coherences")
    drawn = battery.settings.strengths if is_sequential(spec) else battery.settings.coherences
    return ReadOnlyList(drawn, f"cohs: is fixed in {env}; make another environment, with cohs=[...]")


def _choices(env: Any) -> Any:
    if ("match", "flag") in [(one.name, one.kind) for one in env.battery.tables.conditions]:
        return ReadOnlyList(["match", "non-match"], f"choices: are fixed in {env}; they belong to its task")
    return ring(env.dim_ring)[0]


def _timing(env: Any) -> ReadOnlyDict:
    own = {period: whole(duration) for period, duration in env.battery.tables.timings[0].items()}
    return ReadOnlyDict(own, f"timing: is fixed in {env}; make another environment, with timing={{...}}")


def _of_battery(name: str) -> Any:
    return fixed(name, attrgetter(f"_battery.settings.{name}"))


class FixedSettings:
    """The settings of an environment of one task, single or vector; ``_battery`` holds them."""

    battery: Battery = fixed("battery", attrgetter("_battery"), "the settings")
    task: str = fixed("task", lambda env: env._battery.tasks[0])
    dt: float = fixed("dt", lambda env: whole(env._battery.settings.dt), meaning="Time step, ms.")
    sigma: float = fixed(
        "sigma",
        lambda env: env._battery.settings.sigma / np.sqrt(env._battery.settings.dt),
        meaning="Standard deviation of the noise in one step.",
    )
    dim_ring: int = _of_battery("dim_ring")
    rules: str = _of_battery("rules")
    omega: float = _of_battery("omega")
    interval: tuple[float, ...] | None = _of_battery("interval")
    coherences: tuple[float, ...] = _of_battery("coherences")
    strengths: tuple[float, ...] = _of_battery("strengths")
    rule_input: bool = fixed("rule_input", lambda env: env._battery.rule_input)
    timing: dict[str, Any] = fixed("timing", _timing, meaning="Duration of each period, in the forms of ``timing``.")
    cohs: list[float] = fixed(
        "cohs", _coherences, meaning="Coherences (dm tasks) or strengths (dlydm tasks); other tasks have none."
    )
    theta: Any = fixed(
        "theta",
        lambda env: ring(env.dim_ring)[1],
        "dim_ring",
        "(n,) angles of the directions, in radians.",
    )
    choices: Any = fixed("choices", _choices, "dim_ring", "Values of neurogym's ``ground_truth``.")
