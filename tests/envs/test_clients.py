"""Habits of scripts and libraries that were written for the published module or for neurogym's yang19.

Each test is what one of them does with an environment after one import line is changed, and what it relies on.
"""

from __future__ import annotations

import copy
import json
import pickle
import re
import types

import gymnasium as gym
import numpy as np
import pytest
import torch
from neurogym import Dataset
from neurogym.core import TrialEnv
from neurogym.utils.scheduler import BaseSchedule, RandomSchedule
from neurogym.wrappers import ScheduleEnvs
from neurogym.wrappers.block import MultiEnvs
from neurogym.wrappers.monitor import Monitor

import modcog.mod_cog_tasks as tasks
from modcog import ModcogError

EVERY_KIND = ["go", "rtanti", "dlygointr", "goseql", "dm1", "ctxdm2seqr", "multidlydm", "dlydm2intl", "dms", "dmcintr"]

forwarding = pytest.mark.skipif(
    not gym.__version__.startswith("0.29"),
    reason="gymnasium 1.x wrappers no longer forward attributes, which neurogym 2.3's schedules rely on",
)


def drawn(name, **keywords):
    """An environment in its first trial."""
    env = getattr(tasks, name)(**keywords)
    env.reset(seed=0)
    env.new_trial()
    return env


# Time, as scripts count it


