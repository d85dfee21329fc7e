"""Live batches: those of the battery's stream, whoever makes them, and they go on exactly where they were left."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import pytest
import torch
from numpy.testing import assert_array_equal
from small_data import TASKS
from torch.utils.data import DataLoader

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


def test_a_loader_without_end_has_no_length() -> None:
    with pytest.raises(TypeError, match="has no end"):
        len(live().loader())


# --- every way of reading goes on where it was, or says that it cannot know ---------------------


def numbers(batches: Iterable[Any]) -> list[int]:
    """The number of each batch, found by its content."""
    return [next(i for i, known in enumerate(ALONE) if torch.equal(first(batch), known)) for batch in batches]


def refuses(read: Callable[[], Any], message: str) -> None:
    """Expect an error, and let go of the loader: torch takes 5 s a worker to end those that are garbage-collected."""
    with pytest.raises(modcog.ModcogError, match=message) as caught:
        read()
    traceback.clear_frames(caught.tb)
    del caught


ALONE = [first(live().batch(i)) for i in range(24)]


@pytest.mark.parametrize("how", ["plainly", "DataLoader", "loader", "2 workers", "2 that stay"])
def test_epochs_go_on(how: str) -> None:
    """One read to its end, one left early, one that begins where that was left."""
    dataset = live(length=4)
    readers: dict[str, Callable[[], Iterable[Any]]] = {
        "plainly": lambda: dataset,
        "DataLoader": lambda: DataLoader(dataset, batch_size=None),
        "loader": dataset.loader,
        "2 workers": lambda: dataset.loader(2),
        "2 that stay": lambda: dataset.loader(2, persistent_workers=True),
    }
    reader = readers[how]()
    assert numbers(reader) == [0, 1, 2, 3]
    assert numbers(islice(reader, 1)) == [4]
    assert dataset.position == 5
    assert numbers(reader) == [5, 6, 7]
    assert numbers(readers[how]()) == [8, 9, 10, 11]
    dataset.position = 2
    assert numbers(reader) == [2, 3]


@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("left_early", [False, True])
def test_workers_of_another_loader_read_once_from_a_position(stay: bool, left_early: bool) -> None:
    dataset = live(length=6)
    assert numbers(islice(dataset, 2)) == [0, 1]
    loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=stay)
    assert numbers(islice(loader, 1 if left_early else None)) == [2, 3, 4, 5][: 1 if left_early else None]
    for read in (lambda: next(iter(loader)), lambda: next(iter(dataset)), dataset.state_dict, lambda: dataset.position):
        refuses(read, "have read on from batch 2, and it is not known how many")
    refuses(lambda: next(iter(dataset.loader())), "set position, or read with")
    dataset.position = 6
    assert numbers(loader) == [6, 7, 8, 9, 10, 11]
    dataset.position = 12
    assert numbers(dataset.loader()) == [12, 13, 14, 15, 16, 17]


def test_three_epochs_of_another_loader_with_its_position_set() -> None:
    dataset = live(length=4)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=True)
    seen = []
    for epoch in range(3):
        dataset.position = 4 * epoch
        seen += numbers(loader)
    assert seen == list(range(12))


def test_workers_that_are_started_afresh_know_the_position() -> None:
    """They get the data set by pickle; so does a copy, whose position is its own."""
    dataset = live(length=3)
    dataset.position = 3
    loader = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    twin = copy.deepcopy(dataset)
    assert numbers(loader) == [3, 4, 5]
    refuses(lambda: next(iter(dataset)), "not known")
    assert twin.position == 3
    assert numbers(DataLoader(twin, batch_size=None, num_workers=2)) == [3, 4, 5]
    refuses(lambda: twin.position, "not known")


def test_two_loops_at_once_share_the_batches() -> None:
    dataset = live(length=6)
    pairs = [numbers(pair) for pair in zip(dataset, dataset, strict=True)]
    assert pairs == [[0, 1], [2, 3], [4, 5]]


def test_threads_share_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveDataset, "batch", lambda dataset, index: index)
    dataset, seen = live(length=2000), list[int]()
    threads = [threading.Thread(target=lambda: seen.extend(dataset)) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they do get in each other's way
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(seen) == list(range(2000))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_whose_position_somebody_else_moves_says_so(workers: int) -> None:
    """It has given its workers the numbers of the batches that come, so it would hand out others than it counts."""
    dataset = live(length=6)
    loader = dataset.loader(workers)
    refuses(lambda: list(zip(loader, loader, strict=True)), "was to hand out batch 1 finds the position at 2")

    def set_within_the_loop() -> None:
        for _ in dataset.loader(workers):
            dataset.position = 12

    refuses(set_within_the_loop, "finds the position at 12: it was set")
    assert numbers(loader) == [12, 13, 14, 15, 16, 17]


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_has_a_position_of_its_own(copier: Callable[[LiveDataset], LiveDataset]) -> None:
    dataset = live(length=3)
    assert numbers(islice(dataset, 2)) == [0, 1]
    twin = copier(dataset)
    assert numbers(twin) == [2]
    assert numbers(dataset) == [2]
    dataset.position = 6
    assert numbers(twin) == [3, 4, 5]
    assert numbers(DataLoader(twin, batch_size=None, num_workers=1)) == [6, 7, 8]
    assert numbers(dataset) == [6, 7, 8]


def send_numbers(dataset: LiveDataset, pipe: Any) -> None:
    pipe.send(numbers(dataset))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_that_gets_the_data_set_goes_on_by_itself(method: str) -> None:
    """As a trainer that starts its ranks; torch lets processes share the memory of a tensor that is sent to them."""
    dataset = live(length=3)
    assert numbers(islice(dataset, 1)) == [0]
    context = torch.multiprocessing.get_context(method)
    got, sent = context.Pipe()
    process = context.Process(target=send_numbers, args=(dataset, sent))
    process.start()
    assert got.recv() == [1, 2]
    process.join()
    assert numbers(dataset) == [1, 2]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("length", "read"), [(None, 3), (7, 0), (7, 3), (7, 6), (7, 7)])
def test_torchdata_goes_on_exactly_where_it_was(workers: int, length: int | None, read: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    dataset = live(length=length)
    dataset.position = 7
    loader = stateful(dataset, batch_size=None, num_workers=workers)
    batches = iter(loader)
    assert numbers(islice(batches, read)) == list(range(7, 7 + read))
    state = loader.state_dict()
    after = live(length=length)
    loader = stateful(after, batch_size=None, num_workers=workers)
    loader.load_state_dict(json.loads(json.dumps(state)))
    if read < 7 or workers:
        expected = list(range(7 + read, 14 if length else 12))
        assert numbers(islice(loader, None if length else 5 - read)) == expected
    if workers:
        refuses(lambda: next(iter(loader)), "not known")
    elif length:
        assert numbers(loader) == list(range(14, 21))


def test_torchdata_with_other_settings_is_refused() -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    loader = stateful(live(), batch_size=None, num_workers=1)
    next(iter(loader))
    state = loader.state_dict()
    for other in (live(seed=6), live(world_size=2)):
        refused = stateful(other, batch_size=None, num_workers=1)
        refused.load_state_dict(state)
        refuses(lambda loader=refused: next(iter(loader)), "the saved position is of")


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_batch_stays_what_it_is_for_as_long_as_it_is_held(batch_first: bool) -> None:
    alone = [live(batch_first=batch_first).batch(i) for i in range(8)]
    kept = list(live(batch_first=batch_first, length=8).loader(num_workers=1))
    for (observations, labels), (expected, right) in zip(kept, alone, strict=True):
        assert_array_equal(observations, expected)
        assert_array_equal(labels, right)
