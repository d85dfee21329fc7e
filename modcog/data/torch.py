"""Exported items as a torch data set, and padded batches, of which ``LiveDataset`` makes some too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from modcog.tasks.rule_input import RulePlaces
from modcog.trials.arrays import IGNORE, pad, write_rule_input


class PaddedBatch(TypedDict):
    """A padded batch; (B, T, …) with ``batch_first``."""

    observations: Tensor  # (T, B, C) float32, zero-padded
    labels: Tensor  # (T, B) int64, padded with −100
    mask: Tensor  # (T, B) bool, False in padding
    lengths: Tensor  # (B,) int64
    task: Tensor  # (B,) int64, index into the tasks; −1 for a sequence of several trials


class Item(TypedDict):
    """One item: a trial, or a sequence of trials."""

    observations: Tensor  # (L, C) float32
    labels: Tensor  # (L,) int64
    task: Tensor  # () int64; −1 for a sequence


class Items(Sequence[Item]):
    """n items, packed, so that a batch is padded at once.

    Attributes:
        packed: observations (S, C) and labels (S,) of all items, one after the other; task and number of steps, (n,).
    """

    def __init__(self, *packed: NDArray[Any]) -> None:
        self.packed = packed
        self._ends = np.cumsum(packed[3])

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        """Return one item, its tensors views of the arrays; of a slice, a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        observations, labels, task, steps = self.packed
        index = range(len(self))[index]
        rows = slice(int(self._ends[index] - steps[index]), int(self._ends[index]))
        parts = torch.from_numpy(observations[rows]), torch.from_numpy(labels[rows]), torch.tensor(task[index])
        return dict(zip(Item.__annotations__, parts, strict=True))


class ExportedItems(Dataset[Item]):
    """The items of an exported split, map-style; made by ``Split.torch``.

    Args:
        read: ``Split.read``.
        n: number of items.
        rules: rule input to append to the observations; of width 0: none.
        one_task: every item has one task; else items are sequences of several trials.
        batch_first: ``collate`` gives (B, T, …) instead of (T, B, …).
    """

    def __init__(
        self,
        read: Callable[..., dict[str, NDArray[Any]]],
        n: int,
        *,
        rules: RulePlaces,
        one_task: bool,
        batch_first: bool,
    ) -> None:
        self.read, self.n, self.rules, self.one_task, self.batch_first = read, n, rules, one_task, batch_first

    def __len__(self) -> int:
        """Return the number of items."""
        return self.n

    def __getitem__(self, index: int) -> Item:
        """Return one item; its tensors are copies, not views of the files."""
        item: Item = self.__getitems__([index])[0]
        return item

    def __getitems__(self, indices: Sequence[int]) -> Items:
        """Return several items at once, as a ``DataLoader`` prefers; they share the memory of one copy."""
        found = self.read(indices, more_channels=self.rules.width)
        observations = np.require(found["observations"], requirements=["O", "W"])  # a copy, unless it is one
        task, steps = found["task"].astype(np.int64), found["steps"]
        if self.rules.width:
            write_rule_input(observations[:, -self.rules.width :], self.rules.places, task, found["length"])
        return Items(observations, found["labels"], task if self.one_task else np.full(len(steps), -1), steps)

    def collate(self, items: Sequence[Item]) -> PaddedBatch:
        """Pad items to a batch; give it to the ``DataLoader`` as ``collate_fn``."""
        if not isinstance(items, Items):
            single = [[np.atleast_1d(part.numpy()) for part in item.values()] for item in items]  # type: ignore[attr-defined]
            steps = np.array([len(labels) for _, labels, _ in single])
            items = Items(*map(np.concatenate, zip(*single, strict=True)), steps)
        return padded_batch(*items.packed, batch_first=self.batch_first)


def padded_batch(
    observations: NDArray[Any], labels: NDArray[Any], task: NDArray[Any], steps: NDArray[Any], *, batch_first: bool
) -> PaddedBatch:
    """Return items, packed as (S, C), (S,), (n,) and (n,) in ``Items``, as a padded batch."""
    step = np.arange(steps.max())
    arrays = {
        "observations": pad(observations, steps, 0, time_first=not batch_first),
        "labels": pad(labels, steps, IGNORE, time_first=not batch_first),
        "mask": step < steps[:, None] if batch_first else step[:, None] < steps,
        "lengths": steps,
        "task": task,
    }
    batch: Any = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return batch
