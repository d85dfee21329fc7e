"""Hidden states over trials of a battery, which all analyses read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modcog.analysis.network import Network, open_network, states_of
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.errors import ModcogError, unknown
from modcog.evaluation.network import check_independence
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, is_missing, join_by_task
from modcog.trials.source import per_task

CHUNK = 512
"""Largest number of trials that a network runs at once."""

Floats = NDArray[np.float64]

APART = 16
"""Number of trials that are run again beside others, to see whether that makes a difference."""


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """States of a network at every step of some trials.

    Attributes:
        trials: n trials, with S steps in all.
        packed: (S, N) states of the N units, step after step as in ``trials.packed_observations``.
    """

    trials: Trials
    packed: NDArray[Any]

    @classmethod
    def of(cls, network: Network, trials: Trials, seed: int = 0) -> HiddenStates:
        """Run a network over given trials, each from the network's initial state.

        Args:
            network: a module or a function; see ``modcog.analysis.network``.
            trials: trials of the battery that it was trained on.
            seed: seed of the network's private noise, if it has any.

        Raises:
            ModcogError: if the network returns no states.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Seed.of(seed, Purpose.NETWORK_NOISE).integer())
            parts = [trials[i : i + CHUNK] for i in range(0, len(trials), CHUNK)]
            packed = [states_of(network, part.observations)[part.mask] for part in parts]
            first = parts[0][: min(len(parts[0]), APART)]
            check_independence(partial(states_of, network), first, states_of(network, first.observations), "network")
            return cls(trials, np.concatenate(packed))

    @property
    def n_units(self) -> int:
        """Number of units N."""
        return self.packed.shape[1]

    def rows(self, task: str) -> NDArray[np.intp]:
        """Return the indices (m,) of a task's trials.

        Raises:
            UnknownNameError: if it has none.
        """
        names = self.trials.tasks
        there = [names[i] for i in np.unique(self.trials.task)]
        if task not in there:
            raise unknown("task", task, there)
        return np.flatnonzero(self.trials.task == names.index(task))

    def steps(self, task: str, period: str | None = None) -> NDArray[np.int64]:
        """Return the indices in ``packed`` of a period's steps, aligned at its start.

        Args:
            task: name of the task.
            period: ``"delay"``, ``"decision"`` …; None: the whole trial.

        Returns:
            (m, T) for the m trials of the task, T steps being the longest; −1 where a trial's period has ended.

        Raises:
            UnknownNameError: if there is no such task or period.
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

    def aligned(self, task: str, period: str | None = None) -> Floats:
        """Return a task's states aligned at the start of a period, (m, T, N); NaN where ``steps`` has −1."""
        steps = self.steps(task, period)
        return np.where(steps[:, :, None] < 0, np.nan, self.packed[steps].astype(np.float64))

    def grouping(self, task: str, by: str | None = None) -> str:
        """Return the name of the condition that a task's trials are grouped by.

        Args:
            task: name of the task.
            by: name of a condition: ``"target"``, ``"direction2"`` …; None: the first direction that the base task
                declares, which is that of its first stimulus; ``"target"`` if it declares none on the ring's grid.

        Raises:
            UnknownNameError: if the task has no such condition.
            ModcogError: if the condition is not a whole number.
        """
        rows, columns = self.rows(task), self.trials.conditions
        present = [c for c in self.trials.declared if not is_missing(columns[c.name][rows]).all()]
        if by is None:
            shown = (c.name for c in present if c.kind == "direction" and c.whole and c.name != "target")
            return next(shown, "target")
        if by not in (names := [c.name for c in present]):
            raise unknown(f"condition of {task}", by, names)
        if not present[names.index(by)].whole:
            raise ModcogError(f"by: got {by!r}, must be a condition that is a whole number, as directions are")
        return by

    def directions(self, task: str, by: str | None = None) -> NDArray[np.int64]:
        """Return the direction that each of a task's m trials is grouped by, (m,), on the ring; see ``grouping``."""
        return self.trials.conditions[self.grouping(task, by)][self.rows(task)].astype(np.int64)


def hidden_states(
    network: Network | HiddenStates,
    battery: Battery | None = None,
    *,
    tasks: Sequence[str] | None = None,
    n_trials: int = 100,
    seed: int = 0,
) -> HiddenStates:
    """Run a network over new trials of a battery.

    Args:
        network: the folder of a run; a reference network, or any torch module that returns its states on request; or a
            function from observations (n, T, C) to states (n, T, N). See ``modcog.analysis.network``. States are
            returned unchanged, whatever the other arguments are.
        battery: None: the one that the network was trained on.
        tasks: some of the battery's tasks, which keep their place in the rule input; None: all.
        n_trials: number of trials of each task.
        seed: seed of the trials and of the network's noise.

    Returns:
        The states, (S, N) for S steps in all.

    Raises:
        ModcogError: if the network returns no states, or there is no battery.
        UnknownNameError: if one of ``tasks`` is not in the battery.
    """
    if isinstance(network, HiddenStates):
        return network
    model = open_network(network)
    battery = getattr(model, "battery", None) if battery is None else battery
    if not isinstance(battery, Battery):
        given = "none" if battery is None else type(battery).__name__
        raise ModcogError(f"battery: got {given}, must be a modcog.Battery; only for a run can it be left out")
    index = [battery.index(task) for task in (battery.tasks if tasks is None else tasks)]
    if not index:
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    trials = per_task(battery.tables, Seed.of(seed, Purpose.ANALYSIS), index, check_count("n_trials", n_trials))
    return HiddenStates.of(model, join_by_task(trials), seed)


def mean_by_direction(
    aligned: Floats, label: NDArray[np.integer], directions: Sequence[int] | NDArray[np.integer]
) -> Floats:
    """Return the mean of states (m, T, N) over each direction's trials, (D, T, N); NaN at steps without a trial."""
    member = (label == np.asarray(directions)[:, None]).astype(np.float64)
    with np.errstate(invalid="ignore"):  # 0 / 0 at steps without a trial
        return np.tensordot(member, np.nan_to_num(aligned), 1) / (member @ np.isfinite(aligned[:, :, 0]))[..., None]
