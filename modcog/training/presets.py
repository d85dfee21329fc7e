"""Named settings of runs, as data; what is not named keeps its default."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"tasks": "yang19", "arch": "autapse", "steps": 800, "learning_rate": 3e-3, "eval_every": 200},
}
"""Presets by name."""
