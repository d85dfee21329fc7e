"""A bar on standard error with rate and time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any


class Progress:
    """How far an export is; used as a context.

    Args:
        name: shown before the bar.
        unit: of what is counted.
        total: how many there will be.
        done: how many there are already; they do not count for the rate.
        shown: False: count and show nothing.
    """

    def __init__(self, name: str, unit: str, total: int, done: int = 0, *, shown: bool = True) -> None:
        self._bar = _bar(unit) if shown else None
        if self._bar is not None:
            self._task = self._bar.add_task(name, total=total, completed=done, rate="")
        self._count, self._bytes, self._start = 0, 0, time.monotonic()
        self._unit = unit

    def advance(self, count: int, size: int) -> None:
        """So many more are done, of so many bytes."""
        self._count, self._bytes = self._count + count, self._bytes + size
        if self._bar is not None:
            elapsed = max(time.monotonic() - self._start, 1e-9)
            rate = f"{self._count / elapsed:,.0f} {self._unit}/s {self._bytes / elapsed / 1e6:.0f} MB/s"
            self._bar.update(self._task, advance=count, rate=rate)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(unit: str) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    rate = TextColumn("{task.fields[rate]}")
    return Bar(*columns, rate, TimeRemainingColumn(), console=Console(stderr=True))
