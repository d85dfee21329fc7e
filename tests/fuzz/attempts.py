"""Trying something that may be refused: in bounded time and memory, and with one readable line."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings

from modcog.errors import ModcogError

Result = TypeVar("Result")

LONGEST_MESSAGE = 2_000


def examples(n: int) -> Callable[..., Any]:
    """Try n examples a minute."""
    minutes = float(os.environ.get("MODCOG_FUZZ_MINUTES", 1))
    return settings(settings.get_profile("fuzz"), max_examples=max(1, round(n * minutes)))


class TooLong(BaseException):
    """An attempt that hangs; no ``except Exception`` on its way may take it for an error of its own."""


@contextmanager
def bounded(seconds: int = 10, megabytes: int = 2_000) -> Iterator[None]:
    """Fail if the block takes longer, or asks for more memory on top of what this process has."""

    def stop(*_: object) -> None:
        raise TooLong(f"it takes more than {seconds} s")

    old = signal.signal(signal.SIGALRM, stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + megabytes * 1_000_000, limits[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, limits)


class Fault(AssertionError):
    """An attempt that fails with more than a refusal."""


def apart(call: Callable[[], Result], seconds: int = 20) -> Result:
    """Return the result of a call that a process of its own makes, which can be killed if a thread or library hangs.

    A ``ModcogError`` there is raised here, and anything else as a ``Fault`` with its traceback.
    """
    here, there = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(here)
            with open(there, "wb") as pipe:
                pickle.dump(_report(call, seconds), pipe)
        finally:
            os._exit(0)  # no clearing up, which would be done twice
    os.close(there)
    with open(here, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], seconds + 5)
        if not ready:
            os.kill(child, signal.SIGKILL)
        content = pipe.read()
    os.waitpid(child, 0)
    if not content:
        raise TooLong("it had to be killed" if not ready else "it ended its process")
    kind, value = pickle.loads(content)
    if kind == "refuses":
        raise ModcogError(value)
    if kind == "fails":
        raise Fault(value)
    return value


def _report(call: Callable[[], Any], seconds: int) -> tuple[str, Any]:
    try:
        with bounded(seconds):
            return "returns", call()
    except ModcogError as error:
        return "refuses", str(error)
    except BaseException:
        return "fails", traceback.format_exc()


def attempt(call: Callable[[], Result], *also: type[Exception]) -> tuple[Result | None, str]:
    """Return the result of a call and an empty text, or None and the message with which it was refused.

    A refusal is a ``ModcogError``, or one of ``also``, of one printable line. Anything else is a fault and passes.
    """
    try:
        with bounded():
            return call(), ""
    except (ModcogError, *also) as error:
        check_line(str(error))
        return None, str(error)


def check_line(message: str) -> None:
    """A message is one printable line."""
    assert message, "the error says nothing"
    assert message.isprintable(), f"not printable on one line: {message!r}"
    assert len(message) <= LONGEST_MESSAGE, f"{len(message)} characters: {message[:200]}…"
