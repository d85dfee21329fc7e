"""Signals that ask a program to stop, trapped so that it can save its work first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def stop_signals(on_stop: Callable[[], object] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Trap the first SIGINT and the first SIGTERM, and call ``on_stop`` for each; a second gets its default action.

    Outside the main thread nothing is trapped, because Python delivers signals to the main thread only.

    Yields:
        A function that returns True once a signal has been trapped.
    """
    trapped: list[int] = []
    previous: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        trapped.append(number)
        signal.signal(number, previous[number])
        on_stop()

    with suppress(ValueError):  # not the main thread
        for number in (signal.SIGINT, signal.SIGTERM):  # sent by Ctrl-C and by batch systems
            previous[number] = signal.signal(number, handle)
    try:
        yield lambda: bool(trapped)
    finally:
        for trapped_number, handler in previous.items():
            signal.signal(trapped_number, handler)
