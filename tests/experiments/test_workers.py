"""One call for many items: in this process, in others, and what is said when workers are lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from modcog import ModcogError
from modcog.experiments.workers import spread


def square(x: int) -> int:
    return x * x


def whose(x: int) -> int:
    return os.getpid()


def die(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def fail(x: int) -> int:
    raise ModcogError(f"item {x} is wrong")


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_comes_back_with_its_index(jobs: int) -> None:
    assert sorted(spread(square, [3, 1, 2], jobs)) == [(0, 9), (1, 1), (2, 4)]


def test_one_job_is_this_process_and_two_are_others() -> None:
    assert {pid for _, pid in spread(whose, [0, 1], 1)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in spread(whose, [0, 1, 2], 2)}


def test_no_items() -> None:
    assert list(spread(square, [], 2)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_call_is_passed_on(jobs: int) -> None:
    with pytest.raises(ModcogError, match="item 5 is wrong"):
        list(spread(fail, [5, 5], jobs))


def test_a_killed_worker_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModcogError, match=r"a worker process was killed, .*; try it again"):
        list(spread(die, [1, 2], 2, again="try it again"))


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modcog.experiments.workers.DASK_WAIT", "200ms")
    with pytest.raises(ModcogError, match=r"dask: cannot reach a scheduler at 'tcp://127\.0\.0\.1:9'"):
        list(spread(square, [1], dask="tcp://127.0.0.1:9"))


def die_if_odd(x: int) -> int:
    return die(x) if x % 2 else x


def test_items_whose_workers_are_killed_are_told_and_all_others_come_back() -> None:
    found = dict(spread(die_if_odd, range(8), 2, lost=lambda x: -x))
    assert found == {0: 0, 1: -1, 2: 2, 3: -3, 4: 4, 5: -5, 6: 6, 7: -7}


def test_a_single_item_has_a_process_of_its_own_if_it_may_be_lost() -> None:
    assert list(spread(die, [1], 2, lost=lambda x: "lost")) == [(0, "lost")]


def test_an_item_that_kills_the_workers_of_a_cluster_is_told_and_the_others_come_back() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        found = dict(spread(die_if_three, range(5), dask=cluster.scheduler_address, lost=lambda x: "lost"))
    assert found == {0: 0, 1: 1, 2: 2, 3: "lost", 4: 4}


def die_if_three(x: int) -> int:
    return die(x) if x == 3 else x


def ask_itself_to_stop(x: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return x


def test_workers_that_are_asked_to_stop_end_it_and_the_next_call_has_new_ones() -> None:
    with pytest.raises(KeyboardInterrupt):
        list(spread(ask_itself_to_stop, range(12), 2, lost=lambda x: "lost"))
    assert sorted(spread(square, range(3), 2)) == [(0, 0), (1, 1), (2, 4)]
