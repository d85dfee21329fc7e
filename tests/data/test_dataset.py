"""What is loaded is what the battery samples, in every format and layout."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracle import Setting, disagreements
from small_data import FORMATS, LAYOUTS, TASKS, small

import modcog
from modcog.data import DataSet, export, load
from modcog.data.plan import Plan
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials
from modcog.trials.stream import Stream

Made = Callable[..., DataSet]


def assert_same(found: Trials, expected: Trials) -> None:
    """Both hold the same trials, bit by bit, and the same conditions."""
    for name in ("packed_observations", "packed_labels", "offsets", "task", "decision_start"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert_array_equal(ours, theirs, err_msg=name)
    assert found.conditions.keys() == expected.conditions.keys()
    for name, column in expected.conditions.items():
        assert_array_equal(found.conditions[name], column, err_msg=name)
    for name in ("tasks", "dt", "periods", "dim_ring"):
        assert getattr(found, name) == getattr(expected, name)
    assert [replace(c, values=None) for c in expected.declared] == list(found.declared)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["ragged", "padded"])
def test_trials_round_trip(made: Made, kind: str, form: str) -> None:
    data = made(kind, form)
    plan = Plan(data.config)
    for name, split in data.items():
        drawn = [plan.trials(shard) for shard in plan.shards if shard.split == name]
        assert len(drawn) > 1
        for found, expected in zip(split.shards(), drawn, strict=True):
            assert_same(found, expected)


@pytest.mark.parametrize("form", FORMATS)
def test_sequences_round_trip(made: Made, form: str) -> None:
    data = made("stream", form)
    for index, split in enumerate(data.values()):
        block = Plan(data.config).block
        stream = Stream(data.battery.tables, Seed.of(7, Purpose.EXPORT, index, 1), block, 40, batch_first=True)
        for start in range(0, len(split), block):
            lanes = slice(start, min(start + block, len(split)))
            observations, labels = next(stream)
            n = lanes.stop - start
            found = split[lanes]
            assert_array_equal(found.packed_observations.reshape(n, 40, -1), observations[:n])
            assert_array_equal(found.packed_labels.reshape(n, 40), labels[:n])


def test_sequences_hold_whole_trials_but_the_last(made: Made) -> None:
    """Layout stream takes whole batches of a stream, so a sequence starts with a fresh trial and fills its steps."""
    split = made("stream")["train"]
    for trials in (split[i] for i in range(len(split))):
        assert trials.offsets[-1] == 40
        assert trials.packed_observations[0, 0] == 1  # the fixation cue of a trial's first step
        whole = trials[: len(trials) - 1]
        periods = {name: column for name, column in whole.conditions.items() if name.startswith("steps_")}
        assert_array_equal(sum(np.maximum(column, 0) for column in periods.values()), whole.lengths)


@pytest.mark.parametrize("rules", ["corrected", "published"])
def test_what_is_loaded_is_right(tmp_path, rules: str) -> None:
    """The oracle decodes the stored observations and works out the labels from the rules alone."""
    tasks = [task for task in modcog.TASKS if rules == "corrected" or not task.startswith("goint")]
    data = export(tmp_path / "x", tasks=tasks, trials_per_task=10, sigma=0, rules=rules, padded=rules == "published")
    for split in data.values():
        assert not disagreements(tasks, split[:], Setting(rules=rules))


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("form", FORMATS)
def test_any_items_in_any_order(made: Made, kind: str, form: str) -> None:
    split = made(kind, form)["train"]
    order = [len(split) - 1, 0, 3, 3, -2]
    taken, one_by_one = split.take(order), [split[i] for i in order]
    assert_array_equal(taken.packed_observations, np.concatenate([t.packed_observations for t in one_by_one]))
    assert_array_equal(taken.packed_labels, np.concatenate([t.packed_labels for t in one_by_one]))
    assert_array_equal(taken.conditions["target"], np.concatenate([t.conditions["target"] for t in one_by_one]))
    assert len(split.take([])) == 0
    assert len(split[4:4]) == 0


@pytest.mark.parametrize("kind", LAYOUTS)
def test_slices_across_shards(made: Made, kind: str) -> None:
    split = made(kind)["train"]
    whole = split[:]
    assert split.n_shards > 1
    assert_array_equal(split.column("task"), whole.task)
    parts = [split[:3], split[3:-2], split[-2:]]
    assert_array_equal(np.concatenate([p.packed_observations for p in parts]), whole.packed_observations)


def test_outside_is_an_index_error(made: Made) -> None:
    split = made("ragged")["train"]
    for wrong in (lambda: split[len(split)], lambda: split.take([0, -len(split) - 1]), lambda: split[::2]):
        with pytest.raises(IndexError):
            wrong()


def test_npy_is_memory_mapped(made: Made) -> None:
    split = made("ragged")["train"]
    stored = split.arrays(0)["observations"]
    assert isinstance(stored.base, np.memmap)
    assert np.shares_memory(next(split.shards()).packed_observations, stored)


@pytest.mark.parametrize("stored", [False, True])
def test_rule_input_is_added_on_loading(tmp_path, stored: bool) -> None:
    data = export(tmp_path, **small("ragged", rule_input=stored))
    assert data["train"].arrays(0)["observations"].shape[1] == 33
    assert data["train"][:].packed_observations.shape[1] == (38 if stored else 33)
    with_rule = load(tmp_path, rule_input=True)["train"][:]
    rule = with_rule.packed_observations[:, 33:]
    assert_array_equal(rule.argmax(axis=1), np.repeat(with_rule.task, with_rule.lengths))
    assert_array_equal(rule.sum(axis=1), 1)
    assert load(tmp_path, rule_input=False)["train"][:].packed_observations.shape[1] == 33
    assert load(tmp_path, rule_input=True).battery.n_channels == 38


def test_splits_share_no_trial(tmp_path) -> None:
    """Trials with noise are all different, in whichever split."""
    data = export(tmp_path, tasks=["dm1", "multidlydm"], trials_per_task=300, splits={"a": 0.4, "b": 0.3, "c": 0.3})
    noisy = [
        trials.packed_observations.tobytes()
        for split in data.values()
        for trials in (split[i] for i in range(len(split)))
    ]
    assert len(noisy) == 600
    assert len(set(noisy)) == 600


def test_tasks_are_counted_right(made: Made) -> None:
    for name, split in made("ragged").items():
        assert np.bincount(split.column("task")).tolist() == [5] * len(TASKS) == made("ragged").manifest.trials(name)


def test_a_user_s_own_task_loads_where_it_is_not_known(tmp_path) -> None:
    from modcog.tasks.go import CONDITIONS, draw

    periods = {"fixation": 300, "stimulus": 300, "decision": 300}
    wave = modcog.Base("wave", "go", "Wave back.", periods, ("stimulus",), CONDITIONS, draw, params={"anti": False})
    modcog.add_base(wave)
    try:
        data = export(tmp_path, tasks=["wave", "waveseqr"], trials_per_task=10)
        expected = data["train"][:].packed_labels
        assert data.config.tasks == ("wave", "waveseqr")
    finally:
        modcog.remove_base("wave")
    again = load(tmp_path)
    assert_array_equal(again["train"][:].packed_labels, expected)
    assert modcog.data.verify(tmp_path).ok
    with pytest.raises(modcog.UnknownNameError, match="wave"):
        _ = again.config


def test_nothing_is_unpickled(tmp_path) -> None:
    """A file of objects in the place of an array is refused, and what it would call is not called."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (tmp_path / "called").write_text, ("",)

    export(tmp_path / "x", **small("ragged"))
    path = tmp_path / "x" / "train" / "00000" / "labels.npy"
    size = path.stat().st_size
    np.save(path, np.array([Bomb()] * 3, dtype=object), allow_pickle=True)
    path.write_bytes(path.read_bytes().ljust(size, b"\0")[:size])
    with pytest.raises(ValueError, match="Python objects"):
        load(tmp_path / "x")["train"][0]
    assert not (tmp_path / "called").exists()
    pickle.loads(pickle.dumps(Bomb()))  # the test would notice
    assert (tmp_path / "called").exists()


