"""Hidden states of a network over trials of a battery, which all analyses read.

The network is a reference network, the folder of a run, or any network that can return its states.

A torch module follows the protocol of the reference networks: ``forward(x, h0=None, return_states=False)`` takes
observations x (T, B, C) and an initial state (B, N), and with ``return_states=True`` returns (logits, states), the
states after each step, (T, B, N). A true ``batch_first``, of the module or else of one of its parts, puts the batch
first in all but h0. Only fixed points need ``h0``, and states that are the whole state: started from one of them, the
network must continue as it did. Anything but a torch module is a function from observations (n, T, C) to states
(n, T, N).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modcog.battery import Battery
from modcog.checks import check_count
from modcog.errors import ModcogError, unknown
from modcog.evaluation.evaluate import check_independence
from modcog.evaluation.scoring import numbers
from modcog.models.cells import MaskedRNN
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief
from modcog.trials.arrays import Trials, is_missing, join_by_task
from modcog.trials.source import per_task
from modcog.user_code import accepted_options, failures_as, is_batch_first

CHUNK = 512
"""Largest number of trials that a network runs at once."""

Floats = NDArray[np.float64]

Network = str | Path | nn.Module | Callable[[NDArray[np.float32]], Any]
"""A run's folder, a torch module, or a function from observations (n, T, C) to states (n, T, N)."""

PROTOCOL = "its forward must take return_states=True and then return (logits, states), with states (T, B, N)"


@dataclass(frozen=True, eq=False, repr=False)
class HiddenStates(Brief):
    """States of a network at every step of some trials.

    Attributes:
        trials: n trials, with S steps in all.
        packed: (S, N) states of the N units, step after step as in ``trials.packed_observations``.
    """

    trials: Trials
    packed: NDArray[Any]

    @classmethod
    def of(cls, network: Network, trials: Trials, seed: int = 0, private_noise: bool = False) -> HiddenStates:
        """Run a network over given trials, each from the network's initial state.

        Args:
            network: a module or a function; see ``modcog.analysis.states``.
            trials: trials of the battery that it was trained on.
            seed: seed of the network's private noise.
            private_noise: leave the private noise of a ``MaskedRNN`` on, as it was in training.

        Raises:
            ModcogError: if the network returns no states.
        """
        if isinstance(network, MaskedRNN) and network.noise and not private_noise:
            network = copy.deepcopy(network)
            network.noise = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Seed.of(seed, Purpose.NETWORK_NOISE).integer())
            parts = [trials[i : i + CHUNK] for i in range(0, len(trials), CHUNK)]
            packed = [states_of(network, part.observations)[part.mask] for part in parts]
            first = parts[0][:16]  # these run again beside other trials, which must make no difference
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
    private_noise: bool = False,
    trust: bool = False,
) -> HiddenStates:
    """Run a network over new trials of a battery.

    Args:
        network: the folder of a run; a reference network, or any torch module that returns its states on request; or a
            function from observations (n, T, C) to states (n, T, N). See ``modcog.analysis.states``. States are
            returned unchanged, whatever the other arguments are.
        battery: None: the one that the network was trained on.
        tasks: some of the battery's tasks, which keep their place in the rule input; None: all.
        n_trials: number of trials of each task.
        seed: seed of the trials and of the network's noise.
        private_noise: leave the private noise of a ``MaskedRNN`` on. It is off in all analyses, where it would count
            as variance of the units; give them states to have it on.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: if the network returns no states, or there is no such run, or no battery.
        UnknownNameError: if one of ``tasks`` is not in the battery.
        ImportError: for a run, if the packages of the extra ``train`` are not installed.
    """
    if isinstance(network, HiddenStates):
        return network
    model, battery = open_both(network, battery, trust)
    index = [battery.index(task) for task in (battery.tasks if tasks is None else tasks)]
    if not index:
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    trials = per_task(battery.tables, Seed.of(seed, Purpose.ANALYSIS), index, check_count("n_trials", n_trials))
    return HiddenStates.of(model, join_by_task(trials), seed, private_noise)


