"""Code that a file names is imported only when the caller says so; what the caller types is imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from modcog import ModcogError, load_model, models
from modcog.analysis import fixed_points, hidden_states, ringness, self_weights, task_variance, trajectories
from modcog.cli import main
from modcog.experiments import benchmark
from modcog.experiments.sweeps import Grid
from modcog.training import TrainConfig, train

THEIRS = """
from pathlib import Path
import torch

Path("imported").touch()

class Network(torch.nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.rnn, self.out = torch.nn.GRU(n_inputs, 4), torch.nn.Linear(4, n_outputs)

    def forward(self, x, h0=None, return_states=False):
        states = self.rnn(x, None if h0 is None else h0[None].contiguous())[0]
        return (self.out(states), states) if return_states else self.out(states)
"""

SMALL = {"tasks": ["go", "dms"], "hidden": 4, "steps": 1, "batch_size": 4, "eval_trials": 1, "threads": 1}


@pytest.fixture
def arch(tmp_path, monkeypatch) -> str:
    """A MODULE:NAME whose module leaves a mark in the working directory when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("theirs_for_trust.py").write_text(THEIRS, encoding="utf-8")
    yield "theirs_for_trust:Network"
    sys.modules.pop("theirs_for_trust", None)


@pytest.fixture
def folder(arch) -> Path:
    """The run of somebody else."""
    run = train(TrainConfig(arch=arch, out="run", **SMALL))
    sys.modules.pop("theirs_for_trust")
    Path("imported").unlink()
    return run.folder


def write(name: str, **content: object) -> None:
    Path(name).write_text(json.dumps(content), encoding="utf-8")


WORDS = {
    "evaluate": ("evaluate", "run", "--n-trials", "2", "--no-ceiling"),
    "benchmark": ("benchmark", "run", "--n-trials", "2", "--no-ceiling"),
    "resume": ("train", "--resume", "--steps", "2", "--out", "run"),
    "config": ("train", "--config", "train.json", "--out", "new"),
    "sweep": ("sweep", "sweep.json", "--out", "sweep"),
    "arm": ("sweep", "arm.json", "--out", "sweep"),
    "axis": ("sweep", "axis.json", "--out", "sweep"),
}


@pytest.fixture
def files(arch) -> None:
    write("train.json", arch=arch, **SMALL)
    write("sweep.json", settings={"arch": arch, **SMALL}, n_trials=2)
    write("arm.json", settings=SMALL, arms=[{"arch": arch}], n_trials=2)
    write("axis.json", settings=SMALL, axes={"arch": [arch]}, n_trials=2)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_the_command_line_imports_what_a_file_names_with_trust_only(folder, files, arch, capsys, words) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"names '{arch}', code that would be imported and run" in err
    assert "--trust" in err
    assert not Path("imported").exists()
    assert main([*words, "--trust"]) == 0
    assert Path("imported").exists()


OPENERS = {
    "load_model": lambda **options: load_model("run", **options),
    "score": lambda **options: benchmark.score("run", n_trials=2, ceiling=False, **options),
    "hidden_states": lambda **options: hidden_states("run", n_trials=2, **options),
    "trajectories": lambda **options: trajectories("run", task="go", n_trials=9, **options),
    "ringness": lambda **options: ringness("run", task="dms", n_trials=200, n_shuffles=2, **options),
    "fixed_points": lambda **options: fixed_points("run", task="dms", n_starts=2, **options),
    "task_variance": lambda **options: task_variance("run", n_trials=9, **options),
    "TrainConfig": lambda **options: models.build(TrainConfig.of(file="train.json", **options).arch, 33, 17),
    "Grid": lambda **options: models.build(Grid.of("axis.json", **options).axes["arch"][0], 33, 17),
    "build": lambda **options: models.build({"architecture": "theirs_for_trust:Network"}, 33, 17, **options),
}


@pytest.mark.parametrize("opens", OPENERS.values(), ids=OPENERS)
def test_python_imports_what_a_file_names_with_trust_only(folder, files, opens) -> None:
    with pytest.raises(ModcogError, match=r"names 'theirs_for_trust:Network', code .*trust=True"):
        opens()
    assert not Path("imported").exists()
    opens(trust=True)
    assert Path("imported").exists()


@pytest.mark.parametrize("words", [("train", "--config"), ("sweep",), ("train", "--resume", "--out", "run")])
def test_a_file_cannot_trust_itself_or_another(folder, files, capsys, words) -> None:
    hidden = {"file": "train.json", "trust": True}
    write("hidden.json", **hidden)
    write("arms.json", settings=SMALL, arms=[hidden], n_trials=2)
    record = json.loads((folder / "run.json").read_text())
    record["config"] |= {"arch": "gru", **hidden}
    write("run/run.json", **record)
    name = {"train": ["hidden.json"] if "--config" in words else [], "sweep": ["arms.json"]}[words[0]]
    assert main([*words, *name]) == 2
    err = capsys.readouterr().err
    assert "unknown setting" in err
    assert err.count("\n") == 1
    assert not Path("imported").exists()


def test_self_weights_of_what_is_not_trusted(folder) -> None:
    with pytest.raises(ModcogError, match="trust=True"):
        self_weights("run")
    with pytest.raises(ModcogError, match="must be an autapse network"):
        self_weights("run", trust=True)


def test_a_function_of_any_library_is_not_called(folder, capsys) -> None:
    record = json.loads((folder / "run.json").read_text())
    record["config"] |= {"arch": "torch.hub:load", "model": {"repo_or_dir": "evil/repo", "source": "local"}}
    (folder / "run.json").write_text(json.dumps(record))
    for words in (WORDS["evaluate"], WORDS["benchmark"], WORDS["resume"]):
        assert main(words) == 2
        assert "'torch.hub:load', code that would be imported" in capsys.readouterr().err


def test_what_the_caller_types_is_imported(arch, folder) -> None:
    assert main([*WORDS["resume"], "--arch", arch]) == 0
    assert train(TrainConfig(arch=arch, out="run", **{**SMALL, "steps": 3}), resume=True).status == "finished"
    assert Grid.of({"settings": {"arch": arch}}).settings["arch"] == arch
    assert main(["benchmark", arch, "--no-train", "--tasks", "go", "--n-trials", "2", "--no-ceiling"]) == 0


def test_how_to_resume_a_run_with_a_network_of_ones_own(arch, monkeypatch, capsys) -> None:
    from modcog.training import Run

    progress = {"step": 1, "trials": 1, "seconds": 0, "milestones": {}}
    ended = Run(Path("a b"), "interrupted", {"progress": progress, "scores": {}})
    monkeypatch.setattr("modcog.training.train", lambda *args, **options: ended)
    assert main(["train", "--arch", arch, "--out", "a b"]) == 130
    assert capsys.readouterr().out.endswith("To resume: modcog train --resume --trust --out 'a b'\n")
