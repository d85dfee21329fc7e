"""Worker processes end with the process that started them, whatever they were at."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

PARENT = """
import os, time
from modcog.processes import spread

print(*{result for result in spread(pid, range(6), 2)}, flush=True)
time.sleep(60)
"""
PID = """
import os, time

def pid(_):
    time.sleep(0.2)
    return os.getpid()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process is not told that its parent has ended")
def test_workers_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PID + PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(lives, workers)):
        assert time.monotonic() < deadline, "workers live on"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


LEAVE = """
from modcog.processes import spread

results = spread(pid, range(12), 2)
next(results)
results.close()
"""


def test_work_that_is_left_is_not_warned_of() -> None:
    """A command that is stopped says so in one line."""
    done = subprocess.run([sys.executable, "-c", PID + LEAVE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
