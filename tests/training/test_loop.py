"""Runs go on as if they had not stopped, end when they should, and say what happened."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from modcog import Battery, ModcogError
from modcog.cli import main
from modcog.cli.training import summary
from modcog.training import DivergedError, TrainConfig, load_model, loop, train
from modcog.training.checkpoint import checkpoints, latest
from modcog.training.metrics import read_metrics
from modcog.training.run import build_model


def weights(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(latest(config.out / "checkpoints") / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def numbers(config: TrainConfig) -> list[dict]:
    """The metrics, without how long things took."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in read_metrics(config.out)]


def test_a_run_leaves_its_record_metrics_pictures_and_weights(small):
    config = small()
    run = train(config)
    assert run.status == "finished"
    assert [record["step"] for record in read_metrics(config.out)] == [0, 4, 8, 12]
    record = json.loads((config.out / "run.json").read_text())
    assert record["config"]["tasks"] == ["go", "dm1seqr"]
    assert record["progress"]["trials"] == 12 * 8
    assert set(record["scores"]["decision_accuracy_per_task"]) == {"go", "dm1seqr"}
    assert record["versions"]["torch"].startswith("2")
    for name in ("learning_curve.png", "tasks.png"):
        assert (config.out / name).read_bytes().startswith(b"\x89PNG")
    assert list((config.out / "tensorboard").iterdir())


def test_the_same_seed_gives_the_same_network_and_another_seed_another(small, tmp_path):
    first, again, other = small(), small(out=tmp_path / "again"), small(out=tmp_path / "other", seed=1)
    for config in (first, again, other):
        train(config)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))
    assert numbers(first) == numbers(again)


@pytest.mark.parametrize("accelerator", ["cuda", "mps", "gpu"])
def test_a_device_that_this_machine_lacks_is_refused_in_one_line_before_any_work(
    accelerator, tmp_path, capsys, monkeypatch
):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setattr(loop, "_Loop", lambda *_: pytest.fail("work has begun"))
    assert main(["train", "--accelerator", accelerator, "--out", str(tmp_path / "run")]) == 2
    *_, line = capsys.readouterr().err.splitlines()  # after how long it would take
    assert line.startswith(f"modcog: accelerator '{accelerator}'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [{"model": {"noise": 0.1}}, {"layout": "stream", "seq_len": 30, "optimizer": "adamw", "weight_decay": 0.1}],
    ids=["trials, private noise", "stream, adamw"],
)
def test_a_resumed_run_ends_with_the_numbers_of_an_undisturbed_one(small, tmp_path, changes):
    whole = small(out=tmp_path / "whole", schedule="constant", **changes)
    train(whole)
    part = small(schedule="constant", **changes)
    train(part.model_copy(update={"steps": 4}))
    torch.manual_seed(999)  # whatever the process has drawn since
    train(part, resume=True)
    assert same(weights(whole), weights(part))
    assert numbers(whole) == numbers(part)


SCRIPT = """
import sys
from modcog.training import TrainConfig, train
train(TrainConfig.model_validate_json(sys.argv[1]), resume=True, progress_bar=False)
"""


def start(config: TrainConfig) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, config.model_dump_json()])


def wait_for_step(config: TrainConfig, step: int) -> None:
    for _ in range(2400):
        if any(int(path.name.split("-")[1]) >= step for path in checkpoints(config.out / "checkpoints")):
            return
        time.sleep(0.05)
    raise AssertionError("the run did not get anywhere")


def test_a_killed_run_loses_at_most_an_interval_and_resumes_to_the_same_weights(small, tmp_path):
    whole, part = small(out=tmp_path / "whole", steps=240, eval_every=30), small(steps=240, eval_every=30)
    train(whole)
    process = start(part)
    wait_for_step(part, 30)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert json.loads((part.out / "run.json").read_text())["status"] == "running"
    evaluated = read_metrics(part.out)[-1]["step"]
    assert int(latest(part.out / "checkpoints").name.split("-")[1]) >= evaluated - 30
    train(part, resume=True)
    assert same(weights(whole), weights(part))
    assert numbers(whole) == numbers(part)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_returns_and_the_run_goes_on_from_there(small, tmp_path, number):
    before = signal.getsignal(number)
    config = small(steps=100_000, eval_every=50_000, schedule="constant")

    def interrupt() -> None:
        wait_for_step(config, 0)  # however long the imports took: the run listens by now
        time.sleep(0.3)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    run = train(config)
    thread.join()
    step = run.record["progress"]["step"]
    assert run.status == "interrupted"
    assert 0 < step < 50_000
    assert latest(config.out / "checkpoints").name == f"step-{step:08d}"
    assert signal.getsignal(number) is before
    assert run.record["scores"]["decision_accuracy"] == read_metrics(config.out)[0]["decision_accuracy"]
    assert run.record["scores"]["step"] == 0, "the scores are older than the run"
    assert "evaluated at step 0" in summary(run)

    whole = small(out=tmp_path / "whole", steps=step + 3, eval_every=50_000, schedule="constant")
    train(whole)
    train(config.model_copy(update={"steps": step + 3}), resume=True)
    assert same(weights(whole), weights(config))


@pytest.mark.parametrize("eval_every", [1, 50])
def test_a_diverged_run_says_so_and_keeps_the_last_good_checkpoint(small, eval_every):
    config = small(learning_rate=1e30, clip=0, warmup=0, steps=50, eval_every=eval_every)
    with pytest.raises(DivergedError, match="learning_rate") as error:
        train(config)
    assert "\n" not in str(error.value)
    assert str(latest(config.out / "checkpoints")) in str(error.value)
    assert json.loads((config.out / "run.json").read_text())["status"] == "diverged"
    assert all(torch.isfinite(tensor).all() for tensor in weights(config).values())


