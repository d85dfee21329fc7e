"""Modularity of networks whose groups of units, connections and places are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gated_reactions import GROUPS, battery, reactions
from hand_built import draw_apart
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import ModcogError, models
from modcog.analysis import modularity, plot_modularity
from modcog.analysis.modularity import connections, rand_index, share_within


@pytest.fixture(autouse=True)
def _few_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modcog.analysis.variance.RESTARTS", 2)  # k-means takes nearly all the time


def wired(within: bool) -> torch.nn.Module:
    """Connect the units that serve a task with each other, or each with one of the other task; activity stays."""
    network = reactions()
    group = np.arange(network.hidden) // 32
    same = group[:, None] == group
    weight = np.where(same if within else ~same, 1e-6, 0)
    weight[64:] = weight[:, 64:] = 0
    with torch.no_grad():
        network.weight_recurrent.copy_(torch.from_numpy(weight.reshape(-1)))
    return network


def table(network: torch.nn.Module, **options: int):
    result = modularity(network, battery(), n_trials=60, **options)
    return result, result.table.set_index(["clustering", "measure"])


def test_groups_that_are_wired_together_are_clusters_and_communities() -> None:
    result, rows = table(wired(within=True), n_shuffles=50)
    for units in GROUPS.values():
        assert len(set(result.community[list(units)])) == 1
    assert result.graph_modularity == pytest.approx(0.5)  # two separate halves
    assert (result.cluster["ward"][64:] == -1).all()
    for clustering in ("ward", "yang2019"):
        assert rows.loc[(clustering, "weight"), "value"] > 1.5
        assert (rows.loc[clustering, "p_value"].drop("distance") == 1 / 51).all()
    _, crossed = table(wired(within=False), n_shuffles=50)
    assert crossed.loc[("ward", "weight"), "value"] == 0
    assert (crossed.loc[("ward", "weight"), "p_value"]) == 1
    draw_apart(plot_modularity(result))


def test_random_wiring_is_as_its_null() -> None:
    network = reactions()
    with torch.no_grad():
        network.weight_recurrent.copy_(1e-6 * torch.rand(network.hidden**2, generator=torch.Generator().manual_seed(0)))
    _, rows = table(network, n_shuffles=50)
    wiring = rows.drop("distance", level="measure")  # the groups stand in rows of the sheet
    assert (np.abs(wiring["value"] - wiring["null"]) < 4 * wiring["sd"]).all()


def test_clusters_in_patches_of_the_sheet_are_near() -> None:
    """Each unit of a sheet of 8 × 10 responds in one task: in one half of the columns to go, in the other to anti."""
    network = models.build("lm-rnn", hidden=80, n_inputs=35, n_outputs=17, density=0.1)
    ring, task = np.arange(80) % 16, np.arange(80) % 10 // 5
    with torch.no_grad():
        for weight in (network.weight_in, network.bias):
            weight.zero_()
        network.weight_recurrent.mul_(1e-6)
        for unit in range(80):
            network.weight_in[unit, 1 + ring[unit]] = 1
            network.weight_in[unit, 33 + task[unit]] = 5
        network.bias[:] = -5
    result, rows = table(network, n_shuffles=50)
    assert rand_index(np.where(result.cluster["ward"] == -1, 0, task), task) == 1
    assert rows.loc[("ward", "distance"), "value"] < 0.9
    assert rows.loc[("ward", "distance"), "p_value"] == 1 / 51
    draw_apart(plot_modularity(result))


def test_weights_of_gates_add_up_in_both_directions() -> None:
    network = models.build("gru", hidden=3, n_inputs=2, n_outputs=2)
    gates = network.recurrent.weight_hh_l0.detach().numpy().reshape(3, 3, 3)
    found = connections(network)
    assert found[0, 2] == found[2, 0] == pytest.approx(np.abs(gates[:, 0, 2]).sum() + np.abs(gates[:, 2, 0]).sum())
    assert (np.diag(found) == 0).all()
    with pytest.raises(ModcogError, match="got Linear, must be a reference network"):
        connections(torch.nn.Linear(2, 2))
    with pytest.raises(ModcogError, match="no two of its units are connected"):
        connections(models.build("autapse", hidden=3, n_inputs=2, n_outputs=2))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
@settings(deadline=None)
def test_the_rand_index_counts_pairs(labels: list[tuple[int, int]]) -> None:
    one, other = np.array(labels).T
    pairs = [(i, j) for j in range(len(one)) for i in range(j)]
    same = np.array([(one[i] == one[j], other[i] == other[j]) for i, j in pairs])
    both, (first, second) = same.all(axis=1).mean(), same.mean(axis=0)
    most = (first + second) / 2
    expected = 1 if most == first * second else (both - first * second) / (most - first * second)
    assert rand_index(one, other) == pytest.approx(expected)
    assert rand_index(one, one) == 1


def test_the_rand_index_of_shuffled_labels_is_zero_on_average() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, 60)
    assert abs(np.mean([rand_index(label, rng.permutation(label)) for _ in range(300)])) < 0.005


def test_share_within_is_one_of_all_pairs() -> None:
    pairs = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]], float)
    assert share_within(pairs, np.zeros(3, int)) == 1
    assert share_within(pairs, np.array([0, 0, 1])) == 0.5
    assert np.isnan(share_within(pairs, np.arange(3)))
