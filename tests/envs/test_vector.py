"""The vector environment against gymnasium's own SyncVectorEnv of single environments, step by step."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import zlib

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog import TASKS, Battery, ModcogError
from modcog.envs import vector
from modcog.envs.env import ModCogEnv
from modcog.envs.vector import SAME_STEP, ModCogVectorEnv, Pool
from modcog.trials import source
from tests.gymnasiums import MODE

if SAME_STEP:
    from gymnasium.experimental.vector import SyncVectorEnv, VectorEnv
    from gymnasium.experimental.wrappers.vector import RecordEpisodeStatisticsV0 as RecordEpisodeStatistics
else:
    from gymnasium.vector import SyncVectorEnv, VectorEnv
    from gymnasium.wrappers.vector import RecordEpisodeStatistics


def single_copies(n, task, max_episode_steps=None, **keywords):
    """Gymnasium's vector environment of n single ones, with its wrapper that limits their steps."""

    def make():
        env = ModCogEnv(task, **keywords)
        return env if max_episode_steps is None else gym.wrappers.TimeLimit(env, max_episode_steps)

    return SyncVectorEnv([make] * n)


def assert_same_infos(ours, theirs, where):
    """Every entry of either, where its mask is set; an entry that is missing counts as one whose mask is empty."""
    for name in {key for key in (*ours, *theirs) if not key.startswith("_")}:
        masks = [infos.get(f"_{name}", np.zeros(3, np.bool_)) for infos in (ours, theirs)]
        np.testing.assert_array_equal(*masks, err_msg=f"{where}: mask of {name}")
        if not masks[0].any():
            continue
        if isinstance(theirs[name], dict):
            assert_same_infos(ours[name], theirs[name], f"{where}: {name}")
            continue
        assert ours[name].dtype == theirs[name].dtype, name
        for one, other in zip(ours[name][masks[0]], theirs[name][masks[0]], strict=True):
            np.testing.assert_equal(one, other, err_msg=f"{where}: {name}")


def assert_same_run(task, steps, seed, chance, **keywords):
    """Both environments, with the same actions: right with some chance, else anything."""
    ours, theirs = ModCogVectorEnv(task, 3, **keywords), single_copies(3, task, **keywords)
    rng = np.random.default_rng(seed)
    found, expected = ours.reset(seed=seed), theirs.reset(seed=seed)
    label = np.zeros(3, np.int64)
    n_actions = ours.single_action_space.n
    for step in range(steps):
        where = f"{task} step {step}"
        np.testing.assert_array_equal(found[0], expected[0], err_msg=where)
        assert found[0].dtype == expected[0].dtype == np.float32
        if len(found) == 5:
            for one, other in zip(found[1:4], expected[1:4], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, err_msg=where)
                assert one.dtype == other.dtype
        assert_same_infos(found[-1], expected[-1], where)
        playing = [env.unwrapped for env in theirs.envs]
        label = np.array([env.gt[min(env.t_ind, len(env.gt) - 1)] for env in playing])
        actions = np.where(rng.random(3) < chance, label, rng.integers(0, n_actions, 3))
        found, expected = ours.step(actions), theirs.step(actions)


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize("task", [*TASKS[::6], "dmsseqr", "gointrseql"])
def test_it_does_what_gymnasium_does_with_single_environments(task, rules):
    assert_same_run(task, 60, 3, 0.85, rules=rules)


@settings(deadline=None, max_examples=20)
@given(
    task=st.sampled_from(TASKS), rules=st.sampled_from(["corrected", "published"]), seed=st.integers(0, 2**32),
    trials_per_episode=st.sampled_from([None, 1, 2, 3]), abort=st.booleans(), chance=st.floats(0.2, 1),
    rewards=st.sampled_from([None, {"abort": -1.0, "correct": 3.0, "fail": -0.5}]), dt=st.sampled_from([100, 40]),
    limit=st.sampled_from([None, 1, 2, 7, 20, 31]),
)  # fmt: skip
def test_with_any_options(task, rules, seed, trials_per_episode, abort, chance, rewards, dt, limit):
    options = {"trials_per_episode": trials_per_episode, "abort": abort, "rewards": rewards, "max_episode_steps": limit}
    assert_same_run(task, 60, seed, chance, rules=rules, dt=dt, dim_ring=8, rule_input=True, **options)


