"""Dale's law: the signs of a unit's connections, before and after training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from masked_dense import masked_dense

from modcog.analysis.lesions import prune
from modcog.analysis.modularity import connections
from modcog.errors import ModcogError
from modcog.models import MaskedRNN, build

X = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0))


def columns(net):
    """The effective recurrent matrix, (targets, sources)."""
    matrix = np.zeros((net.mask.n, net.mask.n))
    matrix[net.mask.targets(), net.mask.indices] = net.effective_weights()[2].detach().numpy()
    return matrix


@pytest.mark.parametrize("options", [{}, {"density": 0.3}, {"graph": "random", "density": 0.3}])
def test_a_unit_has_one_sign_before_and_after_training(options):
    net = build("dale", 3, 4, hidden=36, inhibitory=0.25, **options)
    assert (net.sign < 0).sum() == 9
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    before = columns(net)
    for _ in range(5):
        optimizer.zero_grad()
        net(X).square().mean().backward()
        optimizer.step()
    after, sign = columns(net), net.sign.numpy()
    for matrix in (before, after):
        assert (matrix * sign >= 0).all()
        assert (matrix != 0).any(axis=0).all()
    assert (before != after).any()
    read_out = net.effective_weights()[3].detach().numpy()
    assert (read_out >= 0).all()
    assert not read_out[:, sign < 0].any()


def test_it_is_the_masked_network_with_the_signed_weights():
    net = build("dale", 3, 4, hidden=36, density=0.3)
    twin = MaskedRNN(net.mask, 3, 4)
    with torch.no_grad():
        for name, value in zip(
            ("weight_in", "bias", "weight_recurrent", "weight_out", "bias_out"), net.effective_weights(), strict=True
        ):
            getattr(twin, name).copy_(value)
    logits, states = net(X, return_states=True)
    expected, of_twin = masked_dense(twin, X)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(states, of_twin)


def test_excitation_and_inhibition_balance_at_the_start():
    net = build("dale", 3, 4, hidden=400, seed=3)
    matrix = columns(net)
    excitation, inhibition = matrix[matrix > 0].sum(), -matrix[matrix < 0].sum()
    assert inhibition == pytest.approx(excitation, rel=0.02)


def test_gradients_are_right():
    net = build("dale", 3, 4, hidden=9, density=0.6).double()
    # away from 0, where a rectified weight has a kink
    with torch.no_grad():
        for weight in (net.weight_recurrent, net.weight_out):
            weight.abs_().add_(0.05)

    def run(x, *weights):
        return torch.func.functional_call(net, dict(zip(names, weights, strict=True)), (x,))

    names = [name for name, _ in net.named_parameters()]
    x = X[:3, :2].double().requires_grad_()
    assert torch.autograd.gradcheck(run, (x, *net.parameters()), atol=1e-4)


def test_the_graph_follows_the_density():
    assert build("dale", 3, 4, hidden=36).mask.density == 1
    assert build("dale", 3, 4, hidden=36, density=0.25).mask.name == "locality"
    assert build("dale", 3, 4, hidden=36, density=0.25, graph="random").mask.name == "random"
    with pytest.raises(ModcogError, match="graph"):
        build("dale", 3, 4, hidden=36, graph="random")
    with pytest.raises(ModcogError, match="graph"):
        build("dale", 3, 4, hidden=36, graph="dense", density=0.3)


def test_analyses_see_the_weights_that_act():
    net = build("dale", 3, 4, hidden=9, density=0.6)
    with torch.no_grad():
        net.weight_recurrent[:5] = -2.0  # rectified to 0, so these connections carry nothing
    assert connections(net).max() < 2
    expected = np.abs(columns(net))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(connections(net), expected + expected.T, rtol=1e-6)
    pruned = prune(net, 5 / net.mask.synapses, "weakest")
    np.testing.assert_array_equal(columns(pruned), columns(net))
