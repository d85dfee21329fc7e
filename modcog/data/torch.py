"""Exported items as a torch data set, and the padded batches that they and live trials come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from modcog.data.dataset import ranges, set_rule_input
from modcog.trials.arrays import IGNORE, Trials

if TYPE_CHECKING:
    from modcog.data.dataset import Split


class Batch(TypedDict):
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
    """n items, packed: the steps of all, one after the other, so that a batch is padded at once.

    Args:
        observations: (S, C) float32.
        labels: (S,) int64.
        task: (n,) int64.
        steps: (n,) of each item.
    """

    def __init__(
        self,
        observations: NDArray[np.float32],
        labels: NDArray[np.int64],
        task: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> None:
        self.observations, self.labels, self.task, self.steps = observations, labels, task, steps
        self._first = np.cumsum(steps) - steps

    def __len__(self) -> int:
        """Number of items."""
        return len(self.steps)

    def __getitem__(self, index: Any) -> Any:
        """One item, its tensors views of the arrays; of a slice, a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        rows = slice(int(self._first[index]), int(self._first[index] + self.steps[index]))
        parts = [torch.from_numpy(array[rows]) for array in (self.observations, self.labels)]
        return {"observations": parts[0], "labels": parts[1], "task": torch.tensor(self.task[index])}

    @classmethod
    def of(cls, items: Sequence[Item]) -> Items:
        """Pack single items."""
        observations = np.concatenate([item["observations"].numpy() for item in items])
        labels = np.concatenate([item["labels"].numpy() for item in items])
        task, steps = [int(item["task"]) for item in items], [len(item["labels"]) for item in items]
        return cls(observations, labels, np.array(task), np.array(steps))


class ExportedItems(Dataset[Item]):
    """The items of an exported split, map-style; made by ``Split.torch``."""

    def __init__(self, split: Split, *, rule_input: bool = False, batch_first: bool = False) -> None:
        self.split, self.rule_input, self.batch_first = split, rule_input, batch_first

    def __len__(self) -> int:
        """Number of items."""
        return len(self.split)

    def __getitem__(self, index: int) -> Item:
        """One item; its tensors are copies, not views of the files."""
        item: Item = self.__getitems__([index])[0]
        return item

    def __getitems__(self, indices: Sequence[int]) -> Items:
        """Several items at once, which a ``DataLoader`` prefers; they share the memory of one copy."""
        n_tasks = len(self.split.dataset.tasks) if self.rule_input else 0
        found = self.split.gather(indices, room=n_tasks)
        observations, task, steps = found["observations"], found["task"], found["steps"]
        if self.rule_input:
            set_rule_input(observations[:, -n_tasks:], task, found["length"])
        if self.split.dataset.layout == "stream":
            task = np.full(len(steps), -1)
        return Items(observations, found["labels"], task.astype(np.int64), steps)

    def collate(self, items: Sequence[Item]) -> Batch:
        """Pad items to a batch; give it to the ``DataLoader`` as ``collate_fn``."""
        packed = items if isinstance(items, Items) else Items.of(items)
        n, steps, longest = len(packed), packed.steps, int(packed.steps.max())
        lane, step = np.repeat(np.arange(n), steps), ranges(np.zeros_like(steps), steps)
        shape, row = ((n, longest), lane * longest + step) if self.batch_first else ((longest, n), step * n + lane)
        observations = np.zeros((n * longest, packed.observations.shape[1]), np.float32)
        observations[row] = packed.observations
        labels = np.full(n * longest, IGNORE)
        labels[row] = packed.labels
        arrays = (observations.reshape(*shape, -1), labels.reshape(shape), steps, packed.task)
        return _batch(*arrays, batch_first=self.batch_first)


def _batch(
    observations: NDArray[np.float32],
    labels: NDArray[np.int64],
    lengths: NDArray[np.int64],
    task: NDArray[np.integer],
    *,
    batch_first: bool,
) -> Batch:
    steps = np.arange(labels.shape[1 if batch_first else 0])
    mask = steps < lengths[:, None] if batch_first else steps[:, None] < lengths
    return {
        "observations": torch.from_numpy(observations), "labels": torch.from_numpy(labels),
        "mask": torch.from_numpy(mask), "lengths": torch.from_numpy(lengths), "task": torch.from_numpy(task),
    }  # fmt: skip


def batch_of(trials: Trials, batch_first: bool = False) -> Batch:
    """Trials as a padded batch."""
    observations, labels = trials.observations, trials.labels
    if not batch_first:
        observations, labels = np.ascontiguousarray(observations.swapaxes(0, 1)), np.ascontiguousarray(labels.T)
    return _batch(observations, labels, trials.lengths, trials.task, batch_first=batch_first)
