"""A run folder that is damaged, from another version or from somebody else is refused in one line that names the file.

Every way of opening a run is tried: as a network, for its scores, for a report, for an analysis, and to resume it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modcog import ModcogError, load_model
from modcog.analysis import hidden_states
from modcog.cli import main
from modcog.training import TrainConfig, train
from modcog.training.checkpoint import checkpoints
from modcog.training.metrics import read_metrics
from modcog.training.run import git_state

OLDER, NEWEST = "step-00000001", "step-00000002"

Damage = Callable[[Path], Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    sizes = {"hidden": 16, "density": 0.3, "steps": 2, "batch_size": 4, "eval_every": 1, "eval_trials": 1, "threads": 1}
    train(TrainConfig(tasks=["go", "dms"], out=folder, **sizes))
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return shutil.copytree(whole, tmp_path / "run")


def file_of(folder: Path, name: str) -> Path:
    return folder / (name if name in ("run.json", "metrics.jsonl") else f"checkpoints/{NEWEST}/{name}")


def write(name: str, content: str | bytes) -> Damage:
    def damage(folder: Path) -> None:
        file_of(folder, name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def cut(name: str, keep: float = 0.5) -> Damage:
    def damage(folder: Path) -> None:
        path = file_of(folder, name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return damage


def change(name: str, **changes: Any) -> Damage:
    """Change entries of a JSON file; a name with a double underscore reaches into a table; None removes."""

    def damage(folder: Path) -> None:
        path = file_of(folder, name)
        content = json.loads(path.read_text())
        for key, value in changes.items():
            *outer, last = key.split("__")
            table = content
            for part in outer:
                table = table[part]
            table[last] = value
            if value is None:
                del table[last]
        path.write_text(json.dumps(content))

    return damage


def tensors(name: str, edit: Callable[[dict[str, torch.Tensor]], Any]) -> Damage:
    def damage(folder: Path) -> None:
        path = file_of(folder, name)
        values = load_file(path)
        edit(values)
        values = {key: value.clone() for key, value in values.items()}
        path.unlink()
        save_file(values, path)

    return damage


def instead(name: str, make: Callable[[Path], Any]) -> Damage:
    """Put something that is no file in a file's place."""

    def damage(folder: Path) -> None:
        path = file_of(folder, name)
        path.unlink()
        make(path)

    return damage


def set_to(key: str, value: Any) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda values: values.__setitem__(key, value)


WEIGHT = "weight_recurrent"
HUGE = (10**9).to_bytes(8, "little") + b"{}"
BIG_SHAPE = b'{"weight_recurrent":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'

RECORD: dict[str, tuple[Damage, str]] = {
    "empty": (write("run.json", ""), "run.json is damaged"),
    "list": (write("run.json", "[]"), "run.json is damaged: got [], must be a table"),
    "number": (write("run.json", "3"), "run.json is damaged"),
    "deep": (write("run.json", "[" * 100_000), "run.json is damaged"),
    "cut": (cut("run.json"), "run.json is damaged"),
    "binary": (write("run.json", b"\xff\xfe\x00"), "run.json cannot be parsed"),
    "long number": (write("run.json", "1" * 5000), "run.json is damaged"),
    "no config": (change("run.json", config=None), "run.json is damaged: config: missing"),
    "no status": (change("run.json", status=None), "run.json is damaged: status: missing"),
    "wrong status": (change("run.json", status="done"), "run.json is damaged: status: got 'done'"),
    "config list": (change("run.json", config=[]), "run.json is damaged: config: got []"),
    "progress": (change("run.json", progress__step=-1), "run.json is damaged: progress.step: got -1"),
    "milestones": (change("run.json", progress__milestones={"50": 3}), "run.json is damaged: progress.milestones.50"),
    "half scores": (change("run.json", scores__trial_accuracy=None), "run.json is damaged: scores: trial_accuracy"),
    "wrong scores": (change("run.json", scores__decision_accuracy="1"), "run.json is damaged: scores: decision"),
    "newer": (change("run.json", config__wings=3, versions__modcog="99.1"),
              "unknown setting 'wings'; allowed: tasks"),
    "named versions": (change("run.json", config__wings=3, versions__modcog="99.1"), "modcog 99.1 wrote it, this is"),
    "negative": (change("run.json", config__hidden=-1), "run.json: hidden: got -1"),
    "huge": (change("run.json", config__hidden=10**9), "run.json: hidden: got 1000000000"),
    "large": (change("run.json", config__hidden=10**6), "run.json is damaged: hidden: got 1000000, more units than"),
    "square": (change("run.json", config__hidden=10**5), "run.json is damaged: hidden: got 100000, more units than"),
    "trials": (change("run.json", config__eval_trials=10**12), "run.json: eval_trials: got 1000000000000"),
    "threads": (change("run.json", config__threads=10**9), "run.json: threads: got 1000000000"),
    "task": (change("run.json", config__tasks=["goo"]), "run.json: unknown task 'goo'"),
    "arch": (change("run.json", config__arch="grru"), "run.json: unknown architecture 'grru'"),
    "option": (change("run.json", config__model={"wings": 1}), "run.json: unknown option of lm-rnn 'wings'"),
    "value": (change("run.json", config__model={"gain": "x"}), "run.json: gain: got 'x', must be a number"),
    "mask": (change("run.json", config__model={"kernel": "diagonal"}), "kernel: got 'diagonal'"),
    "ring": (change("run.json", config__battery={"dim_ring": 10**9}), "run.json: dim_ring: got 1000000000"),
    "pipe": (instead("run.json", os.mkfifo), "cannot read"),
    "folder": (instead("run.json", Path.mkdir), "Is a directory"),
    "loop": (instead("run.json", lambda path: path.symlink_to(path)), "symbolic links"),
    "device": (instead("run.json", lambda path: path.symlink_to("/dev/zero")), "Not a regular file"),
}  # fmt: skip

