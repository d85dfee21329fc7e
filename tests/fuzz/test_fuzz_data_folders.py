"""Data sets that were damaged, or made to do harm: they load as they were, or are refused with the file's name."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attempts import apart, attempt, bounded, examples
from damage import damages, edits, files_of, links_aside, resign, snapshot
from hypothesis import given
from hypothesis import strategies as st

import modcog
from modcog.data.card import PICTURE

KINDS: dict[str, dict[str, Any]] = {
    "npy": {"format": "npy"},
    "hdf5": {"format": "hdf5", "padded": True},
    "zarr": {"format": "zarr", "layout": "stream", "sequences": 8, "seq_len": 30},
    "parquet": {"format": "parquet"},
    "parquet stream": {"format": "parquet", "layout": "stream", "sequences": 8, "seq_len": 30},
    "npy stream": {"format": "npy", "layout": "stream", "sequences": 8, "seq_len": 30},
}
COMMON = {"tasks": ["go", "dmsintlseqr"], "splits": {"one": 0.5, "two": 0.5}, "seed": 3, "dim_ring": 4}


def make(folder: Path, kind: str) -> Path:
    amounts = {} if "layout" in KINDS[kind] else {"trials_per_task": 8}
    modcog.data.export(folder, **COMMON, **amounts, **KINDS[kind])
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small data set of every kind, and what it holds."""
    return {kind: make(tmp_path_factory.mktemp("made") / kind.replace(" ", "-"), kind) for kind in KINDS}


def contents(folder: Path) -> dict[str, str]:
    """Read all that a data set holds, in every way, as hashes."""
    data = modcog.data.load(folder)
    found: dict[str, Any] = {"tasks": data.tasks, "config": data.config.model_dump_json(), "repr": list(data)}
    for name, split in data.items():
        whole = split[:]
        found[f"{name} observations"] = whole.packed_observations
        found[f"{name} labels"] = whole.packed_labels
        found[f"{name} lengths"] = whole.lengths
        found |= {f"{name} {column}": values for column, values in whole.conditions.items()}
        found[f"{name} task"] = split.column("task")
        found[f"{name} periods"] = [whole.period_steps(trial) for trial in range(len(whole))]
        found[f"{name} some"] = split.take([len(split) - 1, 0, 1]).packed_observations
        found |= {f"{name} {key}": np.asarray(value)[:] for key, value in split.arrays(0).items()}
        dataset = split.torch(rule_input=True)
        batch = dataset.collate(dataset.__getitems__([1, 0, len(split) - 1]))
        found |= {f"{name} batch {key}": value.numpy() for key, value in batch.items()}
    return {name: hashlib.sha256(_bytes(value)).hexdigest() for name, value in found.items()}


def _bytes(value: Any) -> bytes:
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def held(made: dict[str, Path]) -> dict[str, dict[str, str]]:
    return {kind: contents(folder) for kind, folder in made.items()}


@pytest.fixture(scope="module")
def others(made: dict[str, Path]) -> dict[str, bytes]:
    """Files of all of them, to be put into the wrong one."""
    return {
        f"{kind}/{name}": (folder / name).read_bytes() for kind, folder in made.items() for name in files_of(folder)
    }


def is_whole(folder: Path) -> tuple[bool, str]:
    """Tell if ``verify`` finds nothing, and what it says."""
    report, message = attempt(lambda: apart(modcog.data.verify, folder))
    for problem in report.problems if report is not None else ():
        assert str(problem).isprintable(), str(problem)
    said = message or "; ".join(map(str, report.problems if report is not None else ()))
    return bool(report), said


