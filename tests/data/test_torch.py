"""Exported items as a torch data set: padded batches, and what a loader makes of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from small_data import FORMATS, LAYOUTS, TASKS
from torch.utils.data import DataLoader

from modcog.data import DataSet

Made = Callable[..., DataSet]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["ragged", "padded"])
def test_a_padded_batch_is_that_of_trials(made: Made, kind: str, form: str) -> None:
    split = made(kind, form)["train"]
    dataset = split.torch(rule_input=True, batch_first=True)
    order = [9, 0, 17, 3]
    batch = next(iter(DataLoader(dataset, batch_sampler=[order], collate_fn=dataset.collate)))
    trials = split.take(order)
    assert_array_equal(batch["observations"][:, :, :33], trials.observations)
    assert_array_equal(batch["labels"], trials.labels)
    assert_array_equal(batch["mask"], trials.mask)
    assert_array_equal(batch["lengths"], trials.lengths)
    assert_array_equal(batch["task"], trials.task)
    rule = batch["observations"][:, :, 33:].numpy()
    assert_array_equal(rule, trials.mask[:, :, None] * np.eye(len(TASKS))[trials.task][:, None])
    dtypes = {name: tensor.dtype for name, tensor in batch.items()}
    whole = torch.int64
    assert dtypes == {
        "observations": torch.float32, "labels": whole, "mask": torch.bool, "lengths": whole, "task": whole,
    }  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_time_first_is_the_same_turned(made: Made, kind: str) -> None:
    split = made(kind)["train"]
    by_batch, by_time = split.torch(batch_first=True), split.torch()
    items = by_time.__getitems__([0, 4, 2])
    a, b = by_batch.collate(items), by_time.collate(items)
    for name in ("observations", "labels", "mask"):
        assert_array_equal(a[name].transpose(0, 1), b[name])
        assert b[name].is_contiguous()


def test_sequences(made: Made) -> None:
    split = made("stream")["train"]
    dataset = split.torch(rule_input=True)
    batch = dataset.collate(dataset.__getitems__([5, 1]))
    assert batch["observations"].shape == (40, 2, 38)
    assert batch["mask"].all()
    assert batch["task"].tolist() == [-1, -1]
    for lane, index in enumerate((5, 1)):
        trials = split[index]
        task = np.repeat(trials.task, trials.lengths)
        assert_array_equal(batch["observations"][:, lane, 33:].argmax(1), task)
        assert_array_equal(batch["observations"][:, lane, :33], trials.packed_observations)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_items_picked_one_by_one_make_the_same_batch(made: Made, kind: str, batch_first: bool) -> None:
    dataset = made(kind)["train"].torch(rule_input=True, batch_first=batch_first)
    order = [7, 2, 2, 11, 0]
    together, alone = dataset.__getitems__(order), [dataset[i] for i in order]
    assert len(together) == len([*together]) == len(together[:]) == 5
    for item, expected in zip(together, alone, strict=True):
        assert all(torch.equal(item[name], expected[name]) for name in expected)
    assert torch.equal(together[-1]["observations"], alone[-1]["observations"])
    ours, theirs = dataset.collate(alone), dataset.collate(together)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("form", FORMATS)
def test_items_are_copies(made: Made, form: str) -> None:
    dataset = made("ragged", form)["train"].torch()
    dataset[0]["observations"].zero_()
    assert dataset[0]["observations"].any()


@pytest.mark.parametrize("form", FORMATS)
def test_workers_read_the_same(made: Made, form: str) -> None:
    dataset = made("ragged", form)["train"].torch()
    assert len(dataset) == 25
    _ = dataset[0]  # an open file must not be shared with the workers
    options = {"batch_size": 8, "collate_fn": dataset.collate}
    loader = DataLoader(dataset, num_workers=2, persistent_workers=True, **options)
    for _ in range(2):
        for a, b in zip(DataLoader(dataset, **options), loader, strict=True):
            assert_array_equal(a["observations"], b["observations"])


def test_two_threads_and_a_copy_read_the_same(made: Made) -> None:
    dataset = made("ragged", "hdf5")["train"].torch()
    expected = [dataset[i]["labels"] for i in range(len(dataset))]
    with ThreadPoolExecutor(4) as pool:
        for twin in (dataset, copy.copy(dataset), pickle.loads(pickle.dumps(dataset))):
            found = pool.map(lambda i, twin=twin: twin[i]["labels"], range(len(dataset)))
            assert all(map(torch.equal, found, expected))


def test_the_items_end(made: Made) -> None:
    dataset = made("ragged")["train"].torch()
    assert len([*dataset]) == len(dataset)
    assert torch.equal(dataset[-1]["labels"], dataset[len(dataset) - 1]["labels"])
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_resumes_within_a_shuffled_epoch(made: Made, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    dataset = made("ragged")["train"].torch()

    def loader() -> Any:
        generator = torch.Generator().manual_seed(3)
        options = {"collate_fn": dataset.collate, "num_workers": workers, "generator": generator}
        return stateful(dataset, batch_size=4, shuffle=True, **options)

    whole = [batch["labels"] for batch in loader()]
    first = loader()
    batches = iter(first)
    for _ in range(3):
        next(batches)
    state = first.state_dict()
    after = loader()
    after.load_state_dict(state)
    rest = [batch["labels"] for batch in after]
    assert len(rest) == len(whole) - 3
    assert all(map(torch.equal, rest, whole[3:]))
