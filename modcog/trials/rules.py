"""What a rule set decides: how the table's rows read, how an interval moves the target, how a label is made.

``CORRECTED`` is the battery as it is defined; what the published code does otherwise is in ``published.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.seeds import Seed
from modcog.tasks.table import Base, Timing
from modcog.trials import extend
from modcog.trials.timing import Durations, whole_steps

if TYPE_CHECKING:
    from modcog.settings import BatterySettings
    from modcog.tasks.names import TaskSpec
    from modcog.trials.tables import Tables

INTERVAL_MS = tuple(float(ms) for ms in range(100, 1300, 100))
"""What the timed period is drawn from, in ms."""

SEQUENCE_DECISION_MS = 1000.0
"""Duration of the decision of a sequence task, in ms."""


class Rules:
    """The corrected rule set; another one overrides what it does otherwise."""

    name = "corrected"

    def row(self, spec: TaskSpec) -> Base:
        """The base task of ``spec`` as these rules have it."""
        return spec.row

    def timing(self, spec: TaskSpec, row: Base, settings: BatterySettings) -> dict[str, Timing]:
        """Duration in ms of every period of a task, the user's own timing not yet counted."""
        timing: dict[str, Timing] = dict(row.periods)
        if spec.interval and row.timed:
            timing[row.timed] = ("choice", settings.interval) if settings.interval else self.interval_timing(row)
        if spec.sequence:
            timing["decision"] = self.sequence_timing(row)
        return timing

    def interval_timing(self, row: Base) -> Timing:
        """Duration in ms of the timed period of an interval task."""
        return ("choice", INTERVAL_MS)

    def sequence_timing(self, row: Base) -> Timing:
        """Duration in ms of the decision of a sequence task."""
        return SEQUENCE_DECISION_MS

    def draw_durations(
        self,
        tables: Tables,
        task: NDArray[np.integer],
        rng: np.random.Generator,
        seed: Seed,
        given: Mapping[str, NDArray[Any]] | None = None,
    ) -> Durations:
        """Durations of one trial of each task in ``task`` (n,).

        ``seed`` is the same for all trials of one call, stream or environment; ``given`` are the conditions
        that are fixed, (n,) columns, in case durations depend on them.
        """
        ms = tables.timing.draw(task, rng)
        return Durations(ms, whole_steps(ms, tables.settings.dt))

    def interval_ms(self, durations: Durations, settings: BatterySettings) -> NDArray[np.floating]:
        """The time T, in ms, (n, P), that each period counts for in the interval extension: what it really lasts."""
        return durations.steps * settings.dt

    def interval_moves_target(self, row: Base) -> bool:
        """Whether the interval extension acts on the target of this base task."""
        return True

    def move(
        self,
        target: NDArray[np.integer],
        sign: NDArray[np.integer],
        ms: NDArray[np.floating],
        settings: BatterySettings,
    ) -> NDArray[np.integer]:
        """The target, (n,), after an interval of ``ms`` ms, (n,); see ``extend.interval``."""
        return extend.interval(target, sign, ms, settings)

    def label(
        self, target: NDArray[np.integer], moved: NDArray[np.integer] | int, dim_ring: int
    ) -> NDArray[np.integer]:
        """The label, (m,), of a response to ``target``, (m,), after the sequence has moved it on."""
        return 1 + (target + moved) % dim_ring
