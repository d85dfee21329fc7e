"""Properties of the named splits, checked by the names of the tasks alone."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

import modcog
from modcog.errors import ModcogError, UnknownNameError
from modcog.tasks.splits import HELD_OUT

NAMES = [f"composition-{k}" for k in range(1, 6)]
EXTENDED = re.compile(r"(int[rl])?(seq[rl])?$")


def parts(task: str) -> tuple[str, str, str]:
    """Base task, interval and sequence of a task's name."""
    found = EXTENDED.search(task)
    assert found
    return task[: found.start()], found[1] or "", found[2] or ""


def kind(task: str) -> tuple[bool, bool]:
    _, interval, sequence = parts(task)
    return bool(interval), bool(sequence)


def test_the_held_out_sets_are_disjoint_and_cover_all_extended_tasks() -> None:
    assert list(HELD_OUT) == NAMES
    held_out = [task for name in NAMES for task in modcog.split("modcog132", name=name).held_out]
    assert Counter(held_out) == Counter(task for task in modcog.TASKS if kind(task) != (False, False))
    assert len(held_out) == 112


@pytest.mark.parametrize("name", NAMES)
def test_a_split_trains_every_base_kind_and_sign(name: str) -> None:
    training, held_out = modcog.split(name=name)
    assert sorted([*training, *held_out]) == sorted(modcog.TASKS)
    assert abs(len(held_out) - 112 / 5) < 1
    assert set(modcog.collection("yang19")) <= set(training)
    kinds = {(parts(task)[0], kind(task)) for task in modcog.TASKS}
    assert {(parts(task)[0], kind(task)) for task in training} == kinds
    for sign in ("intr", "intl", "seqr", "seql"):
        have = {parts(task)[0] for task in modcog.TASKS if sign in parts(task)}
        alone = {parts(task)[0] for task in training if task == parts(task)[0] + sign}
        assert len(alone) >= len(have) / 2


def test_of_other_tasks_a_split_is_the_part_of_them() -> None:
    whole = modcog.split(name="composition-2")
    some = ["dmsintr", "go", "dlygointr", "dm1"]
    assert modcog.split(some, name="composition-2") == (("go", "dm1"), ("dmsintr", "dlygointr"))
    of_82 = modcog.split("modcog82", name="composition-2")
    assert set(of_82.held_out) == set(whole.held_out) & set(modcog.collection("modcog82"))
    assert list(of_82.training) == [task for task in modcog.collection("modcog82") if task in whole.training]


def test_names_that_do_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="nearest: 'composition-1'"):
        modcog.split(name="composition1")
    with pytest.raises(UnknownNameError, match="unknown split 3"):
        modcog.split(name=3)  # type: ignore[arg-type]
    with pytest.raises(ModcogError, match="unknown task"):
        modcog.split(["goo"], name="composition-1")


def test_the_script_finds_the_stored_splits() -> None:
    script = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "make_splits.py"))
    found = script["search"]()
    for k, name in enumerate(NAMES):
        assert {task for task, split in found.items() if split == k} == set(HELD_OUT[name])