@pytest.mark.parametrize("trials_per_episode", [None, 1, 2])
@pytest.mark.parametrize("limit", [1, 10, 15, 16, 30])
def test_episodes_are_truncated_as_gymnasium_does_it(limit, trials_per_episode):
    """Trials of go last 15 steps: before a trial ends, with it, and just after it, in one trial and in the next."""
    assert_same_run("go", 80, 3, 0.9, trials_per_episode=trials_per_episode, max_episode_steps=limit)


@pytest.mark.parametrize(("chance", "options"), [(0.5, {"abort": True}), (1.0, {"trials_per_episode": 2})])
def test_arrays_grow_with_long_trials(chance, options, monkeypatch):
    """In small blocks of trials of very different length the arrays must grow; nothing may be lost in moving."""
    monkeypatch.setattr(source, "FIRST_BLOCK_OF_ONE_TASK", 3)
    monkeypatch.setattr(source, "LAST_BLOCK_OF_ONE_TASK", 3)
    grown = []
    widen = Pool._widen
    monkeypatch.setattr(Pool, "_widen", lambda pool, n: (grown.append(n), widen(pool, n))[1])
    timing = {"fixation": 100, "stimulus": 100, "delay": ("uniform", (0, 8000))}
    assert_same_run("dlygo", 500, 1, chance, timing=timing, dim_ring=4, **options)
    assert len(grown) > 1  # the first time, nothing is in them


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize("periods", ["wait fixation wait2 decision", "wait decision", "decision"])
def test_a_base_task_whose_fixation_is_not_first_or_is_none(periods, rules):
    direction = modcog.Condition("where", "direction", "where to look")
    names = periods.split()
    base = modcog.Base("looking", "own", "Look.", dict.fromkeys(names, 300), names[:1], (direction,),
                       lambda t: modcog.Outcome(t["where"], [modcog.Stimulus(0, 1, t["where"])]))  # fmt: skip
    modcog.add_base(base)
    try:
        assert_same_run("looking", 60, 0, 0.5, rules=rules)
    finally:
        modcog.remove_base("looking")


def test_copy_i_plays_the_trials_of_seed_plus_i():
    env = ModCogVectorEnv("dm1", 4, trials_per_episode=None)
    env.reset(seed=20)
    played = [[] for _ in range(4)]
    for _ in range(150):
        infos = env.step(np.zeros(4, np.int64))[-1]
        for i in np.flatnonzero(infos["new_trial"]):
            played[i].append({name: column[i] for name, column in infos["trial"].items() if name[0] != "_"}
                             if isinstance(infos["trial"], dict) else infos["trial"][i])  # fmt: skip
    for i in range(4):
        assert len(played[i]) > 8
        assert played[i] == Battery(["dm1"]).sample(len(played[i]), seed=20 + i).rows


