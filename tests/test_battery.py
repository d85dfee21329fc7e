"""The battery: what a sample holds, and that a seed says all about it."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import modcog
from modcog.errors import ModcogError, UnknownNameError
from modcog.trials.arrays import Trials

MIXED = ["go", "dlyantiintr", "ctxdm1", "multidlydmintlseqr", "dms", "dnmcseql"]
RULES = ("corrected", "published")


def assert_same(ours: Trials, theirs: Trials, *, observations: bool = True) -> None:
    """The same trials, bit by bit."""
    names = ["packed_labels", "offsets", "task", "decision_start", *(["packed_observations"] if observations else [])]
    for name in names:
        assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    assert ours.conditions.keys() == theirs.conditions.keys()
    for name, column in ours.conditions.items():
        assert_array_equal(column, theirs.conditions[name], err_msg=name)


def differ(ours: Trials, theirs: Trials) -> bool:
    """Whether two samples of one size hold different trials."""
    return not np.array_equal(ours.packed_labels, theirs.packed_labels)


# --- what it is --------------------------------------------------------------------------------


def test_channels_and_actions() -> None:
    """1 + 2n channels and n + 1 actions; with the rule input one channel per task."""
    plain, ruled = modcog.Battery(MIXED, dim_ring=8), modcog.Battery(MIXED, dim_ring=8, rule_input=True)
    assert (plain.n_channels, plain.n_actions) == (17, 9)
    assert (ruled.n_channels, ruled.n_actions) == (17 + 6, 9)
    assert modcog.Battery().n_channels == 33
    assert modcog.Battery(rule_input=True).n_channels == 33 + 132


def test_tasks_keep_their_order_and_have_an_index() -> None:
    battery = modcog.Battery(MIXED[::-1])
    assert battery.tasks == tuple(MIXED[::-1])
    assert [battery.index(name) for name in MIXED] == [5, 4, 3, 2, 1, 0]
    with pytest.raises(UnknownNameError, match="unknown task 'rtgo'"):
        battery.index("rtgo")


def test_batteries_of_the_same_settings_are_equal() -> None:
    battery = modcog.Battery(MIXED, dt=50)
    assert battery == modcog.Battery(tuple(MIXED), dt=50.0)
    assert hash(battery) == hash(modcog.Battery(MIXED, dt=50))
    assert battery != modcog.Battery(MIXED, dt=20)
    assert battery != modcog.Battery(MIXED[::-1], dt=50)
    assert battery != "yang19"


def test_copies_and_pickles_are_the_same_battery() -> None:
    battery = modcog.Battery(MIXED, dt=50, rules="published", timing={"test": [200, 300]})
    for again in (copy.copy(battery), copy.deepcopy(battery), pickle.loads(pickle.dumps(battery))):
        assert again == battery
        assert_same(again.sample(20, seed=3), battery.sample(20, seed=3))
    assert_same(modcog.Battery.from_config(battery.config).sample(20, seed=3), battery.sample(20, seed=3))


def test_repr_says_what_is_not_the_default() -> None:
    assert repr(modcog.Battery(["go", "dms"], dt=50)) == "Battery(2 tasks, dt=50.0)"


# --- what a sample holds -----------------------------------------------------------------------


@pytest.mark.parametrize("name", modcog.TASKS[::7])
def test_a_battery_of_one_task(name: str) -> None:
    trials = modcog.Battery([name]).sample(5, seed=0)
    assert (len(trials), trials.tasks) == (5, (name,))
    assert not trials.task.any()
    assert trials.observations.shape[2] == 33


def test_per_task_gives_so_many_of_each_in_order() -> None:
    trials = modcog.Battery(MIXED).sample(per_task=3, seed=0)
    assert_array_equal(trials.task, np.repeat(np.arange(6), 3))


def test_many_trials_are_drawn_in_parts_without_a_seam() -> None:
    """Beyond 512 trials, and 64 of one task, the next part begins."""
    battery = modcog.Battery(MIXED)
    for count, task in ((1300, None), (200, "dms")):
        trials = battery.sample(count, seed=4, task=task)
        assert len(trials) == count
        for part in range(0, count - 64, 64):
            assert differ(trials[part : part + 64], trials[part + 64 : part + 128]), "a part came twice"


# --- a seed says all ---------------------------------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("how", [{"n": 700}, {"per_task": 100}, {"n": 150, "task": "ctxdm1"}], ids=str)
def test_the_same_seed_gives_the_same_trials(rules: str, how: dict[str, Any]) -> None:
    first, second = (modcog.Battery(MIXED, rules=rules) for _ in range(2))
    trials = first.sample(**how, seed=11)
    first.sample(5, seed=1), next(first.stream(2, 10, seed=11))  # nothing that happens between changes it
    np.random.seed(0)  # noqa: NPY002
    assert_same(second.sample(**how, seed=11), trials)
    assert_same(first.sample(**how, seed=np.int64(11)), trials)
    assert differ(first.sample(**how, seed=12), trials)


def test_without_a_seed_each_sample_is_another() -> None:
    battery = modcog.Battery(MIXED)
    assert differ(battery.sample(50), battery.sample(50))


@pytest.mark.parametrize("seed", [0, 2**32, 2**64 + 1, 2**200])
def test_seeds_of_any_size(seed: int) -> None:
    battery = modcog.Battery(MIXED)
    assert_same(battery.sample(20, seed=seed), battery.sample(20, seed=seed))
    assert differ(battery.sample(20, seed=seed), battery.sample(20, seed=seed + 2**32))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", [None, "dms"])
def test_the_first_trials_are_the_same_however_many_are_asked_for(rules: str, task: str | None) -> None:
    battery = modcog.Battery(MIXED, rules=rules)
    many = battery.sample(1100, seed=5, task=task)
    for count in (1, 63, 64, 65, 511, 512, 513, 1099):
        assert_same(battery.sample(count, seed=5, task=task), many[:count])


@pytest.mark.parametrize("rules", RULES)
def test_a_task_has_the_same_trials_in_every_battery(rules: str) -> None:
    """Whatever else is in it: in a sample of this one task."""
    alone = {name: modcog.Battery([name], rules=rules).sample(100, seed=6) for name in MIXED}
    for others in (MIXED, modcog.TASKS):
        for name, trials in alone.items():
            found = modcog.Battery(others, rules=rules).sample(100, seed=6, task=name)
            assert_array_equal(found.packed_observations, trials.packed_observations)
            assert_array_equal(found.packed_labels, trials.packed_labels)
            for condition, column in trials.conditions.items():
                assert_array_equal(found.conditions[condition], column, err_msg=f"{name}: {condition}")


DIGEST = """
import hashlib, modcog
for rules in ("corrected", "published"):
    battery = modcog.Battery("modcog132", rules=rules, rule_input=True)
    digest = hashlib.sha256()
    trials = battery.sample(600, seed=17)
    arrays = [trials.packed_observations, trials.packed_labels, trials.offsets, trials.task]
    arrays += [*battery.stream(8, 90, 17)[3], *(trials.conditions[name] for name in sorted(trials.conditions))]
    for array in arrays:
        digest.update(array.tobytes())
    print(digest.hexdigest())
