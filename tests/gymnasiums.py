"""Differences between gymnasium 0.29 and 1.x that tests have to know."""

from __future__ import annotations

import gymnasium as gym

PLUGINS = gym.__version__.startswith("0.")
"""Gymnasium 0.29 finds environments by a plugin; 1.x knows them once modcog is imported."""

MODE = "custom" if PLUGINS else "vector_entry_point"
"""Name that this gymnasium has for one environment that plays many copies."""


def portable(text: str) -> str:
    """The code of a page, which is written for gymnasium 0.29, for this one."""
    return text.replace('vectorization_mode="custom"', f"vectorization_mode={MODE!r}")
