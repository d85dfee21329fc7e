"""Hidden states over trials of a battery: what every other file here reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modcog.analysis.network import Network, battery_for, opened, states_of
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.errors import ModcogError, unknown
from modcog.evaluation.network import check_trials_apart
from modcog.plot import dim_ring
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, is_missing, join_by_task
from modcog.trials.source import per_task

CHUNK = 512
"""Trials that are run at once, at most."""

APART = 16
"""Trials that are run again beside others, to see whether that makes a difference."""

SEEN_FIRST = ("direction", "direction1", "sample_direction")
"""Conditions that hold the direction of a trial's first stimulus, by family."""


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """A network's states at every step of some trials.

    Attributes:
        trials: n trials, with S steps in all.
        packed: (S, N) the states of N units, step after step as in ``trials.packed_observations``.
    """

    trials: Trials
    packed: NDArray[Any]

    @classmethod
    def of(cls, network: Network, trials: Trials, seed: int = 0) -> HiddenStates:
        """Run a network over given trials, each from the state it starts in.

        Args:
            network: a module or a function; see ``modcog.analysis.network``.
            trials: of the battery that it was trained on.
            seed: of the network's own noise, if it has any.

        Raises:
            ModcogError: if the network gives no states.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Seed.of(seed, Purpose.NETWORK_NOISE).integer())
            parts = [trials[i : i + CHUNK] for i in range(0, len(trials), CHUNK)]
            packed = [states_of(network, part.observations)[part.mask] for part in parts]
            first = parts[0][: min(len(parts[0]), APART)]
            check_trials_apart(partial(states_of, network), first, states_of(network, first.observations), "network")
            return cls(trials, np.concatenate(packed))

    @property
    def n_units(self) -> int:
        """Number of units N."""
        return self.packed.shape[1]

    @property
    def dim_ring(self) -> int:
        """Number of directions n."""
        return dim_ring(self.trials)

    def rows(self, task: str) -> NDArray[np.intp]:
        """(m,) which of the trials are of a task.

        Raises:
            UnknownNameError: if none is.
        """
        names = self.trials.tasks
        there = [names[i] for i in np.unique(self.trials.task)]
        if task not in there:
            raise unknown("task", task, there)
        return np.flatnonzero(self.trials.task == names.index(task))

    def steps(self, task: str, period: str | None = None) -> NDArray[np.int64]:
        """Where the steps of a period are in ``packed``, aligned at its start.

        Args:
            task: whose trials.
            period: ``"delay"``, ``"decision"`` …; None: the whole trial.

        Returns:
            (m, T) for the m trials of the task, T steps being the longest; −1 where a trial's period has ended.

        Raises:
            UnknownNameError: if the task or the period is not there.
            ModcogError: if the period lasts no step in any trial.
        """
        rows, trials = self.rows(task), self.trials
        first, length = trials.offsets[rows], trials.lengths[rows]
        if period is not None:
            periods = trials.periods[trials.tasks.index(task)]
            if period not in periods:
                raise unknown(f"period of {task}", period, periods)
            lasting = np.array([trials.conditions[f"steps_{name}"][rows] for name in periods])
            place = periods.index(period)
            first, length = first + lasting[:place].sum(axis=0), lasting[place]
        step = np.arange(length.max())
        if not len(step):
            raise ModcogError(f"period: {period!r} of {task} lasts no step in these trials")
        return np.where(step < length[:, None], first[:, None] + step, -1)

    def aligned(self, task: str, period: str | None = None) -> NDArray[np.float64]:
        """States of a task's trials aligned at the start of a period, (m, T, N); NaN where ``steps`` has −1."""
        steps = self.steps(task, period)
        return np.where(steps[:, :, None] < 0, np.nan, self.packed[steps].astype(np.float64))

    def clock(self, steps: int) -> NDArray[np.float64]:
        """(T,) ms from the start of the first of T steps to the end of each."""
        return self.trials.dt * (np.arange(steps, dtype=np.float64) + 1)

    def directions(self, task: str, by: str | None = None) -> NDArray[np.int64]:
        """The direction that each trial of a task is filed under, (m,) positions on the ring.

        Args:
            task: whose trials.
            by: the name of a condition: ``"target"``, ``"direction2"`` …; None: the direction of the first stimulus.

        Raises:
            UnknownNameError: if the task has no such condition.
            ModcogError: if the condition is not a whole number.
        """
        rows = self.rows(task)
        columns = {name: column[rows] for name, column in self.trials.conditions.items()}
        allowed = [name for name, column in columns.items() if not is_missing(column).all()]
        if by is None:  # a direction is a place on the ring, but the go family's of the published rules
            by = next((name for name in SEEN_FIRST if name in allowed and _whole(columns[name])), "target")
        if by not in allowed:
            raise unknown(f"condition of {task}", by, allowed)
        if not _whole(columns[by]):
            raise ModcogError(f"by: got {by!r}, which is not a whole number; a direction is")
        return columns[by].astype(np.int64)


def _whole(column: NDArray[Any]) -> bool:
    return column.dtype.kind in "iu"


def hidden_states(
    network: Network,
    battery: Battery | None = None,
    *,
    tasks: Sequence[str] | None = None,
    n_trials: int = 100,
    seed: int = 0,
) -> HiddenStates:
    """Run a network over fresh trials of a battery.

    Args:
        network: the folder of a run; a reference network, or any torch module that gives its states on request; or a
            function from observations (n, T, C) to states (n, T, N). See ``modcog.analysis.network``.
        battery: None: the one that the network was trained on.
        tasks: these of the battery's tasks only; they keep their place in the rule input.
        n_trials: of each task.
        seed: of the trials, and of the network's noise.

    Returns:
        The states, (S, N) for S steps in all.

    Raises:
        ModcogError: if the network gives no states, or there is no battery.
        UnknownNameError: if one of ``tasks`` is not in the battery.
    """
    model = opened(network)
    battery = battery_for(model, battery)
    return HiddenStates.of(model, sample(battery, battery.tasks if tasks is None else tasks, n_trials, seed), seed)


def sample(battery: Battery, tasks: Sequence[str], n_trials: int, seed: int) -> Trials:
    """``n_trials`` trials of each of some of a battery's tasks, which keep their place in the rule input.

    Raises:
        ModcogError: if there are no tasks.
        UnknownNameError: for a task that is not the battery's.
    """
    index = [battery.index(task) for task in tasks]
    if not index:
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    seed_of_trials, n = Seed.of(seed, Purpose.ANALYSIS), check_count("n_trials", n_trials)
    return join_by_task(per_task(battery.tables, seed_of_trials, index, n))


def mean_over_trials(aligned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over trials of aligned states (m, T, N), (T, N); NaN at a step that no trial has."""
    there = np.isfinite(aligned)
    count = there.sum(axis=0)
    return np.divide(np.where(there, aligned, 0).sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