@pytest.mark.parametrize("name", EVERY_KIND)
def test_steps_are_counted_with_integers(name):
    env = drawn(name, dt=50)
    assert list(range(500 // env.dt)) == list(range(10))
    for period, start in env.start_t.items():
        steps = range(start, env.end_t[period], env.dt)
        assert len(steps) == env.end_ind[period] - env.start_ind[period] == len(env.view_ob(period))
    assert len(range(0, env.tmax, env.dt)) == len(env.ob) == len(env.gt)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_timing_holds_the_numbers_of_this_trial(name):
    env = drawn(name)
    lengths = set()
    for _ in range(30):
        env.new_trial()
        for period, start in env.start_ind.items():
            assert float(env.timing[period]) // env.dt == env.end_ind[period] - start
        assert 0 <= sum(env.timing.values()) - len(env.ob) * env.dt < env.dt * len(env.timing)
        lengths.add(len(env.ob))
    assert (len(lengths) > 1) == any(word in name for word in ("int", "dm"))


def test_trials_are_kept_by_their_delay():
    env = tasks.dmsintl()
    kept = []
    for seed in range(60):
        env.seed(seed)
        env.reset()
        trial = env.new_trial()
        if 300 <= env.timing["delay"] <= 600 and env.timing["delay"] in [300, 400, 500, 600]:
            kept.append((env.timing["delay"], trial["sample_theta"], len(env.unwrapped.ob)))
    assert {delay for delay, *_ in kept} == {300, 400, 500, 600}
    assert all(steps == (300 + 500 + delay + 500 + 900) // 100 for delay, _, steps in kept)


def test_every_task_of_a_family_has_its_periods_in_timing():
    assert [drawn(name).timing["delay"] for name in ("rtgo", "dlygo")] == [0, 500]


def test_usual_durations_are_drawn_for_a_test_environment():
    env = tasks.multidm()
    usual = {period: np.median([env.sample_time(period) for _ in range(200)]) for period in env.timing}
    assert usual == {"fixation": pytest.approx(300, abs=100), "stimulus": 500, "decision": 200}
    env.timing = {**usual, "stimulus": 700, "a period of other tasks": 3}
    env.reset()
    for _ in range(3):
        env.new_trial()
        assert env.end_t["stimulus"] - env.start_t["stimulus"] == 700 == env.timing["stimulus"]
    with pytest.raises(ModcogError, match="timing="):
        env.timing.update(usual)
    with pytest.raises(ModcogError, match="stimulus"):
        env.timing = {"stimulus": -3}
    assert env.timing["stimulus"] == 700, "a refused timing changes nothing"
    test = tasks.multidm(timing=usual)
    assert len({(test.new_trial(), len(test.ob))[1] for _ in range(20)}) == 1


def test_settings_can_be_logged():
    for name in EVERY_KIND:
        env = drawn(name)
        logged = {key: getattr(env, key) for key in ("dt", "dim_ring", "timing", "rewards", "abort", "omega", "seq")}
        assert json.loads(json.dumps(logged))["timing"] == env.timing == copy.deepcopy(dict(env.timing))


# Attributes, read with a default where a task may lack them


@pytest.mark.parametrize("name", EVERY_KIND)
def test_attributes_that_tell_tasks_apart(name):
    env = drawn(name).unwrapped
    sides = {"r": 1, "l": -1}
    assert getattr(env, "integrate", 0) == sides.get(name.partition("int")[2][:1], 0)
    assert getattr(env, "seq", 0) == sides.get(name.partition("seq")[2][:1], 0)
    assert getattr(env, "anti", False) == ("anti" in name)
    assert getattr(env, "reaction", False) == name.startswith("rt")
    assert getattr(env, "delaycomparison", False) == ("dlydm" in name)
    assert getattr(env, "matchto", None) == {"dms": "sample", "dmc": "category"}.get(name[:3])
    assert isinstance(env, tasks._Reach) == ("go" in name or "anti" in name)
    assert isinstance(env, tasks._DMFamily) == bool(re.search("dm[12]|multi", name))
    assert isinstance(env, tasks._DelayMatch1DResponse) == bool(re.match("dm[sc]", name))
    assert isinstance(env, TrialEnv)
    assert isinstance(env, tasks.EnvWithAdditions)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_names_of_channels_tell_where_the_stimulus_is(name):
    env = drawn(name, **({} if "go" in name or "anti" in name else {"sigma": 0.0}))
    for _ in range(20):
        env.new_trial()
        names = env.observation_space.name
        if "stimulus" in names:  # a task of one ring
            other = set(range(1, 33)) - set(names["stimulus"])
            assert np.abs(env.ob[:, list(names["stimulus"])]).max() > 0.5
            assert not env.ob[:, list(other)].any()
        else:
            assert {*names["stimulus_mod1"], *names["stimulus_mod2"]} == set(range(1, 33))
    assert ("stimulus" in names) == (not isinstance(env, tasks._DMFamily))
    assert list(env.action_space.name["choice"]) == list(range(1, 17))


def test_a_drawn_trial_is_edited():
    env = drawn("dms")
    where = "stimulus" if "stimulus" in env.observation_space.name else "stimulus_mod1"
    env.set_ob(0, "sample", where=where)
    env.add_ob(0.5, "sample", where=where)
    env.add_randn(0, 0.1, "delay")
    env.my_set_groundtruth(3, "decision", where="choice", seq=1)
    assert env.view_ob("sample")[:, list(env.observation_space.name[where])] == pytest.approx(0.5)
    assert env.view_ob("delay").std() > 0.05
    assert env.view_groundtruth("decision").tolist() == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    env.new_trial()
    assert set(env.view_ob("delay")[:, 1:].ravel().tolist()) == {0.0}


# Trials and data sets


def test_collected_trials_stay_as_they_were():
    env = drawn("dm1")
    collected = []
    for _ in range(300):
        trial = env.new_trial()
        trial.update({"correct": True, "choice": env.gt[-1]})  # logged into the trial's own dict
        collected.append((env.ob, env.gt, env.trial, env.ob.copy(), env.gt.copy(), dict(trial)))
    for ob, gt, trial, *as_drawn in collected:
        assert np.array_equal(ob, as_drawn[0])
        assert np.array_equal(gt, as_drawn[1])
        assert trial == as_drawn[2]
    assert len({id(trial) for _, _, trial, *_ in collected}) == 300


def test_labels_follow_from_the_published_names_of_conditions():
    env = drawn("ctxdlydm2")
    for _ in range(50):
        trial = env.new_trial()
        angle = trial["theta1"] if trial["coh1_mod2"] > trial["coh2_mod2"] else trial["theta2"]
        assert env.gt[-1] == (1 + round(angle * 16 / (2 * np.pi))) % 16


def test_trials_of_unequal_length_make_a_padded_batch():
    env = drawn("dmsintr")
    obs, gts = zip(*[(env.new_trial(), (env.ob, env.gt))[1] for _ in range(20)], strict=True)
    longest = max(map(len, obs))
    obs = [np.insert(ob, 0, np.repeat(ob[:1], longest - len(ob), axis=0), axis=0) for ob in obs]
    gts = [np.insert(gt, 0, np.repeat(gt[:1], longest - len(gt)), axis=0) for gt in gts]
    inputs, labels = torch.from_numpy(np.stack(obs)), torch.from_numpy(np.stack(gts))
    assert inputs.shape == (20, longest, 33)
    assert inputs.dtype == torch.float32
    assert torch.nn.functional.one_hot(labels, num_classes=17).shape == (20, longest, 17)


def test_an_iterator_over_a_data_set_goes_to_a_worker_process():
    dataset = Dataset(tasks.dlydm1intr(), batch_size=3, seq_len=50, cache_len=50)
    for there, here in zip(pickle.loads(pickle.dumps(dataset))(), dataset(), strict=True):
        np.testing.assert_array_equal(there, here)
    with pytest.raises(StopIteration):
        next(Dataset(tasks.go(), batch_size=1, seq_len=20, max_batch=0))


@forwarding
def test_one_task_of_a_dictionary_of_environments():
    class Always(BaseSchedule):
        def __init__(self, n, i):
            super().__init__(n)
            self.always = i

        def __call__(self):
            return self.always

    envs = {name: getattr(tasks, name)() for name in EVERY_KIND}
    for i, name in enumerate(envs):
        env = ScheduleEnvs(list(envs.values()), schedule=Always(len(envs), i), env_input=True)
        inputs, _ = Dataset(env, batch_size=2, seq_len=60, cache_len=60, batch_first=True)()
        assert (inputs[:, :, 33:].argmax(-1) == i).all(), name


@forwarding
def test_variance_of_units_over_tasks_with_one_fixation():
    envs = [getattr(tasks, name)(dt=100, timing={"fixation": ("constant", 500)}) for name in EVERY_KIND]
    env = MultiEnvs(envs, env_input=True)
    for i, name in enumerate(EVERY_KIND):
        env.set_i(i)
        batch = [(env.new_trial(), env.ob[:, np.newaxis, :], env.i_env)[1:] for _ in range(10)]
        assert all(ob[:, 0, 33 + i].all() and ob.shape[2] == 33 + len(envs) for ob, _ in batch)
        assert {which for _, which in batch} == {i}
        assert {len(ob) for ob, _ in batch} == {len(ob) for ob, _ in batch[:1]} or "dm" in name or "int" in name
        assert all((ob[:5, 0, 0] == 1).all() for ob, _ in batch)


@forwarding
def test_a_schedule_is_seeded_and_read_through():
    env = ScheduleEnvs([tasks.go(), tasks.dm1()], RandomSchedule(2), env_input=True)
    env.seed(3)
    env.reset()
    assert (env.dt, env.unwrapped.dim_ring, env.gt.dtype, env.i_env in (0, 1)) == (100, 16, np.int64, True)
    assert set(env.timing) == set(env.unwrapped.timing)


# Stepping


def test_trials_are_collected_by_holding_fixation():
    env, same = tasks.dlydm2seqr(), tasks.dlydm2seqr()
    env.reset(seed=4)
    labels = []
    while len(labels) < 5:
        steps, info = [], {}
        while not info.get("new_trial", False):
            *_, info = env.step(0)
            steps.append(info.get("gt", 0))
        labels.append(steps)
    env.close()
    same.seed(4)
    assert labels == [(same.new_trial(), same.gt.tolist())[1] for _ in range(5)]


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(5)])
def test_a_batch_of_environments_starts_at_a_trial_and_plays_the_right_actions(seed):
    def first(task):
        env = getattr(tasks, task)()
        env.unwrapped.seed(seed)
        return env, env.reset(seed=seed)

    for task in ("anti", "ctxdm1", "dmc"):
        env, (ob, info) = first(task)
        assert env.unwrapped.t_ind == 0
        assert info == {}
        np.testing.assert_array_equal(ob, first(task)[1][0])
        earned = []
        while not (earned and earned[-1][1]["new_trial"]):
            _, reward, terminated, truncated, info = env.step(int(env.gt_now))
            assert not terminated
            assert not truncated
            earned.append((reward, info))
        assert sum(reward for reward, _ in earned) == info["performance"] == (info["gt"] > 0)


def test_reset_and_step_are_replaced_by_those_of_old_gym():
    env = tasks.dm1seql()
    reset, step = env.reset, env.step

    def old_step(self, action):
        ob, reward, terminated, truncated, info = step(action)
        return ob, reward, bool(terminated or truncated), info

    env.reset = types.MethodType(lambda self, **arguments: reset(**arguments)[0], env)
    env.step = types.MethodType(old_step, env)
    assert env.reset(seed=0).shape == (33,)
    for _ in range(50):
        ob, _, done, info = env.step(env.action_space.sample())
        assert (ob.shape, done, int(np.asarray(info["gt"])) in range(16)) == ((33,), False, True)


@pytest.mark.parametrize(
    "action", [3, np.int64(3), np.uint8(3), np.array(3), np.array([3]), torch.tensor(3), torch.tensor([3])], ids=repr
)
def test_actions_as_networks_give_them(action):
    env = tasks.dm1()
    env.reset(seed=0)
    assert env.step(action)[1] == -0.1


def test_abort_and_rewards_are_changed_between_trials():
    env = drawn("go")
    env.abort = True
    env.rewards["abort"] = -2
    assert env.step(5)[1:4] == (-2, False, False)
    assert env.t_ind == 0


# Factories, wrappers and libraries


def stripped(make, **keywords):
    """Call ``make`` without the keywords that it refuses, as factories for many environments do."""
    while True:
        try:
            return make(**keywords), keywords
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            del keywords[str(error).split("'")[1]]


def test_keywords_are_tried_out():
    options = {"dt": 20, "cohs": [0.1, 0.3], "frame_skip": 4, "from_pixels": False, "device": "cpu"}
    for name in EVERY_KIND:
        env, taken = stripped(getattr(tasks, name), **options)
        assert env.dt == 20
        assert set(taken) == {"dt", "cohs"}  # one set of keywords serves every task
        env, taken = stripped(gym.make, id=f"modcog/{name}-v0", continuous=False, dt=50)
        assert set(taken) == {"id", "dt"}
        assert env.unwrapped.dt == 50


def test_settings_come_from_a_configuration_file():
    config = json.loads('{"dt": 50, "timing": {"delay": ["uniform", [300, 900]], "stimulus": null}, "rewards": null}')
    assert 6 <= drawn("dlygo", **config).timing["delay"] // 50 <= 18
    env = gym.make("modcog/dlygo-v0", timing={"delay": ("uniform", (300, 900))}, dim_ring=8)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    for one in (env, again):
        one.reset(seed=2)
    np.testing.assert_array_equal(env.unwrapped.ob, again.unwrapped.ob)


def test_episodes_are_counted_in_a_vector_of_wrapped_environments():
    def make():
        env = gym.wrappers.RecordEpisodeStatistics(gym.make("modcog/dm1-v0"))
        env.action_space.seed(1)
        return env

    envs = gym.vector.SyncVectorEnv([make] * 3)
    observations, _ = envs.reset(seed=1)
    assert isinstance(envs.single_action_space, gym.spaces.Discrete)
    assert len({ob.tobytes() for ob in observations}) == 1  # the fixation cue alone
    ended = sum((envs.step(envs.action_space.sample())[2]).sum() for _ in range(60))
    assert 12 <= ended <= 18
    env = make()
    env.reset(seed=0)
    terminated = False
    while not terminated:
        *_, terminated, _, info = env.step(0)
    assert 9 <= info["episode"]["l"] <= 12


@forwarding
def test_neurogyms_monitor_saves_what_was_done(tmp_path):
    env = Monitor(tasks.go(), save_dir=tmp_path, interval=3, verbose=False)
    env.reset()
    for _ in range(200):
        env.step(env.action_space.sample())
    assert env.num_tr >= 6
    saved = np.load(sorted(tmp_path.glob("*.npz"))[0])
    assert {"reward", "performance"} <= set(saved)


@forwarding
def test_stable_baselines_trains_on_them():
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(tasks.dms, n_envs=2, seed=1)
    assert envs.get_attr("dt") == [100, 100]
    model = A2C("MlpPolicy", envs, n_steps=5).learn(20)
    assert model.num_timesteps == 20
    actions, _ = model.predict(envs.reset()[:1])
    env = drawn("dms")
    assert env.step(actions)[0].shape == (33,)  # an array of one action
