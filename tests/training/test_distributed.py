"""Two processes on the CPU: together they make the update that one would make from both their batches."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from modcog import Battery, ModcogError
from modcog.training import train
from modcog.training.batches import make_batches
from modcog.training.checkpoint import latest
from modcog.training.loop import loss
from modcog.training.metrics import read_metrics
from modcog.training.run import build_model

SCRIPT = """
import atexit, sys
from torch.distributed import is_initialized
from modcog.training import TrainConfig, train
atexit.register(lambda: print("left" if not is_initialized() else "still there"))  # called last
train(TrainConfig.model_validate_json(sys.argv[1]))
"""


def test_a_processor_is_not_asked_for_more_processes_than_it_has_cores(small, monkeypatch):
    """A run of somebody else, resumed, could ask for any number."""
    monkeypatch.setattr("lightning_fabric.Fabric.launch", pytest.fail)
    with pytest.raises(ModcogError, match="devices: got 1024, must be at most"):
        train(small(devices=1024, accelerator="cpu"))


def test_two_processes_average_their_gradients(small, tmp_path):
    """Those of absent connections, too, which count in the norm."""
    config = small(
        devices=2, accelerator="cpu", steps=2, batch_size=100, clip=0.1, clip_absent=True, warmup=0,
        schedule="constant", eval_every=2,
    )  # fmt: skip
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    words = [sys.executable, script, config.model_dump_json()]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["left", "left"]  # threads that outlive their process abort it, now and then

    record = json.loads((config.out / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["progress"]["trials"] == 2 * 2 * 100
    assert [line["step"] for line in read_metrics(config.out)] == [0, 2]

    battery = Battery.from_config(config.battery_settings())
    network = build_model(config, battery)
    adam = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    of_rank = [make_batches(config, battery, rank, 2) for rank in range(2)]
    for step in range(2):
        adam.zero_grad()
        with network.full_gradient() as full:
            for batch in (batches(step) for batches in of_rank):
                for part in batch.parts:
                    (loss(network(part.observations), part) / batch.weight / 2).backward()
        grads = {name: one.grad for name, one in network.named_parameters()} | {"weight_recurrent": full}
        norm = sum(grad.square().sum() for grad in grads.values()).sqrt()
        assert norm > 0.1
        for one in network.parameters():
            one.grad *= 0.1 / norm
        adam.step()
    found = load_file(latest(config.out / "checkpoints") / "model.safetensors")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
