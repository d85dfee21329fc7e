"""Fuzzing: about a minute, with the same examples each time; ``--fuzz-minutes N`` takes N minutes, with new ones.

``pytest tests/fuzz --fuzz-minutes 10`` looks ten times as long, and prints the smallest example of a failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import HELPER
from hypothesis import HealthCheck, Phase, settings

sys.path.append(str(Path(__file__).parents[1] / "models"))  # for the networks in plain torch


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-minutes", type=float, metavar="N", help="minutes of new random examples")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples before the tests are read, since it stands in their decorators."""
    minutes = config.getoption("--fuzz-minutes", None)
    os.environ["MODCOG_FUZZ_MINUTES"] = str(minutes or 1)
    os.environ["OMP_NUM_THREADS"] = "1"  # see _one_thread
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    slow += [HealthCheck.function_scoped_fixture]  # a folder and a file that no example changes
    # To make a failing example small takes minutes, which only those who have them to spare should wait.
    phases = [phase for phase in Phase if minutes is not None or phase is not Phase.shrink]
    settings.register_profile(
        "fuzz", derandomize=minutes is None, deadline=None, database=None, phases=phases, suppress_health_check=slow
    )


@pytest.fixture(scope="session", autouse=True)
def _helper() -> Iterator[None]:
    """End the process that makes calls for the tests when they end."""
    yield
    HELPER.stop()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Use one thread: where memory is bounded, no other can start, and OpenMP then ends the whole process."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder: some of what is tried writes where it stands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
