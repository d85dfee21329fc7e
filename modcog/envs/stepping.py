"""The rules of stepping: the demand of each step of a trial, and the outcome of each action there.

The single environment looks its steps up one by one, the ``Pool`` of the vector environment those of all its copies at
once.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.envs.options import EnvOptions
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource
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
    periods = trials.periods[0]
    guarded = periods[: periods.index("fixation") + 1] if "fixation" in periods else ()  # a user's task may lack it
    fixation = sum(trials.conditions[f"steps_{period}"] for period in guarded)
    trial = np.repeat(np.arange(len(trials)), trials.lengths)
    place = np.arange(len(trial)) - trials.offsets[trial]
    late = place >= np.broadcast_to(fixation, len(trials))[trial]
    in_decision = place >= trials.decision_start[trial]
    demand = np.where(in_decision, decision[trials.conditions["respond"]][trial], before[late.astype(np.intp)])
    shares = np.where(demand == SEQUENCE, (trials.lengths - trials.decision_start)[trial], 1.0)
    return demand + 4 * (place == trials.lengths[trial] - 1), shares


class Pool:
    """The current block of trials of each copy ("lane") and the step at which each lane stands.

    Every array has ``width`` places for each lane, one lane after the other. A lane's first place is blank: zeros that
    it shows between two episodes. From the second on follow the steps of its trials, back to back. So trials begin and
    end by changes of numbers, for all lanes at once, and only a lane that is at the end of its block copies arrays.

    Args:
        battery: of one task.
        options: of the environment.
        lanes: number of copies L. Their seeds come from the operating system until they are given others.
    """

    def __init__(self, battery: Battery, options: EnvOptions, lanes: int) -> None:
        self.tables, self.lanes = battery.tables, lanes
        rewards = options.rewards.model_dump()
        self._reward = np.array([rewards.get(earned, 0.0) for earned, _, _ in OUTCOMES])
        self._ends = np.array([ends or (options.abort and earned == "abort") for earned, ends, _ in OUTCOMES])
        self._counts = np.array([right for _, _, right in OUTCOMES], float)
        self._sources = [TrialSource(self.tables, Seed.of(None, Purpose.SAMPLE)) for _ in range(lanes)]
        self._blocks: list[Trials | None] = [None] * lanes
        self._number, self._trial = np.full(lanes, -1), np.full(lanes, -1)
        self._size: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._first: NDArray[np.int64] = np.zeros((lanes, 0), np.int64)  # place of each trial's first step
        self._position: NDArray[np.int64] = np.arange(lanes)
        self._right = np.zeros(lanes)
        self._width = 1
        self._observation: NDArray[np.float32] = np.zeros((lanes, battery.n_channels), np.float32)
        self._label: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._demand: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._shares = np.ones(lanes)

    def seed(self, seeds: list[int | None]) -> None:
        """Start each lane's sequence of trials; the next ``advance`` goes to its first. None: the lane's goes on."""
        for lane, seed in enumerate(seeds):
            if seed is not None:
                self._sources[lane] = TrialSource(self.tables, Seed.of(seed, Purpose.SAMPLE))
                self._number[lane], self._trial[lane], self._size[lane] = -1, -1, 0

    def _widen(self, width: int) -> None:
        """Give each lane ``width`` places, keeping what is there."""
        lanes, old = self.lanes, self._width
        for name in ("_observation", "_label", "_demand", "_shares"):
            rows = getattr(self, name).reshape(lanes, old, -1)
            wider = np.pad(rows, ((0, 0), (0, width - old), (0, 0)))
            setattr(self, name, wider.reshape(lanes * width, *getattr(self, name).shape[1:]))
        shift = np.arange(lanes) * (width - old)
        self._first += shift[:, None]
        self._position += shift
        self._width = width

    def _refill(self, lane: int) -> None:
        """Copy the lane's next block of trials into the arrays."""
        self._number[lane] += 1
        self._trial[lane] = 0
        trials = self._blocks[lane] = self._sources[lane].block(int(self._number[lane]))
        n, steps = len(trials), len(trials.packed_labels)
        if steps >= self._width:
            self._widen(1 + int(steps * 1.1))
        start = lane * self._width + 1
        span = slice(start, start + steps)
        self._observation[span], self._label[span] = trials.packed_observations, trials.packed_labels
        self._demand[span], self._shares[span] = step_demands(self.tables, trials)
        self._size[lane] = n
        if n > self._first.shape[1]:
            self._first = np.pad(self._first, ((0, 0), (0, n - self._first.shape[1])))
        self._first[lane, :n] = start + trials.offsets[:-1]

    def observations(self, lanes: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the current observations of k lanes (None: of all), (k, C); a new array."""
        return self._observation.take(self._position if lanes is None else self._position[lanes], axis=0)

    def judge(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Judge an action in each lane: return the right action, the reward, and if the trial ends, (L,) each."""
        position = self._position
        label = self._label.take(position)
        outcome = self._demand.take(position) + (actions == label) * 2 + (actions != 0)
        self._right += self._counts.take(outcome)
        return label, self._reward.take(outcome) / self._shares.take(position), self._ends.take(outcome)

    def step(self, going_on: NDArray[np.bool_]) -> None:
        """Move the lanes in the mask ``going_on``, (L,), one step."""
        self._position += going_on

    def advance(self, lanes: NDArray[np.intp]) -> None:
        """Begin the next trial in ``lanes``, (k,) numbers of lanes."""
        self._trial[lanes] += 1
        for lane in lanes[self._trial[lanes] == self._size[lanes]].tolist():
            self._refill(lane)
        self._position[lanes] = self._first[lanes, self._trial[lanes]]
        self._right[lanes] = 0

    def blank(self, lanes: NDArray[np.intp]) -> None:
        """Let ``lanes``, (k,) numbers of lanes, show zeros until they advance."""
        self._position[lanes] = lanes * self._width

    def performance(self, lanes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the performance, 0 to 1, in the trials that are ending in ``lanes``, (k,) numbers of lanes: (k,)."""
        return self._right[lanes] / self._shares[self._position[lanes]]

    def trial_of(self, lane: int) -> dict[str, Any]:
        """Return the conditions of the lane's current trial."""
        return self._blocks[lane].rows[self._trial[lane]]  # type: ignore[union-attr]
