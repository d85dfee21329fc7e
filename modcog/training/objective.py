"""What is minimised, and how fast."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from modcog.training.batch import Part
from modcog.training.config import TrainConfig
from modcog.trials.arrays import IGNORE


def loss(logits: Tensor, part: Part) -> Tensor:
    """Cross-entropy of every step times what the step counts, added up.

    Args:
        logits: (T, B, A).
        part: what they were made for.

    Returns:
        The weighted sum, a scalar; divided by the batch's weight it is a mean.
    """
    each = functional.cross_entropy(logits.flatten(0, 1), part.labels.flatten(), ignore_index=IGNORE, reduction="none")
    return torch.dot(each.float(), part.weights.flatten())


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of update ``step`` (from 0): a linear rise over the warm-up, then constant or half a cosine.

    The cosine is that of Loshchilov and Hutter (2017), without restarts.
    """
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.learning_rate * rise
    done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(config: TrainConfig, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) over the model's parameters."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
