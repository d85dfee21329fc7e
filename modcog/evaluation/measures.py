"""The measures that trials are scored by, and the geometry of answers on the ring that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown
from modcog.trials.arrays import Trials


@dataclass(frozen=True)
class Measure:
    """One way to score a trial.

    Attributes:
        column: name of its mean in tables and records.
        label: name in print.
        unit: that values are printed in: ``"%"`` of a share from 0 to 1, ``"°"``, or a condition's own.
    """

    column: str
    label: str
    unit: str = "%"


MEASURES = {
    "decision": Measure("decision_accuracy", "decision accuracy"),
    "trial": Measure("trial_accuracy", "trial accuracy"),
    "last_step": Measure("last_step_accuracy", "last-step accuracy"),
    "directional": Measure("directional_accuracy", "directional accuracy"),
    "angular_error": Measure("angular_error", "angular error", "°"),
    "unanswered": Measure("unanswered", "unanswered"),
    "pooled": Measure("pooled_accuracy", "pooled accuracy"),
}
"""Measures by name; the first is the primary one.

- ``decision``: share of a trial's decision steps whose action equals the label.
- ``trial``: 1 if every decision step is right and no earlier step responds.
- ``last_step``: 1 if the action at the trial's last step equals the label there, as in neurogym's examples.
- ``directional``: 1 if, at the last step, a trial that asks for a response gets one within a tolerance of the label's
  direction, or one that asks for fixation gets none (Yang et al. 2019).
- ``angular_error``: circular distance of action and label in degrees, mean over the decision steps that ask for a
  response and get one; undefined for a trial without such steps.
- ``unanswered``: share of the decision steps that ask for a response and get none; undefined where none asks for one.
- ``pooled``: share of all decision steps of all trials whose action equals the label.
"""

TOLERANCE = 36.0
"""Degrees within which a response counts as directionally accurate: 0.2 π (Yang et al. 2019)."""


def check_tolerance(tolerance: float) -> float:
    """Return a tolerance in degrees.

    Raises:
        ModcogError: unless it is a number from 0 to 180.
    """
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.number) or not 0 <= tolerance <= 180:
        raise ModcogError(f"tolerance: got {shown(tolerance)}, must be degrees from 0 to 180")
    return float(tolerance)


def distances(n_actions: int) -> NDArray[np.float64]:
    """Return the circular distance of every two actions in degrees, (A, A); NaN where one of them holds fixation."""
    ring = n_actions - 1
    steps = np.abs(np.subtract.outer(np.arange(ring), np.arange(ring)))
    found = np.full((n_actions, n_actions), np.nan)
    found[1:, 1:] = np.minimum(steps, ring - steps) * (360 / ring)
    return found


def within(n_actions: int, tolerance: float) -> NDArray[np.bool_]:
    """Return which action is directionally accurate for which label, (A, A); to hold fixation is for label 0 only."""
    found = distances(n_actions) <= tolerance + 1e-9  # 36° is 1.6 positions of 16, but exactly 2 of 20
    found[0, 0] = True
    return found


def values_of(
    actions: NDArray[np.integer], trials: Trials, tolerance: float
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Return the value of each measure but the pooled one in each trial, (n,), and its decision steps, (n,).

    ``actions`` is (n, T), T the length of the longest trial. A value is NaN where a measure is undefined.
    """
    labels, mask, n, ring = trials.labels, trials.mask, len(trials), trials.dim_ring
    decision = mask & (np.arange(mask.shape[1]) >= trials.decision_start[:, None])
    early = ((actions != 0) & mask & ~decision).any(axis=1)
    steps = decision.sum(axis=1)
    trial = np.nonzero(decision)[0]
    action, label = np.minimum(actions[decision], ring + 1), labels[decision]  # actions of no direction are wrong alike

    def per_trial(of_steps: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(trial, of_steps.astype(np.float64), n).astype(np.float64)

    share = per_trial(action == label) / steps
    last = np.cumsum(steps) - 1
    distance, near = (np.full((ring + 2, ring + 2), fill) for fill in (np.nan, False))
    distance[:-1, :-1], near[:-1, :-1] = distances(ring + 1), within(ring + 1, tolerance)
    error = distance[action, label]
    asked, answered = label != 0, ~np.isnan(error)
    with np.errstate(invalid="ignore"):
        values = {
            "decision": share,
            "trial": ((share == 1) & ~early).astype(np.float64),
            "last_step": (action == label)[last].astype(np.float64),
            "directional": near[action[last], label[last]].astype(np.float64),
            "angular_error": per_trial(np.where(answered, error, 0)) / per_trial(answered),
            "unanswered": per_trial(asked & (action == 0)) / per_trial(asked),
        }
    return values, steps
