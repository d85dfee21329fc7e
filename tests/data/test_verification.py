"""Every kind of damage is found, and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_data import FORMATS

from modcog import ModcogError
from modcog.data import DataSet, verify

Made = Callable[..., DataSet]


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made("ragged").path, tmp_path / "x"))


def found(folder: Path) -> dict[str, str]:
    """Kind of problem by file."""
    return {problem.path: problem.kind for problem in verify(folder).problems}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["ragged", "stream"])
def test_a_whole_data_set(made: Made, kind: str, form: str) -> None:
    data = made(kind, form)
    report = verify(data.path)
    assert report
    there = [path for path in data.path.rglob("*") if path.is_file() and path.name != "trials.png"]
    assert report.n_files == len(there)
    assert report.n_bytes == sum(path.stat().st_size for path in there)


@pytest.mark.parametrize("form", FORMATS)
def test_any_changed_byte_is_found(made: Made, tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    """One bit, anywhere in any file but the picture and the manifest, whose layout may change."""
    folder = Path(shutil.copytree(made("ragged", form).path, tmp_path_factory.mktemp("x") / "x"))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if path.name not in ("manifest.json", "trials.png")]

    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(files))
        content = path.read_bytes()
        place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            assert found(folder) == {path.relative_to(folder).as_posix(): "damaged"}
        finally:
            path.write_bytes(content)

    check()
    assert verify(folder).ok


def test_every_kind_at_once(copy: Path) -> None:
    shards = copy / "train"
    (shards / "00000" / "labels.npy").unlink()
    truncated = shards / "00000" / "observations.npy"
    truncated.write_bytes(truncated.read_bytes()[:-10])
    a, b = copy / "held-out" / "00000" / "trials.npy", shards / "00000" / "trials.npy"
    content = a.read_bytes(), b.read_bytes()
    a.write_bytes(content[1])
    b.write_bytes(content[0])
    (copy / "notes.txt").write_text("mine")
    (copy / "README.md").write_text("x" * (copy / "README.md").stat().st_size)
    unreadable = shards / "00001" / "labels.npy"
    unreadable.unlink()
    unreadable.symlink_to(copy)
    problems = found(copy)
    assert problems.pop("train/00001/labels.npy") in ("unreadable", "missing")
    assert problems == {
        "train/00000/labels.npy": "missing",
        "train/00000/observations.npy": "truncated",
        "train/00000/trials.npy": "swapped",
        "held-out/00000/trials.npy": "swapped",
        "notes.txt": "extra",
        "README.md": "damaged",
    }
    lines = [str(problem) for problem in verify(copy).problems]
    assert "swapped: train/00000/trials.npy: its content is that of held-out/00000/trials.npy" in lines


def test_two_shards_that_were_swapped(copy: Path) -> None:
    a, b = copy / "train" / "00000", copy / "held-out" / "00000"
    a.rename(copy / "c")
    b.rename(a)
    (copy / "c").rename(b)
    assert set(found(copy).values()) == {"swapped"}


def test_a_whole_shard_is_missing(copy: Path) -> None:
    shutil.rmtree(copy / "train" / "00001")
    assert found(copy) == {f"train/00001/{name}.npy": "missing" for name in ("labels", "observations", "trials")}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"seed": 7', '"seed": 8'),
        lambda text: text.replace("train/00000/labels.npy", "../../etc/labels.npy", 1),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: json.dumps({**json.loads(text), "splits": {}}),
    ],
)
def test_a_damaged_manifest(copy: Path, damage: Callable[[str], str]) -> None:
    path = copy / "manifest.json"
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    report = verify(copy)
    assert [(problem.path, problem.kind) for problem in report.problems] == [("manifest.json", "damaged")]


def test_what_is_no_data_set(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ModcogError, match=r"is not a data set: it has no manifest\.json|there is no such folder"):
            verify(folder)
    with pytest.raises(ModcogError, match="jobs: got 0, must be a whole number, at least 1"):
        verify(tmp_path, jobs=0)
