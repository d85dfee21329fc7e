"""Fixed points: those of networks that were built to have them, and what holds of any."""

import numpy as np
import pytest
import torch
from hand_built import Linear, RingAttractor, draw_apart
from torch import nn

from modcog import Battery, models
from modcog.analysis import fixed_points, plot_fixed_points
from modcog.analysis.slow_points import distinct, exact_copy, jacobian, step
from modcog.errors import ModcogError

BATTERY = Battery(["dlygo", "dms"], rule_input=True)
PLAIN = Battery(["dlygo", "dms"])


def linear(eigenvalues: list[float]) -> tuple[Linear, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))[0]
    a = (vectors * eigenvalues) @ vectors.T
    return Linear(a, rng.normal(size=(len(a), BATTERY.n_channels))), np.array(eigenvalues)


def test_the_fixed_point_of_a_linear_network_is_found_exactly() -> None:
    network, eigenvalues = linear([0.9, 0.5, -0.3, 0.0])
    found = fixed_points(network, BATTERY, task="dms", n_trials=20, n_starts=8)
    x = np.zeros(BATTERY.n_channels)
    x[[0, -1]] = 1  # the cue, and the rule of the second of two tasks
    assert np.array_equal(found.input, x)
    a, b = (p.detach().double().numpy() for p in (network.a, network.b))
    assert len(found) == 1
    np.testing.assert_allclose(found.points[0], np.linalg.solve(np.eye(4) - a, b @ x), rtol=1e-9)
    np.testing.assert_allclose(found.eigenvalues[0], sorted(eigenvalues, key=lambda v: -abs(v)), atol=1e-6)
    assert found.fixed.all()
    assert found.kind.tolist() == ["stable"]
    assert found.time_constants[0, 0] == pytest.approx(-100 / np.log(0.9), rel=1e-5)


def test_unstable_and_rotating_modes_are_counted() -> None:
    turn = 1.1 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    a = np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.array([[0.5]])]])
    network = Linear(a, np.random.default_rng(1).normal(size=(3, BATTERY.n_channels)))
    found = fixed_points(network, BATTERY, task="dlygo", n_trials=20, n_starts=4)
    assert found.n_unstable.tolist() == [2]
    assert found.kind.tolist() == ["unstable"]
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues[0, :2]), 1.1 * np.exp([-0.7j, 0.7j]), atol=1e-6)


def test_a_ring_attractor_has_a_ring_of_fixed_points() -> None:
    found = fixed_points(RingAttractor(), PLAIN, task="dlygo", n_trials=200, n_starts=60)
    assert found.fixed.all()
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1, atol=1e-6)
    assert len(found) == 16  # one for each direction that was shown
    expected = np.tile([1, 2 / 3, 0, 0, 0, 0], (16, 1))
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-6)
    assert set(found.kind) == {"marginal"}
    assert (found.n_marginal == 1).all()
    place = found.points @ RingAttractor().a.detach().numpy()
    sector = np.degrees(np.arctan2(place[:, 1], place[:, 0])) / 22.5
    np.testing.assert_allclose(sector, sector.round(), atol=1e-6)  # each start settles at the point nearest to it


def test_its_origin_is_found_from_the_fixation() -> None:
    found = fixed_points(RingAttractor(), PLAIN, task="dlygo", period="fixation", n_trials=20, n_starts=4)
    np.testing.assert_allclose(found.points, np.zeros((1, 6)), atol=1e-9)
    assert found.n_unstable.tolist() == [2]


def test_a_drift_is_a_slow_point_and_no_fixed_one() -> None:
    class Drifting(Linear):
        """h² + 0.004 away from h: no fixed point, slowest at 0."""

        def step(self, h, x):
            return h + (h - 0.5) ** 2 + 0.004

    network = Drifting(np.eye(1), np.zeros((1, BATTERY.n_channels)))
    found = fixed_points(network, BATTERY, task="dlygo", n_trials=10, n_starts=2, slow=0.02)
    assert not found.fixed.any()
    np.testing.assert_allclose(found.points, [[0.5]], atol=2e-3)
    assert found.speed[0] * found.scale == pytest.approx(0.004, rel=1e-3)


def test_points_far_from_the_visited_states_are_left_out() -> None:
    network = Linear(np.array([[0.999]]), np.ones((1, BATTERY.n_channels)))  # rests at 2000, visits less than 100
    options = {"task": "dms", "n_trials": 20, "n_starts": 4}
    assert len(fixed_points(network, BATTERY, **options)) == 1
    assert len(fixed_points(network, BATTERY, **options, far=10)) == 0
    assert len(fixed_points(network, BATTERY, **options, far=1000)) == 1


