"""Self-weights and the time constants they make, against what the network does."""

import numpy as np
import pytest
import torch
from hand_built import draw_apart

from modcog import models
from modcog.analysis import plot_self_weights, self_weights
from modcog.errors import ModcogError
from modcog.models import MaskedRNN, masks

WEIGHTS = [-0.4, 0.0, 0.3, 0.9, 1.0, 1.2]


def autapse(weights: list[float], **options) -> MaskedRNN:
    network = models.build("autapse", 3, 2, hidden=len(weights), **options)
    with torch.no_grad():
        network.weight_recurrent.copy_(torch.tensor(weights))
    return network


def test_known_weights() -> None:
    result = self_weights(autapse(WEIGHTS, dt=20.0))
    np.testing.assert_allclose(result.weight, WEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(result.rate, WEIGHTS, rtol=1e-6)
    assert result.dt == 20
    expected = [0, 0, -20 / np.log(0.3), -20 / np.log(0.9), np.inf, np.inf]
    np.testing.assert_allclose(result.time_constant, expected, rtol=1e-5)
    assert result.kinds == {"forgets at once": 2, "forgets slowly": 2, "grows": 2}


@pytest.mark.parametrize("tau", [100.0, 300.0])
def test_time_constants_are_those_of_the_units(tau: float) -> None:
    """A state without input falls by 1/e in one time constant: a fit to the run's logarithm says so."""
    network = autapse([0.3, 0.8, 0.97], dt=100.0, tau=tau)
    with torch.no_grad():
        _, states = network(torch.zeros(20, 1, 3), torch.ones(1, 3), return_states=True)
    slope = np.polyfit(100.0 * np.arange(20), np.log(states[:, 0].double().numpy()), 1)[0]
    np.testing.assert_allclose(self_weights(network).time_constant, -1 / slope, rtol=1e-4)


def test_a_leak_alone_is_the_unit_s_time_constant() -> None:
    result = self_weights(autapse([0.0], dt=1.0, tau=100.0))
    assert result.time_constant[0] == pytest.approx(100, rel=0.01)  # −dt / ln (1 − dt/τ) → τ


def test_other_networks_are_refused() -> None:
    with pytest.raises(ModcogError, match="must be an autapse network"):
        self_weights(models.build("lm-rnn", 3, 2, hidden=9, density=0.5))
    with pytest.raises(ModcogError, match="got GatedRNN, must be an autapse network"):
        self_weights(models.build("gru", 3, 2, hidden=9))
    bare = MaskedRNN(masks.identity(4), 3, 2)
    with pytest.raises(ModcogError, match="dt: got None"):
        self_weights(bare)
    assert self_weights(bare, dt=10.0).dt == 10


@pytest.mark.parametrize("weights", [WEIGHTS, [0.5], [-1.0, 2.0]])
def test_figure_counts_every_unit(weights: list[float]) -> None:
    figure = plot_self_weights(self_weights(autapse(weights)))
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == len(weights)
    draw_apart(figure)
