"""Checks of plain arguments, and bounds far beyond use, so that nothing overflows or fills the memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from modcog.errors import ModcogError, shown

LONGEST_MS = 1e9
"""Longest duration, in ms."""

LONGEST_TRIAL = 1_000_000
"""Longest trial, in steps; a guard against a dt so small that a trial would not fit in memory."""

LARGEST_STRENGTH = 1e6
"""Largest strength and noise level; far within the range of float32."""


def check_count(name: str, value: Any, at_least: int = 1) -> int:
    """Return a whole number of at least ``at_least`` as an ``int``.

    Raises:
        ModcogError: naming the argument.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < at_least:
        raise ModcogError(f"{name}: got {shown(value)}, must be a whole number, at least {at_least}")
    return int(value)
