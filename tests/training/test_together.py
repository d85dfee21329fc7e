"""Networks that are trained side by side end as they do alone, but for rounding."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from modcog.battery import Battery
from modcog.evaluation import evaluate
from modcog.evaluation.evaluate import trials_to_score
from modcog.evaluation.scoring import score
from modcog.training import train
from modcog.training.checkpoint import latest
from modcog.training.learned import write_learned
from modcog.training.metrics import read_metrics
from modcog.training.run import load_run, read_run
from modcog.training.together import can_join, groups, train_together

CPU = torch.device("cpu")
STREAM = {"layout": "stream", "batch_size": 2, "seq_len": 40, "clip_absent": True, "schedule": "constant", "clip": 0.1}


@pytest.fixture
def some(small, tmp_path):
    """Three networks that differ in all that may differ within a group."""

    def make(**changes):
        own = [
            {"seed": 0, "model": {"init": "identity"}},
            {"arch": "dense", "density": None, "hidden": 20, "learning_rate": 0.004, "seed": 1},
            {"arch": "autapse", "density": None, "battery": {"rules": "published"}},
        ]
        return [small(**{**values, **changes, "out": tmp_path / f"run{i}"}) for i, values in enumerate(own)]

    return make


def together(configs, **options):
    (group,) = groups(configs)
    return list(train_together(group, CPU, **options))


def weights(folder):
    return load_file(latest(folder / "checkpoints") / "model.safetensors")


@pytest.mark.parametrize("changes", [{}, {"eval_early": True, "clip": 0.0}, STREAM])
def test_the_folder_is_that_of_a_run_alone(some, tmp_path, changes):
    configs = some(**changes)
    for learned in together(configs):
        write_learned(learned)
    for config in configs:
        alone = config.model_copy(update={"out": tmp_path / f"alone-{config.out.name}"})
        train(alone, progress_bar=False)
        ours, theirs = (read_metrics(one.out) for one in (config, alone))
        assert [(e["step"], e["trials"]) for e in ours] == [(e["step"], e["trials"]) for e in theirs]
        assert ours[0]["loss"] is theirs[0]["loss"] is None
        assert [e["loss"] for e in ours[1:]] == pytest.approx([e["loss"] for e in theirs[1:]], rel=1e-4)
        for mine, its in zip(ours, theirs, strict=True):
            assert mine["decision_accuracy"] == pytest.approx(its["decision_accuracy"], abs=0.02)
            assert mine["learning_rate"] == its["learning_rate"]
        state, expected = weights(config.out), weights(alone.out)
        assert state.keys() == expected.keys()
        for name, value in state.items():
            # Adam divides a gradient by its size, so that rounding shows where one is nearly 0
            close = torch.isclose(value.double(), expected[name].double(), rtol=1e-3, atol=1e-4)
            assert close.double().mean() > 0.98, name
        record, its = (read_run(one.out).record for one in (config, alone))
        assert record["status"] == its["status"] == "finished"
        assert record["scores"].keys() == its["scores"].keys()


def test_a_run_goes_on_alone(some, tmp_path):
    configs = some(schedule="constant")
    for learned in together(configs):
        write_learned(learned)
    config = configs[0].model_copy(update={"steps": 16})
    train(config, resume=True, progress_bar=False)
    undisturbed = config.model_copy(update={"out": tmp_path / "undisturbed"})
    train(undisturbed, progress_bar=False)
    ours, theirs = weights(config.out), weights(undisturbed.out)
    for name in ("weight_recurrent", "weight_in", "bias", "weight_out"):
        assert torch.isclose(ours[name], theirs[name], rtol=1e-3, atol=2e-4).double().mean() > 0.98, name


def test_actions_on_the_trials_to_score_on_are_those_of_the_network(some):
    configs = some()
    for learned in together(configs, score_on=lambda battery: trials_to_score(battery, 4, 7)):
        write_learned(learned)
        battery = Battery.from_config(learned.config.battery_settings())
        found = score(learned.actions, trials_to_score(battery, 4, 7))
        expected = evaluate(load_run(learned.config.out)[0], battery, 4, 7)
        assert found.per_task() == pytest.approx(expected.per_task(), abs=0.05)
        assert found.mean("trial") == pytest.approx(expected.mean("trial"), abs=0.05)


def test_one_that_diverges_leaves_the_others_alone(some):
    configs = some()
    expected = {one.config.out: one.weights for one in together(configs)}
    # so high a rate that the logits overflow
    configs[1] = configs[1].model_copy(update={"learning_rate": 1e30})
    for learned in together(configs):
        run = write_learned(learned)
        bad = learned.config.learning_rate > 1
        assert (run.status == "diverged") is bad
        assert (learned.diverged >= 0) is bad
        assert (learned.config.out / "checkpoints").exists() is not bad
        if not bad:
            for name, (value, *_) in learned.weights.items():
                torch.testing.assert_close(value, expected[learned.config.out][name][0])


@pytest.mark.parametrize(
    ("changes", "joins"),
    [
        ({}, True),
        ({"arch": "gru", "density": None}, False),
        ({"model": {"noise": 0.1}}, False),
        ({"optimizer": "adamw"}, False),
        ({"weight_decay": 0.1}, False),
        ({"target_accuracy": 0.5}, False),
        ({"precision": "64-true"}, False),
        ({"devices": 2}, False),
        ({"train_on": ["go"]}, True),
        ({"trainable": "rules"}, False),
        ({"penalty": "si"}, False),
        ({"start": {"tasks": ["go", "dm1seqr"], "hidden": 16, "density": 0.3}}, False),
    ],
)
def test_only_networks_with_a_mask_and_plain_adam_join(small, changes, joins):
    assert can_join(small(**changes)) is joins


def test_groups_share_all_that_the_update_rests_on(small):
    alike = [small(), small(seed=3), small(learning_rate=0.1), small(battery={"rules": "published"}), small(hidden=40)]
    assert [len(group) for group in groups(alike)] == [5]
    apart = [
        small(),
        small(steps=13),
        small(batch_size=9),
        small(hidden=65),
        small(model={"activation": "tanh"}),
        small(model={"activation": "softplus"}),
        small(model={"activation": "softplus"}, hidden=20),
        small(model={"tau": 200}),
        small(battery={"sigma": 0.5}),
        small(clip=0.5),
        small(warmup=3),
    ]
    assert [len(group) for group in groups(apart)] == [1] * len(apart)