@pytest.mark.parametrize("target", ["mean", "all"])
def test_training_stops_at_the_target(small, target):
    config = small(
        tasks=["rtgo", "go"], target_accuracy=0.15, target=target, steps=5000, eval_every=20, eval_trials=40,
        learning_rate=0.01, batch_size=64, hidden=32,
    )  # fmt: skip
    run = train(config)
    assert run.status == "reached"
    per_task = [record["decision_accuracy_per_task"].values() for record in read_metrics(config.out)]
    least = [min(values) if target == "all" else sum(values) / 2 for values in per_task]
    assert [value >= 0.15 for value in least] == [False] * (len(least) - 1) + [True]
    assert run.record["progress"]["step"] < 5000


def test_milestones_hold_the_trials_that_it_took(small):
    run = train(small(tasks=["rtgo"], steps=250, eval_every=50, learning_rate=0.01, hidden=36, batch_size=32))
    milestones = run.record["progress"]["milestones"]
    assert run.decision_accuracy > 0.5, "the test needs a run that gets somewhere"
    reached = [r["trials"] for r in read_metrics(run.folder) if r["decision_accuracy"] >= 0.5]
    assert milestones["50"]["trials"] == reached[0]


def test_what_another_has_written_while_a_network_was_built_is_not_written_over(small, tmp_path, monkeypatch):
    from modcog.training import loop

    config, other = small(out=tmp_path / "run", seed=1, steps=2), small(out=tmp_path / "run", seed=2, steps=4)
    build = loop.build_model

    def slowly(*args):
        monkeypatch.setattr(loop, "build_model", build)
        train(other)
        return build(*args)

    monkeypatch.setattr(loop, "build_model", slowly)
    with pytest.raises(ModcogError, match="holds a run already"):
        train(config)
    assert json.loads((config.out / "run.json").read_text())["seed"] == 2
    assert weights(config).keys() == weights(other).keys()
    (config.out / "run.json").unlink()
    with pytest.raises(ModcogError, match="holds a run already"):
        train(config)


def test_two_processes_do_not_train_in_one_folder(small, tmp_path):
    config = small(out=tmp_path / "busy", steps=100_000)
    process = start(config)
    try:
        wait_for_step(config, config.eval_every)
        with pytest.raises(ModcogError, match=r"another process is training in .*busy"):
            train(config, resume=True, progress_bar=False)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_run_is_not_written_over_nor_resumed_with_other_settings(small):
    options = {"model": {"shape": (4, 4)}, "battery": {"timing": {"stimulus": ("uniform", (300, 900))}}}
    train(small(**options))
    with pytest.raises(ModcogError, match="holds a run already"):
        train(small(**options))
    with pytest.raises(ModcogError, match="batch_size: 8 there, 9 here"):
        train(small(batch_size=9, **options), resume=True)
    assert train(small(**options, steps=13), resume=True).record["progress"]["step"] == 13


def test_a_loaded_model_is_the_trained_one(small):
    config = small()
    train(config)
    model = load_model(config.out)
    assert same(dict(model.state_dict()), weights(config))
    observations = model.battery.sample(3, seed=0).observations
    logits = model(torch.from_numpy(observations).transpose(0, 1))
    assert logits.shape == (observations.shape[1], 3, 17)
    assert not model.training


def test_weights_of_another_mask_are_refused_and_both_are_named(small):
    config = small(arch="random", steps=1)
    train(config)
    path = latest(config.out / "checkpoints") / "model.safetensors"
    save_file({**weights(config), "mask_fingerprint": torch.tensor(7)}, path)
    with pytest.raises(ModcogError, match=r"model.safetensors: .*belong to another mask .*fingerprint 7, not") as error:
        load_model(config.out)
    assert "\n" not in str(error.value)


def test_loading_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ModcogError, match="not the folder of a run"):
        load_model(tmp_path)


def test_the_time_step_of_the_battery_is_that_of_the_network(small):
    config = small(battery={"dt": 20}, model={"tau": 100.0})
    network = build_model(config, Battery.from_config(config.battery_settings()))
    assert network.alpha == pytest.approx(0.2)


def test_other_precisions_train(small):
    for precision in ("bf16-mixed", "64-true"):
        config = small(precision=precision, arch="gru", density=None, steps=2, out=small().out / precision)
        run = train(config)
        assert run.status == "finished"
        expected = torch.float64 if precision == "64-true" else torch.float32
        assert weights(config)["read_out.weight"].dtype == expected


TIRED = """
import torch

class Tired(torch.nn.GRU):
    def forward(self, x):
        self.calls += self.training
        if self.calls > 6:
            raise IndexError("out of\\nluck")
        return self.read_out(super().forward(x)[0])

def make(n_inputs, n_outputs):
    network = Tired(n_inputs, 4)
    network.read_out, network.calls = torch.nn.Linear(4, n_outputs), 0
    return network
"""


def test_a_users_network_that_fails_after_some_updates_is_refused_in_one_line(small, tmp_path, monkeypatch):
    (tmp_path / "tired_network.py").write_text(TIRED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    message = "^tired_network:make: failed after 6 updates: IndexError: out of luck$"
    with pytest.raises(ModcogError, match=message):
        train(small(arch="tired_network:make", density=None))
