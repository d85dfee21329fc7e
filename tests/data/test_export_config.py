"""Settings of an export: what is filled in, what is refused, and how it is split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import ModcogError
from modcog.data import ExportConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "nyp"}, "unknown format 'nyp' .nearest: 'npy'.; allowed: hdf5, npy, parquet, zarr"),
        ({"layout": "steam"}, "unknown layout 'steam' .nearest: 'stream'."),
        ({"trials": 3}, "unknown setting 'trials'"),
        ({"trials_per_task": 0}, "trials_per_task: got 0, must be greater than or equal to 1"),
        ({"trials_per_task": "many"}, "trials_per_task: got 'many', must be a whole number"),
        ({"seq_len": 10}, "seq_len: got 10, but layout 'trials' takes trials_per_task instead"),
        (
            {"layout": "stream", "trials_per_task": 5},
            "trials_per_task: got 5, but layout 'stream' takes sequences and seq_len",
        ),
        ({"layout": "stream", "padded": True}, "padded: is for layout 'trials'"),
        ({"splits": {}}, "must map the name of each split to its share"),
        ({"splits": {"a": 0.5}}, "the shares add up to 0.5, must add up to 1"),
        ({"splits": {"../a": 1}}, "'../a' is no name for a split"),
        ({"splits": {"a": 2, "b": -1}}, "a: got 2, must be a share"),
        ({"splits": {"a": 0.999, "b": 0.001}, "trials_per_task": 10}, "splits: b would be empty"),
        ({"seed": -1}, "seed: got -1, must be greater than or equal to 0"),
        ({"seed": True}, "seed: got True, must be a whole number"),
        ({"shard_mb": 1000}, "shard_mb: got 1000, must be less than or equal to 80"),
        ({"tasks": ["goo"]}, "unknown task 'goo' .nearest: 'go'."),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModcogError, match=message):
        ExportConfig.of(**values)


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(300, 5000))
def test_splits_add_up_and_are_as_large_as_asked(weights: list[int], amount: int) -> None:
    shares = {f"s{i}": weight / sum(weights) for i, weight in enumerate(weights)}
    config = ExportConfig.of(tasks=["go", "dms"], trials_per_task=amount, splits=shares)
    counts = config.counts()
    assert sum(counts.values()) == amount
    assert all(abs(counts[name] - share * amount) <= 1 for name, share in shares.items())
    assert config.items() == {name: 2 * count for name, count in counts.items()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'tasks = "yang19"\ndt = 50\nlayout = "stream"\nsequences = 30\n[splits]\na = 0.9\nb = 0.1\n'),
        ("a.yaml", "tasks: yang19\ndt: 50\nlayout: stream\nsequences: 30\nsplits:\n  a: 0.9\n  b: 0.1\n"),
    ],
)
def test_a_file_of_settings(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    config = ExportConfig.of(tmp_path / name, dt=20)
    assert (config.dt, config.sequences, config.seq_len, config.splits) == (20, 30, 350, {"a": 0.9, "b": 0.1})
    assert len(config.tasks) == 20


def test_the_defaults() -> None:
    config = ExportConfig.of()
    assert config.counts() == {"train": 800, "val": 100, "test": 100}
    assert ExportConfig.of(**config.model_dump(mode="json")) == config
