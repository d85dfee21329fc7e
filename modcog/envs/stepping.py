"""The rules of stepping: the demand of each step of a trial, and the outcome of each action there.

The single environment looks its steps up one by one, the vector environment those of all its copies at once.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from modcog.trials.arrays import Trials
from modcog.trials.tables import Tables

FREE, GUARDED, RESPOND, HOLD, SEQUENCE = range(0, 40, 8)
"""Demands: none; fixation, under penalty; one response; fixation to the end; a response at every step."""


def _outcome(demand: int, last: bool, right: bool, responded: bool) -> tuple[str, bool, bool]:
    """Return the reward that an action earns, by name, and that it ends the trial, and counts as right."""
    if demand == SEQUENCE:
        return ("correct" if right else "fail"), last, right
    if demand == HOLD and (responded or last):
        return ("fail" if responded else "correct"), True, not responded
    if demand == RESPOND and responded:
        return ("correct" if right else "fail"), True, right
    return ("abort" if demand == GUARDED and responded else ""), last, False


_EITHER = (False, True)

OUTCOMES = [_outcome(*case) for case in product((FREE, GUARDED, RESPOND, HOLD, SEQUENCE), _EITHER, _EITHER, _EITHER)]
"""Outcomes by demand + 4 · last + 2 · right + responded: a step of many copies has no time for the function above."""


def demands(tables: Tables) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the demands of the one task of ``tables``.

    Returns:
        Before the decision: to the end of the period named fixation, and after it. In the decision: of a trial that
        asks to hold fixation, and of one that asks for a response.
    """
    if tables.rules.name == "published":  # P11
        return (GUARDED, FREE), (RESPOND, RESPOND)
    return (GUARDED, GUARDED), (HOLD, SEQUENCE if tables.sequence_sign[0] else RESPOND)


def step_demands(tables: Tables, trials: Trials) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return demand + 4 · last of each of S steps, (S,), and the number of steps that share its reward, (S,)."""
    before, decision = (np.array(codes) for codes in demands(tables))
    fixation = sum(trials.conditions[f"steps_{period}"] for period in _until_fixation(trials.periods[0]))
    trial = np.repeat(np.arange(len(trials)), trials.lengths)
    place = np.arange(len(trial)) - trials.offsets[trial]
    late = place >= np.broadcast_to(fixation, len(trials))[trial]
    in_decision = place >= trials.decision_start[trial]
    demand = np.where(in_decision, decision[trials.conditions["respond"]][trial], before[late.astype(np.intp)])
    shares = np.where(demand == SEQUENCE, (trials.lengths - trials.decision_start)[trial], 1.0)
    return demand + 4 * (place == trials.lengths[trial] - 1), shares


def _until_fixation(periods: tuple[str, ...]) -> tuple[str, ...]:
    """Return the periods up to the one named fixation; a task of a user's may have none of that name."""
    return periods[: periods.index("fixation") + 1] if "fixation" in periods else ()