def test_the_same_in_every_process():
    script = (
        "import gymnasium, numpy, zlib; from modcog.envs.vector import ModCogVectorEnv as V; env = V('dlydm1intr', 2);"
        "env.reset(seed=4); print([zlib.crc32(env.step(numpy.zeros(2, int))[0]) for _ in range(200)])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    env = ModCogVectorEnv("dlydm1intr", 2)
    env.reset(seed=4)
    here = [zlib.crc32(env.step(np.zeros(2, int))[0]) for _ in range(200)]
    assert found == f"{here}\n".encode()


def test_seeds():
    env = ModCogVectorEnv("dm1", 3)

    def first_trials(seed):
        env.reset(seed=seed)
        return [report["trial"] for report in env.pool.reports(np.arange(3)).values()]

    both = first_trials(7)
    assert first_trials(7) == both
    assert first_trials([7, 8, 9]) == both
    assert first_trials(8)[:2] == both[1:]
    first_trials(7)
    onwards = first_trials(None)
    assert onwards == [Battery(["dm1"]).sample(2, seed=7 + i).rows[1] for i in range(3)]
    first_trials(7)
    assert first_trials([50, None, 50])[1] == onwards[1]  # None: that copy goes on
    fresh = [ModCogVectorEnv("dm1", 1) for _ in range(2)]
    for one in fresh:
        one.reset()
    assert fresh[0].pool.reports(np.arange(1)) != fresh[1].pool.reports(np.arange(1))


def test_observations_are_the_callers_to_keep():
    env = ModCogVectorEnv("dm1", 2)
    observations, _ = env.reset(seed=0)
    observations += 100
    kept = [env.step(np.zeros(2, np.int64)) for _ in range(3)]
    before = [step[0].copy() for step in kept]
    kept[0][0][:] = 5
    env.step(np.zeros(2, np.int64))
    np.testing.assert_array_equal(kept[1][0], before[1])
    np.testing.assert_array_equal(kept[2][0], before[2])
    assert np.abs(kept[0][0]).max() == 5
    assert max(np.abs(step[0]).max() for step in kept[1:]) < 3


# Through gymnasium's own door


def test_make_vec_hands_over_every_setting():
    options = {"rules": "published", "dt": 20, "sigma": 0.5, "dim_ring": 32, "trials_per_episode": None, "abort": True}
    env = gym.make_vec("modcog/dlygointr-v0", num_envs=5, vectorization_mode=MODE, **options)
    assert isinstance(env, VectorEnv)
    assert isinstance(env.unwrapped, ModCogVectorEnv)
    assert env.num_envs == 5
    for name in ("rules", "dt", "sigma", "dim_ring"):
        assert getattr(env.unwrapped.battery.settings, name) == options[name]
    assert env.unwrapped.options.trials_per_episode is None
    assert env.unwrapped.options.abort
    assert env.single_observation_space.shape == (65,)
    assert env.observation_space.shape == (5, 65)
    assert env.action_space.shape == (5,)
    assert env.single_action_space.n == 33
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    env.step(env.action_space.sample())
    assert env.spec.id == "modcog/dlygointr-v0"
    env.close()


def truncations(env, steps=30):
    env.reset(seed=0)
    return [env.step(np.zeros(env.num_envs, np.int64))[3].tolist() for _ in range(steps)]


def test_make_vec_hands_over_a_limit_of_steps():
    env = gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, max_episode_steps=10)
    period = 10 if SAME_STEP else 11  # gymnasium 1.x takes a step to reset
    assert truncations(env) == [[step % period == 9] * 2 for step in range(30)]


def test_the_limit_of_a_registered_id_holds():
    gym.register("own/go-v0", vector_entry_point="modcog.envs.vector:go", max_episode_steps=4)
    try:
        env = gym.make_vec("own/go-v0", num_envs=1, vectorization_mode=MODE, trials_per_episode=None)
        assert sum(map(sum, truncations(env))) == (7 if SAME_STEP else 6)
        shorter = gym.make_vec("own/go-v0", num_envs=1, vectorization_mode=MODE, max_episode_steps=2)
        assert sum(map(sum, truncations(shorter))) == (15 if SAME_STEP else 10)
    finally:
        del gym.registry["own/go-v0"]


@pytest.fixture
def registered():
    names = []

    def register(name, **options):
        names.append(f"own/{name}-v0")
        gym.register(names[-1], vector_entry_point="modcog.envs.vector:go", **options)
        return names[-1]

    yield register
    for name in names:
        del gym.registry[name]


def test_a_registered_task_and_number_of_copies_hold(registered):
    env = gym.make_vec(registered("other-task", kwargs={"task": "dm1"}), num_envs=3, vectorization_mode=MODE)
    assert (env.unwrapped.task, env.unwrapped.battery.tasks, env.num_envs) == ("dm1", ("dm1",), 3)
    assert gym.make_vec("modcog/go-v0", num_envs=3, vectorization_mode=MODE, task="dm1").unwrapped.task == "dm1"
    env = gym.make_vec(registered("five", kwargs={"num_envs": 5, "dt": 50}), vectorization_mode=MODE)
    assert (env.num_envs, env.unwrapped.dt, env.reset()[0].shape) == (5, 50, (5, 33))