@pytest.mark.parametrize("kind", ["ragged", "stream"])
def test_tools_that_know_nothing_of_modcog_read_parquet(made: Made, kind: str) -> None:
    """A task is its name and a missing value a null, so that questions have the answers that they seem to have."""
    import pandas
    import polars
    import pyarrow.parquet

    data = made(kind, "parquet")
    trials = data["train"][:]
    path, files = data.path / "train", f"{data.path}/train/*.parquet"
    matched = trials.conditions["match"]
    n, mean = int((trials.task == 0).sum()), matched[matched >= 0].mean()
    assert (matched < 0).any()
    table = pyarrow.parquet.read_table(path)
    columns = table.select(["task", "match", "strength1_mod1"]).to_pandas()
    frame = polars.read_parquet(files).select("task", "match", "strength1_mod1")
    if kind == "stream":
        columns, frame = columns.explode([*columns]), frame.explode("task", "match", "strength1_mod1")
    else:
        assert pyarrow.parquet.read_table(path, filters=[("task", "==", "go")]).num_rows == n
    assert (columns["task"] == "go").sum() == frame.filter(polars.col("task") == "go").height == n
    assert columns["match"].astype(float).mean() == pytest.approx(mean)
    assert frame["match"].mean() == pytest.approx(mean)
    strengths = trials.conditions["strength1_mod1"]
    assert frame["strength1_mod1"].mean() == pytest.approx(np.nanmean(strengths))
    assert frame["strength1_mod1"].null_count() == np.isnan(strengths).sum() > 0
    assert len(pandas.read_parquet(path)) == len(data["train"])


