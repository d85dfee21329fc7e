"""One function call for each of many items, every call in a process of its own."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import suppress
from subprocess import PIPE, Popen, TimeoutExpired
from tempfile import TemporaryFile
from typing import Any

from modcog.processes import cluster
from modcog.signals import stop_signals

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Signal that ends a process at once; Windows has SIGTERM for that."""


def call_each(
    call: Callable[[Any], Any], items: Sequence[Any], jobs: int = 1, dask: str | None = None
) -> Iterator[tuple[int, Any]]:
    """Call ``call`` with every item; yield each item's index and its result, in the order in which they finish.

    The result is None if the process of an item was killed, which no other item notices. A first SIGINT or SIGTERM is
    passed to the processes on this machine, whose results are still yielded, and no further item is begun.

    Args:
        call: a function that worker processes can import by name. It should not raise: an item that ends in an
            exception prints a traceback and yields None.
        items: its arguments.
        jobs: processes at a time on this machine.
        dask: address of a dask scheduler, to use the workers of its cluster instead.

    Raises:
        ModcogError: if the scheduler cannot be reached, or the cluster is lost.
        KeyboardInterrupt: at the end, if this process received SIGINT or SIGTERM.
    """
    orders: list[signal.Signals] = []  # what the processes are sent, each order once
    if dask:
        with cluster(dask, "run the same again to resume") as executor:
            yield from _results(executor, call, items)
        return
    with stop_signals(lambda: orders.append(signal.SIGINT)) as asked, ThreadPoolExecutor(jobs) as executor:
        try:
            for index, result in _results(executor, call, items, orders):
                if result is not None or not asked():
                    yield index, result
        finally:  # also when the consumer gives up, or a second signal has come
            orders.append(KILL)
    if asked():
        raise KeyboardInterrupt


def _results(executor: Executor, call: Callable[[Any], Any], items: Sequence[Any], *rest: Any) -> Iterator[Any]:
    futures = {executor.submit(call_in_process, call, item, *rest): index for index, item in enumerate(items)}
    for future in as_completed(futures):
        yield futures[future], future.result()


def call_in_process(call: Callable[[Any], Any], item: Any, orders: Sequence[signal.Signals] = ()) -> Any:
    """Return ``call(item)`` from a new process; None if it was killed, or an order came before it was started.

    A pool of processes is not used since it breaks as a whole when one of them is killed, and those of dask and joblib
    take the work of the neighbours with them. Starting Python anew costs seconds, and a call here takes minutes.

    ``orders`` are signals to send to it; others may be added while it runs.
    """
    if orders:
        return None
    # A session of its own: Ctrl-C in a terminal does not reach the process, so that it gets each signal just once.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # Modules come from where this process finds them. ``python -m`` would look in the working directory first, where a
    # folder of somebody else's may hold a torch.py.
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"]
    with (
        TemporaryFile() as output,
        Popen(command, stdin=PIPE, stdout=output, env=environment, start_new_session=True) as process,
    ):
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it was killed before it could read
            process.stdin.write(pickle.dumps((call, item)))
            process.stdin.flush()
        sent = 0
        while True:
            with suppress(TimeoutExpired):
                process.wait(0.1)
                break
            for order in orders[sent:]:
                if os.name != "nt" or order == KILL:  # on Windows, Ctrl-C reaches every process by itself
                    process.send_signal(order)
                sent += 1
        output.seek(0)
        result = output.read()
        return pickle.loads(result) if result and process.returncode == 0 else None


def main() -> None:
    """Read a call from standard input, and write what it returns to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # to end without a traceback before the call handles signals
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the call prints must not get between
    call, item = pickle.load(sys.stdin.buffer)

    def exit_with_parent() -> None:  # standard input closes however the parent ends
        os.read(0, 1)  # not by sys.stdin, whose lock would be held when the interpreter exits
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt):  # which a user's network may raise; without a result the item counts as killed
        pickle.dump(call(item), output)
    output.close()
