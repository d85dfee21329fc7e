"""Live batches: those of the battery's stream, whoever makes them, and they go on exactly where they were left."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from numpy.testing import assert_array_equal
from small_data import TASKS

import modcog
from modcog.data import LiveDataset

BATTERY = modcog.Battery(TASKS, rule_input=True)


def live(**options: Any) -> LiveDataset:
    return LiveDataset(BATTERY, **{"batch_size": 3, "seq_len": 30, "seed": 5, **options})


def first(batch: Any) -> torch.Tensor:
    return batch[0] if isinstance(batch, list | tuple) else batch["observations"]


def test_live_is_the_stream_of_the_battery() -> None:
    stream = BATTERY.stream(3, 30, seed=5)
    for (observations, labels), (expected, right) in zip(live(length=3), stream, strict=False):
        assert_array_equal(observations, expected)
        assert_array_equal(labels, right)


@pytest.mark.parametrize("layout", ["stream", "trials"])
def test_the_number_of_workers_changes_nothing(layout: str) -> None:
    alone = [first(batch) for batch in live(layout=layout, length=5)]
    for workers in (0, 2):
        loader = live(layout=layout, length=5).loader(num_workers=workers)
        for batch, expected in zip(loader, alone, strict=True):
            assert_array_equal(first(batch), expected)


def test_ranks_share_the_batches_of_one_seed() -> None:
    alone = [first(live().batch(i)) for i in range(6)]
    for rank in range(2):
        ours = [first(batch) for batch in live(rank=rank, world_size=2, length=3)]
        for batch, expected in zip(ours, alone[rank::2], strict=True):
            assert_array_equal(batch, expected)


def test_ranks_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    dataset = live()
    assert (dataset.rank, dataset.world_size) == (1, 4)
    assert_array_equal(first(dataset.batch(2)), first(live(rank=0, world_size=1).batch(9)))


@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_exactly_where_it_was(workers: int) -> None:
    alone = [first(live().batch(i)) for i in range(7)]
    before = live()
    for i, batch in enumerate(before.loader(num_workers=workers)):
        assert_array_equal(first(batch), alone[i])
        if i == 2:
            break
    state = json.loads(json.dumps(before.state_dict()))  # plain values, fit for any checkpoint
    assert state["position"] == 3
    after = live()
    after.load_state_dict(state)
    for i, batch in enumerate(after.loader(num_workers=workers), 3):
        assert_array_equal(first(batch), alone[i])
        if i == 6:
            break


def test_an_epoch_ends_and_the_next_goes_on() -> None:
    dataset = live(length=2)
    loader = dataset.loader()
    assert len(loader) == len(dataset) == 2
    seen = [first(batch) for _ in range(2) for batch in loader]
    for batch, i in zip(seen, range(4), strict=True):
        assert_array_equal(batch, first(live().batch(i)))


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"batch_size": 4}, {"seq_len": 31}, {"world_size": 2}, {"layout": "trials"}]
)
def test_a_position_of_another_data_set_is_refused(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(modcog.ModcogError, match=f"{name}: the saved position is of .*, this data set has"):
        live(**change).load_state_dict(live().state_dict())
    with pytest.raises(modcog.ModcogError, match="battery: the saved position"):
        LiveDataset(modcog.Battery(TASKS), 3, 30, 5).load_state_dict(live().state_dict())
    with pytest.raises(modcog.ModcogError, match="position: got None"):
        live().load_state_dict({})


def test_no_seed_is_a_new_one_each_time_and_can_be_saved() -> None:
    a, b = live(seed=None), live(seed=None)
    assert a.seed != b.seed
    assert_array_equal(first(a.batch(0)), first(live(seed=a.seed).batch(0)))
    assert first(copy.deepcopy(a).batch(1)).equal(first(a.batch(1)))


def test_pinned_memory_where_there_is_a_gpu() -> None:
    assert live().loader().pin_memory == torch.cuda.is_available()
    assert live().loader(pin_memory=True).pin_memory


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "steam"}, "unknown layout 'steam' .nearest: 'stream'."),
        ({"batch_size": 0}, "batch_size: got 0, must be a whole number, at least 1"),
        ({"seq_len": 1.5}, "seq_len: got 1.5"),
        ({"length": 0}, "length: got 0"),
        ({"rank": 2, "world_size": 2}, "rank: got 2, must be less than world_size 2"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(modcog.ModcogError, match=message):
        live(**wrong)


def test_persistent_workers_would_not_know_the_position() -> None:
    with pytest.raises(modcog.ModcogError, match="persistent_workers"):
        live().loader(num_workers=1, persistent_workers=True)
    with pytest.raises(TypeError, match="has no end"):
        len(live())
