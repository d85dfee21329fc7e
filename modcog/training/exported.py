"""Minibatches from an exported data set: epoch after epoch, in an order that the seed decides.

Reading items one by one in random order would read a compressed or remote file over and over. So a round of contiguous
items is read at once; the rounds come in a new order in each epoch, and so do the items within a round. The items that
are left over when an epoch is cut into minibatches are other ones each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.data.dataset import load
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.training.config import TrainConfig
from modcog.training.tensors import ROUND, Minibatch, arrange, pad_trials
from modcog.trials.arrays import Trials


class ExportedBatches:
    """The function from an update's number to its minibatch, in process ``rank`` of ``ranks``.

    Raises:
        UnknownNameError: if the data set has no split ``train``.
        ModcogError: if it is not whole, or smaller than a minibatch.
    """

    def __init__(self, config: TrainConfig, rank: int = 0, ranks: int = 1) -> None:
        assert config.data is not None
        self.split = load(config.data, rule_input=False)["train"]
        if len(self.split) < config.batch_size:
            raise ModcogError(f"batch_size: got {config.batch_size}, {config.data} has {len(self.split)} to train on")
        self.config, self.rank, self.ranks = config, rank, ranks
        self.epoch: int | None = None
        self.round: tuple[int, int] | None = None

    def __call__(self, index: int) -> Minibatch:
        """Return the minibatch of update ``index``."""
        size, seed = self.config.batch_size, self.config.seed
        epoch, place = divmod(index * self.ranks + self.rank, len(self.split) // size)
        if epoch != self.epoch:
            self.epoch, self.round = epoch, None
            self.order = epoch_order(len(self.split), size, Seed.of(seed, Purpose.ORDER, epoch).rng())
        first, stop, within = self.order[place].tolist()
        if self.round != (first, stop):
            self.round, self.trials = (first, stop), self.split[first:stop]
            self.shuffled = Seed.of(seed, Purpose.ORDER, epoch, first).rng().permutation(stop - first)
        chosen = self.shuffled[within * size : (within + 1) * size]
        return (_lanes if self.config.layout == "stream" else pad_trials)(self.trials, chosen, self.config)


def epoch_order(n: int, batch_size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the order in which an epoch goes through ``n`` items.

    Returns:
        (n // batch_size, 3): for each minibatch the first item of its round, the one after the last, and the place of
        the minibatch in its round.
    """
    batches = n // batch_size
    n_rounds = -(-batches // max(1, ROUND // batch_size))
    start = rng.integers(n - batches * batch_size + 1)
    bounds = np.arange(n_rounds + 1) * batches // n_rounds
    rounds = rng.permutation(n_rounds)
    sizes = np.diff(bounds)[rounds]
    place = np.arange(batches) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first, stop = (np.repeat(start + bounds[rounds + k] * batch_size, sizes) for k in (0, 1))
    return np.stack([first, stop, place], axis=1)


def _lanes(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Minibatch:
    """Return the chosen ones, (B,), of sequences of trials that are stored one after the other."""
    shape = (config.seq_len, len(chosen))
    source = (np.arange(config.seq_len)[:, None] + config.seq_len * chosen).ravel()
    step = np.arange(len(trials.packed_labels)) - np.repeat(trials.offsets[:-1], trials.lengths)
    decision = step >= np.repeat(trials.decision_start, trials.lengths)
    task = np.repeat(trials.task, trials.lengths)
    part = arrange(trials, source, np.arange(source.size), shape, task[source], decision[source], config)
    return Minibatch((part,), int(np.isin(trials.offsets[:-1] // config.seq_len, chosen).sum()))