CHECKPOINT: dict[str, tuple[Damage, str]] = {
    "empty": (write("model.safetensors", ""), "model.safetensors is damaged"),
    "cut": (cut("model.safetensors"), "model.safetensors is damaged"),
    "cut header": (cut("model.safetensors", 0.01), "model.safetensors is damaged"),
    "huge header": (write("model.safetensors", HUGE), "model.safetensors is damaged"),
    "huge shape": (write("model.safetensors", len(BIG_SHAPE).to_bytes(8, "little") + BIG_SHAPE),
                   "model.safetensors is damaged"),
    "shape": (tensors("model.safetensors", set_to(WEIGHT, torch.zeros(3))), "size mismatch for weight_recurrent"),
    "dtype": (tensors("model.safetensors", set_to(WEIGHT, torch.zeros(77, dtype=torch.int64))), "is torch.int64"),
    "missing": (tensors("model.safetensors", lambda t: t.pop(WEIGHT)), "it holds no weight_recurrent"),
    "more": (tensors("model.safetensors", set_to("wings", torch.zeros(2))), "it holds also wings"),
    "nan": (tensors("model.safetensors", lambda t: t[WEIGHT].fill_(torch.nan)), "weight_recurrent holds NaN"),
    "fingerprint": (tensors("model.safetensors", set_to("mask_fingerprint", torch.zeros(3))), "model.safetensors"),
    "gone": (lambda folder: file_of(folder, "model.safetensors").unlink(), "model.safetensors: No such file"),
    "pipe": (instead("model.safetensors", os.mkfifo), "model.safetensors: Not a regular file"),
    "progress cut": (cut("progress.json"), "progress.json is damaged"),
    "progress list": (write("progress.json", "[]"), "progress.json is damaged"),
    "progress of another": (change("progress.json", step=1), "progress.json is damaged: it is of step 1"),
    "progress negative": (change("progress.json", trials=-3), "progress.json is damaged: trials: got -3"),
}  # fmt: skip

RESUMED: dict[str, tuple[Damage, str]] = {
    "optimizer empty": (write("optimizer.safetensors", ""), "optimizer.safetensors is damaged"),
    "optimizer cut": (cut("optimizer.safetensors"), "optimizer.safetensors is damaged"),
    "moment": (tensors("optimizer.safetensors", set_to("state.0.exp_avg", torch.zeros(2))), "moments of weight 0"),
    "no moment": (tensors("optimizer.safetensors", lambda t: t.pop("state.0.step")), "moments of weight 0"),
    "index": (tensors("optimizer.safetensors", set_to("state.99.step", torch.zeros(()))), "optimizer.safetensors is"),
    "name": (tensors("optimizer.safetensors", set_to("wings", torch.zeros(2))), "optimizer.safetensors is damaged"),
    "random": (tensors("optimizer.safetensors", set_to("random.cpu.0", torch.zeros(2))), "optimizer.safetensors is"),
}  # fmt: skip

METRICS: dict[str, tuple[Damage, str]] = {
    "foreign": (write("metrics.jsonl", '{"epoch": 1}\n'), "line 1 of"),
    "list": (write("metrics.jsonl", "[]\n"), "line 1 of"),
    "binary": (write("metrics.jsonl", b"\xff\xfe\n"), "metrics.jsonl cannot be parsed"),
    "folder": (instead("metrics.jsonl", Path.mkdir), "metrics.jsonl: Is a directory"),
}


def refused(error: str, said: str) -> None:
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert "unexpected" not in error


def refused_by_python(folder: Path, said: str) -> None:
    with pytest.raises(ModcogError) as caught:
        load_model(folder)
    refused(str(caught.value), said)


