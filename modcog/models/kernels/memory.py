"""Memory for tensors that is used again: to map fresh memory page by page takes time that shows beside a product."""

from __future__ import annotations

import math
import weakref
from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LINE = 64  # bytes of a line of the cache
_LARGEST = 1 << 26  # bytes; more is given back to the system
_SPARE = 3


class Pool:
    """Blocks of memory, of which each is lent to one tensor at a time, and to all views and copies that share with it.

    A block lies in a NumPy array, and a tensor holds on to a slice of it. When the last tensor in the slice is gone,
    the slice is gone, too, and the block is free again. NumPy asks the system for large pages, which helps as much.
    """

    def __init__(self) -> None:
        self._spare: deque[NDArray[np.uint8]] = deque(maxlen=_SPARE)

    def empty(self, like: Tensor, *shape: int) -> Tensor:
        """Return an uninitialized tensor of a shape, of the type of ``like``, on the CPU."""
        size = math.prod(shape) * like.element_size()
        block = self._take(size + _LINE)
        first = -block.ctypes.data % _LINE
        lent = block[first : first + size]
        if block.size <= _LARGEST:
            weakref.finalize(lent, self._spare.append, block).atexit = False
        return torch.from_numpy(lent).view(like.dtype).view(shape)

    def _take(self, size: int) -> NDArray[np.uint8]:
        """Return a spare block of at least this size, or a new one."""
        for _ in range(len(self._spare)):
            try:
                block = self._spare.popleft()  # at once, for another thread may take it
            except IndexError:
                break
            if block.size >= size:
                return block
            self._spare.append(block)
        return np.empty(size, np.uint8)
