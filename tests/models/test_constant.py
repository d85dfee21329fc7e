"""Channels that are constant over a sequence are folded into a bias, without a change of what a network computes."""

from __future__ import annotations

import pytest
import torch

from modcog import Battery, models
from modcog.models import cells
from modcog.models.kernels.constant import FEWEST, fold_constant
from modcog.training.batches import make_batches
from modcog.training.config import TrainConfig

CHANNELS, RULES = 9, 20


def observations(batch: int = 5, steps: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return observations whose last channels name a rule, as one of ``RULES`` that is 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, batch, CHANNELS + RULES, generator=generator, dtype=dtype)
    x[:, :, CHANNELS:] = 0
    x[:, torch.arange(batch), CHANNELS + torch.randint(RULES, (batch,), generator=generator)] = 1
    return x


def computed(network, x: torch.Tensor, h0: torch.Tensor | None) -> list[torch.Tensor]:
    """Return logits, states and the gradients by all weights, with the same noise at every call."""
    network.zero_grad()
    logits, states = network(x, h0, return_states=True, generator=torch.Generator().manual_seed(1))
    (logits.square().sum() + states.sin().sum()).backward()
    return [logits.detach(), states.detach(), *(weight.grad.clone() for weight in network.parameters())]


@pytest.mark.parametrize("kernel", ["compiled", "dense", "csr"])
@pytest.mark.parametrize("options", [{}, {"tau": 300.0}, {"tau": 200.0, "noise": 0.1, "activation": "tanh"}], ids=str)
@pytest.mark.parametrize("batch", [1, 5, 100])
@pytest.mark.parametrize("start", [False, True])
def test_what_is_computed_stays(kernel: str, options: dict, batch: int, start: bool, monkeypatch) -> None:
    network = models.build(
        "lm-rnn", CHANNELS + RULES, 4, hidden=16, density=0.3, kernel=kernel, init="degree", **options
    ).double()
    x = observations(batch)
    h0 = torch.randn(batch, 16, dtype=torch.float64) if start else None
    folded = computed(network, x, h0)
    calls = []
    monkeypatch.setattr(cells, "fold_constant", lambda *given: calls.append(given) or given)
    whole = computed(network, x, h0)
    assert calls
    for one, other in zip(folded, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_constant_channels_are_a_bias_of_their_sequence() -> None:
    x, weight, bias = observations(), torch.randn(3, CHANNELS + RULES).double(), torch.randn(3).double()
    rest, of_rest, biases = fold_constant(x, weight, bias)
    assert (rest.shape[2], of_rest.shape[1], biases.shape) == (CHANNELS, CHANNELS, (5, 3))
    torch.testing.assert_close(rest @ of_rest.t() + biases, x @ weight.t() + bias)


@pytest.mark.parametrize("change", ["one step", "nan", "one step of a sequence", "few channels"])
def test_others_stay_inputs(change: str) -> None:
    x, weight, bias = observations(), torch.zeros(3, CHANNELS + RULES).double(), torch.zeros(3).double()
    match change:
        case "one step":
            x = x[:1]
        case "nan":
            x[:, 2, -1] = float("nan")
        case "one step of a sequence":
            x[2, 3, -1] += 1
        case "few channels":
            x[1, 0, -FEWEST] = 3
    rest, of_rest, same = fold_constant(x, weight, bias)
    assert rest is x
    assert of_rest is weight
    assert same is bias


def test_a_gradient_by_the_observations_is_that_of_each_step() -> None:
    network = models.build("lm-rnn", CHANNELS + RULES, 4, hidden=16, density=0.3, kernel="compiled").double()
    x = observations().requires_grad_()
    network(x).square().sum().backward()
    assert (x.grad[:, :, CHANNELS:].abs().sum((1, 2)) > 0).all()
    assert torch.autograd.gradcheck(network, observations(2, 3).requires_grad_())


def test_the_gradients_hold_and_can_be_differentiated() -> None:
    network = models.build("lm-rnn", CHANNELS + RULES, 4, hidden=9, density=0.3, kernel="compiled").double()
    x, names = observations(2, 3), [name for name, _ in network.named_parameters()]

    def logits(*weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, dict(zip(names, weights, strict=True)), (x,))

    weights = tuple(weight.detach().clone().requires_grad_() for weight in network.parameters())
    assert torch.autograd.gradcheck(logits, weights)
    assert torch.autograd.gradgradcheck(logits, weights)


def test_training_batches_keep_the_rule_in_the_padding_which_does_not_count() -> None:
    config = TrainConfig.of(tasks="yang19", batch_size=64, steps=1)
    part = make_batches(config, Battery.from_config(config.battery_settings()))(0).parts[0]
    rule = part.observations[:, :, 33:]
    assert (rule == rule[0]).all()
    assert (rule.sum(2) == 1).all()
    padding = part.labels == -100
    assert padding.any()
    assert (part.weights[padding] == 0).all()
    assert (part.observations[:, :, :33][padding] == 0).all()
