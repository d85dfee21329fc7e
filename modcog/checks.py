"""Checks of plain arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from modcog.errors import ModcogError, shown


def check_count(name: str, value: Any, at_least: int = 1) -> int:
    """Return a whole number of at least ``at_least`` as an ``int``.

    Raises:
        ModcogError: naming the argument.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < at_least:
        raise ModcogError(f"{name}: got {shown(value)}, must be a whole number, at least {at_least}")
    return int(value)
