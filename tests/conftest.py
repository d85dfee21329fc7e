"""Settings of the whole test run."""

import os
from pathlib import Path

import pytest

# Two processes share two cores, each with one thread; a user's own choice comes first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

TESTS = Path(__file__).parent
CORE = ("tasks", "trials", "envs", "test_battery.py", "test_describe.py", "test_seeds.py", "test_settings.py",
        "test_floors.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what tests the tasks, the trials, the battery and the environments as ``core``."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in CORE:
            item.add_marker("core")
