"""Calls of one function with many items, in worker processes of this machine or on a dask cluster."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from modcog.errors import ModcogError, one_line
from modcog.extras import missing_extra

Item = TypeVar("Item")
Result = TypeVar("Result")

DASK_TIMEOUT = "10s"
"""Longest wait for the answer of a dask scheduler."""


def spread(
    call: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, dask: str | None = None, advice: str = ""
) -> Iterator[Result]:
    """Call ``call`` with each item; yield the results as they get ready.

    Args:
        call: a function that worker processes can import.
        items: its arguments.
        jobs: processes of this machine; 1: this one.
        dask: address of a dask scheduler, to use the workers of its cluster instead.
        advice: what to do if a worker is lost, for the end of the error.

    Raises:
        ModcogError: if a worker is killed, or the cluster cannot be reached or is lost.
    """
    if dask and items:
        with cluster(dask, advice) as executor:
            for future in as_completed([executor.submit(call, item) for item in items]):
                yield future.result()
    elif jobs > 1 and items:
        open_standard_streams()
        from joblib import Parallel, delayed

        parallel = Parallel(jobs, return_as="generator_unordered", batch_size=1)
        try:
            with interrupts_blocked():
                results = parallel(delayed(_call)(call, item, os.getpid()) for item in items)
            yield from results
        except BrokenExecutor:
            raise ModcogError(f"a worker process was killed, perhaps for lack of memory; {advice}") from None
    else:
        yield from map(call, items)


def open_standard_streams() -> None:
    """Open those of the standard streams that the shell has closed (``>&-``), which are None in Python.

    Else the next file that is opened would get the number of one, here or in a worker, and joblib fails.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.set_inheritable(number, True)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115  # open to the end


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in the processes that are started in the block: a terminal sends it to them too.

    They would print a traceback each, at the latest while they import; this process ends them when it stops. Then
    joblib would also warn that work is lost, which is what was asked for.
    """
    warnings.filterwarnings("ignore", r"\d+ tasks (have been|which were)", UserWarning, "joblib")
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):
        tracker.ensure_running()  # at their start they unblock Ctrl-C
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cluster(address: str, advice: str) -> Iterator[Executor]:
    """Connect to a dask cluster; yield an executor, which gives the work of a lost worker to another, three times.

    The dask backend of joblib is not used, since it hangs when a worker is lost a fourth time.

    Raises:
        ModcogError: if dask is not installed, the scheduler cannot be reached, or the cluster is lost.
    """
    try:
        from distributed import CancelledError, Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError as error:
        raise missing_extra("dask", "a dask cluster", (error.name or "distributed").split(".")[0]) from None
    try:
        client = Client(address, timeout=DASK_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ModcogError(f"dask: cannot reach a scheduler at {address!r}: {one_line(error)}") from None
    with client:
        try:
            yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]
        except (KilledWorker, CancelledError, CommClosedError) as error:
            raise ModcogError(f"dask: lost the cluster at {address!r} ({type(error).__name__}); {advice}") from None


def _call(call: Callable[[Item], Result], item: Item, parent: int) -> Result:
    if os.getpid() != parent:  # joblib uses this process where it may not start others
        _end_with(parent)
    return call(item)


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """End this worker process with its parent, however that ends; joblib would let it live on for minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
