"""The workers of a dask cluster, as an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from modcog.errors import ModcogError, one_line

DASK_TIMEOUT = "10s"
"""Longest wait for the answer of a dask scheduler."""


@contextmanager
def cluster(address: str, again: str) -> Iterator[Executor]:
    """Connect to a dask cluster; yield an executor, which gives the work of a lost worker to another, three times.

    The dask backend of joblib is not used, since it hangs when a worker is lost a fourth time.

    Args:
        address: of the scheduler.
        again: advice at the end of the error when the cluster is lost.

    Raises:
        ModcogError: if dask is not installed, the scheduler cannot be reached, or the cluster is lost.
    """
    try:
        from distributed import CancelledError, Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError as error:
        package = (error.name or "distributed").split(".")[0]
        raise ModcogError(f"dask needs the package {package}; install it with: pip install 'modcog[dask]'") from None
    try:
        client = Client(address, timeout=DASK_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ModcogError(f"dask: cannot reach a scheduler at {address!r}: {one_line(error)}") from None
    with client:
        try:
            yield client.get_executor(pure=False, retries=3)  # type: ignore[no-untyped-call]
        except (KilledWorker, CancelledError, CommClosedError) as error:
            raise ModcogError(f"dask: lost the cluster at {address!r} ({type(error).__name__}); {again}") from None
