"""Data sets that somebody damaged or made up: each ends in one line that names the file, wherever it is read."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_data import FORMATS, small

from modcog import ModcogError
from modcog.data import DataSet, export, load, verify
from modcog.files import check_inside, look_below, read_regular

Made = Callable[..., DataSet]
Change = Callable[[dict[str, Any]], Any]
ENDING = {"npy": "", "hdf5": ".h5", "zarr": ".zarr", "parquet": ".parquet"}


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Callable[..., Path]:
    """A function that returns a copy of a data set, to be damaged."""

    def get(form: str = "npy", kind: str = "ragged") -> Path:
        return Path(shutil.copytree(made(kind, form).path, tmp_path / "x"))

    return get


def sign(folder: Path, change: Change = lambda manifest: None) -> None:
    """Change the manifest and give it the hashes, sizes and checksum that fit, as anybody can."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for file in [
        *(f for shards in manifest["splits"].values() for s in shards for f in s["files"]),
        *manifest["files"],
    ]:
        if (folder / file["path"]).is_file():
            content = (folder / file["path"]).read_bytes()
            file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(manifest)
    del manifest["checksum"]
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    manifest["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(manifest))


def first(manifest: dict[str, Any]) -> Any:
    """The first shard."""
    return manifest["splits"]["train"][0]


def is_refused(read: Callable[[], Any], names: str) -> str:
    """Expect an error of one line that names a file."""
    with pytest.raises(ModcogError) as caught:
        read()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    assert names in text
    return text


def read_all(folder: Path) -> None:
    """Read a data set as users do."""
    for split in load(folder).values():
        dataset = split.torch(rule_input=True)
        dataset.collate(dataset.__getitems__(range(len(split))))
        split[:].rows  # noqa: B018


def is_refused_everywhere(folder: Path, names: str, *, resumed: bool | None = False) -> None:
    """Reading says what is wrong, so does verifying, and an export makes it whole or says so too."""
    is_refused(lambda: read_all(folder), names)
    report = verify(folder)
    assert not report.ok
    assert any(names in str(problem) for problem in report.problems)
    assert all(str(problem).isprintable() for problem in report.problems)
    if resumed is not None:
        is_refused(lambda: export(folder, **small("ragged")), "")


# --- the manifest ------------------------------------------------------------------------------

HOSTILE_PATHS = [
    "/etc/passwd", "../x", "train/../../x", "./train", "train//x", "train/", "", ".", "..", "\\\\server\\x", "a\\b",
    "C:x", "C:/x", "a\0b", "a\nb", "a\x1b[2Jb", "con", "train/NUL.npy", "com1", "a.", "a ", " a", "tr\u00e4in",
    ".hidden",    "a:stream", "~root", "$HOME", "%PATH%", "a*", "x" * 300, "\ud800",
]  # fmt: skip


def test_a_manifest_leads_to_no_other_settings(copy: Callable[..., Path], tmp_path: Path) -> None:
    """``ExportConfig.of`` takes a file, for those who call it."""
    (tmp_path / "theirs.toml").write_text("sigma = 3")
    folder = copy()
    sign(folder, set_value("identity", "config", "file", value=str(tmp_path / "theirs.toml")))
    is_refused(lambda: load(folder).config, "unknown setting 'file'")


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_path_that_leads_elsewhere_is_none(path: str) -> None:
    for hostile in (path, f"train/{path}"):
        if hostile != "train/./train":
            assert is_refused(lambda hostile=hostile: check_inside(hostile), "is no path below the folder")
    assert check_inside("train/00000.zarr/c/0/zarr.json") == "train/00000.zarr/c/0/zarr.json"


@pytest.mark.parametrize(
    ("where", "path"),
    [("shard", "../x"), ("shard", "/etc"), ("file", "../x"), ("file", "a\nb\x1b[2J"), ("other", "C:x")],
)
def test_no_path_of_a_manifest_leads_out(copy: Callable[..., Path], path: str, where: str) -> None:
    folder = copy()
    places: dict[str, Callable[[dict[str, Any]], Any]] = {
        "shard": first, "file": lambda manifest: first(manifest)["files"][0], "other": lambda it: it["files"][0]
    }  # fmt: skip
    sign(folder, lambda manifest: places[where](manifest).update(path=path))
    is_refused_everywhere(folder, "manifest.json")


def set_value(*path: Any, value: Any) -> Change:
    """Set a value deep in a manifest."""

    def change(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = value

    return change


SHARD = ("splits", "train", 0)
WRONG = {
    "no items": set_value(*SHARD, "items", value=0),
    "items -5": set_value(*SHARD, "items", value=-5),
    "more items than are there": set_value(*SHARD, "items", value=1000),
    "items as text": set_value(*SHARD, "items", value="13"),
    "items as a fraction": set_value(*SHARD, "items", value=13.0),
    "items huge": set_value(*SHARD, "items", value=10**400),
    "items true": set_value(*SHARD, "items", value=True),
    "a split without shards": set_value("splits", "train", value=[]),
    "no splits": set_value("splits", value={}),
    "another split": lambda m: m["splits"].update(more=m["splits"].pop("train")),
    "splits in a list": set_value("splits", value=[]),
    "no arrays": set_value(*SHARD, "arrays", value={}),
    "no column task": lambda m: [first(m)["arrays"].pop("task"), m["columns"].pop("task")],
    "no column of a condition": lambda m: first(m)["arrays"].pop("target"),
    "an array more": lambda m: first(m)["arrays"].update(more={"shape": [3], "dtype": "float32"}),
    "10^12 rows": lambda m: [
        first(m)["arrays"]["observations"].update(shape=[10**12, 33]),
        first(m)["arrays"]["labels"].update(shape=[10**12]),
    ],
    "10^9 trials": lambda m: [
        first(m).update(items=10**9, trials=[10**9, 0, 0, 0, 0]),
        *(entry.update(shape=[10**9, *entry["shape"][1:]]) for entry in first(m)["arrays"].values()),
    ],
    "negative shape": set_value(*SHARD, "arrays", "labels", "shape", value=[-1]),
    "dtype object": set_value(*SHARD, "arrays", "labels", "dtype", value="object"),
    "dtype of a column": set_value(*SHARD, "arrays", "task", "dtype", value="float64"),
    "trials of other tasks": set_value(*SHARD, "trials", value=[13]),
    "no files": set_value(*SHARD, "files", value=[]),
    "files of another shard": lambda m: first(m).update(files=m["splits"]["train"][1]["files"]),
    "a shard twice": lambda m: m["splits"]["train"].append(first(m)),
    "the test set is the training set": lambda m: m["splits"].update({"held-out": m["splits"]["train"]}),
    "same path in capitals": lambda m: m["files"].append({**m["files"][0], "path": m["files"][0]["path"].upper()}),
    "the manifest as a file": lambda m: m["files"].append({**m["files"][0], "path": "manifest.json"}),
    "bytes huge": set_value("files", 0, "bytes", value=10**30),
    "bytes negative": set_value("files", 0, "bytes", value=-1),
    "hash of another form": set_value("files", 0, "sha256", value="../x"),
    "no config": set_value("identity", "config", value={}),
    "config as a list": set_value("identity", "config", value=[]),
    "unknown format": set_value("identity", "config", "format", value="pickle"),
    "format as a path": set_value("identity", "config", "format", value="../../os"),
    "format as a list": set_value("identity", "config", "format", value=["npy"]),
    "layout": set_value("identity", "config", "layout", value="stream"),
    "padded": set_value("identity", "config", "padded", value=True),
    "padded as text": set_value("identity", "config", "padded", value="no"),
    "dim_ring": set_value("identity", "config", "dim_ring", value=-3),
    "dim_ring huge": set_value("identity", "config", "dim_ring", value=10**9),
    "rule_input": set_value("identity", "config", "rule_input", value="x"),
    "tasks": set_value("tasks", value=[]),
    "tasks twice": set_value("tasks", value=["go"] * 5),
    "no periods": set_value("periods", value={}),
    "a period without a column": set_value("periods", "go", value=["\n\x1b[31mred"]),
    "dt 0": set_value("dt", value=0),
    "dt infinite": set_value("dt", value=math.inf),
    "dt not a number": set_value("dt", value=math.nan),
    "conditions": set_value("conditions", value=[{}]),
    "kind of a condition": set_value("conditions", 0, "kind", value="\n\x1b"),
    "columns": set_value("columns", value={}),
    "another schema": set_value("manifest", value=2),
    "a hostile key": set_value("a\nb\x1b[2J", value=1),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_manifest_that_says_what_cannot_be(copy: Callable[..., Path], wrong: str) -> None:
    folder = copy()
    sign(folder, WRONG[wrong])
    is_refused_everywhere(folder, "manifest.json")


TEXTS: dict[str, bytes] = {
    "empty": b"", "[]": b"[]", "null": b"null", "a number": b"1e999", "text": b'"x"', "{}": b"{}", "cut": b'{"a": [',
    "not UTF-8": b"\xff\xfe", "deep": b"[" * 100_000, "zeros": bytes(1000), "long number": b"1" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_manifest_that_is_none(copy: Callable[..., Path], text: str) -> None:
    folder = copy()
    (folder / "manifest.json").write_bytes(TEXTS[text])
    is_refused_everywhere(folder, "manifest.json")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"version": 1, "library": "", "config": {}}', b"[" * 100_000])
@pytest.mark.parametrize("name", ["settings.json", "00000.json"])
def test_an_unfinished_export_with_damaged_records(made: Made, tmp_path: Path, text: bytes, name: str) -> None:
    (tmp_path / ".export").mkdir()
    (tmp_path / ".export" / name).write_bytes(text)
    if name == "settings.json":
        is_refused(lambda: export(tmp_path, **small("ragged")), "settings.json is damaged; remove")
    else:
        assert verify(export(tmp_path, **small("ragged")).path).ok


def test_a_record_that_was_changed_ends_in_one_line(copy: Callable[..., Path]) -> None:
    folder = copy()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / ".export").mkdir()
    (folder / ".export" / "settings.json").write_text(json.dumps(manifest["identity"]))
    for index, shard in enumerate(shard for shards in manifest["splits"].values() for shard in shards):
        shard["trials"] = [sum(shard["trials"]), 0]
        (folder / ".export" / f"{index:05d}.json").write_text(json.dumps(shard))
    (folder / "manifest.json").unlink()
    is_refused(lambda: export(folder, **small("ragged")), ".export is damaged")


# --- links, special files, and files that are no part of it ------------------------------------


def replace(path: Path, how: str) -> None:
    """Put something else in the place of a file or folder."""
    kept = path.with_name(f"kept-{path.name}")
    if how == "folder":
        path.unlink()
        path.mkdir()
        return
    path.rename(kept)
    moved = kept.parents[1] / "elsewhere" if kept.parent.name != "train" else kept.parents[2] / "elsewhere"
    moved.parent.mkdir(exist_ok=True)
    shutil.move(kept, moved)
    if how == "link":
        path.symlink_to(moved)
    elif how == "endless link":
        path.symlink_to(path)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "socket":
        import socket

        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket may have 108 bytes
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(here)


@pytest.mark.parametrize("how", ["link", "endless link", "pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("name", ["train/00000/labels.npy", "README.md", "manifest.json", "trials.png"])
def test_only_regular_files_are_read(copy: Callable[..., Path], name: str, how: str) -> None:
    """Nothing hangs, and a link to the very same content is refused by loading and verifying alike."""
    folder = copy()
    replace(folder / name, how)
    if name != "trials.png":
        is_refused(lambda: load(folder), str(folder / name))
    assert name in [problem.path for problem in verify(folder).problems]
    if how == "folder":
        return
    assert "regular files only" in is_refused(lambda: export(folder, **small("ragged")), str(folder / name))


@pytest.mark.parametrize("name", ["train", "train/00000"])
def test_a_folder_behind_a_link_is_refused(copy: Callable[..., Path], name: str) -> None:
    folder = copy()
    replace(folder / name, "link")
    is_refused(lambda: load(folder), f"{name} is a symbolic link")
    assert {problem.path for problem in verify(folder).problems} >= {name, "train/00000/labels.npy"}
    is_refused(lambda: export(folder, **small("ragged")), name)


def test_the_folder_itself_may_be_reached_through_a_link(copy: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(copy())
    read_all(tmp_path / "link")
    assert verify(tmp_path / "link").ok
    export(tmp_path / "link", **small("ragged"))


def test_a_link_that_appears_after_loading_is_refused(copy: Callable[..., Path]) -> None:
    folder = copy()
    split = load(folder)["train"]
    replace(folder / "train", "link")
    is_refused(lambda: split[0], "train is a symbolic link")


def test_what_is_no_part_is_found(copy: Callable[..., Path]) -> None:
    folder = copy()
    (folder / "empty").mkdir()
    (folder / "train" / "a\x1b[31m\nb").write_text("")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/")
    problems = verify(folder).problems
    assert {problem.path for problem in problems} == {"empty", "train/a\x1b[31m\nb", "pipe", "link"}
    assert {problem.kind for problem in problems} == {"extra"}
    assert all(str(problem).isprintable() for problem in problems)
    read_all(folder)


def test_a_file_without_end_is_not_read(copy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy()
    labels = folder / "train" / "00000" / "labels.npy"
    os.truncate(labels, 1 << 40)
    is_refused(lambda: load(folder), f"has {1 << 40} bytes instead of")
    assert [problem.kind for problem in verify(folder).problems] == ["damaged"]
    os.truncate(labels, labels.stat().st_size)
    labels.unlink()
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").touch()
    os.truncate(folder / "manifest.json", 1 << 40)
    is_refused_everywhere(folder, "manifest.json")


def test_a_folder_below_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x" / "closed").mkdir(parents=True)
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert look_below(tmp_path / "x") == {"closed": "unreadable (Permission denied)"}
    with pytest.raises(FileNotFoundError, match="none"):
        read_regular(tmp_path / "none", 10)


# --- shards ------------------------------------------------------------------------------------


def shard_path(folder: Path, form: str) -> Path:
    """The first shard."""
    return folder / "train" / f"00000{ENDING[form]}"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("how", ["cut", "zeros", "text", "noise", "flipped"])
def test_a_damaged_shard_with_hashes_that_fit(copy: Callable[..., Path], form: str, how: str) -> None:
    """Its files are damaged one at a time; whoever signed the manifest did it afterwards."""
    folder = copy(form)
    shard = shard_path(folder, form)
    files = [shard] if shard.is_file() else sorted(file for file in shard.rglob("*") if file.is_file())
    for file in files[:: max(len(files) // 3, 1)]:
        content = file.read_bytes()
        damaged = {
            "cut": content[: len(content) // 2], "zeros": bytes(len(content)), "text": b"x" * len(content),
            "noise": np.random.default_rng(0).bytes(len(content)), "flipped": bytes(255 - byte for byte in content),
        }  # fmt: skip
        file.write_bytes(damaged[how])
        sign(folder)
        is_refused_everywhere(folder, "train/00000", resumed=None)
        file.write_bytes(content)


def rewrite(folder: Path, form: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write the first shard again, as the format does, with changed arrays and columns, and sign it."""
    from modcog.data.formats import ShardData, get_format
    from modcog.data.manifest import file_entries

    data = load(folder)
    stored = {name: np.array(data["train"].arrays(0)[name]) for name in data["train"].arrays(0)}
    change(stored)
    arrays = {name: stored.pop(name) for name in ("observations", "labels")}
    layout = data.manifest.stored
    offsets = None
    if layout.layout == "trials" and not layout.padded:
        offsets = np.append(0, np.cumsum(load(folder)["train"].arrays(0)["length"][:]))
    cuts = None
    if layout.layout == "stream":
        cuts = np.searchsorted(data["train"].arrays(0)["sequence"][:], np.arange(len(arrays["labels"]) + 1))
    path = shard_path(folder, form)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    get_format(form).write(ShardData(arrays, stored, offsets, cuts, data.tasks), path, "{}")
    files = [entry.model_dump() for entry in file_entries(path, path.relative_to(folder).as_posix())]
    sign(folder, lambda manifest: first(manifest).update(files=files))


def put(name: str, index: Any, value: Any) -> Callable[[dict[str, Any]], Any]:
    """Set values of an array or column."""

    def change(stored: dict[str, Any]) -> None:
        stored[name][index] = value

    return change


VALUES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "lengths that do not sum": ("ragged", put("length", 0, 3)),
    "a negative length": ("ragged", put("length", 0, -1)),
    "a huge length": ("ragged", put("length", 0, 2**31 - 1)),
    "a label that is no action": ("ragged", put("labels", 3, 17)),
    "a negative label": ("ragged", put("labels", 3, -2)),
    "a step of padding that is none": ("ragged", put("labels", -1, -100)),
    "a task that is none": ("ragged", put("task", 0, 4)),
    "offsets that decrease": ("ragged", lambda stored: stored["start"].sort() or stored["start"].__setitem__(2, 0)),
    "an offset outside": ("ragged", put("start", -1, 10**12)),
    "a negative offset": ("ragged", put("start", 0, -8)),
    "a decision after the end": ("ragged", put("decision_start", 0, 1000)),
    "a decision before the start": ("ragged", put("decision_start", 0, -1)),
    "longer than the row": ("padded", put("length", 0, 1000)),
    "a label in padded rows": ("padded", put("labels", (0, 0), 99)),
    "trials of another sequence": ("stream", put("sequence", 1, 5)),
    "sequences that decrease": ("stream", put("sequence", -1, 0)),
    "starts": ("stream", put("start", 1, 39)),
    "lengths of a sequence": ("stream", put("length", 0, 39)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "form"),
    [*((wrong, "npy") for wrong in VALUES), *(("a task that is none", form) for form in FORMATS[1:3])],
)
def test_values_that_cannot_be(copy: Callable[..., Path], wrong: str, form: str) -> None:
    kind, change = VALUES[wrong]
    folder = copy(form, kind)
    rewrite(folder, form, change)
    is_refused_everywhere(folder, "train/00000", resumed=None)


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_that_was_written_again_is_whole(copy: Callable[..., Path], form: str) -> None:
    """The tests above would notice."""
    folder = copy(form)
    rewrite(folder, form, lambda stored: None)
    assert verify(folder).ok
    read_all(folder)


FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "observations of another dtype": lambda s: s.update(observations=s["observations"].astype(np.float64)),
    "a column of another dtype": lambda s: s.update(target=s["target"].astype(np.float64)),
    "a column that is longer": lambda s: s.update(target=np.append(s["target"], 0)),
    "channels": lambda s: s.update(observations=s["observations"][:, :-1].copy()),
    "a column is missing": lambda s: s.pop("target"),
    "big endian": lambda s: s.update(length=s["length"].astype(">i4")),
}


CANNOT_BE_WRITTEN = {
    ("npy", "a column that is longer"), ("parquet", "a column that is longer"), ("parquet", "big endian"),
    ("zarr", "big endian"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("wrong", FORMS)
def test_a_shard_of_another_form_than_declared(copy: Callable[..., Path], wrong: str, form: str) -> None:
    if (form, wrong) in CANNOT_BE_WRITTEN:
        return
    folder = copy(form)
    rewrite(folder, form, FORMS[wrong])
    is_refused_everywhere(folder, "train/00000", resumed=None)


def hdf5_external_storage(file: Any, folder: Path) -> None:
    values = file["task"][:]
    del file["task"]
    (folder.parent / "secret").write_bytes(values.tobytes())
    file.create_dataset("task", values.shape, values.dtype, external=[(str(folder.parent / "secret"), 0, 10**6)])


def hdf5_external_link(file: Any, folder: Path) -> None:
    import h5py

    with h5py.File(folder.parent / "other.h5", "w") as other:
        other["task"] = file["task"][:]
    del file["task"]
    file["task"] = h5py.ExternalLink(str(folder.parent / "other.h5"), "task")


def hdf5_external_pipe(file: Any, folder: Path) -> None:
    import h5py

    os.mkfifo(folder.parent / "pipe")
    file["more"] = h5py.ExternalLink(str(folder.parent / "pipe"), "task")


def hdf5_soft_link(file: Any, folder: Path) -> None:
    import h5py

    file.move("task", "more")
    file["task"] = h5py.SoftLink("/more")


def hdf5_virtual(file: Any, folder: Path) -> None:
    import h5py

    with h5py.File(folder.parent / "other.h5", "w") as other:
        other["task"] = file["task"][:]
    layout = h5py.VirtualLayout(file["task"].shape, file["task"].dtype)
    layout[:] = h5py.VirtualSource(folder.parent / "other.h5", "task", file["task"].shape)
    del file["task"]
    file.create_virtual_dataset("task", layout)


def hdf5_compressed(file: Any, folder: Path) -> None:
    values = file["task"][:]
    del file["task"]
    file.create_dataset("task", data=values, compression="gzip")


def hdf5_not_there(file: Any, folder: Path) -> None:
    shape, dtype = file["task"].shape, file["task"].dtype
    del file["task"]
    file.create_dataset("task", shape, dtype)


def hdf5_group(file: Any, folder: Path) -> None:
    del file["task"]
    file.create_group("task")


def hdf5_objects(file: Any, folder: Path) -> None:
    import h5py

    shape = file["task"].shape
    del file["task"]
    file.create_dataset("task", shape, h5py.ref_dtype)


HDF5 = [hdf5_external_storage, hdf5_external_link, hdf5_external_pipe, hdf5_soft_link, hdf5_virtual, hdf5_compressed,
        hdf5_not_there, hdf5_group, hdf5_objects]  # fmt: skip


@pytest.mark.parametrize("change", HDF5)
def test_an_hdf5_file_holds_its_data_itself(copy: Callable[..., Path], change: Callable[[Any, Path], None]) -> None:
    import h5py

    folder = copy("hdf5")
    with h5py.File(shard_path(folder, "hdf5"), "r+") as file:
        change(file, folder)
    sign(folder)
    is_refused_everywhere(folder, "train/00000.h5", resumed=None)


def json_change(*path: Any, value: Any) -> Callable[[Path], None]:
    """Set a value in the metadata of a Zarr array."""

    def change(shard: Path) -> None:
        about = json.loads((shard / "task" / "zarr.json").read_text())
        set_value(*path, value=value)(about)
        (shard / "task" / "zarr.json").write_text(json.dumps(about))

    return change


ZARR = {
    "a chunk that fills the memory": json_change("chunk_grid", "configuration", "chunk_shape", value=[10**13]),
    "a shape that fills the memory": json_change("shape", value=[10**13]),
    "another codec": json_change("codecs", value=[{"name": "numcodecs.pickle"}]),
    "a chunk of none": json_change("chunk_grid", "configuration", "chunk_shape", value=["x"]),
    "a transformer": json_change("storage_transformers", value=[{"name": "elsewhere"}]),
    "no node": json_change("node_type", value="group"),
    "an unknown type": json_change("data_type", value="object"),
    "[]": lambda shard: (shard / "task" / "zarr.json").write_text("[]"),
    "{}": lambda shard: (shard / "task" / "zarr.json").write_text("{}"),
    "deep": lambda shard: (shard / "task" / "zarr.json").write_text("[" * 100_000),
    "the group is none": lambda shard: (shard / "zarr.json").write_text("[]"),
    "Zarr 2": lambda shard: (shard / "zarr.json").write_text('{"zarr_format": 2}'),
}


@pytest.mark.parametrize("wrong", ZARR)
def test_a_zarr_group_asks_for_what_the_manifest_says(copy: Callable[..., Path], wrong: str) -> None:
    folder = copy("zarr")
    ZARR[wrong](shard_path(folder, "zarr"))
    sign(folder)
    is_refused_everywhere(folder, "train/00000.zarr", resumed=None)


@pytest.mark.parametrize("name", ["task/c/0", "observations/c/0/0"])
def test_a_chunk_that_unpacks_to_more_than_its_array_is_not_unpacked(copy: Callable[..., Path], name: str) -> None:
    """It says so in its header, which zstd believes; in a sharded array the frame comes first, the index last."""
    folder = copy("zarr")
    path = shard_path(folder, "zarr") / name
    content = bytearray(path.read_bytes())
    assert content[:4] == b"\x28\xb5\x2f\xfd"
    content[4:13] = bytes([0b11100000]) + (1 << 45).to_bytes(8, "little")  # 35 TB
    path.write_bytes(content)
    sign(folder)
    is_refused_everywhere(folder, "train/00000.zarr: a compressed chunk has other contents", resumed=None)


def test_metadata_of_zarr_that_speaks_for_other_files_is_not_asked(copy: Callable[..., Path], made: Made) -> None:
    folder = copy("zarr")
    shard = shard_path(folder, "zarr")
    about = json.loads((shard / "task" / "zarr.json").read_text())
    group = json.loads((shard / "zarr.json").read_text())
    about["shape"] = [10**13]
    group["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": {"task": about}}
    (shard / "zarr.json").write_text(json.dumps(group))
    sign(folder)
    assert load(folder)["train"][:].task.tolist() == made("ragged", "zarr")["train"][:].task.tolist()


def test_a_chunk_that_the_manifest_does_not_name_is_not_read(copy: Callable[..., Path]) -> None:
    folder = copy("zarr")
    shard = shard_path(folder, "zarr")
    chunk = "train/00000.zarr/task/c/0"
    sign(folder, lambda m: first(m).update(files=[file for file in first(m)["files"] if file["path"] != chunk]))
    is_refused_everywhere(folder, "task/c/0", resumed=None)
    (shard / "task" / "c" / "0").unlink()
    is_refused(lambda: read_all(folder), "train/00000.zarr")


@pytest.mark.parametrize("inner", ["shards point out", "chunk"])
def test_a_link_in_a_zarr_group_is_refused(copy: Callable[..., Path], inner: str) -> None:
    folder = copy("zarr")
    replace(shard_path(folder, "zarr") / ("task" if inner == "shards point out" else "task/c/0"), "link")
    is_refused_everywhere(folder, "task", resumed=None)


def write_parquet(folder: Path, change: Callable[[Any], Any]) -> None:
    """Write the first shard with a changed table."""
    import pyarrow.parquet as pq

    path = shard_path(folder, "parquet")
    pq.write_table(change(pq.read_table(path)), path)
    sign(folder)


@pytest.mark.parametrize("said", [True, False])
def test_a_parquet_file_that_repeats_a_value_for_ever_is_refused_before_it_is_read(
    copy: Callable[..., Path], said: bool
) -> None:
    """Its pages are looked at, too: the metadata need not tell the truth about them."""
    import pyarrow as pa

    def lists(table: Any) -> Any:
        n = table.num_rows
        labels = pa.ListArray.from_arrays(
            pa.array(np.arange(n + 1) * 10**6, pa.int32()), pa.array(np.zeros(n * 10**6, np.int16))
        )
        return table.set_column(table.schema.get_field_index("labels"), "labels", labels)

    folder = copy("parquet")
    write_parquet(folder, lists)
    path = shard_path(folder, "parquet")
    if not said:
        _say_less(path)
        sign(folder)
    assert path.stat().st_size < 10**6
    is_refused_everywhere(folder, "labels has other contents than the manifest says", resumed=None)


def _say_less(path: Path) -> None:
    """Let the metadata of a Parquet file say that the labels have one value, in as many bytes as before."""
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    index = about.schema.to_arrow_schema().get_field_index("labels")
    labels = about.row_group(0).column(index)
    start = path.stat().st_size - 8 - about.serialized_size
    content = path.read_bytes()
    number, old = labels.num_values << 1, b""
    while number:
        old, number = old + bytes([number & 127 | (128 if number > 127 else 0)]), number >> 7
    assert old in content[start:]
    path.write_bytes(content[:start] + content[start:].replace(old, b"\x82" + b"\x80" * (len(old) - 2) + b"\x00"))
    assert pq.read_metadata(path).row_group(0).column(index).num_values == 1


@pytest.mark.parametrize("wrong", ["null task", "unknown task", "null labels", "more rows", "text"])
def test_other_contents_of_parquet(copy: Callable[..., Path], wrong: str) -> None:
    import pyarrow as pa

    def change(table: Any) -> Any:
        column = {"null labels": "labels", "text": "length"}.get(wrong, "task")
        values = table.column(column).to_pylist()
        values[0] = {"unknown task": "xyz"}.get(wrong)
        if wrong == "more rows":
            return pa.concat_tables([table, table])
        array = pa.array(map(str, values)) if wrong == "text" else pa.array(values, table.schema.field(column).type)
        return table.set_column(table.schema.get_field_index(column), column, array)

    folder = copy("parquet")
    write_parquet(folder, change)
    is_refused_everywhere(folder, "train/00000.parquet", resumed=None)


def npy(header: str) -> bytes:
    """An npy file without data."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<i2', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '<i2', 'fortran_order': False, 'shape': (-1,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"),
        npy("{'descr': '<i2', 'fortran_order': False, 'shape': 3}"),
        npy("__import__('os').abort()"),
        b"PK\x03\x04",
        b"\x80\x04",
    ],
)
def test_an_npy_file_that_claims_more_than_it_has(copy: Callable[..., Path], content: bytes) -> None:
    folder = copy()
    (shard_path(folder, "npy") / "labels.npy").write_bytes(content)
    sign(folder)
    is_refused_everywhere(folder, "train/00000/labels.npy", resumed=None)


def test_an_array_in_another_order_is_refused(copy: Callable[..., Path]) -> None:
    folder = copy()
    path = shard_path(folder, "npy") / "observations.npy"
    np.save(path, np.asfortranarray(np.load(path)))
    sign(folder)
    is_refused_everywhere(folder, "observations.npy", resumed=None)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("form", ["hdf5", "zarr"])
def test_a_column_of_a_billion_rows_takes_no_memory(copy: Callable[..., Path], form: str) -> None:
    """The manifest says so too, and its numbers fit each other; or it does not say so."""
    folder = copy(form)
    path = shard_path(folder, form)
    n = 10**9
    if form == "hdf5":
        import h5py

        with h5py.File(path, "r+") as file:
            del file["task"]
            file.create_dataset("task", (n,), np.int32, chunks=(10**6,), compression="gzip")
    else:
        json_change("shape", value=[n])(path)
    for change in (lambda manifest: None, WRONG["10^9 trials"]):
        sign(folder, change)
        code = (
            "import re, sys, resource, modcog, modcog.data\n"
            "resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
            "try: modcog.data.load(sys.argv[1])['train'].column('task')\n"
            "except modcog.ModcogError as error: print(error)\n"
            "print(modcog.data.verify(sys.argv[1]).problems)\n"
            "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
        )
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
        assert re.search("train/00000|manifest.json", done.stdout)
        assert int(done.stdout.splitlines()[-1]) < 1000


# --- those who read a data set -----------------------------------------------------------------


def test_a_trainer_says_what_is_wrong(copy: Callable[..., Path], tmp_path: Path) -> None:
    from modcog.training import TrainConfig, train

    folder = copy()
    rewrite(folder, "npy", put("labels", slice(None), 99))
    options = {"hidden": 8, "batch_size": 4, "steps": 2, "data": str(folder), "out": tmp_path / "run"}
    is_refused(lambda: train(TrainConfig.of(**options)), "train/00000")
    sign(folder, set_value("identity", "config", "sigma", value=-1))
    is_refused(lambda: TrainConfig.of(**options), "manifest.json")
    sign(folder, WRONG["items -5"])
    is_refused(lambda: TrainConfig.of(**options), "manifest.json")


def test_the_command_line_says_it_in_one_line(copy: Callable[..., Path]) -> None:
    folder = copy()
    os.mkfifo(folder / "pipe")
    (folder / "README.md").unlink()
    sign(folder, WRONG["a hostile key"])
    command = [sys.executable, "-m", "modcog", "verify", folder, "--no-progress"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "damaged: manifest.json: " in done.stdout
    assert "\x1b" not in done.stdout
    assert not done.stderr


def test_splits_are_folders_that_every_system_keeps_apart(tmp_path: Path) -> None:
    for splits in ({"train": 0.5, "Train": 0.5}, {"a-b": 0.5, "a_b": 0.5}):
        is_refused(
            lambda splits=splits: export(tmp_path / "x", **small("ragged", splits=splits)), "must differ in more"
        )
    for name in ("con", "NUL", "com1", "../x", "a\nb"):
        is_refused(lambda name=name: export(tmp_path / "x", **small("ragged", splits={name: 1.0})), "is no name for a")
    assert not (tmp_path / "x").exists()
