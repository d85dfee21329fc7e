"""Run folders that were damaged, or made to do harm: they are read as they were, or refused with the file's name."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from attempts import apart, attempt, examples
from damage import damages, edits, files_of, snapshot
from hypothesis import given
from hypothesis import strategies as st
from program import said, streams
from safetensors.torch import save_file

import modcog
from modcog.cli import main
from modcog.training import TrainConfig, train

MARKER = """
from pathlib import Path
Path({marker!r}).write_text("imported")
def make(n_inputs, n_outputs, **options):
    Path({marker!r}).write_text("called")
    raise ValueError("hostile")
"""
UNWEIGHED = ("events", "metrics.jsonl", ".png", ".lock")
"""Parts of the names of files that people read and no code does."""


def run_config(folder: Path, **changes: Any) -> TrainConfig:
    values = {"tasks": ["go", "dm1"], "hidden": 4, "density": 0.5, "steps": 4, "batch_size": 2, "eval_every": 2,
              "eval_trials": 1, "warmup": 1, "out": folder, "threads": 1, "battery": {"dim_ring": 4}}  # fmt: skip
    return TrainConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of a network with a mask, and of one without, with two checkpoints each."""
    place = tmp_path_factory.mktemp("runs")
    for arch in ("lm-rnn", "gru"):
        density = 0.5 if arch == "lm-rnn" else None
        train(run_config(place / arch, arch=arch, density=density), progress_bar=False)
    return {arch: place / arch for arch in ("lm-rnn", "gru")}


def weights(folder: Path) -> dict[str, Any]:
    """Load a run's network, and return its weights and what it says to a trial."""
    model = modcog.load_model(folder)
    trials = model.battery.sample(2, seed=0)
    with torch.no_grad():
        logits = model(torch.from_numpy(trials.observations).transpose(0, 1))
    return {**{name: value.tolist() for name, value in model.state_dict().items()}, "logits": logits.tolist()}


@pytest.fixture(scope="module")
def held(runs: dict[str, Path]) -> dict[str, Any]:
    return {arch: weights(folder) for arch, folder in runs.items()}


