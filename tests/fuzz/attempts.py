"""Trying something that may be refused: in bounded time and memory, and with one readable line."""

from __future__ import annotations

import multiprocessing
import os
import resource
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
    try:
        if sys.platform == "linux":
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + megabytes * 1_000_000, limits[1]))
        signal.alarm(seconds)
        try:
            yield
        finally:
            signal.alarm(0)
    finally:  # also if the signal came just before it was switched off
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, limits)


class Fault(AssertionError):
    """An attempt that fails with more than a refusal."""


class _Helper:
    """A process that makes calls for this one, and is killed, with all that it started, if one hangs or fails.

    It is a fresh one, and no fork: a library's threads and locks are not copied, and neither is the memory.
    """

    def __init__(self) -> None:
        self.process: Any = None

    def call(self, call: Callable[..., Any], args: tuple[Any, ...], seconds: int) -> tuple[str, Any]:
        """Return the kind of a result, and the result, its message or its traceback."""
        if self.process is None:
            spawn = multiprocessing.get_context("spawn")
            self.pipe, there = spawn.Pipe()
            self.process = spawn.Process(target=_serve, args=(there,), daemon=True)
            self.process.start()
            there.close()
        result = "hangs", None
        try:
            self.pipe.send((os.getcwd(), sys.path, seconds))
            self.pipe.send((call, args))
            if self.pipe.poll(seconds + 60):  # which it may need to start, and to notice
                result = self.pipe.recv()
        except (EOFError, OSError):
            result = "ends", None
        finally:  # also if this test is stopped in between
            if result[0] not in ("returns", "refuses"):
                self.stop()
        return result

    def stop(self) -> None:
        """End the process and those that it started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has no group yet, or has ended
                self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


HELPER = _Helper()


def _serve(pipe: Any) -> None:
    """Make calls until the other end is closed."""
    os.setpgid(0, 0)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))  # whatever the caller may take at the moment
    settings.register_profile("fuzz")  # for the modules of the calls
    while True:
        try:
            folder, sys.path[:], seconds = pipe.recv()
            os.chdir(folder)
            call, args = pipe.recv()
        except EOFError:
            return
        pipe.send(_report(call, args, seconds))


def _report(call: Callable[..., Any], args: tuple[Any, ...], seconds: int) -> tuple[str, Any]:
    try:
        with bounded(seconds):
            return "returns", call(*args)
    except ModcogError as error:
        return "refuses", str(error)
    except BaseException:
        return "fails", traceback.format_exc()


def apart(call: Callable[..., Result], *args: Any, seconds: int = 20) -> Result:
    """Return the result of a call that another process makes, which can be killed if a thread or library hangs.

    The call is a function of a module. A ``ModcogError`` there is raised here, and anything else as a ``Fault`` with
    its traceback.
    """
    waiting = signal.alarm(0)  # the other process has a clock of its own
    try:
        kind, value = HELPER.call(call, args, seconds)
    finally:
        signal.alarm(waiting)
    if kind == "refuses":
        raise ModcogError(value)
    if kind == "fails":
        raise Fault(value)
    if kind != "returns":
        raise TooLong(f"a process that is asked for {call} {kind}")
    return value


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