"""


def test_another_process_makes_the_same_trials(capsys: pytest.CaptureFixture[str]) -> None:
    """Bit by bit, noise included, whatever order its sets and dictionaries have."""
    exec(DIGEST, {})
    here = capsys.readouterr().out
    assert len(set(here.split())) == 2
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        there = subprocess.run(
            [sys.executable, "-c", DIGEST], capture_output=True, text=True, env=environment, check=True
        )
        assert there.stdout == here


# --- what a setting changes, and what it leaves ------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
def test_sigma_changes_nothing_but_the_noise(rules: str) -> None:
    quiet, loud = (modcog.Battery(MIXED, sigma=sigma, rules=rules).sample(300, seed=8) for sigma in (0, 5))
    assert_same(quiet, loud, observations=False)
    difference = loud.packed_observations.astype(float) - quiet.packed_observations
    one = modcog.Battery(MIXED, sigma=1, rules=rules).sample(300, seed=8).packed_observations.astype(float)
    np.testing.assert_allclose(difference, 5 * (one - quiet.packed_observations), atol=2e-6)
    assert difference.std() > 0.01


@pytest.mark.parametrize("rules", RULES)
def test_the_rule_input_changes_nothing_else(rules: str) -> None:
    plain, ruled = (modcog.Battery(MIXED, rule_input=on, rules=rules).sample(300, seed=9) for on in (False, True))
    assert_same(plain, ruled, observations=False)
    assert_array_equal(ruled.packed_observations[:, :33], plain.packed_observations)
    steps = np.repeat(ruled.task, ruled.lengths)
    assert_array_equal(ruled.packed_observations[:, 33:], np.eye(6)[steps])


def test_the_extreme_settings_make_trials_all_the_same() -> None:
    """No overflow, no wrap-around, nothing that is not a number."""
    extremes: list[dict[str, Any]] = [
        {"sigma": 1e6}, {"dim_ring": 4}, {"dim_ring": 1024}, {"omega": 1000}, {"omega": 0}, {"strengths": (1e6, 1e-6)},
        {"dt": 200}, {"dt": 33.3}, {"dt": 0.5}, {"interval": [1.5]}, {"coherences": [1]},
    ]  # fmt: skip
    tasks = ["dlygointl", "multidm", "multidlydmintrseql", "dmcintlseqr", "rtgo"]
    for extreme in extremes:
        for rules in RULES:
            trials = modcog.Battery(tasks, **{"rules": rules, **extreme}).sample(per_task=2, seed=0)
            assert np.isfinite(trials.packed_observations).all(), extreme
            n = extreme.get("dim_ring", 16)
            assert trials.packed_labels.min() >= 0
            assert trials.packed_labels.max() <= n - (rules == "published"), extreme


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, ["either n", "or per_task"]),
        ({"n": 3, "per_task": 3}, ["either n", "or per_task"]),
        ({"per_task": 3, "task": "go"}, ["either per_task or task"]),
        ({"n": 0}, ["n: got 0, must be a whole number, at least 1"]),
        ({"n": -5}, ["n: got -5, must be a whole number, at least 1"]),
        ({"n": 1.5}, ["n: got 1.5, must be a whole number"]),
        ({"n": "3"}, ["n: got '3', must be a whole number"]),
        ({"n": True}, ["n: got True, must be a whole number"]),
        ({"per_task": 0}, ["per_task: got 0, must be a whole number, at least 1"]),
        ({"n": 3, "task": "dm1"}, ["unknown task 'dm1'", "nearest: 'dms'", "allowed: go, dlyantiintr"]),
        ({"n": 3, "task": 0}, ["unknown task 0", "allowed: go"]),
        ({"n": 3, "task": ["go"]}, ["unknown task ['go']", "allowed: go"]),
        ({"n": 3, "seed": -1}, ["seed: got -1, must be a whole number, at least 0, or None"]),
        ({"n": 3, "seed": 1.0}, ["seed: got 1.0, must be a whole number"]),
        ({"n": 3, "seed": "0"}, ["seed: got '0', must be a whole number"]),
        ({"n": 3, "seed": float("nan")}, ["seed: got nan, must be a whole number"]),
        ({"n": 3, "seed": False}, ["seed: got False, must be a whole number"]),
    ],
    ids=str,
)
def test_a_wrong_sample_is_refused_in_one_line(how: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ModcogError) as caught:
        modcog.Battery(MIXED).sample(**how)
    message = str(caught.value)
    assert [words for words in says if words not in message] == [], message
    assert "\n" not in message
