"""What describes a data set: manifest, Croissant metadata, data card and picture."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from small_data import FORMATS, LAYOUTS, TASKS, hashes

import modcog
from modcog.data import DataSet
from modcog.data.card import picture
from modcog.data.manifest import Manifest
from modcog.plot import plot_trials
from modcog.trials.arrays import Trials

Made = Callable[..., DataSet]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_manifest_says_what_is_there(made: Made, kind: str, form: str) -> None:
    data = made(kind, form)
    manifest = Manifest.read(data.path)
    there = hashes(data.path)
    assert {"manifest.json", "trials.png"} <= there.keys()
    del there["manifest.json"], there["trials.png"]
    assert {file.path: file.sha256 for file in manifest.all_files()} == there
    assert manifest.identity.version == modcog.__version__
    assert manifest.config == data.config
    for split, shards in manifest.splits.items():
        for number, shard in enumerate(shards):
            stored = data[split].arrays(number)
            assert {name: (entry.shape, entry.dtype) for name, entry in shard.arrays.items()} == {
                name: (np.asarray(stored[name][:]).shape, str(stored[name].dtype)) for name in stored
            }
            tasks = np.asarray(stored["task"][:])
            assert np.bincount(tasks, minlength=len(TASKS)).tolist() == list(shard.trials)
    assert set(manifest.columns) == set(shards[0].arrays)
    unknown = {name.replace("_", " ") for name in manifest.columns}
    assert not [meaning for meaning in manifest.columns.values() if meaning.split(";")[0] in unknown]


def test_croissant_passes_the_tool(made: Made) -> None:
    """The command itself; the other formats and layouts go through its library below."""
    tool = Path(sys.executable).with_name("mlcroissant")
    path = made("ragged", "parquet").path / "croissant.json"
    done = subprocess.run([tool, "validate", "--jsonld", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Done" in done.stderr
    assert "error(s)" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "form"), [*(("ragged", form) for form in FORMATS), ("padded", "npy"), ("stream", "parquet")]
)
def test_croissant_is_valid_and_readable(made: Made, kind: str, form: str) -> None:
    import mlcroissant

    data = made(kind, form)
    croissant = mlcroissant.Dataset(jsonld=data.path / "croissant.json")
    assert not croissant.metadata.ctx.issues.errors
    assert [row["tasks/name"] for row in croissant.records("tasks")] == TASKS
    files = {file["contentUrl"]: file["sha256"] for file in _files(data)}
    assert files == {
        file.path: file.sha256 for shards in data.manifest.splits.values() for s in shards for file in s.files
    }


def _files(data: DataSet) -> list[dict[str, str]]:
    value = json.loads((data.path / "croissant.json").read_text())
    assert value["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    return [entry for entry in value["distribution"] if entry["@type"] == "cr:FileObject"]


def test_croissant_reads_the_rows_of_parquet(made: Made) -> None:
    import mlcroissant

    data = made("ragged", "parquet")
    croissant = mlcroissant.Dataset(jsonld=data.path / "croissant.json")
    rows = list(croissant.records("train-rows"))
    assert [row["train-rows/task"].decode() for row in rows] == [TASKS[i] for i in data["train"].column("task")]
    assert [len(row["train-rows/labels"]) for row in rows] == data["train"].column("length").tolist()


@pytest.mark.parametrize("form", FORMATS)
def test_the_card(made: Made, form: str) -> None:
    data = made("ragged", form)
    card = (data.path / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["license"] == "cc0-1.0"
    if form == "parquet":
        patterns = [file["path"] for file in header["configs"][0]["data_files"]]
        assert all(list(data.path.glob(pattern)) for pattern in patterns)
    for task in TASKS:
        assert f"| {task} | 5 | 5 |" in card
    assert "| all | 25 | 25 |" in card
    assert "seed = 7" in card
    code, *hugging_face = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(hugging_face) == (form == "parquet")
    names: dict[str, object] = {}
    exec(code.replace("path/to/this/folder", str(data.path)), names)
    assert len(names["dataset"]) == 25  # type: ignore[arg-type]
    elsewhere = re.search(r"Without modcog: `([^`]*)`", card)
    assert elsewhere is not None
    library = elsewhere[1].split(".")[0]
    call = elsewhere[1].replace("('train", f"('{data.path}/train")
    ast.parse(call)
    assert eval(call, {library: __import__(library)}).shape[0] > 1


@pytest.mark.parametrize("form", FORMATS)
def test_the_header_of_the_card_is_that_of_hugging_face(made: Made, form: str) -> None:
    header = yaml.safe_load((made("ragged", form).path / "README.md").read_text().split("---")[1])
    assert header["size_categories"] == ["n<1K"]
    assert header["pretty_name"] == "5 cognitive tasks of the Mod-Cog battery"
    splits = [{"split": "train", "path": "train/*.parquet"}, {"split": "held_out", "path": "held-out/*.parquet"}]
    configs = [{"config_name": "default", "data_files": splits}]
    assert header.get("configs") == (configs if form == "parquet" else None)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_the_card_says_of_hugging_face_runs(
    made: Made, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    pytest.importorskip("datasets")
    data = made(kind, "parquet")
    code = re.findall(r"```python\n(.*?)```", (data.path / "README.md").read_text(), re.DOTALL)[1]
    code = code.replace("path/to/this/folder", str(data.path)).replace("shuffle=True, ", "")
    code = code.replace('split="train"', f'split="train", cache_dir={str(tmp_path)!r}')
    names: dict[str, Any] = {}
    exec(code, names)
    (batch,) = names["loader"]
    split = data["train"]
    expected = split.torch().collate(split.torch().__getitems__(range(len(split))))
    steps = expected["labels"].shape[0]
    np.testing.assert_array_equal(batch["observations"][:steps], expected["observations"])
    np.testing.assert_array_equal(batch["labels"][:steps], expected["labels"])
    tasks = batch["task"] if kind != "stream" else [task for row in batch["task"] for task in row]
    assert tasks == [TASKS[i] for i in split.column("task")]


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_value_is_described_as_it_is_stored(made: Made, form: str) -> None:
    meanings = made("ragged", form).manifest.columns
    expected = ["null", "null"] if form == "parquet" else ["−1", "NaN"]
    for name, value in zip(("match", "strength1_mod1"), expected, strict=True):
        assert meanings[name].endswith(f"; {value} where the task has no such thing")
    card = (made("ragged", form).path / "README.md").read_text()
    said = "string | name of the task" if form == "parquet" else "int32 | index into the task names"
    assert f"| task | {said} |" in card


@pytest.mark.parametrize("options", [{"tasks": "modcog132"}, {"tasks": ["dm1"], "dt": 1}])
def test_the_picture_is_a_small_png_that_the_same_settings_repeat(options: dict[str, Any]) -> None:
    drawn, again = (picture.__wrapped__(modcog.Battery(**options), 3) for _ in range(2))
    assert drawn == again
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 300_000


def test_the_picture_shows_a_trial_of_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def plot(trials: Trials) -> Any:
        shown.extend(trials.tasks[task] for task in trials.task)
        return plot_trials(trials)

    monkeypatch.setattr("modcog.plot.plot_trials", plot)
    picture.__wrapped__(modcog.Battery(), 0)
    assert shown == ["go", "dm1", "dms", "gointlseql"]
