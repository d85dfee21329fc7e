"""Fixed points between two tasks' inputs, of networks that are built to keep, lose or move them."""

from __future__ import annotations

import numpy as np
import pytest
from hand_built import Linear, draw_apart

from modcog import Battery, ModcogError, UnknownNameError
from modcog.analysis import bifurcations, plot_bifurcations

BATTERY = Battery(["go", "dlygo", "dms"], rule_input=True)
RULES = (BATTERY.n_channels - 2, BATTERY.n_channels - 1)


class Bistable(Linear):
    """h + (h − h³ + u) / 10 with u from −0.6 to 0.6 between the rules: stable at both sides, three points between.

    Two points merge where |u| = 2 / √27 = 0.385: at shares of 0.179 and 0.821.
    """

    def __init__(self) -> None:
        drive = np.zeros((1, BATTERY.n_channels))
        drive[0, 1:17] = 3 * np.cos(2 * np.pi * np.arange(16) / 16)  # stimuli move it to either side, and between
        drive[0, RULES] = -0.6, 0.6
        super().__init__(np.eye(1), drive)

    def step(self, h, x):
        return h + 0.1 * (h.clamp(-3, 3) - h.clamp(-3, 3) ** 3 + x @ self.b.T)


def test_points_appear_and_merge_where_they_must() -> None:
    result = bifurcations(Bistable(), BATTERY, tasks=["dlygo", "dms"], n_inputs=9, n_starts=60)
    table = result.table[result.table["fixed"]]
    assert result.share[[0, -1]].tolist() == [0, 1]
    for share, rows in table.groupby("share"):
        u = -0.6 + 1.2 * share
        roots = np.roots([-1, 0, 1, u])
        roots = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
        assert len(rows) == len(roots) == (3 if 0.179 < share < 0.821 else 1)
        found = result.found[round(8 * share)]
        points = found.points[found.fixed, 0]  # the ghost of two that have merged is slow
        np.testing.assert_allclose(np.sort(points), roots, atol=1e-6)
        expected = np.abs(1 + 0.1 * (1 - 3 * roots**2))
        np.testing.assert_allclose(np.sort(rows["largest"]), np.sort(expected), atol=1e-5)
        assert (rows["kind"] == "unstable").sum() == len(roots) // 2
    figure = plot_bifurcations(result)
    assert {"fixed, stable", "fixed, unstable"} <= {line.get_label() for line in figure.axes[0].lines}
    draw_apart(figure)


def test_the_point_of_a_linear_network_moves_on_a_line() -> None:
    rng = np.random.default_rng(0)
    network = Linear(np.diag([0.9, 0.5, -0.3]), rng.normal(size=(3, BATTERY.n_channels)))
    result = bifurcations(network, BATTERY, n_inputs=5, n_starts=3, n_trials=10)
    assert result.tasks == ("dlygo", "dms")  # the first that have a delay
    points = np.concatenate([one.points for one in result.found])
    assert points.shape == (5, 3)
    np.testing.assert_allclose(points, points[0] + result.share[:, None] * (points[-1] - points[0]), atol=1e-9)
    a, b = (p.detach().double().numpy() for p in (network.a, network.b))
    np.testing.assert_allclose(points[-1], np.linalg.solve(np.eye(3) - a, b[:, [0, RULES[1]]].sum(axis=1)), atol=1e-9)
    given = np.eye(2, BATTERY.n_channels)
    shown = bifurcations(network, BATTERY, period="decision", x=given, tasks=["go", "dms"], n_inputs=2, n_starts=2)
    np.testing.assert_allclose(shown.found[1].points[0], np.linalg.solve(np.eye(3) - a, b[:, 1]), atol=1e-9)


def test_what_cannot_be_interpolated_is_refused() -> None:
    network = Linear(np.eye(1) / 2, np.ones((1, BATTERY.n_channels)))
    for wrong in (["dlygo"], ["go", "dlygo", "dms"]):
        with pytest.raises(ModcogError, match=f"tasks: got {len(wrong)}, must be two, with an input each"):
            bifurcations(network, BATTERY, tasks=wrong)
    with pytest.raises(ModcogError, match="must be two, with an input each"):
        bifurcations(network, BATTERY, x=np.zeros(BATTERY.n_channels))
    with pytest.raises(UnknownNameError, match="nearest: 'delay'"):
        bifurcations(network, BATTERY, tasks=["dlygo", "dms"], period="dlay")
    plain = Battery(["dlygo", "dms"])
    with pytest.raises(ModcogError, match="the inputs in the delay of dlygo and dms are the same"):
        bifurcations(Linear(np.eye(1) / 2, np.ones((1, plain.n_channels))), plain)
    with pytest.raises(ModcogError, match="n_inputs: got 1, must be a whole number, at least 2"):
        bifurcations(network, BATTERY, n_inputs=1)
