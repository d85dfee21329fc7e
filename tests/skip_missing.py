"""Plugin of ``--skip-missing``: a test that fails for want of a package is skipped.

Nobody lists the tests that need torch: they are those that fail where it is not installed. The tests of ``BARE`` are
never skipped, so that nothing there comes to need more than the required packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from modcog import extras

BARE = ("tasks", "trials", "test_battery.py", "test_describe.py", "test_seeds.py", "test_settings.py", "test_errors.py")
"""Folders and files of tests that no package but the required ones may be missing for."""

NOTED = pytest.StashKey[BaseException]()


def missing_module(error: BaseException | None) -> str | None:
    """The module that is not installed, if an error or one of its causes is about that."""
    while error is not None:
        name = (getattr(error, "name", None) or "").split(".")[0]
        if isinstance(error, ModuleNotFoundError) and name and find_spec(name) is None:
            return name
        if isinstance(error, extras.MissingExtraError):
            return str(error)
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__  # the first of a conftest
    return None


def said_missing(text: str) -> str | None:
    """The module or extra that another process, whose messages stand in the text, did not find."""
    modules = [name for name in re.findall(r"No module named '(\w+)", text) if find_spec(name) is None]
    return next(iter([*modules, *re.findall(rf'pip install "{extras.DISTRIBUTION}\[[\w-]+\]', text)]), None)


def skip(report: Any, path: Path, *errors: BaseException | None) -> None:
    """Turn a failure for want of a package into a skip."""
    below = path.relative_to(Path(__file__).parent).parts if Path(__file__).parent in path.parents else ()
    if not report.failed or set(below[:1]) & set(BARE):
        return
    missing = next(filter(None, map(missing_module, errors)), None) or said_missing(
        f"{report.longrepr} {[getattr(error, 'stderr', '') for error in errors]}"
    )
    if missing:
        report.outcome, report.longrepr = "skipped", (str(path), 0, f"Skipped: needs {missing}")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if report.failed:
        skip(report, collector.path, report.call.excinfo.value)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    skip(report, item.path, call.excinfo and call.excinfo.value, item.stash.get(NOTED, None))
    return report


@pytest.fixture(autouse=True)
def _note_missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note the extra that a command lacked, which it says in a line and not by an exception."""
    create = extras.MissingExtraError.__init__

    def note(self: extras.MissingExtraError, *args: object) -> None:
        create(self, *args)
        request.node.stash[NOTED] = self

    monkeypatch.setattr(extras.MissingExtraError, "__init__", note)
