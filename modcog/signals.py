"""Signals that ask a program to stop, trapped so that it can save its work first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Sent by Ctrl-C and by batch systems."""


@contextmanager
def stop_signals(on_stop: Callable[[], object] | None = None) -> Iterator[Callable[[], bool]]:
    """Trap the first SIGINT and the first SIGTERM; a second one of a kind gets its default action.

    Outside the main thread nothing is trapped, because Python delivers signals to the main thread only.

    Args:
        on_stop: called when a signal is trapped.

    Yields:
        A function that returns True once a signal has been trapped.
    """
    trapped: list[int] = []
    previous: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        trapped.append(number)
        signal.signal(number, previous[number])
        if on_stop is not None:
            on_stop()

    try:
        for number in STOP_SIGNALS:
            previous[number] = signal.signal(number, handle)
    except ValueError:  # not the main thread
        pass
    try:
        yield lambda: bool(trapped)
    finally:
        for trapped_number, handler in previous.items():
            signal.signal(trapped_number, handler)
