"""Minibatches by number: minibatch i depends on the seed and i alone, so that a run can resume where it stopped.

They come from the generator, single trials or a stream, or from an exported data set, epoch after epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.battery import Battery
from modcog.data.dataset import load
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.training.config import TrainConfig
from modcog.trials.arrays import IGNORE, Trials, join_by_task
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream

ROUND = 2048
"""Trials that are drawn or read at once, for several minibatches: a few trials cost as much as a few hundred."""

TOGETHER = 64
"""Trials that go through the network side by side: enough to fill a processor."""


@dataclass(frozen=True)
class Microbatch:
    """Sequences that go through the network together, time first.

    Attributes:
        observations: (T, B, C) float32, zero in padding.
        labels: (T, B) int64, −100 in padding.
        weights: (T, B) float32, weight of each step in the loss; 0 in padding.
    """

    observations: Tensor
    labels: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Minibatch:
    """The data of one update.

    Attributes:
        parts: its sequences, those of similar length together, so that there is little padding.
        n_trials: number of trials.
    """

    parts: tuple[Microbatch, ...]
    n_trials: int

    @cached_property
    def weight(self) -> float:
        """Sum of all weights."""
        return float(sum(part.weights.sum() for part in self.parts))


Batches = Callable[[int], Minibatch]
Places = NDArray[np.integer]


def make_batches(
    config: TrainConfig, battery: Battery, rank: int = 0, ranks: int = 1, device: torch.device | None = None
) -> Batches:
    """Return the function from an update's number to its minibatch, in process ``rank`` of ``ranks``.

    No two processes get the same trials. With a ``device``, a stream of the generator's is made there.

    Raises:
        UnknownNameError: if the data set of the config has no split ``train``.
        ModcogError: if it is not whole, or smaller than a minibatch.
    """
    if config.data is not None:
        return _exported_batches(config, rank, ranks)
    if config.layout == "stream":
        return _stream_batches(config, battery, rank, ranks, device)
    return _live_batches(config, battery, rank, ranks)


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """Draw the fixed trials that a run is evaluated on, ``eval_trials`` of each task."""
    return join_by_task(battery.blocks(Seed.of(config.seed, Purpose.HELD_OUT), per_task=config.eval_trials))


def _seed(config: TrainConfig) -> Seed:
    """Return the seed of a run's trials; one that starts from another does not repeat the random numbers of that."""
    place = [len(config.earlier)] if config.earlier else []
    return Seed.of(config.seed, Purpose.TRAINING, *place)


