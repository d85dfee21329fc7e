"""A bank computes for each of its networks what the network computes alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from modcog import ModcogError
from modcog.models import build
from modcog.models.bank import NAMES, Bank

CPU = torch.device("cpu")
CHANNELS, ACTIONS = 7, 5


def networks(**options):
    """Networks of several sizes and densities, which start with weights off the diagonal, too."""
    kinds = [("dense", {}), ("lm-rnn", {"density": 0.3}), ("autapse", {}), ("random", {"density": 0.4})]
    sizes = [12, 20, 9, 16] if options.get("activation", "relu") != "softplus" else [16] * 4
    return [
        build(arch, CHANNELS, ACTIONS, hidden=n, seed=i, **own, **options)
        for i, ((arch, own), n) in enumerate(zip(kinds, sizes, strict=True))
    ]


def minibatches(streams=2, steps=6, lanes=3):
    """Observations, labels with gaps, and weights, for each stream."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(streams, steps, lanes, CHANNELS, generator=rng)
    labels = torch.randint(ACTIONS, (streams, steps, lanes), generator=rng)
    weights = torch.rand(streams, steps, lanes, generator=rng)
    labels[:, 4:, 1], weights[:, 4:, 1] = -100, 0
    return x, labels, weights


def alone(network, x, labels, weights):
    """The loss of a network and its gradients, by its own kernels; that by the full recurrent matrix, too."""
    network.zero_grad()
    with network.full_gradient() as full:
        logits = network(x)
        each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
        loss = (each * weights.flatten()).sum() / weights.sum()
        loss.backward()
    return loss.item(), {name: getattr(network, name).grad for name in NAMES}, full


@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "tau": 300.0}, {"activation": "softplus"}])
def test_losses_gradients_and_actions_are_those_of_the_networks_alone(options):
    nets, of = networks(**options), torch.tensor([0, 1, 1, 0])
    x, labels, weights = minibatches()
    bank = Bank(nets, CPU)
    losses, gradients = bank.gradients(x, labels, weights, of)
    actions, finite = bank.actions(x, of)
    assert finite.all()
    for i, (network, stream) in enumerate(zip(nets, of.tolist(), strict=True)):
        loss, expected, full = alone(network, x[stream], labels[stream], weights[stream])
        assert losses[i].item() == pytest.approx(loss, rel=1e-5)
        for name, gradient in bank.unstack(gradients, i).items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradients[2][i, : network.hidden, : network.hidden], full, rtol=1e-4, atol=1e-6)
        with torch.no_grad():
            assert torch.equal(actions[i].T.long(), network(x[stream]).argmax(-1))


def test_units_that_pad_a_network_get_no_gradient():
    nets = networks()
    bank = Bank(nets, CPU)
    gradients = bank.gradients(*minibatches(1), torch.zeros(4, dtype=torch.int64))[1]
    for i, network in enumerate(nets):
        n = network.hidden
        beyond = [gradients[0][i, n:], gradients[1][i, n:], gradients[2][i, n:], gradients[2][i, :, n:]]
        assert not any(part.any() for part in [*beyond, gradients[3][i, :, n:]])
        assert gradients[2][i, :n, :n].any()


def test_weights_come_back_as_they_went_in():
    nets = networks()
    bank = Bank(nets, CPU)
    for i, network in enumerate(nets):
        state = network.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in bank.unstack(bank.weights, i).items())


@pytest.mark.parametrize(
    "others",
    [{"activation": "tanh"}, {"tau": 200.0}, {"noise": 0.1}],
)
def test_networks_that_do_not_go_together_are_refused(others):
    with pytest.raises(ModcogError, match="networks: must have the same"):
        Bank([networks()[0], networks(**others)[0]], CPU)


def test_sizes_are_not_mixed_where_a_padded_unit_would_be_active():
    small, large = (build("dense", CHANNELS, ACTIONS, hidden=n, activation="softplus") for n in (4, 8))
    with pytest.raises(ModcogError, match="networks"):
        Bank([small, large], CPU)


def test_a_network_that_is_not_finite_is_named_and_leaves_the_others_alone():
    nets, (x, labels, weights), of = networks(), minibatches(1), torch.zeros(4, dtype=torch.int64)
    expected = Bank(nets, CPU).gradients(x, labels, weights, of)
    with torch.no_grad():
        nets[1].bias_out[0] = float("nan")
    bank = Bank(nets, CPU)
    assert bank.actions(x, of)[1].tolist() == [True, False, True, True]
    losses, gradients = bank.gradients(x, labels, weights, of)
    assert losses.isfinite().tolist() == [True, False, True, True]
    for gradient, same in zip(gradients, expected[1], strict=True):
        torch.testing.assert_close(gradient[[0, 2, 3]], same[[0, 2, 3]])
