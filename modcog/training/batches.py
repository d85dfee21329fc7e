"""Training batches by number: batch i depends on the seed and i alone, so a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.battery import Battery
from modcog.data.stream import Stream
from modcog.training.config import TrainConfig
from modcog.trials.source import Seed, TrialSource
from modcog.trials.trials import IGNORE, Trials

_TRAIN, _HELD_OUT = 11, 12  # set the random numbers of training and of evaluation apart

ROUND = 2048
"""Trials that are drawn at once: several batches, since a few trials cost as much as a few hundred."""

TOGETHER = 64
"""Trials that go through the network side by side: enough to fill a processor."""


@dataclass(frozen=True)
class Part:
    """Sequences that go through the network together, time first.

    Attributes:
        observations: (T, B, C) float32, zero in padding.
        labels: (T, B) int64, −100 in padding.
        weights: (T, B) float32, what each step counts in the loss; 0 in padding.
    """

    observations: Tensor
    labels: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Batch:
    """One update's data.

    Attributes:
        parts: its sequences, those of similar length together, so that little is spent on padding.
        weight: sum of all weights.
        n_trials: trials in it.
    """

    parts: tuple[Part, ...]
    weight: float
    n_trials: int


def make_batches(config: TrainConfig, battery: Battery, rank: int = 0, ranks: int = 1) -> Callable[[int], Batch]:
    """The function from an update's number to its batch, in process ``rank`` of ``ranks``; no two have the same."""
    if config.data is not None:
        from modcog.training.exported import Exported

        return Exported(config, rank, ranks)
    if config.layout == "stream":
        return _streams(config, battery, rank, ranks)
    return _Live(config, battery, rank, ranks)


class _Live:
    """Trials fresh from the generator, several batches at a time."""

    def __init__(self, config: TrainConfig, battery: Battery, rank: int, ranks: int) -> None:
        self.config, self.size = config, config.batch_size
        self.rank, self.ranks = rank, ranks
        self.in_round = max(1, ROUND // config.batch_size)
        plain = battery.settings.model_copy(update={"rule_input": False})  # by_length adds it, which is faster
        self.source = TrialSource(Battery.from_settings(plain).tables, Seed.of(config.seed, _TRAIN))
        self.number: int | None = None

    def __call__(self, index: int) -> Batch:
        number, place = divmod(index, self.in_round)
        if number != self.number:
            block = number * self.ranks + self.rank
            self.number, self.trials = number, self.source.block(block, n=self.in_round * self.size)
        return by_length(self.trials, np.arange(place * self.size, (place + 1) * self.size), self.config)


def _streams(config: TrainConfig, battery: Battery, rank: int, ranks: int) -> Callable[[int], Batch]:
    stream = Stream(battery, config.batch_size, config.seq_len, config.seed, key=(_TRAIN,))
    decision_slot = battery.tables.decision_slot

    def batch(index: int) -> Batch:
        index = index * ranks + rank
        drawn = stream.draw(index)
        observations, labels = stream.paint(drawn, index)
        steps = drawn.durations.steps
        late = np.arange(steps.shape[1]) >= decision_slot[drawn.task][:, None]
        decision = np.repeat(late.ravel(), steps.ravel()).reshape(labels.T.shape).T
        weights = np.where(decision, config.decision_weight, 1.0).astype(np.float32)
        part = Part(torch.from_numpy(observations), torch.from_numpy(labels), torch.from_numpy(weights))
        return Batch((part,), float(weights.sum()), len(drawn.task))

    return batch


def by_length(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Batch:
    """The chosen ones, (B,), of trials without rule input, as a batch: the short in one part, the long in another."""
    order = chosen[np.argsort(trials.lengths[chosen], kind="stable")]
    parts = tuple(_padded(trials, part, config) for part in np.array_split(order, -(-len(order) // TOGETHER)))
    return Batch(parts, float(sum(part.weights.sum() for part in parts)), len(order))


def _padded(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Part:
    """The chosen trials side by side, padded at their ends."""
    length, start = trials.lengths[chosen], trials.decision_start[chosen]
    step = np.arange(length.max())[:, None]
    padding = step >= length
    row = np.where(padding, 0, trials.offsets[chosen] + step)
    observations = trials.packed_observations.take(row.ravel(), axis=0).reshape(*row.shape, -1)
    labels = trials.packed_labels.take(row)
    weights = np.where(step >= start, np.float32(config.decision_weight), np.float32(1))
    observations[padding], labels[padding], weights[padding] = 0, IGNORE, 0
    if config.rule_input:
        observations = with_rule(observations, trials.task[chosen], ~padding, len(trials.tasks))
    return Part(torch.from_numpy(observations), torch.from_numpy(labels), torch.from_numpy(weights))


def with_rule(
    observations: NDArray[np.float32], task: NDArray[np.integer], there: NDArray[np.bool_], n_tasks: int
) -> NDArray[np.float32]:
    """Observations (T, B, C) with a one-hot column per task after them, (T, B, C + n_tasks).

    Args:
        observations: without.
        task: (B,) or (T, B), the task of each step.
        there: (T, B), False in padding.
        n_tasks: number of columns.
    """
    steps, lanes, channels = observations.shape
    found = np.zeros((steps, lanes, channels + n_tasks), np.float32)
    found[..., :channels] = observations
    found[np.arange(steps)[:, None], np.arange(lanes), channels + task] = there
    return found


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """The fixed trials that a run is evaluated on: as many of each task, from random numbers of their own."""
    tasks = np.repeat(np.arange(len(battery.tasks)), config.eval_trials)
    return TrialSource(battery.tables, Seed.of(config.seed, _HELD_OUT)).take(len(tasks), tasks)
