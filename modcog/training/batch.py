"""What an update learns from: trials side by side, with what each step counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.training.config import TrainConfig
from modcog.trials.arrays import IGNORE, Trials

ROUND = 2048
"""Trials that are drawn or read at once: several batches, since a few trials cost as much as a few hundred."""

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
