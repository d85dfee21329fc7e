"""Runs that start from the weights of an earlier one: what they take from it, what they train, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from modcog import Battery, ModcogError
from modcog.training import TrainConfig, load_model, train
from modcog.training.batches import make_batches
from modcog.training.checkpoint import latest
from modcog.training.earlier import INPUT_WEIGHTS, train_rules_only
from modcog.training.metrics import read_metrics
from modcog.training.run import build_model

RULES = {"rule_input": "compositional"}
TASKS = ["go", "goseqr", "dm1", "dm1seqr"]


def weights(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(latest(config.out / "checkpoints") / "model.safetensors")


def scores(record: dict) -> dict:
    return {
        name: value for name, value in record.items() if "accuracy" in name or name in ("angular_error", "unanswered")
    }


@pytest.fixture
def first(small):
    config = small(tasks=TASKS, battery=RULES, train_on=TASKS[:3])
    train(config)
    return config


def after(first: TrainConfig, name: str, **changes) -> TrainConfig:
    """A run that starts from another, in a folder beside it."""
    settings = {**first.model_dump(), "out": first.out.parent / name, "start": first.out, "train_on": None}
    return TrainConfig.of(**{**settings, **changes})


def test_before_the_first_update_it_is_the_earlier_run(first):
    config = after(first, "second", train_on=["dm1seqr"])
    train(config)
    assert scores(read_metrics(config.out)[0]) == scores(read_metrics(first.out)[-1])
    assert [run.out for run in config.earlier] == [first.out]
    assert config.start == json.loads((config.out / "run.json").read_text())["config"]["start"]


def test_a_chain_is_the_same_run_wherever_its_folders_lie(first, tmp_path):
    second = after(first, "second")
    train(second)
    third = after(first, "third", start=second.out)
    assert [run.out for run in third.earlier] == [first.out, second.out]
    train(third)
    moved = tmp_path / "moved"
    shutil.copytree(first.out, moved / "first")
    again = after(
        first,
        "again",
        start=after(first, "x", start=moved / "first").model_copy(update={"out": second.out}).model_dump(),
    )
    train(again)
    assert all(torch.equal(one, weights(again)[name]) for name, one in weights(third).items())
    third = third.model_copy(update={"steps": 14})
    assert train(third.model_copy(update={"start": again.start}), resume=True).status == "finished"


@pytest.mark.parametrize("arch", ["lm-rnn", "dale", "gru", "lstm", "low-rank", "lru", "mingru", "cornn"])
def test_rule_weights_alone_are_trained(small, arch):
    first = small(tasks=TASKS, battery=RULES, arch=arch, density=0.3 if arch == "lm-rnn" else None)
    train(first)
    config = after(first, "rules", trainable="rules", learning_rate=0.01)
    train(config)
    old, new, width = weights(first), weights(config), config.rule_places.width
    (name,) = set(INPUT_WEIGHTS) & old.keys()
    assert width == 6
    for other in old.keys() - {name}:
        assert torch.equal(old[other], new[other])
    assert torch.equal(old[name][:, :-width], new[name][:, :-width])
    changed = (old[name] != new[name])[:, -width:]
    assert changed[:, [0, 1, 4]].any(dim=0).all()  # go, dm1, sequence right
    assert not changed[:, [2, 3, 5]].any()  # which none of the tasks has


def test_some_tasks_are_trained_and_all_are_scored(first):
    battery = Battery.from_config(first.battery_settings())
    for layout in ("trials", "stream"):
        config = first.model_copy(update={"layout": layout, "batch_size": 64})
        codes = {tuple(row) for part in make_batches(config, battery)(0).parts
                 for row in part.observations[0, :, 33:].numpy()}  # fmt: skip
        assert len(codes) == 3
    assert read_metrics(first.out)[-1]["decision_accuracy_per_task"].keys() == set(TASKS)
    everything = TrainConfig(tasks=TASKS, train_on=TASKS[::-1])
    assert everything.train_on is None  # one spelling for one run
    assert TrainConfig(tasks=TASKS, train_on=["dm1", "go"]) == TrainConfig(tasks=TASKS, train_on=["go", "dm1"])


def test_replay_gives_its_share_to_the_earlier_tasks(first):
    config = after(first, "replay", train_on=["dm1seqr"], replay=0.4, batch_size=2048)
    np.testing.assert_allclose(config.task_shares, [0.4 / 3, 0.4 / 3, 0.4 / 3, 0.6])
    parts = make_batches(config, Battery.from_config(config.battery_settings()))(0).parts
    new = sum(int((part.observations[0, :, [34, 37]] == 1).all(dim=1).sum()) for part in parts)  # dm1, sequence right
    assert abs(new / 2048 - 0.6) < 0.05


def test_no_minibatch_of_an_earlier_run_comes_again(first):
    battery = Battery.from_config(first.battery_settings())
    again = after(first, "again", train_on=TASKS[:3])
    one, other = (make_batches(config, battery)(0).parts[0].observations for config in (first, again))
    assert one.shape != other.shape or not torch.equal(one, other)


@pytest.mark.parametrize(
    "changes",
    [{"trainable": "rules"}, {"replay": 0.5}, {"penalty": "ewc", "strength": 100.0}, {"penalty": "si"}],
    ids=["rules", "replay", "ewc", "si"],
)
def test_a_resumed_run_ends_with_the_weights_of_an_undisturbed_one(small, changes):
    first = small(tasks=TASKS, battery=RULES, train_on=TASKS[:3], penalty="si", model={"noise": 0.1})
    train(first)
    settings = {"train_on": ["dm1seqr"], "penalty": "none", "schedule": "constant", **changes}
    whole, part = after(first, "whole", **settings), after(first, "part", **settings)
    train(whole)
    train(part.model_copy(update={"steps": 4}))
    torch.manual_seed(999)
    train(part, resume=True)
    one, other = (load_file(latest(config.out / "checkpoints") / "optimizer.safetensors") for config in (whole, part))
    assert all(torch.equal(tensor, weights(part)[name]) for name, tensor in weights(whole).items())
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(name.startswith("path") for name in one) == (changes.get("penalty") == "si")


def test_the_trials_of_another_seed_on_the_same_network(first):
    config = after(first, "other", seed=5)
    train(config)  # the mask is that of seed 0, as it must be
    assert load_model(config.out).mask.fingerprint == load_model(first.out).mask.fingerprint


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train_on": ["goseql"]}, "train_on: unknown task of the run 'goseql' .nearest: 'goseq"),
        ({"hidden": 8}, "hidden: got 8, the run to start from has 16"),
        ({"arch": "dense", "density": None}, "arch: got 'dense', the run to start from has 'lm-rnn'"),
        ({"battery": {}}, "rule_input: got True, the run to start from has 'compositional'"),
        ({"tasks": ["go", "dm2"]}, "tasks: their base tasks are others"),
        ({"replay": 1}, "replay: got 1"),
        ({"start": None, "replay": 0.5}, "replay: got 0.5, needs a run to start from"),
        ({"start": None, "penalty": "ewc"}, "penalty: got 'ewc', needs a run to start from"),
        ({"start": "nowhere"}, "start: cannot read nowhere"),
        ({"start": 3}, "start: got 3, must be the path"),
        ({"start": {"hiden": 3}}, "hiden"),
        ({"trainable": "rules", "weight_decay": 0.1}, "weight_decay: got 0.1, must be 0"),
        ({"trainable": "rules", "battery": {"rule_input": False}}, "the battery has no rule input"),
        ({"penalty": "ewk"}, "penalty"),
        ({"train_on": []}, "train_on"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(small, changes, says):
    first = small(tasks=TASKS, battery=RULES, train_on=TASKS[:3])
    settings = {"start": first.model_dump(mode="json"), **changes}
    with pytest.raises(ModcogError, match=says) as error:
        after(first, "second", **settings)
    assert "\n" not in str(error.value)


def test_an_endless_chain_is_refused():
    start: dict = {}
    for _ in range(100):
        start = {"start": start}
    with pytest.raises(ModcogError, match="got 101 runs, one from the other, must be at most 64"):
        TrainConfig.of(start=start)


def test_an_earlier_run_that_is_not_there_or_not_finished_or_another_is_refused(first, small):
    config = after(first, "second", train_on=["dm1seqr"])
    record = json.loads((first.out / "run.json").read_text())
    for change, says in (
        ({"status": "interrupted"}, "start: the run in .* is interrupted, must be finished"),
        ({"config": {**record["config"], "steps": 99}}, "start: .* has been trained with another steps since"),
    ):
        (first.out / "run.json").write_text(json.dumps({**record, **change}))
        with pytest.raises(ModcogError, match=says):
            train(config, resume=True)
    shutil.rmtree(first.out)
    with pytest.raises(ModcogError, match="is not the folder of a run"):
        train(config, resume=True)


def test_a_run_of_before_these_settings_loads_and_can_be_started_from(first):
    record = json.loads((first.out / "run.json").read_text())
    for name in ("train_on", "start", "trainable", "replay", "penalty", "strength"):
        del record["config"][name]
    record["config"]["tasks"] = TASKS[:3]
    (first.out / "run.json").write_text(json.dumps(record))
    load_model(first.out)
    config = after(first, "second", train_on=["dm1seqr"])
    assert config.earlier[0].train_on is None
    train(config)


def test_the_target_is_that_of_the_tasks_that_are_trained(small):
    config = small(tasks=["go", "dms"], train_on=["dms"], target_accuracy=0.3, steps=400, eval_every=1)
    run = train(config)  # half of dms is to hold, which an untrained network does by chance, and go is not
    assert run.status == "reached"
    assert run.record["scores"]["decision_accuracy_per_task"]["dms"] >= 0.3


def test_own_networks_have_no_known_rule_weights():
    with pytest.raises(ModcogError, match="trainable: got 'rules' for Linear, must be a reference network"):
        train_rules_only(torch.nn.Linear(3, 3), 1)


def test_the_first_weights_are_those_of_the_seed_of_the_first_run(first):
    config = after(first, "other", seed=5)
    battery = Battery.from_config(config.battery_settings())
    one, other = (build_model(c, battery).state_dict() for c in (first, config))
    assert all(torch.equal(one[name], other[name]) for name in one)