@examples(80)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_damaged_data_set_is_found_out(made: Any, held: Any, others: Any, kind: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        shutil.copytree(made[kind], folder)
        before = snapshot(folder, (PICTURE,))
        what, damage = data.draw(damages(files_of(folder, (PICTURE,)), others))
        known = {Path(path).name for path in before}
        damage(folder)
        after = snapshot(folder, (PICTURE,))
        whole, said = is_whole(folder)
        found, message = attempt(lambda: apart(contents, folder))
        if after == before:
            assert whole, (what, said)
        if whole:
            assert links_aside(after).items() <= before.items(), f"verify does not see it: {what}"
            assert found == held[kind], f"verify finds nothing, and load: {message or 'something else'}: {what}"
        else:
            assert after != before, (what, said)
        if found is None:
            assert any(part in message for part in known), (what, message)


@examples(80)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_manifest_that_wants_to_be_believed_does_no_harm(made: Any, kind: str, data: st.DataObject) -> None:
    """Its checksum, sizes and hashes fit what it says."""
    content = json.loads((made[kind] / "manifest.json").read_text(encoding="utf-8"))
    changed = data.draw(edits(content))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        shutil.copytree(made[kind], folder)
        resign(folder, changed)
        whole, _said = is_whole(folder)
        found, _message = attempt(lambda: apart(contents, folder))
        outside = "passwd" in json.dumps(changed) or "/dev/zero" in json.dumps(changed)
        if outside and "passwd" in json.dumps(changed.get("splits", "") if isinstance(changed, dict) else ""):
            assert not whole and found is None, "a path leads out of the data set"


def _write_hostile(kind: str, shard: Path, how: str) -> None:
    """Put a shard in place that its format can be, but no export would write."""
    if kind.startswith("npy"):
        path = shard / "observations.npy"
        array = np.load(path)
        if how == "objects":
            np.save(path, np.array([{"a": 1}, None], object), allow_pickle=True)
        elif how == "huge":
            np.lib.format.open_memmap(path, "w+", np.float32, (10**6, 9))[:0] = 0
        elif how == "other type":
            np.save(path, array.astype(complex))
        else:
            np.save(path, array[:1])
    elif kind == "hdf5":
        import h5py

        with h5py.File(shard, "a") as file:
            array = file["observations"][:]
            del file["observations"]
            if how == "objects":
                file.create_dataset("observations", data=np.array(["a", "b"], object), dtype=h5py.string_dtype())
            elif how == "huge":
                file.create_dataset("observations", (10**9, 9), np.float32, chunks=(10**6, 9), compression="gzip")
            elif how == "other type":
                file["observations"] = h5py.ExternalLink("/etc/passwd", "/x")
            else:
                outside = [("/etc/passwd", 0, 36)]
                file.create_dataset("observations", (1, 9), np.float32, external=outside)
                del array
    elif kind == "zarr":
        path = shard / "observations" / "zarr.json"
        about = json.loads(path.read_text(encoding="utf-8"))
        if how == "objects":
            about["data_type"] = "string"
        elif how == "huge":
            about["shape"] = [10**9, 30, 9]
        elif how == "other type":
            about["data_type"] = "float64"
        else:
            about["shape"] = about["shape"][:1]
        path.write_text(json.dumps(about), encoding="utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pq.read_table(shard)
        place = table.schema.get_field_index("observations")
        if how == "huge":
            table = pa.concat_tables([table] * 2000)
        elif how == "other type":
            table = table.drop_columns(["observations"])
        else:
            values = ["x"] if how == "objects" else [None]
            table = table.set_column(place, "observations", pa.array(values * len(table)))
        pq.write_table(table, shard)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("how", ["objects", "huge", "other type", "other shape"])
def test_a_hostile_shard_is_refused_by_name(made: Any, here: Path, kind: str, how: str) -> None:
    """The manifest agrees with it."""
    folder = here / "data"
    shutil.copytree(made[kind], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    shard = manifest["splits"]["one"][0]["path"]
    _write_hostile(kind, folder / shard, how)
    resign(folder, manifest)
    is_whole(folder)
    found, message = attempt(lambda: apart(contents, folder))
    assert found is None
    assert Path(shard).name in message


@examples(6)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS)))
def test_every_format_holds_the_same_trials(first: str, second: str) -> None:
    """All formats of one layout give the same arrays for the same settings."""
    settings = {**COMMON, "trials_per_task": 4}
    if "stream" in first or "stream" in second:
        settings |= {"layout": "stream", "sequences": 4, "seq_len": 25}
        del settings["trials_per_task"]
    with tempfile.TemporaryDirectory() as place:
        splits = []
        for number, kind in enumerate((first, second)):
            folder = Path(place) / str(number)
            splits.append(modcog.data.export(folder, **settings, format=KINDS[kind]["format"])["one"][:])
        one, two = splits
        assert np.array_equal(one.packed_observations, two.packed_observations)
        assert np.array_equal(one.packed_labels, two.packed_labels)
        for name, column in one.conditions.items():
            assert column.dtype == two.conditions[name].dtype
            assert np.array_equal(column, two.conditions[name], equal_nan=column.dtype.kind == "f")


def test_every_kind_loads_as_it_was(made: Any, held: Any) -> None:
    """The data that the tests above compare with are the same in every reading."""
    for kind, folder in made.items():
        with bounded():
            assert contents(folder) == held[kind]
        assert is_whole(folder)[0]