def test_wrappers_of_single_environments_are_refused(registered):
    from gymnasium.envs.registration import WrapperSpec

    limit = WrapperSpec("TimeLimit", "gymnasium.wrappers:TimeLimit", {"max_episode_steps": 4})
    name = registered("wrapped", additional_wrappers=(limit,))
    with pytest.raises((ModcogError, gym.error.Error), match="additional_wrappers"):
        gym.make_vec(name, num_envs=2, vectorization_mode=MODE)
    with pytest.raises(gym.error.Error, match="wrappers"):
        gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, wrappers=[gym.wrappers.TimeLimit])


@pytest.mark.parametrize("option", ["disable_env_checker", "order_enforce", "autoreset", "autoreset_mode", "copy"])
def test_options_of_gymnasium_that_it_cannot_have_are_refused(option):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, **{option: True})
    with pytest.raises((TypeError, gym.error.Error), match=option):
        gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, vector_kwargs={option: True})


def test_a_specification_makes_the_same_environment():
    env = gym.make_vec("modcog/dm1-v0", num_envs=3, vectorization_mode=MODE, dt=50, max_episode_steps=7)
    again = gym.make_vec(env.spec, num_envs=3, vectorization_mode=MODE).unwrapped
    assert (again.task, again.num_envs, again.dt, again.max_episode_steps) == ("dm1", 3, 50, 7)


def test_a_specification_that_is_refused_changes_nothing():
    env = gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE).unwrapped
    env.reset(seed=0)
    wrong = copy.deepcopy(env.spec)
    wrong.kwargs["dt"] = -1
    with pytest.raises(ModcogError, match="dt: got -1"):
        env.spec = wrong
    assert (env.dt, env.spec.kwargs.get("dt")) == (100, None)
    env.step([0, 0])


@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 10}, {"trials_per_episode": 2}])
def test_gymnasiums_wrapper_counts_its_episodes(options):
    envs = RecordEpisodeStatistics(gym.make_vec("modcog/dms-v0", num_envs=5, vectorization_mode=MODE, **options))
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    total, length, done = np.zeros(5), np.zeros(5, int), np.zeros(5, bool)
    episodes = 0
    for _ in range(200):
        resets = done & (not SAME_STEP)
        actions = np.where(rng.random(5) < 0.95, 0, rng.integers(0, 17, 5))
        _, rewards, terminated, truncated, info = envs.step(actions)
        total, length = total + rewards * ~resets, length + ~resets
        if (done := terminated | truncated).any():
            np.testing.assert_array_equal(info["_episode"], done)
            np.testing.assert_allclose(info["episode"]["r"][done], total[done], atol=1e-5)
            np.testing.assert_array_equal(info["episode"]["l"][done], length[done])
        episodes += done.sum()
        total[done] = length[done] = 0
    assert episodes > 10


# Copies


def played(env, steps=60):
    return b"".join(env.step(np.zeros(env.num_envs, np.int64))[0].tobytes() for _ in range(steps))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_stand_where_it_stands_and_go_on_by_themselves(duplicate):
    env = ModCogVectorEnv("dm1", 3, trials_per_episode=None)
    env.reset(seed=5)
    played(env, 3)
    first, second, other = duplicate(env), duplicate(env), pickle.loads(pickle.dumps(env))
    nested = duplicate(first)
    reports = [one.pool.reports(np.arange(3)) for one in (env, first, second, nested)]
    assert all(report == reports[0] for report in reports)
    following = [played(one) for one in (env, first, second, nested)]
    assert len(set(following)) == 4
    assert played(other) == following[0]
    assert played(duplicate(other)) == played(duplicate(env))
    first.reset(seed=9), second.reset(seed=9)
    assert played(first) == played(second)


def test_an_environment_that_was_never_reset_can_be_copied():
    env = copy.deepcopy(ModCogVectorEnv("dm1", 2))
    env.reset(seed=1)
    assert env.pool.reports(np.arange(2))[0]["trial"] == Battery(["dm1"]).sample(1, seed=1).rows[0]