def refused_by(capsys: pytest.CaptureFixture[str], said: str, *words: object) -> None:
    assert main([*map(str, words), "--no-ceiling"] if words[0] != "train" else list(map(str, words))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    refused(err, said)


@pytest.mark.parametrize("case", RECORD)
def test_a_damaged_record_is_refused_by_all_who_open_a_run(folder, capsys, case) -> None:
    damage, said = RECORD[case]
    damage(folder)
    refused_by_python(folder, said)
    refused_by(capsys, said, "evaluate", folder)
    refused_by(capsys, said, "benchmark", folder, "--out", folder.parent / "report")
    refused_by(capsys, said, "train", "--resume", "--steps", 3, "--out", folder)
    with pytest.raises(ModcogError):
        hidden_states(folder)


@pytest.mark.parametrize("case", CHECKPOINT)
def test_a_damaged_checkpoint_is_named_and_so_is_the_older_one(folder, capsys, case) -> None:
    damage, said = CHECKPOINT[case]
    damage(folder)
    refused_by_python(folder, said)
    refused_by(capsys, f"{OLDER} is whole: remove {folder / 'checkpoints' / NEWEST} to use it", "evaluate", folder)
    refused_by(capsys, said, "benchmark", folder, "--out", folder.parent / "report")
    refused_by(capsys, said, "train", "--resume", "--steps", 3, "--out", folder)
    shutil.rmtree(folder / "checkpoints" / NEWEST)  # as the error says
    assert load_model(folder).battery.tasks == ("go", "dms")


@pytest.mark.parametrize("case", RESUMED)
def test_a_damaged_optimizer_state_keeps_a_run_from_being_resumed_only(folder, capsys, case) -> None:
    damage, said = RESUMED[case]
    damage(folder)
    load_model(folder)
    refused_by(capsys, said, "train", "--resume", "--steps", 3, "--out", folder)


def test_without_an_older_checkpoint_none_is_named(folder) -> None:
    cut("model.safetensors")(folder)
    older = folder / "checkpoints" / OLDER / "model.safetensors"
    older.write_bytes(b"")
    with pytest.raises(ModcogError, match="is damaged") as caught:
        load_model(folder)
    assert "is whole" not in str(caught.value)


@pytest.mark.parametrize("case", METRICS)
def test_damaged_metrics_are_named_where_they_are_read(folder, capsys, case) -> None:
    damage, said = METRICS[case]
    damage(folder)
    load_model(folder)
    refused_by(capsys, said, "benchmark", folder, "--out", folder.parent / "report", "--n-trials", 2)
    refused_by(capsys, said, "train", "--resume", "--steps", 3, "--out", folder)


def test_a_last_line_that_was_cut_is_left_out(folder) -> None:
    before = read_metrics(folder)
    path = folder / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])
    assert read_metrics(folder) == before[:-1]
    path.write_text("")
    assert main(["train", "--resume", "--out", str(folder)]) == 0, "a finished run without metrics has no pictures"


def test_strangers_among_the_checkpoints_are_left_alone(folder) -> None:
    held = folder / "checkpoints"
    for name in ("step-zzz", "step-", "step-0000000x", "step-99999999999999999999999"):
        (held / name).mkdir()
    (held / "step-00000009").write_text("no folder")
    assert [path.name for path in checkpoints(held)] == [OLDER, NEWEST]
    load_model(folder)
    assert main(["train", "--resume", "--steps", "3", "--out", str(folder)]) == 0
    assert (held / "step-zzz").is_dir()


def test_checkpoints_without_a_record_are_not_resumed_with_other_settings(folder, capsys) -> None:
    (folder / "run.json").unlink()
    refused_by(capsys, "holds checkpoints without run.json", "train", "--resume", "--out", folder)


def test_names_that_only_a_newer_version_knows_are_passed_over(folder) -> None:
    change("run.json", wings=3, scores__wings={"go": 1})(folder)
    load_model(folder)


@pytest.mark.parametrize("name", [None, 3, "", "a\0b", b"run", "nowhere"])
def test_what_is_no_folder_is_refused(name) -> None:
    with pytest.raises(ModcogError):
        load_model(name)


def test_without_safetensors_a_hint_says_what_to_install() -> None:
    code = "import sys; sys.modules['safetensors'] = None; import modcog; modcog.load_model('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError: a training run needs the package safetensors: pip install" in done.stderr


def test_a_repository_in_the_working_directory_does_not_run_its_programs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    committing = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]
    for words in (["init", "-q"], ["config", "core.fsmonitor", str(hook)], ["add", "hook"], committing):
        subprocess.run(["git", *words], check=True)
    assert subprocess.run(["git", "status"], check=True, capture_output=True)
    assert (tmp_path / "ran").exists(), "git itself runs it"
    (tmp_path / "ran").unlink()
    state = git_state()
    assert state is not None
    assert len(state["commit"]) == 40
    assert not (tmp_path / "ran").exists()
