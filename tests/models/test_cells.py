"""The modules: both forms of the weights, shapes, types, copies, and torch's habits."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from masked_dense import masked_dense

from modcog.errors import ModcogError
from modcog.models import MaskedRNN, build, from_dense_state, masks, to_dense_state

MASK = masks.locality(36, density=0.2)
ARCHITECTURES = [
    ("lm-rnn", {"density": 0.2}),
    ("autapse", {}),
    ("dense", {}),
    ("dale", {"density": 0.2}),
    ("multi-area", {"areas": 3}),
    ("low-rank", {"rank": 4}),
    ("lru", {}),
    ("mingru", {}),
    ("cornn", {}),
    ("gru", {}),
    ("lstm", {}),
]


def network(**options):
    return MaskedRNN(MASK, 3, 4, **options)


def sequence(steps=5, batch=6, seed=0):
    return torch.randn(steps, batch, 3, generator=torch.Generator().manual_seed(seed))


def test_dense_form_is_the_matrix_and_loads_back_bit_by_bit():
    model = network(seed=1)
    state = to_dense_state(model)
    matrix = state["weight_recurrent"]
    np.testing.assert_array_equal(matrix != 0, MASK.to_dense())
    expected, _ = masked_dense(model, sequence(), matrix=matrix)
    torch.testing.assert_close(model(sequence()), expected)
    for form in (state, from_dense_state(MASK, state), model.state_dict()):
        other = network(seed=2)
        other.load_state_dict(form)
        for name, value in model.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), (name, len(form))
    assert torch.equal(from_dense_state(MASK, state)["weight_recurrent"], model.weight_recurrent)
    assert state["weight_recurrent"].ndim == 2  # loading left the caller's dictionary alone


def test_weights_of_a_masked_dense_network_trained_elsewhere_load():
    matrix = torch.randn(36, 36) * torch.from_numpy(MASK.to_dense())
    model = network()
    model.load_state_dict({**model.state_dict(), "weight_recurrent": matrix})
    expected, _ = masked_dense(model, sequence(), matrix=matrix)
    torch.testing.assert_close(model(sequence()), expected)


def test_weights_off_the_mask_or_of_another_mask_are_refused():
    model = network()
    state = model.state_dict()
    with pytest.raises(ModcogError, match=f"{36 * 36 - MASK.synapses} weights are not 0 off the mask"):
        model.load_state_dict({**state, "weight_recurrent": torch.ones(36, 36)})
    with pytest.raises(ModcogError, match=r"got shape \(35, 35\), must be \(36, 36\)"):
        model.load_state_dict({**state, "weight_recurrent": torch.ones(35, 35)})
    with pytest.raises(ModcogError, match="belong to another mask"):
        MaskedRNN(masks.shuffled(MASK), 3, 4).load_state_dict(state)


def test_only_the_mask_is_trained():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    before = to_dense_state(model)["weight_recurrent"].clone()
    for _ in range(3):
        optimizer.zero_grad()
        model(sequence()).square().mean().backward()
        optimizer.step()
    after = to_dense_state(model)["weight_recurrent"]
    np.testing.assert_array_equal(after != 0, MASK.to_dense())
    assert ((after != before).numpy() == MASK.to_dense()).mean() > 0.9


@pytest.mark.parametrize(("name", "options"), ARCHITECTURES)
def test_batch_first_and_states(name, options):
    time_first = build(name, 3, 4, hidden=36, **options)
    batch_first = build(name, 3, 4, hidden=36, batch_first=True, **options)
    x, h0 = sequence(), torch.rand(6, 36)
    logits, states = time_first(x, h0, return_states=True)
    assert (logits.shape, states.shape) == ((5, 6, 4), (5, 6, 36))
    others = batch_first(x.transpose(0, 1), h0, return_states=True)
    for one, other in zip((logits, states), others, strict=True):
        torch.testing.assert_close(one, other.transpose(0, 1))
    assert torch.equal(time_first(x, h0), logits)
    assert not torch.equal(time_first(x), logits)


@pytest.mark.parametrize(("name", "options"), ARCHITECTURES[:-1])  # an LSTM's cells cannot be handed over
def test_a_sequence_in_two_halves_is_the_same_sequence(name, options):
    model = build(name, 3, 4, hidden=36, **options)
    x = sequence(8)
    whole, states = model(x, return_states=True)
    torch.testing.assert_close(model(x[3:], states[2]), whole[3:])


@pytest.mark.parametrize(("name", "options"), ARCHITECTURES)
def test_copies_and_pickles_compute_the_same_and_are_independent(name, options):
    model = build(name, 3, 4, hidden=36, **options)
    x, expected = sequence(), model(sequence())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(file, weights_only=False)):
        assert torch.equal(other(x), expected)
        with torch.no_grad():
            next(other.parameters()).zero_()
        assert torch.equal(model(x), expected)
        assert not torch.equal(other(x), expected)


@pytest.mark.parametrize(("name", "options"), ARCHITECTURES)
def test_types_follow_the_module(name, options):
    model = build(name, 3, 4, hidden=36, **options)
    wanted = model(sequence())
    double = copy.deepcopy(model).double()
    assert double(sequence()).dtype == torch.float64
    torch.testing.assert_close(double(sequence()).float(), wanted, rtol=1e-4, atol=1e-5)
    half = copy.deepcopy(model).to(torch.bfloat16)
    assert half(sequence()).dtype == torch.bfloat16
    torch.testing.assert_close(half(sequence()).float(), wanted, rtol=0.1, atol=0.1)
    assert model.to("cpu")(sequence()).dtype == torch.float32


def test_autocast_leaves_the_recurrence_in_full_precision():
    model = network()
    expected = model(sequence())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(sequence())
        model(sequence().bfloat16()).sum().backward()
    assert torch.equal(logits, expected)
    assert model.weight_recurrent.grad.dtype == torch.float32


def test_noise_is_white_private_and_repeatable():
    model = MaskedRNN(masks.identity(400), 3, 4, noise=0.5, activation="softplus", tau=200.0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    rng = torch.Generator().manual_seed(0)
    x = torch.zeros(2, 50, 3)
    with torch.no_grad():
        _, states = model(x, return_states=True, generator=rng)
    # with no weights h(1) = ½ log(1 + exp ξ)
    xi = torch.expm1(2 * states[0]).log()
    assert float(xi.std()) == pytest.approx(0.5, rel=0.03)
    assert abs(float(xi.mean())) < 0.02
    assert abs(float(torch.corrcoef(xi.T[:2])[0, 1])) < 0.5
    again = model(x, return_states=True, generator=torch.Generator().manual_seed(0))[1]
    assert torch.equal(again, states)
    assert not torch.equal(model.eval()(x, return_states=True)[1], states)
    model.noise = 0.0
    assert len(model(x, return_states=True)[1][0].unique()) == 1


def test_the_state_follows_its_time_constant():
    """With a constant drive u > 0 and no recurrence h(t) = u (1 − (1 − dt/τ)ᵗ)."""
    model = MaskedRNN(masks.identity(1), 1, 1, tau=500.0, dt=100.0)
    with torch.no_grad():
        model.weight_recurrent.zero_()
        model.weight_in.fill_(2)
    states = model(torch.ones(20, 1, 1), return_states=True)[1].flatten()
    torch.testing.assert_close(states, 2 * (1 - 0.8 ** torch.arange(1, 21)))


def test_without_gradients_nothing_is_kept():
    model = network()
    with torch.no_grad():
        logits, states = model(sequence(), return_states=True)
    assert not logits.requires_grad
    assert not states.requires_grad


def test_frozen_parts_get_no_gradient():
    model = network()
    model.weight_in.requires_grad_(False)
    model(sequence()).sum().backward()
    assert model.weight_in.grad is None
    assert model.weight_recurrent.grad.count_nonzero() > 0


@pytest.mark.parametrize("name", ["lm-rnn", "gru"])
@pytest.mark.parametrize(
    ("shape", "h0", "message"),
    [
        ((5, 3), None, r"x: got shape \(5, 3\), must be \(T, B, C\) with C = 3"),
        ((5, 2, 4), None, r"x: got shape \(5, 2, 4\)"),
        ((0, 2, 3), None, "no side of 0"),
        ((5, 2, 3), (2, 35), r"h0: got shape \(2, 35\), must be \(B, N\) = \(2, 36\)"),
    ],
)
def test_wrong_shapes_are_refused(name, shape, h0, message):
    with pytest.raises(ModcogError, match=message):
        build(name, 3, 4, hidden=36)(torch.zeros(shape), None if h0 is None else torch.zeros(h0))
