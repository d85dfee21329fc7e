"""What every format must do, and what is special to one."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from modcog import ModcogError, UnknownNameError
from modcog.data.formats import FORMATS, ShardData, get_format
from modcog.files import look_below

EXTRAS = {"hdf5": "h5py", "zarr": "zarr", "parquet": "pyarrow"}
STORED = [np.float32, np.float64, np.int16, np.int32, np.int64]


@st.composite
def shards(draw: st.DrawFn) -> ShardData:
    """Any shard: packed, padded, or sequences of several trials; any shapes and values, NaN among them."""
    items = draw(st.integers(1, 6))
    numbers = st.sampled_from(STORED)
    kind = draw(st.sampled_from(["packed", "padded", "sequences"]))
    trials = items if kind != "sequences" else draw(st.integers(items, 3 * items))
    columns = {f"c{i}": draw(hnp.arrays(draw(numbers), trials)) for i in range(draw(st.integers(1, 3)))}
    if kind == "packed":
        ends = np.cumsum(draw(st.lists(st.integers(1, 5), min_size=items, max_size=items)))
        rows, offsets = (int(ends[-1]),), np.concatenate([[0], ends])
    else:
        rows, offsets = (items, draw(st.integers(1, 5))), None
    channels = draw(st.integers(1, 7))
    arrays = {
        "observations": draw(hnp.arrays(np.float32, (*rows, channels))),
        "labels": draw(hnp.arrays(np.int16, rows)),
    }
    cuts = np.sort(draw(st.lists(st.integers(0, trials), min_size=items - 1, max_size=items - 1)))
    column_offsets = np.concatenate([[0], cuts, [trials]]).astype(np.int64) if kind == "sequences" else None
    return ShardData(arrays, columns, offsets, column_offsets)


@pytest.mark.parametrize("form", FORMATS)
def test_any_shard_comes_back(form: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    fmt = get_format(form)

    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(shards())
    def check(shard: ShardData) -> None:
        path = tmp_path_factory.mktemp("shard") / f"s{fmt.ENDING}"
        fmt.write(shard, path, json.dumps({"about": "ä"}))
        stored = fmt.open_shard(path, shard.form(frozenset(look_below(path))))
        everything = {**shard.arrays, **shard.columns}
        assert set(stored) == set(everything)
        for name, expected in everything.items():
            found = np.asarray(stored[name][:])
            assert found.dtype == expected.dtype
            assert_array_equal(found, expected)

    check()


def some_shard() -> ShardData:
    arrays: dict[str, Any] = {
        "observations": np.arange(30, dtype=np.float32).reshape(10, 3),
        "labels": np.arange(10, dtype=np.int16),
    }
    return ShardData(arrays, {"task": np.array([0, 1, 1], np.int32)}, np.array([0, 4, 7, 10]))


@pytest.mark.parametrize("form", FORMATS)
def test_same_shard_same_bytes(form: str, tmp_path: Path) -> None:
    fmt = get_format(form)
    found = []
    for name in ("a", "elsewhere"):
        path = tmp_path / f"{name}{fmt.ENDING}"
        fmt.write(some_shard(), path, "{}")
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        found.append([(str(file.relative_to(path)), file.read_bytes()) for file in files])
    assert found[0] == found[1]


def test_parquet_opens_in_pandas_polars_and_arrow(tmp_path: Path) -> None:
    import pandas
    import polars
    import pyarrow.parquet

    path = tmp_path / "s.parquet"
    get_format("parquet").write(some_shard(), path, '{"dt": 100}')
    second = [[float(v) for v in row] for row in some_shard().arrays["observations"][4:7]]
    frame = pandas.read_parquet(path)
    assert [len(labels) for labels in frame["labels"]] == [4, 3, 3]
    assert [list(row) for row in frame["observations"][1]] == second
    table = polars.read_parquet(path)
    assert table["observations"][1].to_list() == second
    assert table["task"].to_list() == [0, 1, 1]
    schema = pyarrow.parquet.read_schema(path)
    assert str(schema.field("labels").type).startswith("list<")
    assert schema.metadata[b"modcog"] == b'{"dt": 100}'


def test_hdf5_and_zarr_open_without_modcog(tmp_path: Path) -> None:
    import h5py
    import zarr

    for form in ("hdf5", "zarr"):
        fmt = get_format(form)
        fmt.write(some_shard(), tmp_path / f"s{fmt.ENDING}", '{"dt": 100}')
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["observations"].shape == (10, 3)
        assert file.attrs["modcog"] == '{"dt": 100}'
    group = zarr.open_group(tmp_path / "s.zarr", mode="r")
    observations = group["observations"]
    assert group.attrs["modcog"] == {"dt": 100}
    assert observations.metadata.zarr_format == 3
    assert observations.shards is not None
    assert "zstd" in str(observations.compressors).lower()


@pytest.mark.parametrize(("form", "package"), EXTRAS.items())
def test_a_missing_extra_says_what_to_install(form: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"modcog.data.formats.{form}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModcogError, match=rf'{package}: pip install "[\w-]+\[{form}\]"'):
        get_format(form)


def test_an_unknown_format() -> None:
    with pytest.raises(UnknownNameError, match=r"'hdf' .nearest: 'hdf5'.; allowed: hdf5, npy, parquet, zarr"):
        get_format("hdf")


def test_a_format_is_one_module() -> None:
    for form in FORMATS:
        module = importlib.import_module(f"modcog.data.formats.{form}")
        assert all(hasattr(module, name) for name in ("ENDING", "OPEN_SHARDS", "library", "write", "open_shard"))
