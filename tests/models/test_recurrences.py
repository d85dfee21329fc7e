"""Networks without a mask, against their equations written down once more, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modcog.errors import ModcogError
from modcog.models import build
from modcog.models.recurrences import Scan

KINDS = [("low-rank", {"rank": 3}), ("low-rank", {"tau": 250.0, "activation": "relu"}), ("cornn", {}),
         ("lru", {}), ("lru", {"layers": 1}), ("mingru", {}), ("mingru", {"layers": 3})]  # fmt: skip


def network(name, options=None, hidden=12, **more):
    return build(name, 3, 4, hidden=hidden, seed=1, **(options or {}), **more).double()


def sequence(steps=7, batch=5):
    return torch.randn(steps, batch, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def array(tensor):
    return tensor.detach().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def low_rank(net, x, h):
    m, n = array(net.m), array(net.n)
    phi = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0)}[net.activation]
    pre = array(net.read_in.weight) @ x + array(net.read_in.bias) + (m @ n.T) @ h / len(h)
    return (1 - net.alpha) * h + net.alpha * phi(pre)


def oscillators(net, x, h):
    y, z = h[: len(h) // 2], h[len(h) // 2 :]
    w, v = np.hsplit(array(net.coupling.weight), 2)
    force = np.tanh(w @ y + v @ z + array(net.read_in.weight) @ x + array(net.read_in.bias))
    new = z + net.step * (force - net.frequency * y - net.damping * z)
    return np.concatenate([y + net.step * new, new])


@pytest.mark.parametrize(
    ("name", "options", "step"),
    [(*KINDS[0], low_rank), (*KINDS[1], low_rank), ("cornn", {"damping": 0.3, "step": 0.1}, oscillators)],
)
def test_a_step_is_the_equation(name, options, step):
    net, x = network(name, options), sequence()
    logits, states = net(x, return_states=True)
    for trial in range(x.shape[1]):
        h = np.zeros(12)
        for t in range(len(x)):
            h = step(net, array(x[t, trial]), h)
            np.testing.assert_allclose(array(states[t, trial]), h, atol=1e-12)
            expected = array(net.read_out.weight) @ h + array(net.read_out.bias)
            np.testing.assert_allclose(array(logits[t, trial]), expected, atol=1e-12)


def test_a_linear_recurrent_unit_is_a_complex_recurrence():
    unit = network("lru").recurrences[0]
    u = torch.randn(9, 2, 6, dtype=torch.float64)
    out, states = unit(u, torch.zeros(2, 6, dtype=torch.float64))
    decay = np.exp(-np.exp(array(unit.log_nu)) + 1j * np.exp(array(unit.log_theta)))
    assert (np.abs(decay) > 0.89).all()
    assert (np.abs(decay) < 1).all()
    b, c = (array(part)[0] + 1j * array(part)[1] for part in (unit.b, unit.c))
    for trial in range(2):
        s = np.zeros(3, complex)
        for t in range(9):
            s = decay * s + np.exp(array(unit.log_gamma)) * (b @ array(u[t, trial]))
            np.testing.assert_allclose(array(states[t, trial]), np.r_[s.real, s.imag], atol=1e-12)
            expected = (c @ s).real + array(unit.d) * array(u[t, trial])
            np.testing.assert_allclose(array(out[t, trial]), expected, atol=1e-12)


def test_a_linear_recurrent_unit_keeps_the_size_of_white_noise():
    torch.manual_seed(0)
    unit = build("lru", 3, 4, hidden=256, layers=1).recurrences[0]
    states = unit(torch.randn(4000, 1, 256), torch.zeros(1, 256))[1]
    power = states[2000:].square().mean().item() * 2  # of a complex number: both parts
    assert power == pytest.approx(1.0, rel=0.15)


def test_a_minimal_gru_mixes_by_gates_of_its_input():
    unit = network("mingru").recurrences[0]
    u = torch.randn(9, 2, 6, dtype=torch.float64)
    weight, bias = array(unit.both.weight), array(unit.both.bias)
    states = array(unit(u, torch.ones(2, 6, dtype=torch.float64))[0])
    h = np.ones((2, 6))
    for t in range(9):
        candidate, gate = np.hsplit(array(u[t]) @ weight.T + bias, 2)
        h = (1 - sigmoid(gate)) * h + sigmoid(gate) * candidate
        np.testing.assert_allclose(states[t], h, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 13])
def test_a_scan_is_the_loop(steps):
    decay, drive, start = torch.rand(steps, 2, 3), torch.randn(steps, 2, 3), torch.randn(2, 3)
    h = start
    for t, found in enumerate(Scan.apply(decay, drive, start)):
        h = decay[t] * h + drive[t]
        torch.testing.assert_close(found, h)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("of_all", [False, True])
def test_the_gradient_of_a_scan(dtype, steps, of_all):
    """By differences, also for many at a time, and where all trials share the decay."""
    shapes = (steps, 1 if of_all else 2, 3), (steps, 2, 3), (2, 3)
    given = [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(Scan.apply, given, check_batched_grad=True, check_forward_ad=True)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_gradients_are_right(name, options):
    net = network(name, options)
    x, h0 = sequence(4, 2).requires_grad_(), torch.rand(2, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, h0: net(x, h0, return_states=True), (x, h0))
    assert torch.autograd.gradcheck(lambda *_: net(x.detach()).sum(), tuple(net.parameters()), atol=1e-4)


def test_a_network_of_low_rank_starts_with_a_memory_of_that_many_directions():
    net = network("low-rank", {"rank": 3})
    values = torch.linalg.eigvals(net.m @ net.n.T / 12).abs().sort(descending=True).values
    np.testing.assert_allclose(array(values), [1] * 3 + [0] * 9, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("low-rank", {"rank": 13}, "rank: got 13, must be at most 12"),
        ("low-rank", {"tau": 50.0}, "tau: got 50, must be at least dt"),
        ("cornn", {"hidden": 11}, "hidden: got 11, must be even"),
        ("lru", {"hidden": 6}, "hidden: got 6, must be a multiple of 4"),
        ("mingru", {"layers": 5}, "hidden: got 12, must be a multiple of 5"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ModcogError, match=message):
        build(name, 3, 4, **{"hidden": 12, **options})