def _live_batches(config: TrainConfig, battery: Battery, rank: int, ranks: int) -> Batches:
    """Return the function that makes a minibatch of single trials, drawn for several minibatches at once."""
    size, in_round = config.batch_size, max(1, ROUND // config.batch_size)
    source = TrialSource(battery.replace(rule_input=False).tables, _seed(config), shares=config.task_shares)
    draw = lru_cache(maxsize=1)(lambda number: source.block(number * ranks + rank, n=in_round * size))

    def batch(index: int) -> Minibatch:
        number, place = divmod(index, in_round)
        return pad_trials(draw(number), np.arange(place * size, (place + 1) * size), config)

    return batch


def _stream_batches(
    config: TrainConfig, battery: Battery, rank: int, ranks: int, device: torch.device | None
) -> Batches:
    """Return the function that makes a minibatch of trials back to back in lanes."""
    sizes = config.batch_size, config.seq_len
    stream = Stream(battery.tables, _seed(config), *sizes, device=device, shares=config.task_shares)
    slots, decision_slot = np.arange(battery.tables.n_slots), battery.tables.decision_slot

    def batch(index: int) -> Minibatch:
        index = index * ranks + rank
        drawn = stream.draw(index)
        late = slots >= decision_slot[drawn.task][:, None]
        weights = stream.spread(drawn, np.where(late, np.float32(config.decision_weight), np.float32(1)))
        part = Microbatch(*map(torch.as_tensor, (*stream.paint(drawn, index), weights)))
        return Minibatch((part,), len(drawn.task))

    return batch


def _exported_batches(config: TrainConfig, rank: int, ranks: int) -> Batches:
    """Return the function that makes a minibatch of items of an exported data set, in an order that the seed decides.

    Reading items one by one in random order would read a compressed or remote file over and over. So a round of
    contiguous items is read at once; the rounds come in a new order in each epoch, and so do the items within a round.
    The items that are left over when an epoch is cut into minibatches are other ones each time.
    """
    assert config.data is not None
    split, size = load(config.data, rule_input=False)["train"], config.batch_size
    if len(split) < size:
        raise ModcogError(f"batch_size: got {size}, {config.data} has {len(split)} to train on")
    arrange = _lanes if config.layout == "stream" else pad_trials

    @lru_cache(maxsize=1)
    def order(epoch: int) -> NDArray[np.int64]:
        return epoch_order(len(split), size, Seed.of(config.seed, Purpose.ORDER, epoch).rng())

    @lru_cache(maxsize=1)
    def read(epoch: int, first: int, stop: int) -> tuple[Trials, NDArray[np.int64]]:
        return split[first:stop], Seed.of(config.seed, Purpose.ORDER, epoch, first).rng().permutation(stop - first)

    def batch(index: int) -> Minibatch:
        epoch, place = divmod(index * ranks + rank, len(split) // size)
        first, stop, within = order(epoch)[place].tolist()
        trials, shuffled = read(epoch, first, stop)
        return arrange(trials, shuffled[within * size : (within + 1) * size], config)

    return batch


def epoch_order(n: int, batch_size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the order in which an epoch goes through ``n`` items.

    Returns:
        An array (n // batch_size, 3) with, for each minibatch, the first item of its round, the one after the last, and
        the place of the minibatch in its round.
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


def pad_trials(trials: Trials, chosen: Places, config: TrainConfig) -> Minibatch:
    """Return the chosen trials, (B,), sorted by length and padded."""
    order, parts = chosen[np.argsort(trials.lengths[chosen], kind="stable")], []
    for group in np.array_split(order, -(-len(order) // TOGETHER)):
        lengths, lanes = trials.lengths[group], len(group)
        step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        source = step + np.repeat(trials.offsets[group], lengths)
        target = step * lanes + np.repeat(np.arange(lanes), lengths)
        part = _arrange(trials, source, target, (int(lengths.max()), lanes), config)
        if config.rule_places.width:  # it goes on in the padding, which does not count, and is constant for networks
            part.observations[:, np.arange(lanes)[:, None], _rule_channels(trials, group, config)] = 1
        parts.append(part)
    return Minibatch(tuple(parts), len(order))


def _lanes(trials: Trials, chosen: Places, config: TrainConfig) -> Minibatch:
    """Return the chosen ones, (B,), of sequences of trials that are stored one after the other."""
    shape = (config.seq_len, len(chosen))
    source = (np.arange(config.seq_len)[:, None] + config.seq_len * chosen).ravel()
    part = _arrange(trials, source, np.arange(source.size), shape, config)
    return Minibatch((part,), int(np.isin(trials.offsets[:-1] // config.seq_len, chosen).sum()))


def _arrange(trials: Trials, source: Places, target: Places, shape: tuple[int, int], config: TrainConfig) -> Microbatch:
    """Copy steps of trials to their places among the lanes, and add the rule input if the config asks for it.

    The trials themselves have no rule input: it would be most of what is drawn, read and kept, and all but one of its
    columns are 0.

    Args:
        trials: trials without rule input.
        source: (S,) rows of the packed arrays.
        target: (S,) places in the flattened (T, B).
        shape: (T, B).
        config: settings of the run.
    """
    trial = np.searchsorted(trials.offsets, source, side="right") - 1
    decision = source - trials.offsets[trial] >= trials.decision_start[trial]
    channels, size = trials.packed_observations.shape[1], shape[0] * shape[1]
    observations = np.zeros((size, channels + config.rule_places.width), np.float32)
    observations[target, :channels] = trials.packed_observations[source]
    if config.rule_places.width:
        observations[target[:, None], _rule_channels(trials, trial, config)] = 1
    labels, weights = np.full(size, IGNORE, np.int64), np.zeros(size, np.float32)
    labels[target], weights[target] = trials.packed_labels[source], np.where(decision, config.decision_weight, 1)
    arrays = (observations.reshape(*shape, -1), labels.reshape(shape), weights.reshape(shape))
    return Microbatch(*map(torch.from_numpy, arrays))


def _rule_channels(trials: Trials, chosen: Places, config: TrainConfig) -> Places:
    """Return the channels that name the rule of the chosen trials, (B, k)."""
    return trials.packed_observations.shape[1] + config.rule_places.places[trials.task[chosen]]
