"""Exported items as a torch data set, and padded batches, of which ``LiveDataset`` makes some too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from modcog.trials.arrays import IGNORE, pad, write_rule_input


class PaddedBatch(TypedDict):
    """A padded batch; (B, T, …) with ``batch_first``.

    Attributes:
        observations: (T, B, C) float32, zero-padded.
        labels: (T, B) int64, padded with −100.
        mask: (T, B) bool, False in padding.
        lengths: (B,) int64.
        task: (B,) int64, index into the tasks; −1 for a sequence of several trials.
    """

    observations: Tensor
    labels: Tensor
    mask: Tensor
    lengths: Tensor
    task: Tensor


class Item(TypedDict):
    """One item: a trial, or a sequence of trials.

    Attributes:
        observations: (L, C) float32.
        labels: (L,) int64.
        task: () int64; −1 for a sequence.
    """

    observations: Tensor
    labels: Tensor
    task: Tensor


class Items(Sequence[Item]):
    """n items, packed, so that a batch is padded at once.

    Args:
        observations: (S, C) float32, the steps of all items, one after the other.
        labels: (S,) int64.
        task: (n,) int64.
        steps: (n,) of each item.
    """

    def __init__(
        self, observations: NDArray[Any], labels: NDArray[Any], task: NDArray[Any], steps: NDArray[Any]
    ) -> None:
        self.observations, self.labels, self.task, self.steps = observations, labels, task, steps
        self._first = np.cumsum(steps) - steps

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.steps)

    def __getitem__(self, index: Any) -> Any:
        """Return one item, its tensors views of the arrays; of a slice, a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        rows = slice(int(self._first[index]), int(self._first[index] + self.steps[index]))
        parts = [torch.from_numpy(array[rows]) for array in (self.observations, self.labels)]
        return {"observations": parts[0], "labels": parts[1], "task": torch.tensor(self.task[index])}


class GatheredItems(Protocol):
    """Stored items, as ``modcog.data.dataset.Split`` gives them."""

    def __len__(self) -> int:
        """Return the number of items."""

    def read(
        self, indices: Iterable[int], columns: Sequence[str] = ("task", "length"), more_channels: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Read some items, one after the other."""


class ExportedItems(Dataset[Item]):
    """The items of an exported split, map-style; made by ``Split.torch``.

    Args:
        split: of the data set.
        n_rules: one-hot columns of the rule input to append to the observations.
        batch_first: ``collate`` gives (B, T, …) instead of (T, B, …).
        one_task: every item has one task; else items are sequences of several trials.
    """

    def __init__(self, split: GatheredItems, n_rules: int, batch_first: bool, *, one_task: bool) -> None:
        self.split, self.n_rules, self.batch_first, self.one_task = split, n_rules, batch_first, one_task

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.split)

    def __getitem__(self, index: int) -> Item:
        """Return one item; its tensors are copies, not views of the files."""
        item: Item = self.__getitems__([index])[0]
        return item

    def __getitems__(self, indices: Sequence[int]) -> Items:
        """Return several items at once, as a ``DataLoader`` prefers; they share the memory of one copy."""
        found = self.split.read(indices, more_channels=self.n_rules)
        observations = np.require(found["observations"], requirements=["O", "W"])  # a copy, unless it is one
        task, steps = found["task"], found["steps"]
        if self.n_rules:
            write_rule_input(observations[:, -self.n_rules :], task, found["length"])
        return Items(observations, found["labels"], task if self.one_task else np.full(len(steps), -1), steps)

    def collate(self, items: Sequence[Item]) -> PaddedBatch:
        """Pad items to a batch; give it to the ``DataLoader`` as ``collate_fn``."""
        if isinstance(items, Items):
            return padded_batch(items.observations, items.labels, items.task, items.steps, self.batch_first)
        packed = [np.concatenate([item[name].numpy() for item in items]) for name in ("observations", "labels")]
        task, steps = [int(item["task"]) for item in items], [len(item["labels"]) for item in items]
        return padded_batch(*packed, np.array(task), np.array(steps), self.batch_first)


def padded_batch(
    observations: NDArray[Any], labels: NDArray[Any], task: NDArray[Any], steps: NDArray[Any], batch_first: bool
) -> PaddedBatch:
    """Return packed items (see ``Items``) as a padded batch of tensors."""
    mask = np.arange(steps.max()) < steps[:, None]
    arrays = {"observations": pad(observations, steps, 0), "labels": pad(labels, steps, IGNORE), "mask": mask}
    if not batch_first:
        arrays = {name: np.ascontiguousarray(array.swapaxes(0, 1)) for name, array in arrays.items()}
    arrays |= {"lengths": steps, "task": task.astype(np.int64)}
    batch: Any = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return batch
