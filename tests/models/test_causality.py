"""Networks that see later steps are found, whatever the order of their axes, and nothing else is changed by looking."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modcog import models
from modcog.models.causality import sees_later_steps


class Network(nn.Module):
    def __init__(self, both_ways: bool, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.rnn = nn.GRU(9, 8, bidirectional=both_ways, batch_first=batch_first)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.rnn(x)[0])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("both_ways", [True, False])
def test_a_network_that_runs_both_ways_is_found(both_ways: bool, batch_first: bool) -> None:
    network = Network(both_ways, batch_first)
    before = torch.get_rng_state()
    assert sees_later_steps(network, 9) == both_ways
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("arch", models.ARCHITECTURES)
def test_the_reference_networks_see_no_later_step(arch: str) -> None:
    assert not sees_later_steps(models.build(arch, n_inputs=33, n_outputs=17, hidden=36), 33)


def test_private_noise_is_no_later_step() -> None:
    assert not sees_later_steps(models.build("lm-rnn", n_inputs=33, n_outputs=17, hidden=36, noise=1.0), 33)


def test_a_network_that_does_not_repeat_itself_is_not_judged() -> None:
    class Remembering(Network):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(x) + self.calls

    assert not sees_later_steps(Remembering(both_ways=False, batch_first=False), 9)
