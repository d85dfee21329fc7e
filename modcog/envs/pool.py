"""The trials of many copies of an environment in one set of arrays, and what an action earns at each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.envs.options import EnvOptions
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource

FREE, GUARDED, RESPOND, HOLD, SEQUENCE = range(5)
"""What a step asks for: nothing; fixation, under penalty; one response; fixation to the end; a response every step."""


class Pool:
    """The current block of trials of each copy ("lane"), packed one after the other, and where each lane stands.

    Args:
        battery: of one task.
        options: of the environment.
        lanes: number of copies L. Their seeds come from the operating system until they are given others.
    """

    _observation: NDArray[np.float32]
    _label: NDArray[np.int64]
    _code: NDArray[np.int64]
    _parts: NDArray[np.float64]

    def __init__(self, battery: Battery, options: EnvOptions, lanes: int) -> None:
        self.battery, self.options, self.lanes = battery, options, lanes
        self.zeros = np.zeros(battery.n_channels, np.float32)
        self._reward, self._ends, self._performs = outcome_tables(options)
        self._sources = [TrialSource(battery.tables, Seed.of(None, Purpose.SAMPLE)) for _ in range(lanes)]
        self._number = np.full(lanes, -1)
        self._place, self._size = np.full(lanes, -1), np.zeros(lanes, np.int64)
        self._blocks: list[Trials | None] = [None] * lanes
        self._first: NDArray[np.int64] = np.zeros((lanes, 0), np.int64)
        self._position: NDArray[np.int64] = np.zeros(lanes, np.int64)
        self._right = np.zeros(lanes)
        self._allocate(0)

    def seed(self, seeds: list[int | None]) -> None:
        """Start each lane's sequence of trials; the next ``advance`` goes to its first. None: the lane's goes on."""
        for lane, seed in enumerate(seeds):
            if seed is not None:
                self._sources[lane] = TrialSource(self.battery.tables, Seed.of(seed, Purpose.SAMPLE))
                self._number[lane], self._place[lane], self._size[lane] = -1, -1, 0

    def _allocate(self, capacity: int) -> None:
        """Make room for ``capacity`` steps in each lane, keeping what is there; the last row stays zeros."""
        rows = self.lanes * capacity + 1
        old, self._capacity = getattr(self, "_capacity", 0), capacity
        arrays: dict[str, NDArray[Any]] = {
            "_observation": np.zeros((rows, self.battery.n_channels), np.float32),
            "_label": np.zeros(rows, np.int64),
            "_code": np.zeros(rows, np.int64),
            "_parts": np.ones(rows),
        }
        for name, new in arrays.items():
            if old and capacity:
                lanes = new[:-1].reshape(self.lanes, capacity, *new.shape[1:])
                lanes[:, :old] = getattr(self, name)[:-1].reshape(self.lanes, old, *new.shape[1:])
            setattr(self, name, new)
        if old and capacity:
            shift = np.arange(self.lanes) * (capacity - old)
            blank = self._position == self.lanes * old
            self._first += shift[:, None]
            self._position = np.where(blank, rows - 1, self._position + shift)

    def _refill(self, lane: int) -> None:
        """Bring the lane's next block of trials into the arrays."""
        self._number[lane] += 1
        self._place[lane] = 0
        trials = self._blocks[lane] = self._sources[lane].block(int(self._number[lane]))
        steps = len(trials.packed_labels)
        if steps > self._capacity:
            self._allocate(int(steps * 1.1))
        start = lane * self._capacity
        span = slice(start, start + steps)
        self._observation[span] = trials.packed_observations
        self._label[span] = trials.packed_labels
        self._code[span], self._parts[span] = step_codes(self.battery, trials)
        self._size[lane] = len(trials)
        if len(trials) > self._first.shape[1]:
            self._first = np.pad(self._first, ((0, 0), (0, len(trials) - self._first.shape[1])))
        self._first[lane, : len(trials)] = start + trials.offsets[:-1]

    def observations(self) -> NDArray[np.float32]:
        """The current observation of each lane, (L, C); a new array."""
        return self._observation.take(self._position, axis=0)

    def judge(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Judge an action in each lane: the right action, the reward, and whether the trial ends, (L,) each."""
        position = self._position
        label = self._label.take(position)
        code = self._code.take(position)
        outcome = code * 4 + (actions == label) * 2 + (actions != 0)
        parts = self._parts.take(position)
        self._right += self._performs.take(outcome)
        return label, self._reward.take(outcome) / parts, self._ends.take(outcome)

    def step(self, go_on: NDArray[np.bool_]) -> None:
        """Move the lanes in the mask ``go_on``, (lanes,), one step."""
        self._position += go_on

    def advance(self, lanes: NDArray[np.intp]) -> None:
        """Begin the next trial in ``lanes``, (k,) numbers of lanes."""
        self._place[lanes] += 1
        for lane in lanes[self._place[lanes] == self._size[lanes]].tolist():
            self._refill(lane)
        self._position[lanes] = self._first[lanes, self._place[lanes]]
        self._right[lanes] = 0

    def blank(self, lanes: NDArray[np.intp]) -> None:
        """Let ``lanes``, (k,) numbers of lanes, stand at an observation of zeros until they advance."""
        self._position[lanes] = len(self._label) - 1

    def performance(self, lanes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Performance in the trials that are ending in ``lanes``, (k,) numbers of lanes: (k,) from 0 to 1."""
        return self._right[lanes] / self._parts[self._position[lanes]]

    def trial_of(self, lane: int) -> dict[str, Any]:
        """Conditions of the lane's current trial."""
        return self._blocks[lane].rows[self._place[lane]]  # type: ignore[union-attr]


def step_codes(battery: Battery, trials: Trials) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What each step of ``trials`` asks for, and how many steps share its reward.

    Returns:
        (S,) twice the code above, plus 1 at a trial's last step; and (S,) the number of steps.
    """
    tables, steps = battery.tables, trials.lengths
    published = tables.rules.name == "published"
    sequence = bool(tables.sequence_sign[0]) and not published
    trial = np.repeat(np.arange(len(steps)), steps)
    place = np.arange(len(trial)) - trials.offsets[trial]
    hold = (trials.conditions["respond"] == 0) & (not published)
    decision = np.where(hold, HOLD, SEQUENCE if sequence else RESPOND)
    guarded = place < trials.conditions["steps_fixation"][trial] if published else True
    before = np.where(guarded, GUARDED, FREE)
    code = np.where(place < trials.decision_start[trial], before, decision[trial])
    parts = np.where(code == SEQUENCE, (steps - trials.decision_start)[trial], 1.0)
    return 2 * code + (place == steps[trial] - 1), parts


def outcome_tables(options: EnvOptions) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Reward, end of the trial and right or not, (40,), by (2 · code + last) · 4 + 2 · right + responded."""
    earned = options.rewards
    reward, ends, performs = np.zeros((5, 2, 2, 2)), np.zeros((5, 2, 2, 2), np.bool_), np.zeros((5, 2, 2, 2))
    reward[GUARDED, :, :, 1] = earned.abort
    ends[GUARDED, :, :, 1] = options.abort
    reward[RESPOND, :, 0, 1], reward[RESPOND, :, 1, 1] = earned.fail, earned.correct
    ends[RESPOND, :, :, 1] = True
    performs[RESPOND, :, 1, 1] = 1
    reward[HOLD, :, :, 1], reward[HOLD, 1, :, 0] = earned.fail, earned.correct
    ends[HOLD, :, :, 1] = True
    performs[HOLD, 1, :, 0] = 1
    reward[SEQUENCE, :, 0], reward[SEQUENCE, :, 1] = earned.fail, earned.correct
    performs[SEQUENCE, :, 1] = 1
    ends[:, 1] = True
    return reward.ravel(), ends.ravel(), performs.ravel()
