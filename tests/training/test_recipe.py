"""The authors' recipe is what their notebook does, written down once more in plain PyTorch."""

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from modcog import Battery, ModcogError
from modcog.models import to_dense_state
from modcog.training import TrainConfig, train
from modcog.training.batches import make_batches
from modcog.training.checkpoint import latest
from modcog.training.loop import learning_rate
from modcog.training.metrics import read_metrics
from modcog.training.run import build_model


def recipe(out, d=2, **changes):
    """The recipe on few tasks, in double precision as in the notebook."""
    values = {
        "tasks": ["go", "dm1seqr", "dlygointr"],
        "steps": 6,
        "eval_trials": 1,
        "precision": "64-true",
        "threads": 1,
    }
    return TrainConfig.of(f"authors-d{d}", **{**values, **changes}, out=out)


def weights(config):
    return load_file(latest(config.out / "checkpoints") / "model.safetensors")


def plain_training(config):
    """Weights after ``config.steps`` updates, and the norms before clipping: a full matrix, times a mask after each."""
    battery = Battery.from_config(config.battery_settings())
    network = build_model(config, battery)
    mask = torch.from_numpy(network.mask.to_dense())
    state = {name: value.detach().double() for name, value in to_dense_state(network).items()}
    w = {name: state[name].clone().requires_grad_() for name, _ in network.named_parameters()}
    optimizer = torch.optim.Adam(w.values(), lr=1e-3)
    batches, norms = make_batches(config, battery), []
    for step in range(config.steps):
        batch, loss = batches(step), 0.0
        for part in batch.parts:
            h, logits = torch.zeros(part.labels.shape[1], len(mask)).double(), []
            for now in part.observations.double():
                h = torch.relu(now @ w["weight_in"].T + w["bias"] + h @ w["weight_recurrent"].T)
                logits.append(h @ w["weight_out"].T + w["bias_out"])
            each = functional.cross_entropy(torch.stack(logits).flatten(0, 1), part.labels.flatten(), reduction="none")
            loss += (each * part.weights.flatten()).sum() / batch.weight
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(w.values(), config.clip)))
        optimizer.step()
        with torch.no_grad():
            w["weight_recurrent"] *= mask
    w["weight_recurrent"] = w["weight_recurrent"][mask]
    return {name: value.detach() for name, value in w.items()}, norms


@pytest.mark.parametrize(
    "changes",
    [
        {"d": 2},
        {"d": 3, "hidden": 64},
        {"model": {"init": "identity", "gain": 0.5}, "hidden": 64, "layout": "trials", "batch_size": 130},
    ],
    ids=["d = 2", "d = 3", "several parts"],
)
def test_updates_are_those_of_the_notebook(tmp_path, changes):
    config = recipe(tmp_path / "run", clip=0.3, **changes)
    train(config)
    expected, norms = plain_training(config)
    assert min(norms) > 0.3, "the test needs gradients that are clipped"
    for name, value in expected.items():
        torch.testing.assert_close(weights(config)[name], value, rtol=0, atol=1e-7, msg=name)

    without = recipe(tmp_path / "without", clip=0.3, clip_absent=False, **changes)
    train(without)
    gap = max(float((weights(without)[name] - value).abs().max()) for name, value in expected.items())
    assert gap > 1e-5, "absent connections must count"


@pytest.mark.parametrize(("d", "percent"), [(2, 3.23), (3, 8.36), (4, 14.23)])
def test_the_preset_has_every_fact_of_the_notebook(tmp_path, d, percent):
    config = TrainConfig.of(f"authors-d{d}", out=tmp_path)
    network = build_model(config, Battery.from_config(config.battery_settings()))
    assert (network.mask.n, network.mask.sheet.rows, network.mask.sheet.torus) == (256, 16, False)
    assert round(100 * network.mask.density, 2) == percent
    assert network.mask.self_connections == 256
    assert torch.equal(to_dense_state(network)["weight_recurrent"], 0.5 * torch.eye(256))
    assert (network.weight_in.shape, network.weight_out.shape) == ((256, 33 + 82), (17, 256))
    assert (network.alpha, network.activation, network.noise) == (1, "relu", 0)
    assert {learning_rate(config, step) for step in (0, 1, 39_999)} == {1e-3}
    assert (config.layout, config.batch_size, config.seq_len, config.steps) == ("stream", 4, 100, 40_000)
    assert (config.optimizer, config.weight_decay, config.clip, config.clip_absent) == ("adam", 0, 1, True)
    assert len(config.tasks) == 82
    (part,) = make_batches(config, Battery.from_config(config.battery_settings()))(0).parts
    assert torch.equal(part.weights, torch.ones(100, 4))


def test_without_a_full_mask_nothing_is_absent_and_without_a_mask_it_is_refused(tmp_path):
    model = {"init": "diagonal", "gain": 0.5}
    one, other = (
        recipe(tmp_path / f"{on}", arch="dense", model=model, hidden=16, clip_absent=on) for on in (True, False)
    )
    for config in (one, other):
        train(config)
    assert all(torch.equal(weights(one)[name], value) for name, value in weights(other).items())
    with pytest.raises(ModcogError, match="clip_absent: got True for GatedRNN, must be a network with a mask"):
        train(recipe(tmp_path / "gru", arch="gru", model={}, hidden=16))


@pytest.mark.parametrize("changes", [{}, {"layout": "trials", "batch_size": 130, "decision_weight": 5.0}])
def test_a_resumed_run_of_the_recipe_ends_with_the_same_numbers(tmp_path, changes):
    """Also where a minibatch is several parts, whose full gradients add up."""
    whole, part = (recipe(tmp_path / name, hidden=16, steps=10, eval_every=8, **changes) for name in ("whole", "part"))
    train(whole)
    train(part.model_copy(update={"steps": 3}))
    train(part, resume=True)
    assert all(torch.equal(weights(whole)[name], value) for name, value in weights(part).items())
    assert [record["step"] for record in read_metrics(whole.out)] == [0, 1, 2, 4, 8, 10]
    assert [record["step"] for record in read_metrics(part.out)] == [0, 1, 2, 3, 4, 8, 10]


def test_early_evaluations_change_nothing_else(small, tmp_path):
    """They come after updates 1, 2, 4 … below ``eval_every``."""
    plain, early = small(eval_every=8), small(eval_every=8, eval_early=True, out=tmp_path / "early")
    for config in (plain, early):
        train(config)
    records = [read_metrics(config.out) for config in (plain, early)]
    assert [[record["step"] for record in run] for run in records] == [[0, 8, 12], [0, 1, 2, 4, 8, 12]]
    assert records[0][-1]["decision_accuracy_per_task"] == records[1][-1]["decision_accuracy_per_task"]
    assert records[0][-1]["loss"] == records[1][-1]["loss"]
