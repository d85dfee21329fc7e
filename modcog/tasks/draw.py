"""Drawing conditions: many trials of one kind at once, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.errors import ModcogError, unknown

if TYPE_CHECKING:
    from modcog.settings import BatterySettings
    from modcog.trials.tables import Tables


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
        """The same in some of the trials."""
        columns = (self.modality, self.direction, self.strength)
        return Stimulus(self.which, *(c if np.ndim(c) == 0 else np.asarray(c)[rows] for c in columns))


@dataclass(frozen=True)
class Outcome:
    """What a draw function returns for its n trials.

    Attributes:
        target: (n,) int, the direction to respond in, before any extension.
        stimuli: what is shown.
        respond: (n,) bool, or None if every trial asks for a response; False: hold fixation through the decision.
    """

    target: NDArray[np.integer]
    stimuli: Sequence[Stimulus]
    respond: NDArray[np.bool_] | None = None


@dataclass
class Draw:
    """What a draw function is given: n trials of rows of the table that share that function.

    Attributes:
        rng: the only source of randomness.
        n: number of trials.
        task: (n,) index of each trial's task in the battery.
        group: index of the draw function among the battery's.
        tables: the battery, compiled.
        interval_sign: (n,) +1, −1, or 0 where the task has no interval extension.
        interval_ms: (n,) duration T of the timed period in ms; 0 where there is none.
        steps: (N, P) whole steps of each period, of all N trials of the batch.
        trial: (n,) which of them these are.
        given: conditions that the caller of the generator has fixed, (n,) columns.
        conditions: every named draw so far, (n,) columns.
    """

    rng: np.random.Generator
    n: int
    task: NDArray[np.integer]
    group: int
    tables: Tables
    interval_sign: NDArray[np.integer]
    interval_ms: NDArray[np.floating]
    steps: NDArray[np.integer]
    trial: NDArray[np.intp]
    given: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    conditions: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def settings(self) -> BatterySettings:
        """The battery's settings."""
        return self.tables.settings

    @property
    def dim_ring(self) -> int:
        """Number of directions n."""
        return self.tables.settings.dim_ring

    def param(self, name: str) -> NDArray[Any]:
        """The row parameter ``name`` of each trial's base task, (n,) or (n, k).

        Raises:
            UnknownNameError: if no row that shares this draw function has it.
        """
        columns = self.tables.params[self.group]
        if name not in columns:
            raise unknown("parameter", name, columns)
        return columns[name][self.task]

    def duration(self, period: str) -> NDArray[np.float64]:
        """How long ``period`` really lasts in each trial, (n,) ms: whole steps · dt; 0 in a task without it.

        Raises:
            UnknownNameError: if no task has it.
        """
        if period not in self.tables.period_slots:
            raise unknown("period", period, self.tables.period_slots)
        slot = self.tables.period_slots[period][self.task]
        return np.where(slot >= 0, self.steps[self.trial, slot] * self.settings.dt, 0.0)

    def condition(self, name: str, drawn: ArrayLike) -> NDArray[Any]:
        """Name a column of the trial: ``drawn``, unless the caller of the generator has fixed it.

        Every random choice must pass through here (or through ``integers``), so that ``trials.conditions`` holds
        all that is needed to build the trial again.
        """
        column = self.given.get(name)
        self.conditions[name] = column = np.asarray(drawn if column is None else column)
        return column

    def integers(self, name: str, low: int, high: int) -> NDArray[np.int64]:
        """Name a column that is uniform on low, …, high − 1; see ``integers_from``."""
        return self.integers_from(name, self.rng.integers(low, high, self.n), low, high)

    def integers_from(self, name: str, drawn: NDArray[np.integer], low: int, high: int) -> NDArray[np.int64]:
        """Name a column of whole numbers from low to high − 1.

        Raises:
            ModcogError: if the caller has fixed it to a value outside that range.
        """
        column = self.condition(name, drawn)
        if name in self.given and not np.isin(column, np.arange(low, high)).all():
            raise ModcogError(f"{name}: got {column.tolist()}, must be whole and from {low} to {high - 1}")
        self.conditions[name] = column = column.astype(np.int64, copy=False)
        return column

    def partly_given(self, names: Sequence[str]) -> bool:
        """Whether the caller has fixed some of the conditions ``names`` and left others to be drawn."""
        return 0 < sum(name in self.given for name in names) < len(names)

    def agreeing(self, trial: int, names: Sequence[str], choices: NDArray[Any]) -> NDArray[Any]:
        """One row of ``choices`` (k, m), uniform among those that have what the caller has fixed in one trial.

        ``names`` (m,) are the conditions its columns stand for; if no row agrees, all of them are chosen from.
        """
        agree = np.ones(len(choices), np.bool_)
        for i, name in enumerate(names):
            if name in self.given:
                agree &= np.abs(choices[:, i] - self.given[name][trial]) < 1e-9
        rows = choices[agree] if agree.any() else choices
        return rows[self.rng.integers(len(rows))]

    def follows(self, name: str, column: NDArray[Any]) -> NDArray[Any]:
        """Name a column that follows from the others, so that it is among ``trials.conditions``."""
        self.conditions[name] = column
        return column

    def alternative(self) -> NDArray[np.floating]:
        """One row of the task's ``alternatives``, uniformly drawn for each trial, (n, m)."""
        tables = self.tables
        index = (self.rng.random(self.n) * tables.alternative_count[self.task]).astype(np.int64)
        return tables.alternatives[tables.alternative_start[self.task] + index]

    def alternatives_of(self, trial: int) -> NDArray[np.floating]:
        """All rows that ``alternative`` draws one trial's from, (k, m)."""
        start = self.tables.alternative_start[self.task[trial]]
        return self.tables.alternatives[start : start + self.tables.alternative_count[self.task[trial]]]
