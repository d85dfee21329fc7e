"""Lists that fill the memory or the stack of whoever follows them without a limit."""

from __future__ import annotations

from typing import Any


def looped() -> list[Any]:
    """A list that contains itself."""
    found: list[Any] = [1]
    found.append(found)
    return found


def doubled(depth: int = 40) -> list[Any]:
    """A list of few lists whose text or array would have 2⁴¹ numbers."""
    found: list[Any] = [1, 2]
    for _ in range(depth):
        found = [found, found]
    return found