def open_network(network: Network, trust: bool = False) -> Any:
    """Return the network itself, loaded if it is the folder of a run; ``trust`` as for ``modcog.load_model``."""
    if not isinstance(network, str | Path):
        return network
    from modcog.training import load_model  # needs the extra ``train``; analyses of other networks do not

    return load_model(network, trust)


def open_both(network: Network, battery: Battery | None, trust: bool = False) -> tuple[Any, Battery]:
    """Return the network, as ``open_network`` does, and the battery that was given or that the run was trained on.

    Raises:
        ModcogError: if there is no battery.
    """
    model = open_network(network, trust)
    battery = getattr(model, "battery", None) if battery is None else battery
    if not isinstance(battery, Battery):
        given = "none" if battery is None else type(battery).__name__
        raise ModcogError(f"battery: got {given}, must be a modcog.Battery; only for a run can it be left out")
    return model, battery


def states_of(network: Any, observations: NDArray[np.float32]) -> NDArray[Any]:
    """Return the states of a network, (n, T, N), for observations (n, T, C), and refuse a network that has none."""
    if isinstance(network, nn.Module):
        if not accepted_options(network.forward, {"return_states": True}):
            raise ModcogError(f"network: {type(network).__name__} returns no hidden states; {PROTOCOL}")
        module = copy.deepcopy(network).eval()
        x = torch.from_numpy(observations).to(next(module.parameters(), torch.empty(0)))
        with torch.no_grad():
            states = numbers(run_module(module, x.transpose(0, 1)).transpose(0, 1))
    elif callable(network):
        with failures_as(f"network: failed on observations of shape (n, T, C) = {observations.shape}"):
            found = network(observations)
        states = numbers(found, "a network must return states (n, T, N)")
    else:
        raise ModcogError(
            f"network: got {type(network).__name__}, must be a torch module, the folder of a run, or a function from "
            "observations (n, T, C) to states (n, T, N)"
        )
    if states.ndim != 3 or states.shape[:2] != observations.shape[:2] or states.dtype.kind != "f":
        raise ModcogError(
            f"network: returned {states.dtype} states of shape {states.shape}, must be (n, T, N) = "
            f"({observations.shape[0]}, {observations.shape[1]}, N) and real"
        )
    if not np.isfinite(states).all():
        raise ModcogError("network: its states are not finite")
    return states


def run_module(module: nn.Module, x: Tensor, h0: Tensor | None = None) -> Tensor:
    """Return the states (T, B, N) of a torch module for x (T, B, C), from the initial state h0 (B, N), or its own.

    Raises:
        ModcogError: if it fails or returns no states.
    """
    start = {} if h0 is None else {"h0": h0}
    given = f"{x.dtype} observations of shape (T, B, C) = {tuple(x.shape)}{' and h0 (B, N)' if start else ''}"
    batch_first = is_batch_first(module)
    with failures_as(f"network: failed on {given}; {PROTOCOL}"):
        output = module(x.transpose(0, 1) if batch_first else x, **start, return_states=True)
    states = output[1] if isinstance(output, tuple) and len(output) == 2 else None
    if not isinstance(states, Tensor) or states.ndim != 3:
        raise ModcogError(f"network: returned no hidden states when asked for them; {PROTOCOL}")
    return states.transpose(0, 1) if batch_first else states


def mean_by_direction(aligned: Floats, label: NDArray[np.integer], directions: NDArray[np.integer]) -> Floats:
    """Return the mean of states (m, T, N) over each direction's trials, (D, T, N); NaN at steps without a trial."""
    member = (label == directions[:, None]).astype(np.float64)
    with np.errstate(invalid="ignore"):  # 0 / 0 at steps without a trial
        return np.tensordot(member, np.nan_to_num(aligned), 1) / (member @ np.isfinite(aligned[:, :, 0]))[..., None]
