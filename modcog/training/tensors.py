"""The tensors of an update: trials side by side, with the weight of each step in the loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.training.config import TrainConfig
from modcog.trials.arrays import IGNORE, Trials

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


def pad_trials(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Minibatch:
    """Return the chosen trials, (B,), sorted by length and padded."""
    order = chosen[np.argsort(trials.lengths[chosen], kind="stable")]
    groups = np.array_split(order, -(-len(order) // TOGETHER))
    return Minibatch(tuple(_pad(trials, group, config) for group in groups), len(order))


def _pad(trials: Trials, chosen: NDArray[np.integer], config: TrainConfig) -> Microbatch:
    lengths, lanes = trials.lengths[chosen], len(chosen)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    source = step + np.repeat(trials.offsets[chosen], lengths)
    target = step * lanes + np.repeat(np.arange(lanes), lengths)
    task, start = (np.repeat(column[chosen], lengths) for column in (trials.task, trials.decision_start))
    return arrange(trials, source, target, (int(lengths.max()), lanes), task, step >= start, config)


def arrange(
    trials: Trials,
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    shape: tuple[int, int],
    task: NDArray[np.integer],
    decision: NDArray[np.bool_],
    config: TrainConfig,
) -> Microbatch:
    """Copy steps of trials to their places among the lanes, and add the rule input if the config asks for it.

    The trials themselves have no rule input: it would be most of what is drawn, read and kept, and all but one of its
    columns are 0.

    Args:
        trials: trials without rule input.
        source: (S,) rows of the packed arrays.
        target: (S,) places in the flattened (T, B).
        shape: (T, B).
        task: (S,) task of each step.
        decision: (S,) True for steps of the decision.
        config: settings of the run.
    """
    channels, size = trials.packed_observations.shape[1], shape[0] * shape[1]
    observations = np.zeros((size, channels + len(trials.tasks) * config.rule_input), np.float32)
    observations[target, :channels] = trials.packed_observations[source]
    if config.rule_input:
        observations[target, channels + task] = 1
    labels, weights = np.full(size, IGNORE, np.int64), np.zeros(size, np.float32)
    labels[target], weights[target] = trials.packed_labels[source], step_weights(decision, config)
    arrays = (observations.reshape(*shape, -1), labels.reshape(shape), weights.reshape(shape))
    return Microbatch(*map(torch.from_numpy, arrays))


def step_weights(decision: NDArray[np.bool_], config: TrainConfig) -> NDArray[np.float32]:
    """Return the weights of steps in the loss, of the same shape as ``decision``, which is True in the decision."""
    return np.where(decision, np.float32(config.decision_weight), np.float32(1))
