"""Minibatches by number: minibatch i depends on the seed and i alone, so that a run can resume where it stopped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from modcog.battery import Battery
from modcog.seeds import Purpose, Seed
from modcog.training.config import TrainConfig
from modcog.training.exported import ExportedBatches
from modcog.training.tensors import ROUND, Microbatch, Minibatch, pad_trials, step_weights
from modcog.trials.arrays import Trials, join_by_task
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream

Batches = Callable[[int], Minibatch]


def make_batches(config: TrainConfig, battery: Battery, rank: int = 0, ranks: int = 1) -> Batches:
    """Return the function from an update's number to its minibatch, in process ``rank`` of ``ranks``.

    No two processes get the same trials.
    """
    if config.data is not None:
        return ExportedBatches(config, rank, ranks)
    return (_stream_batches if config.layout == "stream" else _LiveBatches)(config, battery, rank, ranks)


class _LiveBatches:
    """Single trials from the generator, drawn for several minibatches at once."""

    def __init__(self, config: TrainConfig, battery: Battery, rank: int, ranks: int) -> None:
        self.config, self.rank, self.ranks = config, rank, ranks
        self.in_round = max(1, ROUND // config.batch_size)
        plain = battery.replace(rule_input=False)
        self.source = TrialSource(plain.tables, Seed.of(config.seed, Purpose.TRAINING))
        self.round: int | None = None

    def __call__(self, index: int) -> Minibatch:
        size = self.config.batch_size
        number, place = divmod(index, self.in_round)
        if number != self.round:
            block = number * self.ranks + self.rank
            self.round, self.trials = number, self.source.block(block, n=self.in_round * size)
        return pad_trials(self.trials, np.arange(place * size, (place + 1) * size), self.config)


def _stream_batches(config: TrainConfig, battery: Battery, rank: int, ranks: int) -> Batches:
    """Return the function that makes a minibatch of trials back to back in lanes."""
    stream = Stream(battery.tables, Seed.of(config.seed, Purpose.TRAINING), config.batch_size, config.seq_len)
    decision_slot = battery.tables.decision_slot

    def batch(index: int) -> Minibatch:
        index = index * ranks + rank
        drawn = stream.draw(index)
        observations, labels = stream.paint(drawn, index)
        steps = drawn.durations.steps
        late = np.arange(steps.shape[1]) >= decision_slot[drawn.task][:, None]
        decision = np.repeat(late.ravel(), steps.ravel()).reshape(labels.T.shape).T
        arrays = (observations, labels, step_weights(decision, config))
        return Minibatch((Microbatch(*map(torch.from_numpy, arrays)),), len(drawn.task))

    return batch


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """Draw the fixed trials that a run is evaluated on, ``eval_trials`` of each task."""
    seed = Seed.of(config.seed, Purpose.HELD_OUT)
    return join_by_task(battery.blocks(seed, per_task=config.eval_trials))
