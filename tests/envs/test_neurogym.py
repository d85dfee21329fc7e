"""neurogym's own tools on the environments: data sets, schedules and wrappers, unchanged."""

from __future__ import annotations

import copy
import pickle
import tracemalloc

import gymnasium as gym
import matplotlib
import matplotlib.pyplot as plt
import neurogym as ngym
import numpy as np
import pytest
from neurogym.core import TrialEnv
from neurogym.utils.scheduler import RandomSchedule, SequentialSchedule
from neurogym.wrappers import Noise, PassAction, PassReward, ReactionTime
from neurogym.wrappers.block import MultiEnvs, RandomGroundTruth, ScheduleAttr, ScheduleEnvs, TrialHistoryV2

import modcog
from modcog import Battery
from modcog.envs.env import ModCogEnv

matplotlib.use("Agg")

old_gymnasium = pytest.mark.skipif(
    not gym.__version__.startswith("0.29"),
    reason="gymnasium 1.x wrappers no longer forward attributes, which these tools of neurogym 2.3 rely on",
)


def made(task, **keywords):
    """As users make it: with gymnasium's wrappers where they let neurogym's tools through."""
    env = gym.make(f"modcog/{task}-v0", **keywords)
    return env if gym.__version__.startswith("0.29") else env.unwrapped


def all_82(**keywords):
    return [made(task, **keywords) for task in modcog.collection("modcog82")]


def test_environments_are_neurogyms():
    assert isinstance(made("go").unwrapped, TrialEnv)


# Data sets


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_data_set_holds_trials_back_to_back(batch_first):
    env = made("dlygointr")
    env.unwrapped.seed(3)
    lanes = [copy.deepcopy(env).unwrapped for _ in range(4)]  # what the data set will do
    env.unwrapped.seed(3)
    dataset = ngym.Dataset(env, batch_size=4, seq_len=50, cache_len=100, batch_first=batch_first)
    batches = [tuple(part.copy() for part in dataset()) for _ in range(2)]
    inputs, target = (np.concatenate(parts, axis=int(batch_first)) for parts in zip(*batches, strict=True))
    if batch_first:
        inputs, target = inputs.swapaxes(0, 1), target.swapaxes(0, 1)
    assert inputs.shape == (100, 4, 33)
    assert target.shape == (100, 4)
    for i, lane in enumerate(lanes):
        lane.new_trial()  # the data set's reset
        observations, labels = [], []
        while sum(map(len, labels)) < 100:
            lane.new_trial()
            observations.append(lane.ob)
            labels.append(lane.gt)
        np.testing.assert_array_equal(inputs[:, i], np.concatenate(observations)[:100])
        np.testing.assert_array_equal(target[:, i], np.concatenate(labels)[:100])


def test_a_data_set_of_single_trials():
    """neurogym's scripts evaluate so: a new trial of a data set's environment, whole."""
    env = ngym.Dataset(made("dms"), batch_size=1, seq_len=40).env
    for match in (0, 1):
        env.unwrapped.new_trial(match=match)
        assert env.unwrapped.ob.shape == (len(env.unwrapped.gt), 33)
        assert bool(env.unwrapped.gt[-1]) == match


def test_a_data_set_fixes_conditions():
    dataset = ngym.Dataset(made("dms", sigma=0), batch_size=2, seq_len=100)
    dataset._cache(match=0)
    assert not dataset()[1].any()


def lanes_of(env, seed=None, batches=3):
    if seed is not None:
        env.unwrapped.seed(seed)
    dataset = ngym.Dataset(env, batch_size=6, seq_len=30, cache_len=30)
    return np.concatenate([dataset()[0].copy() for _ in range(batches)])


@pytest.mark.parametrize("task", ["dlygo", "dm1", "dlydm2intl", "dmcintrseqr"])
def test_lanes_differ_and_the_same_seed_is_the_same(task):
    env = made(task)
    first, again, other, onwards = (lanes_of(env, seed) for seed in (3, 3, 4, None))
    for found in (first, other, onwards):
        assert len({found[:, i].tobytes() for i in range(6)}) == 6
    np.testing.assert_array_equal(first, again)
    different = [a[:, i].tobytes() for a in (first, other, onwards) for i in range(6)]
    assert len(set(different)) == 18


