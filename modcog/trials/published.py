"""The differences of the published code, and nothing else: the deviations P1 to P10.

The numbers are those of the table of rule differences in the documentation. They were measured in the code that
Khona et al. (2023) published and are kept for comparison with work that used it. P11, about stepping, is in the
environment; P12, seeds that do not reproduce, is not kept.
"""

from __future__ import annotations

import operator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modcog.seeds import Part, Seed
from modcog.settings import Settings, Timing
from modcog.tasks import decision, match
from modcog.tasks.base import Base, Draw, Outcome, Stimulus
from modcog.tasks.condition import Condition
from modcog.tasks.go import MODALITY
from modcog.tasks.names import TASKS, TaskSpec
from modcog.tasks.table import YANG19
from modcog.trials.rules import Rules
from modcog.trials.timing import SLACK, Durations, Given, TimingTable, whole_steps

INTERVAL_MS = tuple(float(ms) for ms in range(0, 1200, 100))
DECISION_INTERVAL_MS = 500.0

_FAMILY = {row.name: row.family for row in YANG19}  # a user's own base task keeps its trials, labels aside

_DELAY_SLOT = 2  # of fixation, sample, delay, test, decision


class Published(Rules):
    """The rule set of the published code."""

    name = "published"

    def row(self, spec: TaskSpec) -> Base:
        """P2, P3, P7, P8, P10: rows that read differently."""
        row = spec.row
        if row.name in ("go", "anti"):
            periods = {"fixation": 500, "stimulus": 500, "delay": 500, "decision": 500}
            row = replace(row, periods=periods, timed="delay")  # P2
        if _FAMILY.get(row.name) == "go":
            return replace(row, conditions=GO_CONDITIONS, draw=draw_go)  # P3
        if _FAMILY.get(row.name) == "decision":
            compares = (*row.compares, "coin")
            conditions = decision.PUBLISHED_CONDITIONS
            return replace(row, conditions=conditions, draw=draw_decision, noise="all", compares=compares)  # P8, P10
        if _FAMILY.get(row.name) == "match":
            return replace(row, conditions=MATCH_CONDITIONS)  # P7
        return row

    def interval_timing(self, row: Base) -> Timing:
        """P3, P4, P6: zero-length delays in the go and match families, and always 500 ms in the decision family."""
        if _FAMILY.get(row.name) == "decision":
            return DECISION_INTERVAL_MS
        return ("choice", INTERVAL_MS) if _FAMILY.get(row.name) in ("go", "match") else super().interval_timing(row)

    def sequence_timing(self, row: Base) -> Timing:
        """P9: the reaction-time tasks keep their decision of 500 ms."""
        return row.periods["decision"] if row.name in ("rtgo", "rtanti") else super().sequence_timing(row)

    def kept_delay(self, spec: TaskSpec) -> int:
        """P5: by the number among the 132, since a task's delay must not depend on the others in its battery."""
        return TASKS.index(spec.name) if self.presets_modality(spec.row) and not spec.interval else -1

    def presets_modality(self, row: Base) -> bool:
        """P5: the match tasks keep one delay for each modality."""
        return _FAMILY.get(row.name) == "match"

    def draw_durations(
        self,
        timing: TimingTable,
        task: NDArray[np.integer],
        rng: np.random.Generator,
        seed: Seed,
        given: Given | None = None,
    ) -> Durations:
        """P5: match tasks without interval keep one delay per modality for a whole sample, stream or environment."""
        modality = rng.integers(1, 3, len(task))
        if given and "modality" in given:  # anything but 1 or 2 is refused later
            modality = np.where(np.isin(given["modality"], (1, 2)), given["modality"], modality).astype(np.int64)
        durations = super().draw_durations(timing, task, rng, seed)
        if not timing.presets_modality.any():
            return durations
        durations.presets["modality"] = np.where(timing.presets_modality[task], modality, -1)
        trial = np.flatnonzero(timing.kept[task] >= 0)
        u = seed.rng(Part.KEPT).random((len(TASKS), 2))
        kept = u[timing.kept[task[trial]], modality[trial] - 1]
        low, span = timing.low[task[trial], _DELAY_SLOT], timing.span[task[trial], _DELAY_SLOT]
        durations.ms[trial, _DELAY_SLOT] = low + kept * span
        durations.steps = whole_steps(durations.ms, timing.dt)
        return durations

    def interval_ms(self, durations: Durations, settings: Settings) -> NDArray[np.floating]:
        """T is the nominal duration, before rounding to steps."""
        return durations.ms

    def interval_moves_target(self, row: Base) -> bool:
        """P3: in the go family the stimulus stands elsewhere instead."""
        return _FAMILY.get(row.name) != "go"

    def move(
        self, target: NDArray[np.integer], sign: NDArray[np.integer], ms: NDArray[np.floating], settings: Settings
    ) -> NDArray[np.integer]:
        """P6: floor((target ± omega · T) mod n), which differs from the corrected move where omega · T is not whole."""
        moved = np.floor(target + sign * settings.omega * ms + SLACK).astype(np.int64)
        return moved % settings.dim_ring

    def label(
        self, target: NDArray[np.integer], moved: NDArray[np.integer] | int, dim_ring: int
    ) -> NDArray[np.integer]:
        """P1: the last direction is labelled 0, and label n never occurs."""
        return (1 + target + moved) % dim_ring


GO_CONDITIONS = (
    Condition("target", "direction", "direction asked for"),
    MODALITY,
    Condition("direction", "direction", "where the stimulus stands on the ring", derived=True, off_grid=True),
)

MATCH_CONDITIONS = match.conditions(operator.gt)
"""P7: direction n/2 is in the first category as a sample and in the second as a test."""


def draw_go(t: Draw) -> Outcome:
    """P3: the target is drawn, and with an interval the stimulus stands off the grid, omega · T radians from it."""
    radians = t.interval_sign * t.settings.omega * t.interval_ms
    place = t["target"] + radians * t.dim_ring / (2 * np.pi) + t.param("anti") * (t.dim_ring // 2)
    return Outcome(t["target"], [Stimulus(0, t["modality"], t.derive("direction", place % t.dim_ring))])


def draw_decision(t: Draw) -> Outcome:
    """P10: ties are kept, and a coin decides which direction is called right."""
    evidence = decision.derive_evidence(t)
    return decision.outcome(t, np.where(np.abs(evidence) <= decision.TIE, t["coin"] == 1, evidence > 0))
