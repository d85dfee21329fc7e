"""Memory that loading processes share with the process that learns, so that a batch is painted where it is used."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_HERE: weakref.WeakValueDictionary[int, Slots] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


class Slots:
    """Places for batches, used again and again.

    A worker paints into a free slot of its own and sends the slot's number alone. It costs nobody a copy, fresh pages
    or the passing of a file descriptor, which together take three times as long as painting. A slot is free again
    once every tensor and array that shows its memory is gone, so a batch stays what it is for as long as it is held.

    Args:
        shape: of a batch's observations.
        workers: processes that paint.
        each: slots of each; one that holds more batches than that gets the others in memory of their own.
    """

    def __init__(self, shape: tuple[int, int, int], workers: int, each: int) -> None:
        self.each = each
        n = workers * each
        self.parts = torch.empty((n, *shape), dtype=torch.float32), torch.empty((n, *shape[:2]), dtype=torch.int64)
        self.used = torch.zeros((n, len(self.parts)), dtype=torch.uint8)
        for tensor in (*self.parts, self.used):
            tensor.share_memory_()  # type: ignore[no-untyped-call]
        self.number = next(_NUMBERS)
        _HERE[self.number] = self

    def take(self, worker: int) -> tuple[Sent, NDArray[np.float32], NDArray[np.int64]] | None:
        """A free slot of a worker: what to send, and its arrays to paint on; None if all are held."""
        own = range(worker * self.each, (worker + 1) * self.each)
        slot = next((slot for slot in own if not self.used[slot].any()), None)
        if slot is None:
            return None
        self.used[slot] = 1
        observations, labels = (part[slot].numpy() for part in self.parts)
        return Sent(self.number, slot), observations, labels

    def tensors(self, slot: int) -> tuple[Tensor, ...]:
        """What a worker has painted; the slot is held until these, and all views of them, are gone."""
        return tuple(self._lend(slot, part) for part in range(len(self.parts)))

    def _lend(self, slot: int, part: int) -> Tensor:
        array = self.parts[part][slot].numpy()
        weakref.finalize(array, self.used.numpy().__setitem__, (slot, part), 0)
        return torch.from_numpy(array)  # holds this very array for as long as its memory is in use


class Sent:
    """A painted slot on its way: it arrives as tensors."""

    def __init__(self, slots: int, slot: int) -> None:
        self.slots, self.slot = slots, slot

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self.slots, self.slot)


def _received(slots: int, slot: int) -> tuple[Tensor, ...]:
    return _HERE[slots].tensors(slot)
