"""One call for each item in a process of its own: what comes back, and what a killed or stopped process leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from modcog import ModcogError
from modcog.experiments.workers import call_each


def square(x: int) -> int:
    return x * x


def process_id(x: int) -> int:
    return os.getpid()


def print_something(x: int) -> int:
    print("something", flush=True)
    return x


def kill_itself(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def kill_itself_if_odd(x: int) -> int:
    return kill_itself(x) if x % 2 else x


def exit_quietly(x: int) -> int:
    os._exit(0)


def fail(x: int) -> int:
    raise ModcogError(f"item {x} is wrong")


def long_text(x: int) -> str:
    return "x" * x


def interrupt(x: int) -> int:
    raise KeyboardInterrupt


def sleep(x: Path) -> None:
    x.touch()
    time.sleep(60)


def test_every_item_comes_back_with_its_index() -> None:
    assert sorted(call_each(square, [3, 1, 2], jobs=2)) == [(0, 9), (1, 1), (2, 4)]
    assert list(call_each(square, [], jobs=2)) == []


def test_every_item_has_a_process_of_its_own() -> None:
    found = [pid for _, pid in call_each(process_id, [0, 1, 2])]
    assert len({os.getpid(), *found}) == 4


def test_what_a_call_prints_does_not_disturb_its_result(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(call_each(print_something, [5])) == [(0, 5)]
    assert capfd.readouterr().err == "something\n"


def test_a_result_may_be_larger_than_a_pipe() -> None:
    ((_, text),) = call_each(long_text, [3_000_000])
    assert text is not None
    assert len(text) == 3_000_000


def test_items_whose_process_is_killed_are_none_and_all_others_come_back() -> None:
    found = dict(call_each(kill_itself_if_odd, range(8), jobs=4))
    assert found == {x: None if x % 2 else x for x in range(8)}


@pytest.mark.parametrize("call", [exit_quietly, fail])
def test_an_item_that_ends_without_a_result_is_none(call) -> None:
    assert list(call_each(call, [1])) == [(0, None)]


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modcog.processes.DASK_TIMEOUT", "200ms")
    with pytest.raises(ModcogError, match=r"dask: cannot reach a scheduler at 'tcp://127\.0\.0\.1:9'"):
        list(call_each(square, [1], dask="tcp://127.0.0.1:9"))


def test_an_item_that_is_killed_on_a_cluster_is_none_and_the_others_come_back() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        found = dict(call_each(kill_itself_if_odd, range(4), dask=cluster.scheduler_address))
    assert found == {0: 0, 1: None, 2: 2, 3: None}


def kill_the_worker(x: int) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def test_a_cluster_whose_workers_are_lost_is_reported_in_one_line() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
    )
    said = r"dask: lost the cluster at 'tcp://.*' \(KilledWorker\); run the same again to resume"
    with cluster, pytest.raises(ModcogError, match=said):
        list(call_each(kill_the_worker, [0], dask=cluster.scheduler_address))


STOPPED = """
import sys
from pathlib import Path
from test_workers import sleep
from modcog.experiments.workers import call_each
list(call_each(sleep, [Path(sys.argv[1]), Path("not begun")]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """The first signal that asks it to stop ends those who do not handle it, and no further item is begun."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    parent = subprocess.Popen([sys.executable, "-c", STOPPED, "begun"], cwd=tmp_path, env=environment)
    while not (tmp_path / "begun").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    (child,) = psutil.Process(parent.pid).children()
    parent.send_signal(number)
    parent.wait(20)
    child.wait(20)
    assert not (tmp_path / "not begun").exists()


def test_modules_are_not_taken_from_the_working_directory(tmp_path: Path, monkeypatch) -> None:
    """A folder of somebody else's may hold modules that are called like those of libraries."""
    for name in ("json", "pickle", "modcog", "filelock", "yaml"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w').close()\nraise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert list(call_each(square, [3])) == [(0, 9)]
    assert not (tmp_path / "imported").exists()


def test_an_item_that_raises_ctrl_c_by_itself_counts_as_killed(capfd) -> None:
    assert list(call_each(interrupt, [3])) == [(0, None)]
    assert "Traceback" not in capfd.readouterr().err
