"""Training batches from an exported data set: epoch after epoch, in an order that the seed decides.

Items are read a round at a time, contiguous, which every format does fast; the rounds come in a new order in each
epoch, and so do the items within a round. What is left over when an epoch is cut into batches is another part of the
data set each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modcog.data.dataset import Split
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.training.batch import ROUND, Batch, Part, by_length, with_rule
from modcog.training.config import TrainConfig
from modcog.trials.arrays import Trials

SPLIT = "train"
"""The split that is trained on."""


class Exported:
    """The function from an update's number to its batch, in process ``rank`` of ``ranks``.

    Raises:
        UnknownNameError: if the data set has no split ``train``.
        ModcogError: if it is not whole, or smaller than a batch.
    """

    def __init__(self, config: TrainConfig, rank: int = 0, ranks: int = 1) -> None:
        from modcog.data import load

        assert config.data is not None
        self.split: Split = load(config.data, rule_input=False)[SPLIT]
        if len(self.split) < config.batch_size:
            raise ModcogError(f"batch_size: got {config.batch_size}, {config.data} has {len(self.split)} to train on")
        self.config, self.rank, self.ranks = config, rank, ranks
        self.round: tuple[int, int] | None = None

    def __call__(self, index: int) -> Batch:
        """The batch of update ``index``."""
        epoch, place = divmod(index * self.ranks + self.rank, len(self.split) // self.config.batch_size)
        order = Order.of(len(self.split), self.config.batch_size, self.config.seed, epoch)
        number, within = order.locate(place)
        if self.round != (epoch, number):
            first, stop = order.items(number)
            self.round, self.trials = (epoch, number), self.split[first:stop]
            self.shuffled = Seed.of(self.config.seed, Purpose.ORDER, epoch, number).rng().permutation(stop - first)
        size = self.config.batch_size
        chosen = self.shuffled[within * size : (within + 1) * size]
        return (side_by_side if self.config.layout == "stream" else by_length)(self.trials, chosen, self.config)


@dataclass(frozen=True)
class Order:
    """How an epoch goes through a split: which items are a round, and which round comes when.

    Attributes:
        start: first item of round 0; those before it, and those after the last round, are left out.
        rounds: (R,) the rounds in the order in which they come.
        ends: (R,) batches that have come when each of them, in this order, is over.
        in_round: batches of a whole round; the last one may have fewer.
        batch_size: items of a batch.
    """

    start: int
    rounds: NDArray[np.int64]
    ends: NDArray[np.int64]
    in_round: int
    batch_size: int

    @classmethod
    def of(cls, n: int, batch_size: int, seed: int, epoch: int) -> Order:
        """The order of ``n`` items in an epoch."""
        rng = Seed.of(seed, Purpose.ORDER, epoch).rng()
        batches, in_round = n // batch_size, max(1, ROUND // batch_size)
        rounds = rng.permutation(-(-batches // in_round))
        sizes = np.minimum(in_round, batches - rounds * in_round)
        return cls(int(rng.integers(n - batches * batch_size + 1)), rounds, np.cumsum(sizes), in_round, batch_size)

    def locate(self, place: int) -> tuple[int, int]:
        """The round of the epoch's batch ``place``, and its number in the round."""
        k = int(np.searchsorted(self.ends, place, side="right"))
        return int(self.rounds[k]), place - (int(self.ends[k - 1]) if k else 0)

    def items(self, number: int) -> tuple[int, int]:
        """First item of a round, and the one after its last."""
        first = number * self.in_round
        stop = min(first + self.in_round, int(self.ends[-1]))
        return self.start + first * self.batch_size, self.start + stop * self.batch_size


def side_by_side(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Batch:
    """The chosen ones, (B,), of sequences of trials, stored one after the other, as a batch of one part."""

    def lanes(packed: NDArray[Any]) -> NDArray[Any]:
        """(T, B, …) of (S, …)."""
        return np.ascontiguousarray(packed.reshape(-1, config.seq_len, *packed.shape[1:])[chosen].swapaxes(0, 1))

    step = np.arange(len(trials.packed_labels)) - np.repeat(trials.offsets[:-1], trials.lengths)
    decision = step >= np.repeat(trials.decision_start, trials.lengths)
    weights = lanes(np.where(decision, np.float32(config.decision_weight), np.float32(1)))
    observations, labels = lanes(trials.packed_observations), lanes(trials.packed_labels)
    if config.rule_input:
        task = lanes(np.repeat(trials.task, trials.lengths))
        observations = with_rule(observations, task, np.ones_like(task, np.bool_), len(trials.tasks))
    part = Part(torch.from_numpy(observations), torch.from_numpy(labels), torch.from_numpy(weights))
    n_trials = int(np.isin(trials.offsets[:-1] // config.seq_len, chosen).sum())
    return Batch((part,), float(weights.sum()), n_trials)
