"""Lesions of a network whose units are known to serve one task each, and of others by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gated_reactions import CUE, GROUPS, TASKS, battery, reactions
from hand_built import draw_apart
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import Battery, ModcogError, UnknownNameError, evaluate, models
from modcog.analysis import fine_tune, lesions, patches, plot_lesions, plot_pruning, prune, pruning, silence
from modcog.models.masks import Sheet


def test_the_network_solves_both_tasks() -> None:
    intact = lesions(reactions(), battery(), groups={}, n_trials=40).table
    assert dict(zip(intact["task"], intact["accuracy"], strict=True)) == {"rtgo": 1.0, "rtanti": 1.0}
    assert set(intact["group"]) == {"intact"}


def test_a_lesion_kills_the_task_of_its_units_and_no_other() -> None:
    result = lesions(reactions(), battery(), groups=GROUPS, n_trials=40)
    assert result.change.loc["go"].to_dict() == {"rtgo": -1.0, "rtanti": 0.0}
    assert result.change.loc["anti"].to_dict() == {"rtgo": 0.0, "rtanti": -1.0}
    assert result.table.groupby("group")["units"].first().to_dict() == {"intact": 0, "go": 32, "anti": 32}
    figure = plot_lesions(result)
    assert figure.axes[0].get_yticklabels()[0].get_text() == "go (32)"
    draw_apart(figure)


def test_clusters_of_the_variance_are_the_groups() -> None:
    result = lesions(reactions(), battery(), n_trials=40)
    size = result.table.groupby("group")["units"].first()
    assert size.drop("intact").sum() == 64  # the cue's unit does not vary over trials
    for _, change in result.change.iterrows():
        assert sorted(change)[1] == 0  # each cluster serves one task
    assert result.change.sum().min() <= -1


@pytest.mark.parametrize("arch", ["lm-rnn", "gru", "lstm", "autapse"])
@given(units=st.sets(st.integers(0, 11)))
@settings(max_examples=10, deadline=None)
def test_silenced_units_are_as_if_their_state_were_zero(arch: str, units: set[int]) -> None:
    """Changing what a silenced unit does changes nothing; the others go on without it."""
    options = {"density": 0.6} if arch == "lm-rnn" else {}
    network = models.build(arch, hidden=12, n_inputs=5, n_outputs=3, seed=1, **options).double()
    x = torch.randn(7, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lesioned = silence(network, sorted(units))
    expected = lesioned(x)
    with torch.no_grad():
        weight = lesioned.weight_in if arch in ("lm-rnn", "autapse") else lesioned.recurrent.weight_ih_l0
        for unit in units:
            weight[unit::12] += 3  # all gates of the unit
    assert torch.allclose(lesioned(x), expected)
    others = silence(network, [])(x)
    assert torch.equal(others, network(x))
    assert len(units) == 0 or not torch.allclose(expected, others)


def test_what_cannot_be_silenced_is_refused() -> None:
    network = reactions()
    for wrong in ([66], [-1], [0.5], ["a"]):
        with pytest.raises(ModcogError, match=r"units: got .*, must be whole numbers from 0 to 65"):
            silence(network, wrong)
    with pytest.raises(ModcogError, match="got Linear, must be a reference network"):
        lesions(torch.nn.Linear(3, 3), battery())
    with pytest.raises(UnknownNameError, match=r"unknown kind of groups 'cluster'.*nearest: 'clusters'"):
        lesions(network, battery(), groups="cluster")
    with pytest.raises(ModcogError, match="no places on a sheet"):
        lesions(models.build("gru", hidden=4, n_inputs=35, n_outputs=17), battery(), groups="patches")


def test_patches_cover_the_sheet() -> None:
    found = patches(Sheet(6, 10), 4)
    assert sorted(np.concatenate(list(found.values()))) == list(range(60))
    assert found["patch 1, 1"].tolist() == [0, 1, 2, 10, 11, 12]
    small = models.build("lm-rnn", hidden=64, n_inputs=35, n_outputs=17, density=0.2)
    assert len(lesions(small, battery(), groups="patches", n_trials=2).change) == 16


@pytest.mark.parametrize("way", ["random", "weakest", "strongest"])
def test_pruning_is_nested_and_in_order(way: str) -> None:
    network = models.build("lm-rnn", hidden=36, n_inputs=5, n_outputs=3, density=0.3)
    before, cut = network.weight_recurrent.detach().abs(), []
    for share in (0.0, 0.25, 0.5, 1.0):
        pruned = prune(network, share, way, seed=3).weight_recurrent.detach()
        gone = (pruned == 0).numpy()
        assert gone.sum() == round(share * len(before))
        assert not cut or gone[cut[-1]].all()
        cut.append(gone)
        assert torch.equal(pruned[~gone], network.weight_recurrent.detach()[~gone])
        if way != "random" and gone.any() and not gone.all():
            weaker, stronger = (before[gone], before[~gone]) if way == "weakest" else (before[~gone], before[gone])
            assert weaker.max() <= stronger.min()


def test_synapses_that_do_nothing_can_be_cut() -> None:
    table = pruning(reactions(), battery(), shares=(0.0, 0.5, 1.0), n_trials=20)
    assert len(table) == 3 * 3 * len(TASKS)
    assert (table["accuracy"] == 1).all()
    figure = plot_pruning(table)
    assert [line.get_label() for line in figure.axes[0].lines][3:] == ["chance", "ceiling"]
    assert (table["chance"] < table["ceiling"]).all()
    draw_apart(figure)
    assert len(plot_pruning(table.assign(chance=np.nan, ceiling=np.nan)).axes[0].lines) == 3
    silent = prune(reactions(), 1.0)
    assert not silent.weight_recurrent.any()
    with pytest.raises(ModcogError, match=r"share: got 1\.5, must be from 0 to 1"):
        prune(reactions(), 1.5)
    with pytest.raises(UnknownNameError, match="nearest: 'weakest'"):
        prune(reactions(), 0.5, "weak")
    with pytest.raises(ModcogError, match="got GatedRNN, must be a MaskedRNN"):
        pruning(models.build("gru", hidden=4, n_inputs=35, n_outputs=17), Battery(TASKS, rule_input=True))
    assert CUE == 64


@pytest.mark.parametrize("settings", [{}, {"timing": {"fixation": 200}, "dt": 50, "rule_input": "compositional"}])
def test_fine_tuning_trains_what_is_left(settings: dict) -> None:
    own = Battery(["rtgo"], **{"rule_input": True, **settings})
    network = models.build("lm-rnn", own.n_channels, own.n_actions, hidden=25, density=0.4)
    pruned = prune(network, 0.5, "weakest")
    before = pruned.weight_recurrent.detach().clone()
    tuned, again = (fine_tune(pruned, own, 30, learning_rate=0.02, seed=1) for _ in range(2))
    assert torch.equal(tuned.weight_recurrent, again.weight_recurrent)
    assert torch.equal(pruned.weight_recurrent, before)
    assert not tuned.weight_recurrent[before == 0].any()
    assert (tuned.weight_recurrent != before)[before != 0].any()
    assert evaluate(tuned, own, 100).decision_accuracy > evaluate(pruned, own, 100).decision_accuracy + 0.5


def test_pruning_scores_what_fine_tuning_leaves() -> None:
    own = Battery(["rtgo"], rule_input=True)
    network = models.build("lm-rnn", own.n_channels, own.n_actions, hidden=25, density=0.4)
    options = {"shares": [0.5], "ways": ["random"], "n_trials": 50}
    tuned = fine_tune(prune(network, 0.5), own, 3)
    found = pruning(network, own, **options, updates=3)["accuracy"]
    assert found.item() == evaluate(tuned, own, 50).decision_accuracy
    with pytest.raises(ModcogError, match="updates: got -1, must be a whole number, at least 0"):
        pruning(network, own, **options, updates=-1)
