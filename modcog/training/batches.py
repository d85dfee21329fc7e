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

ROUND = 1024
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
        self.size, self.decision_weight = config.batch_size, config.decision_weight
        self.rank, self.ranks = rank, ranks
        self.in_round = max(1, ROUND // config.batch_size)
        self.source = TrialSource(battery.tables, Seed.of(config.seed, _TRAIN))
        self.number: int | None = None

    def __call__(self, index: int) -> Batch:
        number, place = divmod(index, self.in_round)
        if number != self.number:
            block = number * self.ranks + self.rank
            self.number, self.trials = number, self.source.block(block, n=self.in_round * self.size)
        return by_length(self.trials[place * self.size : (place + 1) * self.size], self.decision_weight)


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


def by_length(trials: Trials, decision_weight: float, chosen: NDArray[np.integer] | None = None) -> Batch:
    """Trials, all or the chosen ones, as a batch: the shortest in one part, the longest in another."""
    length = trials.lengths if chosen is None else trials.lengths[chosen]
    rank = np.argsort(length, kind="stable")
    order = rank if chosen is None else chosen[rank]
    parts = tuple(_padded(trials, part, decision_weight) for part in np.array_split(order, -(-len(order) // TOGETHER)))
    return Batch(parts, float(sum(part.weights.sum() for part in parts)), len(order))


def _padded(trials: Trials, chosen: NDArray[np.integer], decision_weight: float) -> Part:
    """The chosen trials side by side, padded at their ends."""
    length, start = trials.lengths[chosen], trials.decision_start[chosen]
    step = np.arange(length.max())[:, None]
    padding = step >= length
    row = np.where(padding, 0, trials.offsets[chosen] + step)
    observations, labels = trials.packed_observations[row], trials.packed_labels[row]
    observations[padding], labels[padding] = 0, IGNORE
    weights = np.where(step >= start, np.float32(decision_weight), np.float32(1))
    weights[padding] = 0
    return Part(torch.from_numpy(observations), torch.from_numpy(labels), torch.from_numpy(weights))


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """The fixed trials that a run is evaluated on: as many of each task, from random numbers of their own."""
    tasks = np.repeat(np.arange(len(battery.tasks)), config.eval_trials)
    return TrialSource(battery.tables, Seed.of(config.seed, _HELD_OUT)).take(len(tasks), tasks)
