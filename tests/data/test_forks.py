"""Forked workers end with the process that forked them, whatever they were at."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")

PARENT = """
import os, time
from modcog.data.forks import Forks

forks = Forks()
forks.configure(2)
forks.submit(os.getpid).result()  # one task for two workers: one of them never has any
print(*forks._pool._processes, flush=True)
time.sleep(60)
"""


def test_idle_workers_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(map(lives, workers)):
        assert time.monotonic() < deadline, "workers live on"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