@pytest.fixture
def marker(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once the code that a hostile folder names has run."""
    path = here / "marker"
    (here / "hostile_marker.py").write_text(MARKER.format(marker=str(path)), encoding="utf-8")
    monkeypatch.syspath_prepend(here)
    monkeypatch.delitem(sys.modules, "hostile_marker", raising=False)
    return path


def names(folder: Path) -> set[str]:
    return {part for path in folder.rglob("*") for part in path.parts} | {"run"}


def relevant(folder: Path) -> list[str]:
    """Return the files of a run that decide what is loaded."""
    return [name for name in files_of(folder) if not any(part in name for part in UNWEIGHED)]


@examples(50)
@given(arch=st.sampled_from(["lm-rnn", "gru"]), data=st.data())
def test_a_damaged_run_loads_or_is_refused(runs: Any, held: Any, marker: Path, arch: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(runs[arch], folder)
        others = {f"{one}/{name}": (runs[one] / name).read_bytes() for one in runs for name in relevant(runs[one])}
        before = snapshot(folder)
        known = names(folder)
        what, damage = data.draw(damages(relevant(folder), others))
        damage(folder)
        found, message = attempt(lambda: apart(weights, folder))
        if found is None:
            assert any(name in message for name in known), (what, message)
        elif snapshot(folder) == before:
            assert found == held[arch]
        assert not marker.exists()


@examples(60)
@given(arch=st.sampled_from(["lm-rnn", "gru"]), file=st.sampled_from(["run.json", "progress.json"]), data=st.data())
def test_a_run_with_odd_fields_loads_or_is_refused(
    runs: Any, held: Any, marker: Path, arch: str, file: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(runs[arch], folder)
        path = sorted(folder.rglob(file))[-1]
        path.write_text(json.dumps(data.draw(edits(json.loads(path.read_text(encoding="utf-8"))))), encoding="utf-8")
        found, message = attempt(lambda: apart(weights, folder))
        if file == "progress.json":
            assert found in (None, held[arch])
        if found is None:
            assert path.name in message or str(folder) in message, message
        assert not marker.exists()


def launch(fabric: Any) -> None:
    """Stand for the start of further processes, which would run the words of this one once more."""
    if fabric.world_size > 1:
        raise modcog.ModcogError("starts processes")


def command(*words: object) -> tuple[int, str, str]:
    with streams() as (out, err), pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning_fabric.Fabric.launch", launch)
        code = main([str(word) for word in words])
        return code, said(out), said(err)


COMMANDS: dict[str, Any] = {
    "evaluate": lambda folder: ("evaluate", folder, "--n-trials", 2, "--no-ceiling"),
    "benchmark": lambda folder: ("benchmark", folder, "--n-trials", 2, "--no-ceiling", "--out", folder / "report"),
    "resume": lambda folder: ("train", "--resume", "--out", folder, "--steps", 6, "--no-progress"),
}


@examples(12)
@given(name=st.sampled_from(sorted(COMMANDS)), arch=st.sampled_from(["lm-rnn", "gru"]), data=st.data())
def test_commands_on_a_damaged_run_end_in_one_line(
    runs: Any, marker: Path, name: str, arch: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(runs[arch], folder)
        if data.draw(st.booleans()):
            others = {f"{one}/{file}": (runs[one] / file).read_bytes() for one in runs for file in relevant(runs[one])}
            what, damage = data.draw(damages(files_of(folder), others))
            damage(folder)
        else:
            path = data.draw(st.sampled_from(sorted(folder.rglob("*.json"))))
            what = str(path)
            path.write_text(
                json.dumps(data.draw(edits(json.loads(path.read_text(encoding="utf-8"))))), encoding="utf-8"
            )
        code, _, errors = apart(command, *COMMANDS[name](folder), seconds=60)
        assert "Traceback" not in errors and "unexpected;" not in errors, (what, errors)
        assert code in (0, 1, 2), (what, code, errors)
        if code == 2:
            last = errors.splitlines()[-1]
            assert last.startswith("modcog: ") and last.isprintable(), (what, errors)
        assert not marker.exists()


def _save(path: Path, **tensors: torch.Tensor) -> None:
    save_file(tensors, path)


NEWEST: dict[str, Any] = {
    "weights empty": lambda step: (step / "model.safetensors").write_bytes(b""),
    "weights cut": lambda step: (step / "model.safetensors").write_bytes(
        (step / "model.safetensors").read_bytes()[:200]
    ),
    "weights of a long header": lambda step: (step / "model.safetensors").write_bytes(b"\xff" * 8 + b"{}"),
    "weights of another shape": lambda step: _save(step / "model.safetensors", weight_in=torch.zeros(3, 3)),
    "weights missing": lambda step: (step / "model.safetensors").unlink(),
    "optimizer missing": lambda step: (step / "optimizer.safetensors").unlink(),
    "optimizer cut": lambda step: (step / "optimizer.safetensors").write_bytes(b"abc"),
    "optimizer of another shape": lambda step: _save(step / "optimizer.safetensors", a=torch.zeros(1)),
    "progress cut": lambda step: (step / "progress.json").write_text('{"step": 4'),
    "progress a list": lambda step: (step / "progress.json").write_text("[]"),
    "progress of texts": lambda step: (step / "progress.json").write_text('{"step": "x", "trials": null}'),
    "progress behind": lambda step: (step / "progress.json").write_text('{"step": -5}'),
    "empty": lambda step: [path.unlink() for path in step.iterdir()],
    "a strange folder": lambda step: (step.parent / "step-zzz").mkdir(),
    "a later empty folder": lambda step: (step.parent / "step-00000099").mkdir(),
    "a later file": lambda step: (step.parent / "step-00000099").write_text("x"),
}


@pytest.mark.parametrize("how", NEWEST)
@pytest.mark.parametrize("name", ["load", "resume"])
def test_a_damaged_newest_checkpoint_is_named_beside_the_older(runs: Any, here: Path, how: str, name: str) -> None:
    folder = here / "run"
    shutil.copytree(runs["lm-rnn"], folder)
    older, newest = sorted((folder / "checkpoints").iterdir())
    NEWEST[how](newest)
    if name == "load":
        found, message = attempt(lambda: apart(weights, folder))
    else:
        code, _, message = apart(command, *COMMANDS["resume"](folder), seconds=60)
        found = None if code else message
    assert "Traceback" not in message and "unexpected" not in message, message
    if found is None:
        whole = newest if how.startswith("a later") else older
        assert f"{whole} is whole" in message, message
    else:
        assert not how.startswith("weights")
        assert not (name == "resume" and how.startswith(("optimizer", "progress", "empty")))


@pytest.mark.parametrize("name", ["load", *COMMANDS])
@pytest.mark.parametrize("place", ["arch", "architecture in model"])
def test_code_that_a_folder_names_is_not_run(runs: Any, here: Path, marker: Path, name: str, place: str) -> None:
    folder = here / "run"
    shutil.copytree(runs["gru"], folder)
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    if place == "arch":
        record["config"]["arch"] = "hostile_marker:make"
    else:
        record["config"]["model"] = {"architecture": "hostile_marker:make"}
    path.write_text(json.dumps(record), encoding="utf-8")
    if name == "load":
        found, message = attempt(lambda: modcog.load_model(folder))
        assert found is None
    else:
        code, _, message = command(*COMMANDS[name](folder))
        assert code == 2
    assert not marker.exists()
    assert "trust" in message or place != "arch", message
