"""Settings of environments and batteries can be read, and refuse to be written."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest

import modcog
from modcog import Battery, ModcogError, UnknownNameError
from modcog.battery import BatteryConfig, BatteryKeywords
from modcog.envs.env import ModCogEnv
from modcog.envs.stepping import LiveRewards
from modcog.envs.vector import ModCogVectorEnv
from modcog.errors import FixedError
from tests.gymnasiums import MODE, PLUGINS

SETTINGS = {
    "dt": 50, "dim_ring": 8, "rules": "published", "omega": 0.02, "interval": (100.0, 300.0), "coherences": (0.1, 0.5),
    "strengths": (0.2, 0.7), "rule_input": True,
}  # fmt: skip
READ = {
    **SETTINGS,
    "task": "dlydm1",
    "cohs": [0.2, 0.7],
    "sigma": 1 / np.sqrt(50),
    "battery": Battery(["dlydm1"], **SETTINGS),
}
BOTH = [lambda: ModCogEnv("dlydm1", **SETTINGS), lambda: ModCogVectorEnv("dlydm1", 2, **SETTINGS)]


@pytest.mark.parametrize("make", BOTH, ids=["single", "vector"])
@pytest.mark.parametrize("name", [*READ, "timing", "theta", "choices"])
def test_settings_are_attributes_that_refuse_to_be_written(make, name):
    env = make()
    value = getattr(env, name)
    if name in READ:
        assert value == READ[name]
    argument = {"theta": "dim_ring", "choices": "dim_ring", "battery": "the settings"}.get(name, name)
    for kind in (FixedError, AttributeError, ModcogError):
        with pytest.raises(kind, match=rf"^{name}: got 'x', but it is fixed in .*; make another.*with {argument}="):
            setattr(env, name, "x")
    assert np.array_equal(getattr(env, name), value)


@pytest.mark.parametrize("name", ["num_envs", "max_episode_steps", "abort", "trials_per_episode", "rewards", "options"])
def test_a_vector_environment_is_fixed_whole(name):
    env = ModCogVectorEnv("go", 2)
    with pytest.raises(FixedError, match=f"^{name}: got 5, but it is fixed"):
        setattr(env, name, 5)
    with pytest.raises(FixedError, match="rewards: are fixed"):
        env.rewards["fail"] = 5


@pytest.mark.parametrize("make", BOTH, ids=["single", "vector"])
def test_what_they_return_cannot_be_written_either(make):
    env = make()
    before = dict(env.timing), env.theta.tolist(), list(env.cohs)
    with pytest.raises(FixedError, match=r"^timing: is fixed in .*; make another environment, with timing="):
        env.timing["delay"] = 2000
    with pytest.raises(FixedError, match="with cohs="):
        env.cohs.append(0.9)
    with pytest.raises(FixedError, match="with cohs="):
        env.cohs[0] = 0.9
    for array in (env.theta, env.choices):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3
    assert (dict(env.timing), env.theta.tolist(), list(env.cohs)) == before
    with pytest.raises(FixedError):
        ModCogEnv("dms").choices.append("maybe")


def test_a_user_s_own_attributes_are_free():
    for thing in (ModCogEnv("go"), ModCogVectorEnv("go", 1), Battery(["go"])):
        thing.foo = 3
        assert thing.foo == 3
        assert copy.deepcopy(thing).foo == 3


def test_tasks_without_coherences_have_no_cohs():
    env = ModCogEnv("go")
    assert not hasattr(env, "cohs")
    with pytest.raises(FixedError):
        env.cohs = [0.1]


@pytest.mark.skipif(PLUGINS, reason="gymnasium 0.29 writes to the outermost wrapper")
def test_gymnasium_writes_through_its_wrappers_to_be_refused():
    env = gym.make("modcog/dm1-v0")
    with pytest.raises(FixedError):
        env.set_wrapper_attr("sigma", 0)
    assert env.get_wrapper_attr("sigma") == 0.1
    with pytest.raises(FixedError):
        gym.make_vec("modcog/dm1-v0", num_envs=2, vectorization_mode="sync").set_attr("cohs", [[0.1], [0.1]])


def test_batteries_are_fixed():
    battery = Battery(["dm1"])
    for name in (*BatteryConfig.model_fields, "config", "tables", "settings", "n_channels", "sample"):
        with pytest.raises(FixedError, match=rf"^{name}: is fixed in this battery; battery.replace\(...\) returns"):
            setattr(battery, name, 5)
    assert battery == Battery(["dm1"]) == pickle.loads(pickle.dumps(battery))


def test_type_checkers_know_every_setting():
    assert BatteryKeywords.__annotations__.keys() == BatteryConfig.model_fields.keys()


# What may be changed


def test_abort_rewards_and_the_length_of_episodes_change_from_the_next_step_on():
    env = ModCogEnv("go")
    env.reset(seed=0)
    assert env.step(3)[1] == -0.1
    env.rewards["abort"] = -2
    assert env.step(3)[1] == -2
    env.rewards.update(fail=-1, correct=5)
    env.rewards |= {"abort": -3}
    assert env.step(3)[1] == -3
    env.abort = True
    env.trials_per_episode = 2
    *_, terminated, _, info = env.step(3)
    assert (terminated, info["new_trial"]) == (False, True)
    env.rewards = {"correct": 7}
    assert env.rewards == {"abort": -0.1, "correct": 7, "fail": 0}
    assert env.step(3)[2]
    twin = pickle.loads(pickle.dumps(env))
    assert twin.rewards == copy.deepcopy(env).rewards == env.rewards
    assert type(twin.rewards) is LiveRewards


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda env: setattr(env, "abort", "no"), "abort: got 'no', must be true or false"),
        (lambda env: setattr(env, "trials_per_episode", 0), "trials_per_episode: got 0"),
        (lambda env: setattr(env, "rewards", 5), "rewards: got 5, must be"),
        (lambda env: setattr(env, "rewards", {"corect": 1}), "rewards: unknown setting 'corect'"),
        (lambda env: env.rewards.update(corect=1), "unknown setting 'corect'"),
        (lambda env: env.rewards.__setitem__("fail", "no"), "fail: got 'no', must be a number"),
        (lambda env: env.rewards.__setitem__("fail", float("nan")), "fail: got nan"),
        (lambda env: env.rewards.pop("fail"), "rewards: abort, correct, fail stay"),
        (lambda env: env.rewards.clear(), "rewards: abort, correct, fail stay"),
    ],
)
def test_changes_are_checked(write, message):
    env = ModCogEnv("go")
    with pytest.raises(ModcogError, match=f"^{message}"):
        write(env)
    assert (env.abort, env.trials_per_episode, env.rewards) == (False, 1, {"abort": -0.1, "correct": 1, "fail": 0})


# cohs


@pytest.mark.parametrize("make", [ModCogEnv, lambda task, **keywords: ModCogVectorEnv(task, 2, **keywords)])
def test_cohs_are_taken_by_every_environment(make):
    assert make("dm1seqr", cohs=[0.2, 0.4]).battery.settings.coherences == (0.2, 0.4)
    assert make("dlydm1", cohs=np.array([0.2, 2.0])).battery.settings.strengths == (0.2, 2.0)
    assert make("dm1", cohs=None).battery == make("dm1").battery
    for task in ("go", "dnmcintr"):
        plain, given = (Battery([task]).replace(**{"coherences": env.battery.settings.coherences}).sample(20, seed=0)
                        for env in (make(task), make(task, cohs=[0.2, 0.4])))  # fmt: skip
        np.testing.assert_array_equal(plain.packed_observations, given.packed_observations)
        with pytest.raises(ModcogError, match=r"^cohs: coherences.0: got 2.0, must be less than or equal to 1$"):
            make(task, cohs=[2.0])
    with pytest.raises(ModcogError, match=r"^cohs: strengths: got .* must not repeat"):
        make("dlydm1", cohs=[0.3, 0.3])
    with pytest.raises(ModcogError, match=r"^cohs: is another name of coherences here"):
        make("dm1", cohs=[0.3], coherences=[0.3])
    with pytest.raises(UnknownNameError, match="unknown task 'dm11'"):
        make("dm11", cohs=[0.3])


def test_cohs_pass_gymnasiums_doors():
    assert gym.make("modcog/go-v0", cohs=[0.2]).unwrapped.task == "go"
    assert gym.make("modcog/dm1-v0", cohs=[0.2]).unwrapped.cohs == [0.2]
    assert gym.make_vec("modcog/dm1-v0", num_envs=2, vectorization_mode=MODE, cohs=[0.2]).unwrapped.cohs == [0.2]


def test_unknown_keywords_are_type_errors_everywhere():
    for refused in (
        lambda: Battery(["go"], frameskip=1), lambda: ModCogEnv("go", rewards={"miss": -1}),
        lambda: ModCogVectorEnv("go", 2, frameskip=1), lambda: modcog.Battery(["go"]).replace(frameskip=1),
    ):  # fmt: skip
        for kind in (TypeError, UnknownNameError):
            with pytest.raises(kind, match="allowed: "):
                refused()