# Bad keywords


def test_keywords_of_make_vec_that_would_be_ignored_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrappers'"):
        ModCogVectorEnv("go", 2, wrappers=[])
    with pytest.raises(ModcogError, match="max_episode_steps: got 0, must be a whole number, at least 1"):
        ModCogVectorEnv("go", 2, max_episode_steps=0)


def test_make_vec_refuses_what_make_refuses():
    with pytest.raises(ModcogError, match="unknown option 'sigmma'"):
        gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, sigmma=1)
    with pytest.raises(ModcogError, match="render_mode: the vector environment draws no pictures"):
        gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode=MODE, render_mode="rgb_array")


@pytest.mark.parametrize("task", TASKS)
def test_every_id_makes_one(task):
    env = gym.make_vec(f"modcog/{task}-v0", num_envs=2, vectorization_mode=MODE, trials_per_episode=None)
    env.reset(seed=1)
    assert env.unwrapped.battery.tasks == (task,)
    assert sum(env.step(np.zeros(2, np.int64))[-1]["new_trial"].sum() for _ in range(60)) >= 2


def test_gymnasiums_sync_mode_works_too():
    env = gym.make_vec("modcog/go-v0", num_envs=2, vectorization_mode="sync", dim_ring=8)
    assert env.reset(seed=0)[0].shape == (2, 17)


def test_the_module_has_the_tasks_as_attributes_and_nothing_else():
    assert vector.dlygointr(num_envs=2).task == "dlygointr"
    with pytest.raises(AttributeError, match="has no attribute 'dlygoo'"):
        _ = vector.dlygoo


# Bad input


@pytest.mark.parametrize(
    "actions",
    [
        [0, 17], [0, -1], [0.0, 1.0], [0, np.nan], [0], [0, 1, 2], [[0, 1]], 0, None, ["0", "1"], [True, False],
        [0, 10**30],
    ],
)  # fmt: skip
def test_wrong_actions_are_refused_and_change_nothing(actions):
    env, twin = (ModCogVectorEnv("dm1", 2) for _ in range(2))
    env.reset(seed=0), twin.reset(seed=0)
    with pytest.raises(ModcogError, match=r"^actions: got .*, must be "):
        env.step(actions)
    for _ in range(6):
        np.testing.assert_array_equal(env.step(np.array([0, 1]))[0], twin.step(np.array([0, 1]))[0])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_envs": 0}, "num_envs: got 0, must be a whole number, at least 1"),
        ({"num_envs": 2.0}, "num_envs: got 2.0, must be a whole number"),
        ({"num_envs": 2, "dim_ring": 5}, "dim_ring: got 5, must be even"),
        ({"num_envs": 2, "trials_per_episode": -1}, "trials_per_episode: got -1"),
    ],
)
def test_wrong_settings_are_refused(keywords, message):
    with pytest.raises(ModcogError, match=message):
        ModCogVectorEnv("go", **keywords)


def test_numpys_whole_numbers_are_seeds():
    env, twin = ModCogVectorEnv("dm1", 2), ModCogVectorEnv("dm1", 2)
    env.reset(seed=3), twin.reset(seed=np.uint8(3))
    assert env.pool.reports(np.arange(2)) == twin.pool.reports(np.arange(2))


@pytest.mark.parametrize("seed", [-1, 1.5, [1], [1, 2, 3], [1, -2], [1, "2"], "12"])
def test_wrong_seeds_are_refused(seed):
    env = ModCogVectorEnv("go", 2)
    with pytest.raises(ModcogError, match="seed: got"):
        env.reset(seed=seed)


def test_step_before_reset():
    with pytest.raises(ModcogError, match="call reset\\(\\) before step\\(\\)"):
        ModCogVectorEnv("go", 2).step([0, 0])


def test_resetting_some_copies_is_refused():
    env = ModCogVectorEnv("go", 2)
    with pytest.raises(ModcogError, match="reset_mask is not known"):
        env.reset(options={"reset_mask": np.array([True, False])})
