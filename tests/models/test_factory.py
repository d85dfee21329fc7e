"""Networks by name, user networks, and measures of size and wiring."""

import json
import sys
import textwrap

import pytest
import torch

from modcog.errors import ModcogError, UnknownNameError
from modcog.models import ARCHITECTURES, build, measure, to_dense_state

C, A, N = 5, 7, 36


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_maps_observations_to_logits_and_learns(name):
    model = build(name, C, A, hidden=N)
    rng = torch.Generator().manual_seed(0)
    x, labels = torch.randn(6, 9, C, generator=rng), torch.randint(0, A, (6 * 9,), generator=rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        logits = model(x)
        assert logits.shape == (6, 9, A)
        losses.append(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_same_seed_same_network_and_torchs_generator_is_left_alone(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (build(name, C, A, hidden=N, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for (key, value), twin in zip(one.state_dict().items(), same.state_dict().values(), strict=True):
        assert torch.equal(value, twin), key
    assert not torch.equal(one(torch.ones(4, 1, C)), other(torch.ones(4, 1, C)))


def test_initial_weights_are_not_the_first_numbers_of_a_generator_that_is_seeded_alike():
    """A user's own noise, drawn after ``torch.manual_seed(seed)``, must not repeat the weights."""
    drawn = torch.randn(N * N, generator=torch.Generator().manual_seed(7))
    assert not torch.allclose(build("dense", C, A, hidden=N, seed=7).weight_recurrent * N**0.5, drawn)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        drawn = torch.nn.GRU(C, N).weight_ih_l0
    assert not torch.equal(build("gru", C, A, hidden=N, seed=7).recurrent.weight_ih_l0, drawn)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_configuration_rebuilds_the_network_from_a_run_file(name):
    model = build(name, C, A, hidden=N, seed=4)
    stored = json.loads(json.dumps(model.config.model_dump()))
    other = build(stored, C, A)
    assert other.config == model.config
    assert torch.equal(other(torch.ones(3, 2, C)), model(torch.ones(3, 2, C)))
    assert build(model.config, C, A, seed=5).config.seed == 5


@pytest.mark.parametrize(
    ("name", "options", "synapses"),
    [
        ("lm-rnn", {"radius": 1}, N * 5),
        ("shuffled", {"radius": 1}, N * 5),
        ("lm-rnn", {"radius": 1, "self_connections": False}, N * 4),
        ("lm-rnn", {"radius": 1, "torus": False}, N + 2 * (5 * 6 * 2)),
        ("random", {"density": 0.25, "in_degree": "drawn"}, N * N // 4),
        ("random", {"radius": 1}, N * 5),
        ("random", {"radius": 1, "self_connections": "none"}, N * 5),
        ("random", {"radius": 1, "torus": False}, N + 2 * (5 * 6 * 2)),
        ("small-world", {"radius": 1, "rewired": 1}, N * 5),
        ("reciprocal", {"radius": 1}, N * 5),
        ("dense", {}, N * N),
        ("autapse", {}, N),
    ],
)
def test_parameters_and_synapses_are_counted_apart(name, options, synapses):
    found = measure(build(name, C, A, hidden=N, **options))
    assert found.synapses == synapses
    assert found.parameters == synapses + N * C + N + A * N + A
    assert found.density == synapses / N**2
    assert found.wiring_mean == pytest.approx(found.wiring_total / synapses)


def test_gated_networks_are_counted_too():
    found = measure(build("gru", C, A, hidden=N))
    assert found.synapses == 3 * N * N
    assert found.parameters == 3 * N * (N + C) + 2 * 3 * N + A * N + A
    assert measure(build("lstm", C, A, hidden=N)).synapses == 4 * N * N


@pytest.mark.parametrize("density", [0.04, 0.1, 0.3, 1.0])
def test_activity_keeps_its_size_whatever_the_density(density):
    """The variance that the recurrence gives a unit of normal states is that of the states, for every fan-in."""
    model = build("random", 1, 1, hidden=1024, density=density, seed=1, activation="tanh")
    with torch.no_grad():
        for parameter in (model.weight_in, model.bias):
            parameter.zero_()
        h0 = 1e-3 * torch.randn(32, 1024, generator=torch.Generator().manual_seed(0))
        states = model(torch.zeros(1, 32, 1), h0, return_states=True)[1][0]
    assert float(states.std() / h0.std()) == pytest.approx(1, rel=0.05)


def test_initial_weights_by_name():
    eye = build("autapse", 1, 1, hidden=9)
    assert torch.equal(eye.weight_recurrent, torch.ones(9))
    q = build("dense", 1, 1, hidden=9, init="orthogonal", gain=2.0).weight_recurrent.view(9, 9)
    torch.testing.assert_close(q @ q.T, 4 * torch.eye(9))
    for name, options in (("dense", {}), ("lm-rnn", {"radius": 1}), ("random", {"radius": 1}), ("autapse", {})):
        half = build(name, 1, 1, hidden=9, init="diagonal", gain=0.5, **options)
        assert torch.equal(to_dense_state(half)["weight_recurrent"], 0.5 * torch.eye(9))
        assert half.weight_recurrent.requires_grad
    near = build("lm-rnn", 1, 1, hidden=36, density=0.2, init="identity").requires_grad_(False)
    own = torch.from_numpy(near.mask.targets() == near.mask.indices)
    assert torch.equal(near.weight_recurrent[own], torch.ones(36))
    assert 0 < float(near.weight_recurrent[~own].std()) < 0.1
    with pytest.raises(ModcogError, match="allowed for dense masks only"):
        build("lm-rnn", 1, 1, hidden=36, density=0.2, init="orthogonal")


SOURCE = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self, n_inputs, n_outputs, width=4):
            super().__init__()
            self.rnn, self.out = torch.nn.GRU(n_inputs, width), torch.nn.Linear(width, n_outputs)
            self.config = "mine"

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    def plain(n_inputs, n_outputs):
        return Net(n_inputs, n_outputs)

    def sized(n_inputs, n_outputs, hidden, width=3):
        return Net(n_inputs, n_outputs, hidden + width)

    def narrow(n_inputs, n_outputs):
        return Net(n_inputs, n_outputs + 1)

    def broken(n_inputs, n_outputs):
        raise RuntimeError("out of\\nluck")

    def number(n_inputs, n_outputs):
        return 3

    def failing(n_inputs, n_outputs):
        return Net(n_inputs + 1, n_outputs)

    constant = 3

    class Odd(Net):
        def __init__(self, how, n_inputs, n_outputs, **options):
            super().__init__(n_inputs, n_outputs, 6)
            self.how = how

        def forward(self, x):
            return self.how(super().forward(x))

    def nan(n_inputs, n_outputs):
        return Odd(lambda logits: logits / 0, n_inputs, n_outputs)

    def detached(n_inputs, n_outputs):
        return Odd(lambda logits: logits.detach(), n_inputs, n_outputs)

    def mixing(n_inputs, n_outputs):
        return Odd(lambda logits: logits.cumsum(1), n_inputs, n_outputs)

    def noisy(n_inputs, n_outputs):
        return Odd(lambda logits: logits + torch.randn_like(logits), n_inputs, n_outputs)
"""


@pytest.fixture
def user_network(tmp_path, monkeypatch):
    """A user's module in the working directory, which is not on Python's path."""
    (tmp_path / "user_network.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("user_network", None)


@pytest.mark.usefixtures("user_network")
def test_user_network_receives_what_it_takes():
    model = build("user_network:plain", C, A, hidden=99, seed=1)
    assert model(torch.zeros(2, 3, C)).shape == (2, 3, A)
    assert model.config == "mine"
    assert build("user_network:sized", C, A, hidden=5, width=2).rnn.hidden_size == 7
    same = build("user_network:plain", C, A, seed=1)
    assert torch.equal(same.out.weight, model.out.weight)
    assert measure(model).synapses is None
    assert measure(model).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.usefixtures("user_network")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("user_network:missing", {}, r"unknown name in user_network 'missing' \(nearest: 'mixing'\)"),
        ("no_such_module:f", {}, "cannot import 'no_such_module': ModuleNotFoundError: No module named"),
        ("user_network:constant", {}, "is of type int, must be a function"),
        ("user_network:number", {}, "returned a value of type int, must be a torch.nn.Module"),
        ("user_network:broken", {}, "it failed: RuntimeError: out of luck"),
        ("user_network:plain", {"depth": 2}, "unexpected keyword argument 'depth'"),
        ("user_network:plain", {"batch_first": True}, "unexpected keyword argument 'batch_first'"),
        (
            "user_network:narrow",
            {},
            r"must map \(T, B, C\) to \(T, B, A\) with C = 5 and A = 7; .* returned \(3, 2, 8\)",
        ),
        ("user_network:failing", {}, "but failed: RuntimeError"),
        ("user_network:nan", {}, "it returned NaN or infinite values before any training"),
        ("user_network:detached", {}, "its output depends on no trainable parameter"),
        ("user_network:mixing", {}, "its output for a trial depends on the others"),
    ],
)
def test_user_network_that_does_not_fit_is_refused_in_one_line(name, options, message):
    with pytest.raises(ModcogError, match=message) as error:
        build(name, C, A, **options)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("user_network")
def test_user_network_may_have_noise_and_be_built_where_nothing_is_trained():
    build("user_network:noisy", C, A)
    with torch.no_grad():
        build("user_network:plain", C, A)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lm-rn", {}, r"unknown architecture 'lm-rn' .nearest: 'lm-rnn'."),
        ("gru", {"density": 0.1}, "unknown option of gru 'density'"),
        ("lm-rnn", {"densty": 0.1}, "unknown option of lm-rnn 'densty' .nearest: 'density'."),
        ("lm-rnn", {"density": 0.1, "radius": 2}, "must not be given together with radius"),
        ("lm-rnn", {"density": 1.1}, "density"),
        ("lm-rnn", {"hidden": 0}, "hidden"),
        ("lm-rnn", {"hidden": 2.5}, "hidden"),
        ("lm-rnn", {"hidden": 13}, "or give shape"),
        ("lm-rnn", {"activation": "swish"}, "activation"),
        ("lm-rnn", {"tau": 50.0}, "tau: got 50, must be at least dt = 100"),
        ("lm-rnn", {"noise": -1.0}, "noise"),
        ("lm-rnn", {"kernel": "fast"}, "unknown kernel 'fast'"),
        ("lm-rnn", {"init": "ones"}, "init"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    with pytest.raises(ModcogError, match=message) as error:
        build(name, C, A, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"), [("n_inputs", 0), ("n_outputs", -1), ("n_inputs", 2.0), ("n_outputs", True)]
)
def test_wrong_sides_are_refused(field, value):
    with pytest.raises(ModcogError, match=f"{field}: got {value!r}, must be a whole number, at least 1"):
        build("lm-rnn", **{"n_inputs": 3, "n_outputs": 3, field: value})


def test_unknown_names_can_be_caught_as_key_errors():
    with pytest.raises(KeyError):
        build("rnn", C, A)
    with pytest.raises(UnknownNameError):
        build("rnn", C, A)
