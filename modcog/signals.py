"""Being asked to stop, and doing so in one's own time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOP = (signal.SIGINT, signal.SIGTERM)
"""What Ctrl-C and batch systems send."""


@contextmanager
def stop_signals(then: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM has come, instead of what they do otherwise; a second one does that again.

    Args:
        then: called when one comes.
    """
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])
        if then is not None:
            then()

    try:
        for number in STOP:
            before[number] = signal.signal(number, handle)
    except ValueError:  # not in the main thread: whoever runs it there handles signals
        pass
    try:
        yield lambda: bool(came)
    finally:
        for number, old in before.items():
            signal.signal(number, old)