def test_autapses_rest_where_their_self_weights_say() -> None:
    network = models.build("autapse", BATTERY.n_channels, BATTERY.n_actions, hidden=8, tau=200.0, dt=100.0)
    weight = torch.linspace(-0.5, 0.9, 8)
    with torch.no_grad():
        network.weight_recurrent.copy_(weight)
    found = fixed_points(network, BATTERY, task="dms", n_trials=20, n_starts=8)
    w, b = (p.detach().double().numpy() for p in (network.weight_recurrent, network.weight_in))
    drive = b @ found.input
    assert 0 < (drive > 0).sum() < 8
    np.testing.assert_allclose(found.points, [np.maximum(drive, 0) / (1 - w * (drive > 0))], atol=1e-9)
    rates = np.where(drive > 0, 0.5 + 0.5 * w, 0.5)
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].real), np.sort(rates), atol=1e-9)


@pytest.mark.parametrize("architecture", ["lm-rnn", "dale", "low-rank", "lru", "mingru", "cornn", "gru", "lstm"])
def test_points_of_any_network_stay_where_they_are(architecture: str) -> None:
    own = {"lm-rnn": {"activation": "tanh", "noise": 0.1}, "dale": {"gain": 0.3}}
    options = own.get(architecture, {})
    network = models.build(architecture, BATTERY.n_channels, BATTERY.n_actions, hidden=12, **options)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = fixed_points(network, BATTERY, task="dms", n_trials=20, n_starts=6)
    assert found.fixed.any()
    assert found.points.shape[1] == (24 if architecture == "lstm" else 12)
    exact, x = exact_copy(network), torch.from_numpy(found.input)
    h = torch.from_numpy(found.points[found.fixed])
    for _ in range(5):
        h = step(exact, h, x)
    np.testing.assert_allclose(h.detach(), found.points[found.fixed], atol=1e-9)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_slow_and_distinct_points_are_kept_the_slowest_first() -> None:
    points, speed = np.array([[0.0], [1.0], [1.05], [3.0], [0.02]]), np.array([2e-3, 0.0, 1e-9, 0.5, 1e-3])
    assert distinct(points, speed, slow=0.01, apart=0.1) == [1, 4]
    assert distinct(points, speed, slow=0.01, apart=0.01) == [1, 2, 4, 0]
    assert distinct(points, speed, slow=0.0, apart=0.1) == []


@pytest.mark.parametrize("architecture", ["lm-rnn", "lstm"])
def test_jacobians_agree_with_differences(architecture: str) -> None:
    options = {"activation": "tanh", "tau": 250.0} if architecture == "lm-rnn" else {}
    network = models.build(architecture, BATTERY.n_channels, BATTERY.n_actions, hidden=6, **options)
    exact = exact_copy(network)
    rng = np.random.default_rng(2)
    h = torch.from_numpy(rng.normal(size=12 if architecture == "lstm" else 6))
    x = torch.from_numpy(rng.normal(size=BATTERY.n_channels))
    small = 1e-6 * torch.eye(len(h), dtype=h.dtype)
    differences = (step(exact, h + small, x) - step(exact, h - small, x)).T / 2e-6
    np.testing.assert_allclose(jacobian(exact, h, x), differences.detach(), atol=1e-8)


def test_the_same_seed_finds_the_same_points() -> None:
    network = models.build("gru", BATTERY.n_channels, BATTERY.n_actions, hidden=6)
    first, again = (fixed_points(network, BATTERY, task="dms", n_trials=10, n_starts=5, seed=3) for _ in range(2))
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.eigenvalues, again.eigenvalues)


class HalfOfItsState(nn.Module):
    """An LSTM that gives its hidden states only, and begins with empty cells."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BATTERY.n_channels, 4)

    def forward(self, x, h0=None, return_states=False):
        start = None if h0 is None else (h0[None].contiguous(), torch.zeros_like(h0)[None])
        states, _ = self.lstm(x, start)
        return states, states


def test_what_cannot_be_searched_is_refused() -> None:
    network = models.build("gru", BATTERY.n_channels, BATTERY.n_actions, hidden=4)
    with pytest.raises(ModcogError, match="the input in the sample of dms varies"):
        fixed_points(network, BATTERY, task="dms", period="sample", n_trials=5)
    with pytest.raises(ModcogError, match=r"x: got shape \(3,\), must be \(C,\) = \(35,\)"):
        fixed_points(network, BATTERY, task="dms", x=[1, 0, 0], n_trials=5)
    with pytest.raises(ModcogError, match="must be its whole state"):
        fixed_points(HalfOfItsState(), BATTERY, task="dms", n_trials=5)
    with pytest.raises(ModcogError, match="must be a torch module"):
        fixed_points(lambda x: x, BATTERY, task="dms")


def test_figures_show_points_and_eigenvalues() -> None:
    found = fixed_points(RingAttractor(), PLAIN, task="dlygo", n_trials=100, n_starts=20)
    figure = plot_fixed_points(found)
    drawn = [line for line in figure.axes[0].lines if "marginal" in line.get_label()]
    assert [len(line.get_xdata()) for line in drawn] == [len(found)]
    draw_apart(figure)
    nothing = fixed_points(RingAttractor(), PLAIN, task="dlygo", n_trials=100, n_starts=2, slow=0.0)
    draw_apart(plot_fixed_points(nothing))