def test_lanes_of_an_environment_without_a_seed_differ():
    found = np.concatenate([lanes_of(made("dm1")), lanes_of(made("dm1"))], axis=1)
    assert len({found[:, i].tobytes() for i in range(12)}) == 12


def test_the_data_sets_own_seed_gives_lane_i_the_trials_of_seed_plus_i():
    dataset = ngym.Dataset(made("dm1"), batch_size=3, seq_len=20, cache_len=20)
    dataset.seed(10)
    dataset._cache()
    inputs, _ = dataset()
    for i in range(3):
        trials = Battery(["dm1"]).sample(4, seed=10 + i)
        np.testing.assert_array_equal(inputs[:20, i], trials.packed_observations[:20])


# Schedules


@old_gymnasium
def test_a_data_set_over_all_82_tasks_with_rule_input():
    """Each lane goes through the tasks in order; each trial is that task's, with its rule channel on."""
    env = ScheduleEnvs(all_82(sigma=0), SequentialSchedule(82), env_input=True)
    env.seed(0)
    dataset = ngym.Dataset(env, batch_size=2, seq_len=1200, cache_len=2400)
    inputs, target = dataset()
    assert inputs.shape == (1200, 2, 33 + 82)
    assert inputs.dtype == np.float32
    for lane in range(2):
        rule = inputs[:, lane, 33:]
        np.testing.assert_array_equal(rule.sum(axis=1), 1)
        tasks = rule.argmax(axis=1)
        assert len(set(tasks)) > 40
        changes = np.flatnonzero(np.diff(tasks))
        np.testing.assert_array_equal(np.diff(tasks[changes]), 1)
        fixating = inputs[:, lane, 0] == 1
        assert not target[fixating, lane].any()
        assert target[~fixating, lane].mean() > 1
    assert (inputs[:, 0] != inputs[:, 1]).any()


@old_gymnasium
def test_a_data_set_over_a_schedule_follows_its_seed():
    env = ScheduleEnvs([made(task) for task in ("go", "dm1", "dmc")], RandomSchedule(3), env_input=True)
    dataset = ngym.Dataset(env, batch_size=3, seq_len=60, cache_len=60)

    def batch(seed):
        dataset.seed(seed)
        for lane in dataset.envs:
            lane.reset()
        dataset._cache()
        return dataset()[0].copy()

    first, again, other = batch(5), batch(5), batch(50)
    np.testing.assert_array_equal(first, again)
    assert len({found[:, i].tobytes() for found in (first, other) for i in range(3)}) == 6


@old_gymnasium
def test_schedules_play():
    """Stepping through a schedule: each trial is judged by the rules of its own task."""
    envs = [made(task, trials_per_episode=None) for task in ("go", "goseqr", "dms")]
    env = ScheduleEnvs(envs, RandomSchedule(3), env_input=True)
    observation, _ = env.reset()
    played, total = set(), 0.0
    for _ in range(600):
        task = env.unwrapped
        np.testing.assert_array_equal(observation, task.ob[task.t_ind])
        assert observation[33:].argmax() == envs.index(env.env)
        played.add(task.task)
        observation, reward, _, _, info = env.step(int(task.gt[task.t_ind]))
        total += reward
        assert not info["new_trial"] or info["performance"] == 1
    assert played == {"go", "goseqr", "dms"}
    assert total > 20


@old_gymnasium
@pytest.mark.parametrize("env_input", [False, True])
def test_multi_envs(env_input):
    env = MultiEnvs([made("go"), made("anti")], env_input=env_input)
    for i in (0, 1):
        env.set_i(i)
        trial = env.new_trial(direction=2)
        expected = 1 + (2 + 8 * i) % 16
        assert env.gt[-1] == expected
        assert trial["target"] == expected - 1
        assert env.ob.shape == (15, 33 + 2 * env_input)
        if env_input:
            np.testing.assert_array_equal(env.ob[:, 33:], np.tile(np.eye(2)[i], (15, 1)))


@old_gymnasium
def test_schedules_can_be_copied_and_pickled():
    env = ScheduleEnvs([made("go"), made("dm1")], SequentialSchedule(2), env_input=True)
    env.seed(0)
    env.reset()
    for twin, same in ((copy.deepcopy(env), False), (pickle.loads(pickle.dumps(env)), True)):
        assert twin.unwrapped._top is twin
        assert all(one.unwrapped._top is twin for one in twin.envs)
        env_copy = pickle.loads(pickle.dumps(env))
        observations = [[(e.new_trial(), e.ob.copy())[1].tobytes() for _ in range(6)] for e in (env_copy, twin)]
        assert (observations[0] == observations[1]) == same


