"""What is minimised, and how fast."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from modcog.training.config import TrainConfig
from modcog.trials.trials import IGNORE


def loss(logits: Tensor, observations: Tensor, labels: Tensor, decision_weight: float) -> Tensor:
    """Cross-entropy per step, decision steps counted ``decision_weight`` times, padding not at all.

    Args:
        logits: (T, B, A).
        observations: (T, B, C); the decision is where the fixation cue, channel 0, is off.
        labels: (T, B), −100 in padding.
        decision_weight: > 0.

    Returns:
        The weighted mean, a scalar.
    """
    each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="none")
    decision = observations[..., 0].flatten() == 0
    weight = torch.where(decision, decision_weight, 1.0) * (labels.flatten() != IGNORE)
    return (each * weight).sum() / weight.sum()


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of update ``step`` (from 0): a linear rise over the warm-up, then constant or half a cosine."""
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.learning_rate * rise
    done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(config: TrainConfig, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Adam or AdamW over the model's parameters."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
