"""joblib on forked processes: ready at once, where a fresh process spends longer on its imports than on a shard."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import current_process, get_context
from typing import Any

from joblib import ParallelBackendBase

from modcog.experiments.workers import end_with


class Forks(ParallelBackendBase):  # type: ignore[misc]
    """A joblib backend for work that starts no threads of its own and leaves those of its parent alone."""

    supports_retrieve_callback = True

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many as are asked for."""
        return n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Start a pool."""
        self.parallel = parallel
        # Workers watch us from their first moment: one still without a task when we are killed would wait for ever,
        # and hold the lock of the export that it has inherited.
        self._pool = ProcessPoolExecutor(n_jobs, get_context("fork"), end_with, (os.getpid(),))
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], Any] | None = None) -> Future[Any]:
        """Give the pool a task."""
        future = self._pool.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The result of a task.

        Raises:
            BrokenProcessPool: if the process that was at it has been killed.
        """
        return out.result()

    def terminate(self) -> None:
        """End the pool."""
        self._pool.shutdown(cancel_futures=True)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End the pool once the tasks under way are done."""
        self.terminate()


def quick_backend() -> Any:
    """Forked processes where forking is sound and allowed; else joblib's own, which start afresh."""
    return Forks() if sys.platform == "linux" and not current_process().daemon else "loky"
