"""Seeds and blocks: whoever asks for trial i of a seed gets the same trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracle import evenness

import modcog
from modcog.checks import check_count
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.trials.source import TrialSource

MIXED = ["dms", "dlydm1intr", "goseql"]


def source(tasks: list[str] = MIXED, seed: int = 3, task: int | None = None, **settings: Any) -> TrialSource:
    return TrialSource(modcog.Battery(tasks, **settings).tables, Seed.of(seed, Purpose.SAMPLE), task)


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize("name", ["dmc", "rtgo", "multidlydmintlseqr"])
def test_an_environment_plays_the_trials_of_a_sample(name: str, rules: str) -> None:
    """From ``reset`` on, and beyond the first blocks."""
    pytest.importorskip("neurogym")
    from modcog.envs.env import ModCogEnv

    trials = modcog.Battery(["go", name, "dm1"], rules=rules).sample(140, seed=5, task=name)
    env = ModCogEnv(name, rules=rules)
    env.reset(seed=5)
    for index in range(140):
        trial = trials[index]
        assert_array_equal(env.ob, trial.packed_observations, err_msg=str(index))
        assert_array_equal(env.gt, trial.packed_labels)
        assert {k: v for k, v in env.trial.items() if k in trial.rows[0]} == trial.rows[0]
        env.new_trial()


@pytest.mark.parametrize("tasks", [MIXED, ["dmsseqr"]])
def test_blocks_join_to_the_sample(tasks: list[str]) -> None:
    made = source(tasks)
    blocks = [made.block(index) for index in range(7 if len(tasks) == 1 else 3)]
    assert [len(block) for block in blocks] == ([16, 32, 64, 128, 256, 256, 256] if len(tasks) == 1 else [512] * 3)
    sample = modcog.Battery(tasks).sample(sum(map(len, blocks)), seed=3)
    assert_array_equal(np.concatenate([block.packed_labels for block in blocks]), sample.packed_labels)


@pytest.mark.parametrize("tasks", [MIXED, ["dmsseqr"]])
def test_every_trial_has_its_place(tasks: list[str]) -> None:
    made = source(tasks)
    expected = [(index, place) for index in range(8) for place in range(made.block_size(index))]
    assert [made.place(trial) for trial in range(len(expected))] == expected


def test_blocks_come_in_any_order() -> None:
    made, again = source(), source()
    last = made.block(2)
    assert_array_equal(again.block(0).packed_observations, source().block(0).packed_observations)
    assert_array_equal(again.block(2).packed_observations, last.packed_observations)


def test_blocks_differ_in_tasks_durations_conditions_and_noise() -> None:
    """Each by itself: blocks that share one of them would look different all the same."""
    first, second = (source(["dm1", "dms"], dim_ring=8).block(index) for index in (0, 1))
    assert not np.array_equal(first.task, second.task)
    for name in ("duration_delay", "duration_fixation", "direction1", "strength1_mod1", "match"):
        columns = [part.conditions[name] for part in (first, second)]
        known = [column[~np.isnan(column) & (column != -1)][:200] for column in columns]
        assert not np.array_equal(*known), name
    noise, other = (part.packed_observations[:, 9:] for part in (first, second))
    assert np.isin(noise[noise != 0], other[other != 0]).mean() < 0.01


def test_blocks_are_made_one_at_a_time() -> None:
    """So that a large export needs no more memory than one."""
    parts = source().blocks(10**12)
    assert len(next(parts)) == 512
    assert len(next(parts)) == 512
    assert [len(part) for part in source().blocks(1100)] == [512, 512, 76]
    assert [len(part) for part in source(["dms"]).blocks(130)] == [16, 32, 64, 18]


def test_what_is_drawn_for_different_ends_is_independent() -> None:
    """Tasks, conditions and noise of one seed."""
    made = source(seed=0)
    trials = made.take(4000)
    direction = trials.conditions["sample_direction"]
    rows = direction >= 0
    delay = np.floor((trials.conditions["duration_delay"][rows] - 200) / 250).astype(int)
    assert evenness(direction[rows] * 4 + delay, 64) == ""


def test_durations_and_conditions_are_not_made_of_the_same_random_numbers() -> None:
    """One number of 64 bits makes a duration, or two directions: neither must tell of the other."""
    said = source(["dm1"], dim_ring=8).block(0, n=4000).conditions
    fixation = ((said["duration_fixation"] - 200) // 75).astype(int)
    for direction in (said["direction1"], said["direction1"][::2], said["direction1"][1::2]):
        assert evenness(fixation[: len(direction)] * 8 + direction, 32) == ""


def test_noise_and_conditions_are_not_made_of_the_same_random_numbers() -> None:
    """The n-th number of the noise must not tell of the n-th direction: its size is made of the same bits."""
    quarters, directions = [], []
    loud, quiet = (source(["dm1"], dim_ring=8, sigma=sigma) for sigma in (1, 0))
    for index in range(80):
        noisy, still = loud.block(index, n=16), quiet.block(index, n=16)
        noise = (noisy.packed_observations - still.packed_observations)[:, 1:]
        size = np.abs(noise[noise.any(1)][0]) / 0.1
        quarters.append(np.searchsorted([0.31864, 0.67449, 1.15035], size))
        directions.append(noisy.conditions["direction1"])
    assert evenness(np.concatenate(quarters) * 8 + np.concatenate(directions), 32) == ""


def test_the_first_trials_of_successive_seeds_are_independent() -> None:
    """Environments are seeded with 0, 1, 2 …: their trials must be as if from one long draw."""
    tables = modcog.Battery(["go"], dim_ring=8, sigma=0).tables
    firsts = [TrialSource(tables, Seed.of(seed, Purpose.SAMPLE)).block(0, n=1) for seed in range(600)]
    directions = np.array([trial.conditions["direction"][0] for trial in firsts])
    assert evenness(directions, 8) == ""
    assert evenness(directions[:-1] * 8 + directions[1:], 64) == ""


def test_given_tasks_are_kept_in_order() -> None:
    wanted = np.array([2, 2, 0, 1])
    assert_array_equal(source().block(0, wanted).task, wanted)


def test_one_trial_is_another_under_each_number_and_the_same_under_one() -> None:
    made = source(["dms"])
    trials = [made.one(index, {}) for index in (0, 1, 0)]
    assert_array_equal(trials[0].packed_observations, trials[2].packed_observations)
    assert not np.array_equal(trials[0].packed_observations[:10], trials[1].packed_observations[:10])


# --- counts --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True, np.float32(2), float("inf")], ids=repr)
def test_a_wrong_count_is_refused(value: Any) -> None:
    with pytest.raises(ModcogError, match=r"^lanes: got .*, must be a whole number, at least 1$"):
        check_count("lanes", value)


def test_counts_are_plain_numbers() -> None:
    assert check_count("n", np.uint8(7)) == 7
    assert type(check_count("n", np.uint8(7))) is int
    assert check_count("n", 0, at_least=0) == 0
