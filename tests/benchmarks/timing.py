"""Parts that the benchmark scripts share: medians, pairs and a table."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core; before NumPy and torch are imported

import platform
import statistics
import time
from collections.abc import Callable, Sequence


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def medians(*runs: Callable[[], object], repeat: int, warmup: int = 3) -> list[float]:
    """Median seconds of each of ``runs``, timed in turn (A B A B …), so that a drift of the machine hits all."""
    for _ in range(warmup):
        for run in runs:
            run()
    times = [[seconds(run) for run in runs] for _ in range(repeat)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as Markdown, so that it can be pasted into a document."""
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def print_machine() -> None:
    """Say what the figures were measured on."""
    import numpy

    versions = f"Python {platform.python_version()}, NumPy {numpy.__version__}"
    print(f"{versions}, {os.cpu_count()} cores, {platform.machine()}, one thread; load {os.getloadavg()[0]:.1f}")
