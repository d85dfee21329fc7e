"""The corrected rule set: how the table's rows read, how an interval moves the target, how a label is made.

The differences of the published code are in ``published.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.seeds import Seed
from modcog.settings import Settings, Timing
from modcog.tasks.base import Base
from modcog.tasks.names import TaskSpec
from modcog.trials.timing import SLACK, Durations, Given, TimingTable, whole_steps

INTERVAL_MS = tuple(float(ms) for ms in range(100, 1300, 100))
"""Durations that the timed period is drawn from, ms."""

SEQUENCE_DECISION_MS = 1000.0
"""Duration of the decision of a sequence task, in ms."""


def positions(omega: float, ms: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return floor(omega · ms), the whole positions of the ring travelled in ``ms`` milliseconds, same shape."""
    return np.floor(omega * ms + SLACK).astype(np.int64)


class Rules:
    """The corrected rule set; another one overrides the parts in which it differs."""

    name = "corrected"

    def row(self, spec: TaskSpec) -> Base:
        """Return the base task of ``spec`` as these rules have it."""
        return spec.row

    def timing(self, spec: TaskSpec, row: Base, settings: Settings) -> dict[str, Timing]:
        """Return the duration in ms of every period of a task, before the settings' timing."""
        timing: dict[str, Timing] = dict(row.periods)
        if spec.interval and row.timed:
            timing[row.timed] = ("choice", settings.interval) if settings.interval else self.interval_timing(row)
        if spec.sequence:
            timing["decision"] = self.sequence_timing(row)
        return timing

    def interval_timing(self, row: Base) -> Timing:
        """Return the duration in ms of the timed period of an interval task."""
        return ("choice", INTERVAL_MS)

    def sequence_timing(self, row: Base) -> Timing:
        """Return the duration in ms of the decision of a sequence task."""
        return SEQUENCE_DECISION_MS

    def kept_delay(self, spec: TaskSpec) -> int:
        """Return the number of the task's delay that is drawn once for a whole sample; −1: drawn for each trial."""
        return -1

    def presets_modality(self, row: Base) -> bool:
        """Tell whether the modality is drawn along with the durations."""
        return False

    def draw_durations(
        self,
        timing: TimingTable,
        task: NDArray[np.integer],
        rng: np.random.Generator,
        seed: Seed,
        given: Given | None = None,
    ) -> Durations:
        """Draw the durations of one trial of each task in ``task`` (n,).

        ``seed`` is the same for all trials of one sample, stream or environment; ``given`` are the conditions that
        are fixed, (n,) columns, in case durations depend on them.
        """
        ms = timing.draw(task, rng)
        return Durations(ms, whole_steps(ms, timing.dt))

    def interval_ms(self, durations: Durations, settings: Settings) -> NDArray[np.floating]:
        """Return the time T, ms, (n, P), that each period counts for in the interval extension: its real length."""
        return durations.steps * settings.dt

    def interval_moves_target(self, row: Base) -> bool:
        """Tell whether the interval extension acts on the target of this base task."""
        return True

    def move(
        self, target: NDArray[np.integer], sign: NDArray[np.integer], ms: NDArray[np.floating], settings: Settings
    ) -> NDArray[np.integer]:
        """Return the directions, (n,), that the interval extension moves ``target`` to (Khona et al. 2023).

        They are (target + sign · floor(omega · T)) mod n, with ``sign``, (n,), +1, −1, or 0 for no extension, and
        ``ms``, (n,), the duration T of the timed period.
        """
        return (target + sign * positions(settings.omega, ms)) % settings.dim_ring

    def label(
        self, target: NDArray[np.integer], moved: NDArray[np.integer] | int, dim_ring: int
    ) -> NDArray[np.integer]:
        """Return the label, (m,), of a response to ``target``, (m,), after the sequence has moved it on."""
        return 1 + (target + moved) % dim_ring
