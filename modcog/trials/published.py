"""What the published code does otherwise, and nothing else: the deviations P1 to P10.

The numbers are those of the table of rule differences in the documentation. They were measured in the code that
Khona et al. (2023) published and are kept for comparison with work that used it. P11, about stepping, is in the
environment; P12, seeds that do not reproduce, is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.seeds import Part, Seed
from modcog.tasks import decision, match
from modcog.tasks.draw import Draw, Outcome, Stimulus
from modcog.tasks.names import TASKS
from modcog.tasks.table import YANG19, Base, Timing
from modcog.trials.extend import SLACK
from modcog.trials.rules import Rules
from modcog.trials.timing import Durations, whole_steps

if TYPE_CHECKING:
    from modcog.settings import BatterySettings
    from modcog.tasks.names import TaskSpec
    from modcog.trials.tables import Tables

INTERVAL_MS = tuple(float(ms) for ms in range(0, 1200, 100))
DECISION_INTERVAL_MS = 500.0

_FAMILY = {row.name: row.family for row in YANG19}  # a user's own base task keeps its trials, labels aside
_KEEPS_DELAY = "keeps_delay"
_NUMBER = "number"  # among the 132: a task's delay must not depend on which others are in the battery
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
            return replace(row, draw=draw_go)  # P3
        if _FAMILY.get(row.name) == "decision":
            return replace(row, draw=draw_decision, noise="all", alternatives=decision.all_strength_rows)  # P8, P10
        if _FAMILY.get(row.name) == "match":
            kept = {_KEEPS_DELAY: not spec.interval, _NUMBER: TASKS.index(spec.name)}
            return replace(row, draw=draw_match, params={**row.params, **kept})  # P5, P7
        return row

    def interval_timing(self, row: Base) -> Timing:
        """P3, P4, P6: zero-length delays in the go and match families, and always 500 ms in the decision family."""
        if _FAMILY.get(row.name) == "decision":
            return DECISION_INTERVAL_MS
        return ("choice", INTERVAL_MS) if _FAMILY.get(row.name) in ("go", "match") else super().interval_timing(row)

    def sequence_timing(self, row: Base) -> Timing:
        """P9: the reaction-time tasks keep their decision of 500 ms."""
        return row.periods["decision"] if row.name in ("rtgo", "rtanti") else super().sequence_timing(row)

    def draw_durations(
        self,
        tables: Tables,
        task: NDArray[np.integer],
        rng: np.random.Generator,
        seed: Seed,
        given: Mapping[str, NDArray[Any]] | None = None,
    ) -> Durations:
        """P5: match tasks without interval keep one delay per modality for a whole call, stream or environment."""
        modality = rng.integers(1, 3, len(task))
        if given and "modality" in given:  # anything but 1 or 2 is refused later
            modality = np.where(np.isin(given["modality"], (1, 2)), given["modality"], modality).astype(np.int64)
        durations = super().draw_durations(tables, task, rng, seed)
        if draw_match not in tables.draws:
            return durations
        match_group = tables.draws.index(draw_match)
        durations.presets["modality"] = np.where(tables.group[task] == match_group, modality, -1)
        if "delay" in tables.settings.timing:
            return durations
        params = tables.params[match_group]
        trial = np.flatnonzero(params[_KEEPS_DELAY][task])
        u = seed.rng(Part.KEPT).random((len(TASKS), 2))
        kept = u[params[_NUMBER][task[trial]], modality[trial] - 1]
        low, span = tables.timing.low[task[trial], _DELAY_SLOT], tables.timing.span[task[trial], _DELAY_SLOT]
        durations.ms[trial, _DELAY_SLOT] = low + kept * span
        durations.steps = whole_steps(durations.ms, tables.settings.dt)
        return durations

    def interval_ms(self, durations: Durations, settings: BatterySettings) -> NDArray[np.floating]:
        """T is the nominal duration, before rounding to steps."""
        return durations.ms

    def interval_moves_target(self, row: Base) -> bool:
        """P3: in the go family the stimulus stands elsewhere instead."""
        return _FAMILY.get(row.name) != "go"

    def move(
        self,
        target: NDArray[np.integer],
        sign: NDArray[np.integer],
        ms: NDArray[np.floating],
        settings: BatterySettings,
    ) -> NDArray[np.integer]:
        """P6: floor((target ± omega · T) mod n), which differs from the corrected move where omega · T is not whole."""
        moved = np.floor(target + sign * settings.omega * ms + SLACK).astype(np.int64)
        return moved % settings.dim_ring

    def label(
        self, target: NDArray[np.integer], moved: NDArray[np.integer] | int, dim_ring: int
    ) -> NDArray[np.integer]:
        """P1: the last direction is labelled 0, and label n never occurs."""
        return (1 + target + moved) % dim_ring


def draw_go(t: Draw) -> Outcome:
    """P3: the target is drawn, and with an interval the stimulus stands off the grid, omega · T radians from it."""
    target = t.integers("target", 0, t.dim_ring)
    modality = t.integers("modality", 1, 3)
    radians = t.interval_sign * t.settings.omega * t.interval_ms
    place = target + radians * t.dim_ring / (2 * np.pi) + t.param("anti") * (t.dim_ring // 2)
    return Outcome(target, [Stimulus(0, modality, t.follows("direction", place % t.dim_ring))])


def draw_decision(t: Draw) -> Outcome:
    """P10: ties are kept, and a coin decides which direction is called right."""
    direction1, direction2, strength = decision.conditions(t)
    advantage = decision.advantage_of_first(t, strength)
    coin = t.integers("coin", 1, 3)
    first = np.where(np.abs(advantage) <= decision.TIE, coin == 1, advantage > 0)
    return decision.outcome(direction1, direction2, strength, first)


def draw_match(t: Draw) -> Outcome:
    """P7: direction n/2 is in the first category as a sample and in the second as a test."""
    return match.draw(t, sample_category=lambda sample, half: (sample > half).astype(np.int64))
