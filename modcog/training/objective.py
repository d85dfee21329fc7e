"""Loss, learning rate and optimizer."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from modcog.training.config import TrainConfig
from modcog.training.tensors import Microbatch
from modcog.trials.arrays import IGNORE


def loss(logits: Tensor, part: Microbatch) -> Tensor:
    """Return the sum of the cross-entropy of every step times the weight of the step.

    Args:
        logits: (T, B, A).
        part: the sequences that the logits belong to.

    Returns:
        A scalar; divided by the weight of the minibatch it is a mean.
    """
    each = functional.cross_entropy(logits.flatten(0, 1), part.labels.flatten(), ignore_index=IGNORE, reduction="none")
    return torch.dot(each.float(), part.weights.flatten())


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the rate of update ``step`` (from 0): a linear warm-up, then constant or half a cosine.

    The cosine is that of Loshchilov and Hutter (2017), without restarts.
    """
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.learning_rate * rise
    done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(config: TrainConfig, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Make Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) for the parameters of a model."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
