"""The same call for many items, on the processes of this machine or on the workers of a dask cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import lru_cache
from multiprocessing import active_children
from typing import Any, TypeVar

from modcog.errors import ModcogError, one_line
from modcog.signals import STOP, stop_signals

Item = TypeVar("Item")
Result = TypeVar("Result")

DASK_WAIT = "10s"
"""How long to wait for a scheduler to answer."""


def spread(
    call: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int = 1,
    dask: str | None = None,
    again: str = "",
    backend: Any = None,
    lost: Callable[[Item], Result] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Call ``call`` for each item; yields the item's index and what came back, as they get ready.

    A worker that is killed takes those beside it with it. What they were at is called again, each item by itself, and
    an item whose worker is killed then as well is given to ``lost``. SIGINT or SIGTERM (a first one) is passed on to
    the workers of this machine, and what they then come back with is yielded before the KeyboardInterrupt.

    Args:
        call: a function of a module, which workers can import.
        items: what it is called with.
        jobs: processes of this machine, one thread each; 1: this process.
        dask: address of a dask scheduler whose workers do it instead.
        again: what to do when a worker is lost, for the error.
        backend: joblib's, of the processes of this machine; None: fresh processes of one thread.
        lost: what comes back for an item whose workers are killed; None: that is an error, which ends it all.

    Raises:
        ModcogError: if the scheduler cannot be reached, or workers are lost.
        KeyboardInterrupt: if this process was asked to stop.
    """
    if dask:
        return _dask(call, items, dask, again, lost)
    jobs = processes(jobs) if lost else min(processes(jobs), len(items))
    if jobs < 2:
        return ((index, call(item)) for index, item in enumerate(items))
    return _local(call, items, jobs, again, backend, lost)


def processes(jobs: int) -> int:
    """How many processes ``jobs`` stands for, −1 being one for each core."""
    if jobs >= 0:
        return jobs
    from joblib import effective_n_jobs

    return int(effective_n_jobs(jobs))


def _local(
    call: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    again: str,
    backend: Any,
    lost: Callable[[Item], Result] | None,
) -> Iterator[tuple[int, Result]]:
    left = dict(enumerate(items))
    while left:
        try:
            for index, result in _pool(call, left, jobs, backend):
                del left[index]
                yield index, result
            if left:  # a worker was asked to stop, and this process was not
                raise _stopped()
        except BrokenProcessPool:
            if lost is None:
                raise ModcogError(f"a worker process was killed, perhaps for lack of memory; {again}") from None
            at_work = list(left)[: 2 * jobs]  # what had been handed out, in order
            yield from _one_by_one(call, {index: left.pop(index) for index in at_work}, backend, lost)


def _one_by_one(
    call: Callable[[Item], Result], items: Mapping[int, Item], backend: Any, lost: Callable[[Item], Result]
) -> Iterator[tuple[int, Result]]:
    for index, item in items.items():
        try:
            yield from _pool(call, {index: item}, 2, backend)  # one job would be this process
        except BrokenProcessPool:
            yield index, lost(item)


def _pool(
    call: Callable[[Item], Result], items: Mapping[int, Item], jobs: int, backend: Any
) -> Iterator[tuple[int, Result]]:
    """What comes back from processes of this machine.

    Raises:
        BrokenProcessPool: if one of them is killed.
        KeyboardInterrupt: if this process was asked to stop.
    """
    from joblib import Parallel, delayed, parallel_config

    if backend:
        with parallel_config(n_jobs=jobs, backend=backend):
            parallel = Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
            yield from parallel(delayed(_numbered)(call, i, item, os.getpid()) for i, item in list(items.items()))
        return
    with _stopping() as asked, parallel_config(n_jobs=jobs, backend="loky", inner_max_num_threads=1):
        todo = (delayed(_unless_stopped)(call, i, item, os.getpid()) for i, item in list(items.items()) if not asked())
        parallel = Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
        yield from (done for done in parallel(todo) if done is not None)


def _dask(
    call: Callable[[Item], Result],
    items: Sequence[Item],
    address: str,
    again: str,
    lost: Callable[[Item], Result] | None,
) -> Iterator[tuple[int, Result]]:
    """What a lost worker was at is done by another."""
    try:
        from distributed import CancelledError, Client, KilledWorker, as_completed
        from distributed.comm.core import CommClosedError
    except ImportError as error:
        raise ModcogError(f"dask needs the package {error.name}; pip install 'modcog[dask]'") from None
    try:
        client = Client(address, timeout=DASK_WAIT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ModcogError(f"dask: cannot reach a scheduler at {address!r}: {one_line(error)}") from None
    with client:
        futures = client.map(_numbered, [call] * len(items), range(len(items)), items, pure=False, retries=3)
        index_of = {future.key: index for index, future in enumerate(futures)}
        suspects = []
        try:
            for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
                try:
                    yield future.result()
                except KilledWorker:  # several workers, one after the other; or it waited where another one killed them
                    if lost is None:
                        raise
                    suspects.append(index_of[future.key])
                future.release()
            for index in suspects:
                alone = client.submit(_numbered, call, index, items[index], pure=False, retries=3)
                try:
                    yield alone.result()
                except KilledWorker:
                    assert lost is not None
                    yield index, lost(items[index])
        except (KilledWorker, CancelledError, CommClosedError) as error:
            raise ModcogError(f"dask: lost the cluster at {address!r} ({type(error).__name__}); {again}") from None


def _numbered(call: Callable[[Any], Result], index: int, item: Any, parent: int | None = None) -> tuple[int, Result]:
    if parent not in (None, os.getpid()):  # joblib falls back to this process where it may not start others
        end_with(parent)
    return index, call(item)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether this process was asked to stop; its workers are told, again and again, until they are done.

    Raises:
        KeyboardInterrupt: at the end, if it was.
    """
    over = threading.Event()

    def tell() -> None:
        while not over.is_set():
            for child in active_children():
                if child.pid and child.name.startswith("Loky"):  # other children are not ours
                    with suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGINT)
            over.wait(0.2)

    with stop_signals(threading.Thread(target=tell, daemon=True).start) as asked:
        try:
            yield asked
        except BrokenProcessPool:
            if not asked():
                raise
        finally:
            over.set()
        if asked():
            raise _stopped()


def _stopped() -> KeyboardInterrupt:
    """What to raise when workers were asked to stop; they are ended, since they would do nothing more."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(kill_workers=True)
    return KeyboardInterrupt()


def _unless_stopped(call: Callable[[Any], Result], index: int, item: Any, parent: int) -> tuple[int, Result] | None:
    """As ``_numbered``, in a process that outlives being asked to stop, but then has only None to give."""
    if parent != os.getpid() and _listening():
        return None
    return _numbered(call, index, item, parent)


@lru_cache(maxsize=1)
def _listening() -> list[int]:
    """The signals that have asked this worker to stop, from the first call on, while nobody else listens to them."""
    asked: list[int] = []
    for number in STOP:
        signal.signal(number, lambda number, frame: asked.append(number))
    return asked


@lru_cache(maxsize=1)
def end_with(parent: int) -> None:
    """End this worker process within half a second of its parent's end, however that came; pools let it live on.

    Args:
        parent: its process id. Called again with the same, it does nothing.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
