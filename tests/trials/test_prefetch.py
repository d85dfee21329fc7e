"""Prefetching: made ahead, by one thread that nothing waits for at the end."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

import modcog
from modcog.trials.prefetch import Prefetcher


def wait_until(true: Callable[[], bool]) -> bool:
    """Wait for something that another thread does; False if it has not after ten seconds."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
    return true()


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("prefetch")}


def test_the_next_batches_are_made_in_one_other_thread_while_one_is_used() -> None:
    made: list[tuple[int, int]] = []
    prefetcher: Prefetcher[int] = Prefetcher(2)

    def make(index: int) -> int:
        made.append((index, threading.get_ident()))
        return index * 10

    assert prefetcher.fetch(make, 5).result() == 50
    assert wait_until(lambda: len(made) == 3)
    assert prefetcher.fetch(make, 6).result() == 60
    assert wait_until(lambda: len(made) == 4)
    time.sleep(0.02)
    assert [index for index, _ in made] == [5, 6, 7, 8], "each once, in order, and no more than asked for"
    assert len({thread for _, thread in made} | {threading.get_ident()}) == 2


def test_batches_that_are_not_wanted_any_more_are_not_made() -> None:
    made, go = [], threading.Event()
    prefetcher: Prefetcher[None] = Prefetcher(3)

    def make(index: int) -> None:
        go.wait(10)
        made.append(index)

    prefetcher.fetch(make, 0)
    coming = prefetcher.fetch(make, 100)
    go.set()
    coming.result()
    assert wait_until(lambda: len(made) == 5)
    assert made == [0, 100, 101, 102, 103]


def test_the_thread_ends_with_the_stream() -> None:
    """Without help of the collector of circles, and whether or not a batch is being made."""
    before = threads()
    gc.disable()
    try:
        stream = modcog.Battery("yang19").stream(64, 350, seed=0, prefetch=3)
        next(stream)
        assert len(threads() - before) == 1
        del stream
        assert wait_until(lambda: threads() <= before)
    finally:
        gc.enable()


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "raise KeyError('x')"])
def test_the_program_ends_while_batches_are_made(end: str) -> None:
    code = f"import modcog; s = modcog.Battery().stream(256, 900, seed=0, prefetch=4); next(s); print('read')\n{end}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "read\n"
    assert done.returncode == (3 if "Exit" in end else 1 if end else 0)
    assert "prefetch" not in done.stderr
    assert ("KeyError" in done.stderr) == ("KeyError" in end)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_goes_on_by_itself() -> None:
    """It has the stream, but not the thread; the batches that were coming never come there."""
    code = """
import os, modcog
stream = modcog.Battery("yang19").stream(64, 350, seed=0, prefetch=3)
next(stream)
child = os.fork()
found = [next(stream)[1].sum() for _ in range(6)]
plain = modcog.Battery("yang19").stream(64, 350, seed=0)
same = found == [plain[index][1].sum() for index in range(1, 7)]
if not child:
    os._exit(0 if same else 7)
print(same, os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True 0\n", "")
