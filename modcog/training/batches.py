"""Training batches by number: batch i depends on the seed and i alone, so a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from modcog.battery import Battery
from modcog.seeds import Purpose, Seed
from modcog.training.batch import ROUND, Batch, Part, by_length
from modcog.training.config import TrainConfig
from modcog.training.exported import Exported
from modcog.trials.arrays import Trials, join_by_task
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream


def make_batches(config: TrainConfig, battery: Battery, rank: int = 0, ranks: int = 1) -> Callable[[int], Batch]:
    """The function from an update's number to its batch, in process ``rank`` of ``ranks``; no two have the same."""
    if config.data is not None:
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
        plain = battery.replace(rule_input=False)  # by_length adds it, which is faster
        self.source = TrialSource(plain.tables, Seed.of(config.seed, Purpose.TRAINING))
        self.number: int | None = None

    def __call__(self, index: int) -> Batch:
        number, place = divmod(index, self.in_round)
        if number != self.number:
            block = number * self.ranks + self.rank
            self.number, self.trials = number, self.source.block(block, n=self.in_round * self.size)
        return by_length(self.trials, np.arange(place * self.size, (place + 1) * self.size), self.config)


def _streams(config: TrainConfig, battery: Battery, rank: int, ranks: int) -> Callable[[int], Batch]:
    stream = Stream(battery.tables, Seed.of(config.seed, Purpose.TRAINING), config.batch_size, config.seq_len)
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


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """The fixed trials that a run is evaluated on: as many of each task, from random numbers of their own."""
    seed = Seed.of(config.seed, Purpose.HELD_OUT)
    return join_by_task(battery.blocks(seed, per_task=config.eval_trials))
