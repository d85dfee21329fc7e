"""Base tasks, and the arguments and results of their draw functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.errors import ModcogError, unknown
from modcog.tasks.condition import Condition, Joint

if TYPE_CHECKING:
    from modcog.settings import Settings, Timing

Noise = Literal["none", "shown", "both", "all"]
"""The channels that are noisy while a stimulus is visible: none, the ring that shows it, both rings, or
both rings and the fixation cue."""

NOISE: tuple[str, ...] = get_args(Noise)


@dataclass(frozen=True)
class Stimulus:
    """A bump of activity on one ring, in each of n trials.

    Attributes:
        which: 0 for the trial's first stimulus, 1 for its second …; ``Base.shows`` says in which period it is visible.
        modality: (n,) or scalar, 1 or 2: the ring it stands on.
        direction: (n,) its place in positions of the ring, 0 ≤ direction < dim_ring; off-grid values are allowed.
        strength: (n,) or scalar factor of the bump; 0 where the trial does not show it.
    """

    which: int
    modality: ArrayLike
    direction: ArrayLike
    strength: ArrayLike = 1.0

    def part(self, rows: slice) -> Stimulus:
        """Return the stimulus in some of the trials."""
        columns = (self.modality, self.direction, self.strength)
        return Stimulus(self.which, *(c if np.ndim(c) == 0 else np.asarray(c)[rows] for c in columns))


@dataclass(frozen=True)
class Outcome:
    """The n trials that a draw function makes of their conditions.

    Attributes:
        target: (n,) int, the direction to respond in, before any extension.
        stimuli: that are shown.
        respond: (n,) bool, or None if every trial asks for a response; False: hold fixation through the decision.
    """

    target: NDArray[np.integer]
    stimuli: Sequence[Stimulus]
    respond: NDArray[np.bool_] | None = None


@dataclass
class Draw:
    """The argument of a draw function: n trials of base tasks that share that function.

    ``t["direction"]`` is the column of a declared condition that has been drawn.

    Attributes:
        rng: source of randomness for conditions that are declared without values.
        n: number of trials.
        settings: of the battery.
        params: ``Base.params`` of each trial's task, columns by name; read them with ``param``.
        given: conditions that the caller has fixed, (n,) columns.
        conditions: every condition so far, (n,) columns.
        interval_sign: (n,) +1, −1, or 0 where the task has no interval extension.
        interval_ms: (n,) duration T of the timed period in ms; 0 where there is none.
        duration: returns how long a period, given by name, lasts in each trial, (n,) ms: whole steps · dt; 0 in a task
            without it. Raises ``UnknownNameError`` if no task of the battery has it.
    """

    rng: np.random.Generator
    n: int
    settings: Settings
    params: Mapping[str, NDArray[Any]]
    given: Mapping[str, NDArray[Any]]
    conditions: dict[str, NDArray[Any]]
    interval_sign: NDArray[np.integer]
    interval_ms: NDArray[np.floating]
    duration: Callable[[str], NDArray[np.float64]]

    @property
    def dim_ring(self) -> int:
        """Number of directions n."""
        return self.settings.dim_ring

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the column of a condition, (n,).

        Raises:
            UnknownNameError: if it is not declared, or has not been drawn.
        """
        if name not in self.conditions:
            raise unknown("condition", name, self.conditions)
        return self.conditions[name]

    def param(self, name: str) -> NDArray[Any]:
        """Return the parameter ``name`` of each trial's base task, (n,) or (n, k).

        Raises:
            UnknownNameError: if no base task that shares this draw function has it.
        """
        if name not in self.params:
            raise unknown("parameter", name, self.params)
        return self.params[name]

    def fill(self, name: str, drawn: ArrayLike) -> NDArray[Any]:
        """Fill in a declared condition that has no values to draw from, unless the caller has fixed it.

        Args:
            name: of the condition.
            drawn: (n,) column, with ``rng`` as the only source of randomness.

        Returns:
            (n,) the column that holds.

        Raises:
            ModcogError: if the condition has values and so has been drawn.
        """
        if name in self.conditions:
            raise ModcogError(f"{name}: has been drawn from its values; fill in only conditions without")
        column = self.given.get(name)
        self.conditions[name] = column = np.asarray(drawn if column is None else column)
        return column

    def derive(self, name: str, column: ArrayLike) -> NDArray[Any]:
        """Fill in a condition that is declared as derived: it follows from the others and cannot be fixed.

        Raises:
            ModcogError: if the condition is not derived but has been drawn.
        """
        if name in self.conditions:
            raise ModcogError(f"{name}: has been drawn from its values; declare it with derived=True")
        self.conditions[name] = found = np.asarray(column)
        return found


@dataclass(frozen=True)
class Base:
    """One base task: everything the generator needs to know of it, as data.

    Attributes:
        name: the task's name, without extensions.
        family: ``"go"``, ``"decision"``, ``"match"`` or a name of the user's.
        summary: one sentence on what the subject must do.
        periods: name and duration (ms) of each period in order; the last is ``"decision"``.
        shows: the period in which the first, second, … stimulus of the trial is visible.
        conditions: drawn for each trial, in this order; base tasks that share ``draw`` name the same conditions.
        draw: makes stimuli and targets of the conditions of many trials at once; base tasks that share a function are
            drawn together.
        timed: the period that the interval extension times, or None if the task has no such extension.
        noise: which channels are noisy while a stimulus is visible.
        params: differences between base tasks that share ``draw``; scalars, read there as columns.
        compares: names of the drawn conditions that decide between the answers that the others leave open, as the
            strengths of two stimuli do. A player who makes no comparison (``modcog.evaluation.levels``) does without.
    """

    name: str
    family: str
    summary: str
    periods: Mapping[str, Timing]
    shows: tuple[str, ...]
    conditions: tuple[Condition | Joint, ...]
    draw: Callable[[Draw], Outcome]
    timed: str | None = None
    noise: Noise = "none"
    params: Mapping[str, Any] = field(default_factory=dict)
    compares: tuple[str, ...] = ()
