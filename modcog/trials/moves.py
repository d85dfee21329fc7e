"""Formulas of the two extensions, interval and sequence: functions on columns that know no family."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.settings import Settings

SLACK = 1e-9
"""Guards every floor against rounding: 0.29 · 100 is 28.999999999999996 in floating point and 29 in arithmetic."""


def positions(omega: float, ms: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return floor(omega · ms), the whole positions of the ring travelled in ``ms`` milliseconds, same shape."""
    return np.floor(omega * ms + SLACK).astype(np.int64)


def interval(
    target: NDArray[np.integer], sign: NDArray[np.integer], ms: NDArray[np.floating], settings: Settings
) -> NDArray[np.integer]:
    """Return the targets of the interval extension, moved by the time waited (Khona et al. 2023).

    Args:
        target: (n,) directions.
        sign: (n,) +1, −1, or 0 for no extension.
        ms: (n,) duration T of the timed period in ms.
        settings: for ``omega`` and ``dim_ring``.

    Returns:
        (n,) directions, (target + sign · floor(omega · T)) mod n.
    """
    return (target + sign * positions(settings.omega, ms)) % settings.dim_ring


def sequence(sign: NDArray[np.integer], step: NDArray[np.integer], settings: Settings) -> NDArray[np.integer]:
    """Return the positions by which the sequence extension has moved the target (Khona et al. 2023).

    Args:
        sign: (m,) +1, −1, or 0 for no extension.
        step: (m,) step within the decision, from 0.
        settings: for ``omega`` and ``dt``.

    Returns:
        (m,) sign · floor(omega · step · dt).
    """
    longest = int(step.max(initial=0))
    travelled = positions(settings.omega, np.arange(longest + 1) * settings.dt)
    return sign * travelled[step]
