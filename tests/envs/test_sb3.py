"""The environment of Stable-Baselines3 against its own, which plays single environments one by one."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import modcog
from modcog import ModcogError, UnknownNameError
from modcog.envs.env import ModCogEnv
from modcog.errors import FixedError

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor, is_vecenv_wrapped

from modcog.envs.sb3 import vec_env


def one_by_one(task, n, limit, **keywords):
    def make():
        env = ModCogEnv(task, **keywords)
        return env if limit is None else gym.wrappers.TimeLimit(env, limit)

    return VecMonitor(DummyVecEnv([make] * n))


@pytest.mark.parametrize("options", [{}, {"trials_per_episode": 3}, {"trials_per_episode": None}, {"abort": True}])
@pytest.mark.parametrize("limit", [None, 7, 15, 30])
@pytest.mark.parametrize("task", ["go", "dms", "dlygoseqr"])
def test_it_does_what_the_environments_do_one_by_one(task, limit, options):
    ours, theirs = vec_env(task, 3, max_episode_steps=limit, **options), one_by_one(task, 3, limit, **options)
    assert isinstance(ours, VecEnv)
    assert (ours.observation_space, ours.action_space.n) == (theirs.observation_space, theirs.action_space.n)
    rng = np.random.default_rng(0)
    for seed in (4, 9, None):
        if seed is not None:
            assert ours.seed(seed) == theirs.seed(seed)
        found, expected = [ours.reset()], [theirs.reset()]
        for step in range(70):
            assert len(found) == len(expected)
            for one, other in zip(found[:3], expected[:3], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-6, err_msg=f"step {step}")
                assert one.dtype == other.dtype
            for one, other in zip(*(part[3] if len(part) > 3 else [] for part in (found, expected)), strict=True):
                for info in (one, other):
                    info.get("episode", {}).pop("t", None)
                np.testing.assert_equal(one, other, err_msg=f"step {step}")
            label = [env.unwrapped.gt[min(env.unwrapped.t_ind, len(env.unwrapped.gt) - 1)] for env in theirs.venv.envs]
            actions = np.where(rng.random(3) < 0.85, label, rng.integers(0, 17, 3))
            found, expected = ours.step(actions), theirs.step(actions)


def test_episodes_end_by_a_limit_and_by_themselves():
    env = vec_env("go", 2, seed=0, max_episode_steps=6)
    env.reset()
    for _ in range(6):
        _, _, dones, infos = env.step(np.zeros(2, int))
    assert dones.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [True, True]
    assert all(info["terminal_observation"].any() for info in infos)
    assert [info["episode"]["l"] for info in infos] == [6, 6]


def test_seeds():
    first, again, other = vec_env("dms", 3, seed=5), vec_env("modcog/dms-v0", 3), vec_env("dms", 3)
    again.seed(5)

    def trials(env):
        env.reset()
        return [env.step(np.zeros(3, int))[0].tobytes() for _ in range(20)][-1]

    played = trials(first)
    assert played == trials(again)
    assert played != trials(other)
    assert trials(first) == trials(again) != played  # a seed is used once


def test_settings_can_be_read_and_nothing_be_written():
    env = vec_env("modcog/go-v0", 4, dt=50)
    assert env.num_envs == 4
    assert env.get_attr("dt") == [50] * 4
    assert env.get_attr("dt", [0, 2]) == env.get_attr("dt", 1) * 2 == [50, 50]
    assert not env.has_attr("action_masks")
    assert env.env_is_wrapped(Monitor) == [False] * 4
    assert is_vecenv_wrapped(env, VecMonitor)
    with pytest.raises(FixedError, match="dt: got 20"):
        env.set_attr("dt", 20)
    with pytest.raises(ModcogError, match="render: the copies are played as one"):
        env.env_method("render")
    env.close()


def test_wrong_settings_are_refused():
    with pytest.raises(UnknownNameError, match="nearest: 'go'"):
        vec_env("modcog/goo-v0")
    with pytest.raises(ModcogError, match="n_envs: got 0"):
        vec_env("go", 0)
    with pytest.raises(TypeError, match="sigmma"):
        vec_env("go", sigmma=1)


def test_an_agent_learns_to_hold_fixation():
    from stable_baselines3 import PPO

    env = vec_env("dlygo", 64, seed=0, dim_ring=4)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=512, n_epochs=4, learning_rate=3e-3, seed=0, device="cpu")
    before = evaluate_policy(model, env, 200, deterministic=False)[0]
    model.learn(8 * 64 * 32)
    assert evaluate_policy(model, env, 200, deterministic=False)[0] > before + 0.3
    assert model.ep_info_buffer[-1]["l"] > 14


def test_where_it_is_not_installed_the_extra_is_named():
    code = """
import sys
sys.modules["stable_baselines3"] = None
import modcog
try:
    modcog.envs.sb3
except modcog.ModcogError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("modcog.envs.sb3 needs the package stable-baselines3: pip install")
    assert "[sb3]" in done.stdout
    assert modcog.envs.sb3.vec_env is vec_env
