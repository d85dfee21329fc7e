"""Training batches by number: batch i depends on the seed and i alone, so a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modcog.battery import Battery
from modcog.training.config import TrainConfig
from modcog.trials.source import Seed, TrialSource
from modcog.trials.trials import Trials

_TRAIN, _HELD_OUT = 11, 12  # set the random numbers of training and of evaluation apart


@dataclass(frozen=True)
class Batch:
    """One update's data, time first.

    Attributes:
        observations: (T, B, C) float32.
        labels: (T, B) int64, −100 in padding.
        n_trials: trials in it.
    """

    observations: Tensor
    labels: Tensor
    n_trials: int


def make_batches(config: TrainConfig, battery: Battery) -> Callable[[int], Batch]:
    """The function from a batch's number to the batch."""
    if config.data is not None:
        from modcog.training.exported import exported_batches

        return exported_batches(config, battery)
    if config.layout == "stream":
        return _streams(config, battery)
    source = TrialSource(battery.tables, Seed.of(config.seed, _TRAIN))
    return lambda index: time_first(source.block(index, n=config.batch_size))


def _streams(config: TrainConfig, battery: Battery) -> Callable[[int], Batch]:
    stream = battery.stream(config.batch_size, config.seq_len, config.seed)

    def batch(index: int) -> Batch:
        observations, labels = stream[index]
        cue = observations[..., 0]
        started = int((np.diff(cue != 0, axis=0, prepend=False) & (cue != 0)).sum())
        return Batch(torch.from_numpy(observations), torch.from_numpy(labels), started)

    return batch


def time_first(trials: Trials) -> Batch:
    """Trials as a padded batch, time first."""
    observations = np.ascontiguousarray(trials.observations.swapaxes(0, 1))
    labels = np.ascontiguousarray(trials.labels.T)
    return Batch(torch.from_numpy(observations), torch.from_numpy(labels), len(trials))


def held_out(config: TrainConfig, battery: Battery) -> Trials:
    """The fixed trials that a run is evaluated on: as many of each task, from random numbers of their own."""
    tasks = np.repeat(np.arange(len(battery.tasks)), config.eval_trials)
    return TrialSource(battery.tables, Seed.of(config.seed, _HELD_OUT)).take(len(tasks), tasks)