@old_gymnasium
def test_schedule_attr():
    env = ScheduleAttr(made("go"), SequentialSchedule(2), [{"direction": 3}, {"direction": 7}])
    env.reset()
    assert {env.new_trial()["direction"] for _ in range(4)} == {3, 7}


@pytest.mark.parametrize("seeded", [False, True])
def test_a_copy_is_small_however_long_it_plays(seeded):
    """The 82 tasks in 512 lanes must fit in memory: at most the 31 kB that a published environment takes."""
    envs = [ModCogEnv(task, rules="published", trials_per_episode=None) for task in modcog.collection("modcog82")[::4]]
    env = MultiEnvs(envs, env_input=True)
    for one in envs:
        one.new_trial()
    tracemalloc.start()
    try:
        lanes = [copy.deepcopy(env) for _ in range(3)]
        for trial in range(40):
            for i in range(len(envs)):
                for lane in lanes:
                    lane.set_i(i)
                    if seeded and trial == 0:
                        lane.env.seed(i)
                    lane.new_trial()
            if trial == 1:
                soon = tracemalloc.get_traced_memory()[0]
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert max(soon, late) / (len(lanes) * len(envs)) < 31_000


# Wrappers


def test_pass_action_and_pass_reward():
    env = PassReward(PassAction(ModCogEnv("go")))
    assert env.observation_space.shape == (35,)
    observation, _ = env.reset(seed=0)
    assert observation.shape == (35,)
    np.testing.assert_array_equal(observation, [1, *[0] * 34])
    observation, reward, *_ = env.step(3)
    assert reward == -0.1
    np.testing.assert_allclose(observation[-2:], [3, -0.1])
    assert env.unwrapped.t_ind == 1


def test_noise():
    env = Noise(ModCogEnv("go"), std_noise=0.3)
    observation, _ = env.reset()
    stacked = np.array([observation, *(env.step(0)[0] for _ in range(4))])
    assert stacked.shape == (5, 33)
    assert stacked[:, 1:].std() == pytest.approx(0.3, rel=0.3)
    np.testing.assert_allclose(stacked[:, 0], 1, atol=1.5)


def test_reaction_time():
    env = ReactionTime(ModCogEnv("dm1"))
    for _ in range(5):
        env.reset(seed=0)
        task = env.unwrapped
        stimulus, target = task.start_ind["stimulus"], int(task.gt[-1])
        steps = [env.step(0) for _ in range(stimulus + 1)]
        assert not any(step[4]["new_trial"] for step in steps)
        *_, reward, terminated, _, info = env.step(target)  # long before the cue goes off
        assert (reward, terminated, info["performance"]) == (1, True, 1)
    env.reset(seed=0)
    task = env.unwrapped
    end = task.end_ind["stimulus"]
    steps = [env.step(0) for _ in range(end)]
    assert [step[4]["new_trial"] for step in steps] == [False] * (end - 1) + [True]


@old_gymnasium
def test_random_ground_truth_and_history():
    p = np.zeros(16)
    p[5] = 1
    env = RandomGroundTruth(ModCogEnv("dm1"), p=p)
    assert {env.new_trial()["target"] for _ in range(10)} == {5}
    always = TrialHistoryV2(ModCogEnv("dms"), probs=np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert {always.new_trial()["match"] for _ in range(10)} == {0}


@pytest.mark.parametrize("options", [{}, {"trials_per_episode": None}])
@pytest.mark.parametrize("task", ["go", "dmsintrseql"])
def test_plot_env(task, options):
    figure = ngym.utils.plot_env(made(task, **options), num_steps=60)
    assert len(figure.axes) == 4
    actions = figure.axes[1].lines
    assert max(len(line.get_xdata()) for line in actions) == 60
    plt.close("all")


@old_gymnasium
def test_plot_env_by_name():
    assert ngym.utils.plot_env("modcog/dm1-v0", num_trials=2, def_act=0) is not None
    plt.close("all")


def test_neurogym_describes_it():
    from neurogym.core import env_string

    text = env_string(ModCogEnv("go"))
    assert "One Mod-Cog task" in text
    assert "10.1162/neco_a_01613" in text
    assert "abort : -0.1" in text
