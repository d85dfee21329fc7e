"""Prefetching: the next batches are made in a background thread while one is used."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Prefetcher(Generic[Batch]):
    """Numbered batches, the next ``ahead`` of which are made before they are asked for, in one background thread.

    The thread ends when the prefetcher is dropped, or with the program. NumPy gives up Python's lock while it draws
    normal numbers and copies rows, which is most of what a batch costs, so the other threads go on meanwhile.
    """

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self._coming: dict[int, Future[Batch]] = {}
        self._thread = ThreadPoolExecutor(1, "prefetch")  # which starts when there is something to do

    def fetch(self, make: Callable[[int], Batch], index: int) -> Future[Batch]:
        """Return the coming batch ``make(index)``, whose errors its ``result`` raises, and start on those after it.

        ``make`` is not kept: it may own this prefetcher, and a circle would keep the thread alive.
        """
        wanted = range(index, index + self.ahead + 1)
        for other in self._coming.keys() - set(wanted):
            self._coming.pop(other).cancel()
        for each in wanted:
            if each not in self._coming:
                self._coming[each] = self._thread.submit(make, each)
        return self._coming.pop(index)
