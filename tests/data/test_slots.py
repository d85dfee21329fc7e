"""Batches in shared memory: painted in place, held for as long as anything shows them, then used again."""

from __future__ import annotations

import pickle
import sys
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest
import torch
from numpy.testing import assert_array_equal
from small_data import TASKS

import modcog
from modcog.data import LiveDataset
from modcog.data.live import LiveLoader
from modcog.data.slots import Slots

BATTERY = modcog.Battery(TASKS, rule_input=True)
SHAPE = (30, 3, 38)


def live(**options: Any) -> LiveDataset:
    return LiveDataset(BATTERY, 3, 30, seed=5, **options)


def sent(slots: Slots, worker: int, value: int) -> Any:
    """Paint a slot with one number, and send it to the process that uses it; None if none is free."""
    taken = slots.take(worker)
    if taken is None:
        return None
    message, observations, labels = taken
    observations[:], labels[:] = value, value
    return pickle.loads(ForkingPickler.dumps(message))


def test_a_slot_is_used_again_once_nothing_shows_it() -> None:
    slots = Slots(SHAPE, workers=2, each=2)
    observations, labels = sent(slots, 1, 1)
    assert observations.shape == SHAPE
    assert labels.shape == SHAPE[:2]
    other = sent(slots, 1, 2)
    assert sent(slots, 1, 3) is None  # its own two are held, and those of the other worker are not its to take
    view = observations[3:, 1].numpy()[::2]
    del observations
    assert sent(slots, 1, 3) is None
    del view
    assert sent(slots, 1, 3) is None  # the labels are still held
    assert (labels == 1).all()
    del labels
    assert (sent(slots, 1, 3)[0] == 3).all()
    assert (other[0] == 2).all()
    assert sent(slots, 0, 4) is not None


def test_batches_outlive_the_slots() -> None:
    batch = sent(Slots(SHAPE, workers=1, each=1), 0, 7)
    assert all((part == 7).all() for part in batch)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_batch_stays_what_it_is_for_as_long_as_it_is_held(batch_first: bool) -> None:
    """More are held than there are slots; of some, only a view."""
    alone = [live(batch_first=batch_first).batch(i) for i in range(14)]
    kept = []
    for i, (observations, labels) in enumerate(live(batch_first=batch_first, length=14).loader(num_workers=1)):
        kept.append((observations, labels) if i % 2 else (observations[1:], labels[:, :2]))
    for i, ((observations, labels), (expected, right)) in enumerate(zip(kept, alone, strict=True)):
        assert_array_equal(observations, expected if i % 2 else expected[1:])
        assert_array_equal(labels, right if i % 2 else right[:, :2])


def test_a_loop_that_holds_one_batch_never_leaves_the_slots() -> None:
    """Otherwise it would be slow, and nobody would notice."""
    seen = {observations.data_ptr() for observations, _ in live(length=40).loader(num_workers=1)}
    assert len(seen) <= 4


def test_two_loops_at_once() -> None:
    dataset = live(length=4)
    loader = dataset.loader(num_workers=1)
    batches = [(a[0], b[0]) for a, b in zip(loader, loader, strict=True)]
    for i, (ours, theirs) in enumerate(batches):  # both have moved the position on when the second one begins
        assert_array_equal(ours, live().batch(i)[0])
        assert_array_equal(theirs, live().batch(i + 1)[0])


def test_a_worker_that_is_started_afresh_paints_on_the_same_memory() -> None:
    """It gets the data set by pickle, as with the start method spawn."""
    dataset = live()
    dataset._slots = slots = Slots(SHAPE, workers=1, each=1)
    theirs = pickle.loads(ForkingPickler.dumps(dataset))
    assert theirs._slots is not slots
    observations, labels = pickle.loads(ForkingPickler.dumps(theirs._made(2, 0)))
    assert_array_equal(observations, live().batch(2)[0])
    assert_array_equal(labels, live().batch(2)[1])
    assert slots.take(0) is None
    del observations, labels
    assert theirs._slots.take(0) is not None


def test_a_collate_function_of_one_s_own_gets_tensors() -> None:
    loader = live(length=2).loader(num_workers=1, collate_fn=lambda batch: {"x": batch[0] * 2, "y": batch[1]})
    for i, batch in enumerate(loader):
        assert_array_equal(batch["x"], live().batch(i)[0] * 2)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_little_shared_memory_is_enough() -> None:
    """The system refuses a file as large as all slots together, as a container does, but not one of a batch's size."""
    import resource

    alone = [live().batch(i)[0] for i in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * alone[0].nbytes, hard))
    try:
        loader = live(length=3).loader(num_workers=1)
        assert isinstance(loader, LiveLoader)
        assert loader._make_slots(live()) is None
        for (observations, _), expected in zip(loader, alone, strict=True):
            assert torch.equal(observations, expected)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
