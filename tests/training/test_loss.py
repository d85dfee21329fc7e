"""The loss, by hand."""

import math

import numpy as np
import pytest
import torch

from modcog import Battery
from modcog.training import TrainConfig
from modcog.training.batches import pad_trials
from modcog.training.loop import learning_rate, loss

CONFIG = TrainConfig.of(battery={"rule_input": False})


def test_the_loss_is_the_weighted_mean_over_steps_that_are_there():
    trials = Battery(["goseqr", "rtgo"]).sample(20, seed=0)
    batch = pad_trials(trials, np.arange(20), CONFIG.model_copy(update={"decision_weight": 3.0}))
    rng = np.random.default_rng(0)
    table = rng.normal(size=(33, 17))  # a network without memory

    total = count = 0.0
    for i in range(len(trials)):
        for step, (seen, label) in enumerate(zip(trials[i].packed_observations, trials[i].packed_labels, strict=True)):
            logits = seen.astype(float) @ table
            weight = 3 if step >= trials.decision_start[i] else 1
            total += weight * (math.log(np.exp(logits).sum()) - logits[label])
            count += weight
    found = sum(loss(part.observations @ torch.from_numpy(table).float(), part) for part in batch.parts)
    assert found.item() / batch.weight == pytest.approx(total / count, rel=1e-5)


def test_padding_has_no_gradient():
    (part,) = pad_trials(Battery(["rtgo", "dmsintr"]).sample(30, seed=1), np.arange(30), CONFIG).parts
    logits = torch.zeros(*part.labels.shape, 17, requires_grad=True)
    loss(logits, part).backward()
    there = part.labels != -100
    assert not logits.grad[~there].any()
    assert logits.grad[there].any(dim=-1).all()


def test_the_rate_rises_then_falls_to_zero():
    config = TrainConfig.of(steps=1000, warmup=100, learning_rate=1.0, schedule="cosine")
    assert learning_rate(config, 49) == pytest.approx(0.5)
    assert learning_rate(config, 100) == pytest.approx(1)
    assert learning_rate(config, 550) == pytest.approx(0.5)
    assert learning_rate(config, 1000) == pytest.approx(0)
    constant = TrainConfig.of(steps=1000, warmup=0, learning_rate=1.0, schedule="constant")
    assert {learning_rate(constant, step) for step in (0, 500, 999)} == {1.0}
