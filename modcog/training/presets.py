"""Named settings of runs, as data; settings that are not named keep their defaults."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # a first try: 256 units reach 60 % on 20 tasks in well under a minute
    "quick": {
        "tasks": "yang19",
        "arch": "autapse",
        "learning_rate": 3e-3,
        "warmup": 50,
        "steps": 600,
        "eval_every": 50,
        "target_accuracy": 0.6,
    },
    # self-connections alone solve the 20 tasks
    "autapse20": {
        "tasks": "yang19",
        "arch": "autapse",
        "learning_rate": 3e-3,
        "steps": 6_000,
        "eval_every": 500,
        "eval_trials": 200,
    },
    # units on a sheet, each connected with a tenth of the others, on all 132 tasks
    "lm132": {
        "tasks": "modcog132",
        "arch": "lm-rnn",
        "density": 0.1,
        "model": {"init": "identity"},
        "learning_rate": 4e-3,
        "warmup": 500,
        "steps": 60_000,
        "eval_every": 2_000,
    },
}
"""Presets by name."""
