"""The progress bar of every command that takes long: amount, rate and time left, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from modcog.errors import printable


class ProgressBar:
    """A bar for a loop whose length is known; used as a context manager.

    Args:
        label: text before the bar.
        unit: name of what is counted, e.g. ``"trials"``.
        total: their number.
        done: how many there are already; they do not count for the rate.
        show: show the bar; None: if standard error is a terminal.
    """

    def __init__(self, label: str, unit: str, total: int, done: int = 0, show: bool | None = None) -> None:
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[status]}", markup=False), TimeRemainingColumn(elapsed_when_finished=True),
        )  # fmt: skip
        hidden = not (sys.stderr is not None and sys.stderr.isatty() if show is None else show)
        self._bar = Progress(*columns, console=Console(stderr=True), disable=hidden)
        self._task = self._bar.add_task(printable(label), total=total, completed=done, status=unit)
        self._unit, self._count, self._bytes, self._start = unit, 0, 0, time.monotonic()

    def advance(self, n: int = 1, **stats: Any) -> None:
        """Count ``n`` more.

        Args:
            n: how many.
            **stats: shown beside the rate as ``name value``, numbers with three digits; ``bytes`` is summed and shown
                in MB/s.
        """
        self._count, self._bytes = self._count + n, self._bytes + stats.pop("bytes", 0)
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = self._count / elapsed
        status = [f"{rate:,.0f} {self._unit}/s" if rate >= 10 else f"{rate:.2g} {self._unit}/s"]
        if self._bytes:
            status.append(f"{self._bytes / elapsed / 1e6:.0f} MB/s")
        for name, value in stats.items():
            status.append(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}")
        self._bar.update(self._task, advance=n, status=printable(" ".join(status)))

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
