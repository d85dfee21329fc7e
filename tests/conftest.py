"""Settings of the whole test run."""

import os
from pathlib import Path

import pytest
import skip_missing

# Two processes share two cores, each with one thread; a user's own choice comes first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Readline, which pytest imports, sets the width of the terminal for child processes, and not in os.environ.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")

TESTS = Path(__file__).parent
PAGES = "test_docs.py"
SLOW = ("experiments", "training", PAGES, "test_site.py")
CORE = ("tasks", "trials", "envs", "test_battery.py", "test_describe.py", "test_seeds.py", "test_settings.py",
        "test_floors.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is core and what is slow, and keep a file's tests in one process, since they share fixtures.

    Only the pages of the documentation, each of which takes long by itself, are dealt out one by one, and first.
    """
    for item in items:
        path = item.path.relative_to(TESTS)
        if path.parts[0] in CORE:
            item.add_marker("core")
        if path.parts[0] in SLOW:
            item.add_marker("slow")
        if path.name != PAGES:
            item.add_marker(pytest.mark.xdist_group(str(path)))
    items.sort(key=lambda item: item.path.name != PAGES)


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "Skip tests that need a package that is not installed, except those of tasks, trials and settings."
    parser.addoption("--skip-missing", action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--skip-missing"):
        config.pluginmanager.register(skip_missing)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the fuzz out unless it is named: it kills what hangs, and so wants processes of its own."""
    named = any("fuzz" in argument for argument in config.invocation_params.args)
    return True if collection_path.name == "fuzz" and not named else None
