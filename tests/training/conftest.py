"""A run so small that it takes a second."""

from pathlib import Path
from typing import Any

import pytest

from modcog.training import TrainConfig


@pytest.fixture
def small(tmp_path: Path):
    """Make the config of a small run in a folder of its own; keyword arguments change it."""

    def make(**changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "tasks": ["go", "dm1seqr"], "arch": "lm-rnn", "hidden": 16, "density": 0.3, "steps": 12, "batch_size": 8,
            "eval_every": 4, "eval_trials": 3, "warmup": 2, "out": tmp_path / "run", "threads": 1,
        }  # fmt: skip
        return TrainConfig(**{**values, **changes})

    return make