def test_duckdb_reads_parquet(made: Made) -> None:
    duckdb = pytest.importorskip("duckdb")
    data = made("ragged", "parquet")
    trials = data["train"][:]
    strength = trials.conditions["strength1_mod1"]
    of = f"from '{data.path}/train/*.parquet'"
    assert duckdb.sql(f"select count(*) {of} where task = 'go'").fetchall() == [(int((trials.task == 0).sum()),)]
    assert duckdb.sql(f"select avg(strength1_mod1) {of}").fetchall() == [(pytest.approx(np.nanmean(strength)),)]


def test_parquet_that_an_earlier_version_wrote_loads(tmp_path: Path, made: Made) -> None:
    """With −1 and NaN for what is missing, and the index of a task."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from modcog.data.formats import get_format

    data = made("ragged", "parquet")
    entry = data.manifest.splits["train"][0]
    stored = data["train"].arrays(0)
    table = pq.read_table(data.path / entry.path)
    for name in entry.arrays.keys() - {"observations", "labels"}:
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(stored[name]))
    pq.write_table(table, tmp_path / "old.parquet")
    again = get_format("parquet").open_shard(tmp_path / "old.parquet", entry.form(data.tasks))
    for name in entry.arrays:
        assert_array_equal(again[name], stored[name])


def test_a_split_can_be_sent_to_a_worker(made: Made) -> None:
    split = made("ragged", "hdf5")["train"]
    expected = split[0].packed_labels
    assert_array_equal(pickle.loads(pickle.dumps(split))[0].packed_labels, expected)


def test_loading_says_what_is_wrong(made: Made, tmp_path) -> None:
    export(tmp_path / "x", **small("ragged"))
    labels = tmp_path / "x" / "train" / "00000" / "labels.npy"
    labels.write_bytes(labels.read_bytes()[:-1])
    with pytest.raises(modcog.ModcogError, match=r"labels\.npy: it has \d+ of \d+ bytes"):
        load(tmp_path / "x")
    labels.unlink()
    with pytest.raises(modcog.ModcogError, match=r"labels\.npy: the manifest names it, and it is not there"):
        load(tmp_path / "x")
    with pytest.raises(modcog.ModcogError, match="no such folder"):
        load(tmp_path / "y")
    with pytest.raises(modcog.ModcogError, match="not a data set"):
        load(tmp_path)
    with pytest.raises(modcog.UnknownNameError, match=r"'trian'.*nearest: 'train'"):
        made("ragged")["trian"]
    with pytest.raises(modcog.UnknownNameError, match="nearest: 'target'"):
        made("ragged")["train"].column("tarjet")
