"""Agents: the trials and scores are those of ``evaluate``, and trials end where the environment ends them."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import modcog
from modcog import Battery, ModcogError, evaluate, evaluate_agent
from modcog.envs.env import ModCogEnv
from modcog.envs.vector import ModCogVectorEnv
from modcog.seeds import Purpose, Seed
from tests.evaluation.simulated import records
from tests.gymnasiums import MODE

TASKS = ["go", "dlygointr", "dm1", "dms", "dmsseqr", "dlyantiseql"]


def leaky(observation, state):
    """A network without weights, whose numbers do not depend on how many trials it plays at once."""
    state = np.float32(0) if state is None else state
    state = np.float32(0.9) * state + observation
    return state[..., :17].argmax(axis=-1), state


def whole(observations):
    """The same on whole trials, (n, T, C), as ``evaluate`` asks for it."""
    actions, state = [], None
    for step in observations.swapaxes(0, 1):
        action, state = leaky(step, state)
        actions.append(action)
    return np.stack(actions, axis=1)


def assert_same_scores(found, expected):
    assert (found.tasks, found.battery, found.tolerance) == (expected.tasks, expected.battery, expected.tolerance)
    for name in ("values", "conditions"):
        for key, column in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(found, name)[key], column, err_msg=key)
    for name in ("task", "steps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


class Luck:
    """Responds now and then, by luck that depends on the number of the trial alone, and counts its steps."""

    def __init__(self):
        self.steps = []

    def reset(self):
        self.rng = np.random.default_rng(len(self.steps))
        self.steps.append(0)

    def __call__(self, observation):
        self.steps[-1] += 1
        return 0 if self.rng.random() < (0.97 if observation[0] > 0.5 else 0.6) else self.rng.integers(1, 5)


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize("n_envs", [None, 7, 256])
def test_a_network_that_plays_step_by_step_has_the_scores_of_evaluate(n_envs, rules):
    battery = Battery(TASKS, rule_input=True, rules=rules, dt=50)
    found = evaluate_agent(leaky, battery, 30, seed=3, n_envs=n_envs, early_end=False, tolerance=50)
    expected = evaluate(whole, battery, 30, seed=3, tolerance=50)
    assert_same_scores(found, expected)
    tables = [{name: one.as_dict() for name, one in scores.table().items()} for scores in (found, expected)]
    np.testing.assert_equal(*tables)
    assert 0.05 < found.decision_accuracy < 0.95


def test_the_first_response_of_the_decision_stands():
    def committed(observations):
        actions = whole(observations)
        for t in range(1, actions.shape[1]):
            decided = (observations[:, t - 1, 0] == 0) & (actions[:, t - 1] > 0)
            actions[decided, t] = actions[decided, t - 1]
        return actions

    plain, sequence = Battery(["go", "dlygointr", "dm1", "dms"]), Battery(["goseqr", "dlydm1intrseql"])
    assert_same_scores(evaluate_agent(leaky, plain, n_envs=64), evaluate(committed, plain))
    assert_same_scores(evaluate_agent(leaky, sequence, n_envs=64), evaluate(whole, sequence))


@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_trials_end_where_the_environment_ends_them_and_count_as_it_counts(task, abort):
    agent, same = Luck(), Luck()
    scores = evaluate_agent(agent, f"modcog/{task}-v0", 60, dim_ring=4, abort=abort)
    env = ModCogEnv(task, dim_ring=4, abort=abort)
    env._begin(Seed.of(0, Purpose.EVALUATION))
    performance = []
    for _ in range(60):
        observation, _ = env.reset()
        same.reset()
        over = False
        while not over:
            observation, _, over, _, info = env.step(same(observation))
        performance.append(info["performance"])
    assert agent.steps == same.steps
    assert len(set(agent.steps)) > 1 or task == "dlyantiseql"
    sequence = (scores.conditions["respond"] == 1) & ("seq" in task)
    counted = np.where(sequence, scores.values["decision"], scores.values["last_step"])
    np.testing.assert_allclose(counted, performance, rtol=1e-12)
    assert 0 < counted.mean() < 1


def test_an_aborted_trial_has_no_decision():
    scores = evaluate_agent(lambda observation: 5, "dms", 50, abort=True)
    asked = scores.conditions["respond"] == 1
    assert 0 < asked.sum() < 50
    for name in ("decision", "trial", "last_step", "directional"):
        assert not scores.values[name].any()
    assert (scores.values["unanswered"][asked] == 1).all()
    for name in ("unanswered", "angular_error"):
        assert np.isnan(scores.values[name][~asked]).all()
    assert np.isnan(scores.conditions["reaction_time_ms"]).all()
    assert not np.isnan(evaluate_agent(lambda observation: 5, "dms", 50).conditions["reaction_time_ms"]).any()


def test_reaction_times():
    class Waits:
        """Responds in the k-th step of the decision, k from 0 to 6, and in every sixth trial too early as well."""

        trial = -1

        def reset(self):
            self.trial, self.waited = self.trial + 1, 0

        def __call__(self, observation):
            if observation[0] > 0.5:
                return int(self.trial % 6 == 5)
            self.waited += 1
            return int(self.waited > self.trial % 7)

    scores = evaluate_agent(Waits(), "rtgo", 70, dt=50, timing={"decision": 300})
    wait = np.arange(70) % 7
    np.testing.assert_array_equal(scores.conditions["reaction_time_ms"], np.where(wait < 6, 50 * wait, np.nan))
    for row in records(scores.by("modality", kind="reaction_time_ms")):
        own = scores.conditions["reaction_time_ms"][scores.conditions["modality"] == row["modality"]]
        assert row["value"] == pytest.approx(np.nanmean(own))
        assert row["low"] < row["value"] < row["high"]
    table = np.asarray(scores.by("reaction_time_ms", kind="unanswered"))
    assert table.shape[0] == 6
    np.testing.assert_allclose([row[2] for row in table.tolist()], np.arange(6) / 6)


def test_every_way_to_name_a_task_gives_the_same():
    wanted = evaluate(whole, Battery(["dm1"], dt=50), 20)
    with_env = {"trials_per_episode": None, "dt": 50}
    tasks = [
        ("dm1", {"dt": 50}), ("modcog/dm1-v0", {"dt": 50}), ("modcog:modcog/dm1-v0", {"dt": 50}),
        (["dm1"], {"dt": 50}), (["modcog/dm1-v0"], {"dt": 50}), (Battery(["dm1"], dt=50), {}),
        (ModCogEnv("dm1", **with_env), {}), (ModCogVectorEnv("dm1", 8, **with_env), {}),
        (gym.make("modcog/dm1-v0", dt=50, max_episode_steps=3), {}),
        (gym.make_vec("modcog/dm1-v0", num_envs=2, vectorization_mode=MODE, dt=50), {}),
    ]  # fmt: skip
    for task, settings in tasks:
        assert_same_scores(evaluate_agent(leaky, task, 20, early_end=False, **settings), wanted)


def test_a_vector_environment_decides_how_many_trials_are_played_at_once():
    seen = []

    def policy(observations):
        seen.append(observations.shape)
        return np.zeros(len(observations), int)

    evaluate_agent(policy, ModCogVectorEnv("go", 5), 12)
    assert set(seen) == {(5, 33), (2, 33)}
    seen.clear()
    evaluate_agent(policy, ModCogVectorEnv("go", 5), 12, n_envs=3)
    assert set(seen) == {(3, 33)}


def test_the_option_abort_of_an_environment_holds():
    scores = evaluate_agent(lambda observation: 1, ModCogEnv("go", abort=True), 20)
    assert np.isnan(scores.conditions["reaction_time_ms"]).all()


def test_an_agent_may_write_into_its_observation_and_give_any_whole_number():
    def policy(observation):
        action = 0 if observation[0] > 0.5 else 3
        observation[:] = np.nan
        return action

    wanted = evaluate_agent(policy, "go", 40)
    for become in (np.int8, float, np.array, lambda a: [a], lambda a: np.array([a], np.uint8)):
        assert_same_scores(evaluate_agent(lambda x, become=become: become(policy(x)), "go", 40), wanted)
    assert_same_scores(evaluate_agent(lambda x, state: (policy(x), None), "go", 40), wanted)
    assert_same_scores(evaluate_agent(lambda x, state=None: (policy(x), 1), "go", 40), wanted)


def test_an_object_with_predict_needs_no_more_than_observations():
    class Model:
        def predict(self, observations):
            return np.where(observations[:, 0] > 0.5, 0, 2)

    wanted = evaluate_agent(lambda x: 0 if x[0] > 0.5 else 2, "go", 40)
    assert_same_scores(evaluate_agent(Model(), "go", 40), wanted)


class Shifted(gym.ObservationWrapper):
    def observation(self, observation):
        return observation + 1


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (lambda x: 17, "a whole number from 0 to 16, but gave 17"),
        (lambda x: -1, "but gave -1"),
        (lambda x: 0.5, "but gave 0.5"),
        (lambda x: float("nan"), "but gave nan"),
        (lambda x: np.zeros(17), r"but gave shape \(17,\)"),
        (lambda x: None, "got NoneType, which is no array of real numbers; a policy must give a whole number from 0"),
        (lambda x: "left", "got str"),
        (lambda x: 1 / 0, r"observations of shape \(33,\) .* but failed: ZeroDivisionError"),
        (lambda: 0, "but failed: TypeError"),
        (lambda x, h: 0, "got int, must be a tuple of action and next state"),
        (Luck, "got the class Luck"),
        (7, "got int, must be a function from observation to action, or have predict"),
    ],
)
def test_a_wrong_policy_is_refused_in_one_line(policy, says):
    with pytest.raises(ModcogError, match=says) as caught:
        evaluate_agent(policy, "go", 3)
    assert "\n" not in str(caught.value)


def test_wrong_actions_of_many_trials_are_refused():
    with pytest.raises(ModcogError, match=r"\(4, 33\) it must make 4 whole numbers .* but gave shape \(\)"):
        evaluate_agent(lambda x: 0, "go", 4, n_envs=4)
    with pytest.raises(ModcogError, match=r"but gave \[0, 1, 2, 99\]"):
        evaluate_agent(lambda x: [0, 1, 2, 99], "go", 4, n_envs=4)


def test_a_torch_module_may_act():
    torch = pytest.importorskip("torch")

    class Sums(torch.nn.Module):
        def forward(self, observation, memory):
            memory = torch.as_tensor(observation) + (0 if memory is None else memory)
            return memory[:17].argmax(), memory

    wanted = evaluate(lambda x: np.cumsum(x[..., :17], axis=1).argmax(axis=-1), Battery(["go"]), 20)
    assert_same_scores(evaluate_agent(Sums(), "go", 20, early_end=False), wanted)
    with pytest.raises(ModcogError, match="but failed: TypeError"):
        evaluate_agent(torch.nn.Linear(33, 17), "go", 3)


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("modcog/goo-v0", {}, r"unknown task 'goo' \(nearest: 'go'\)"),
        ("modcog/go-v1", {}, "unknown task 'modcog/go-v1'"),
        ("go", {"dtt": 3}, "dtt"),
        ("go", {"n_trials": 0}, "n_trials: got 0"),
        ("go", {"n_envs": 0}, "n_envs: got 0"),
        ("go", {"tolerance": 400}, "tolerance: got 400"),
        ([], {}, "tasks"),
        (None, {}, "task: got None, must be the name or id of a task"),
        (Shifted(ModCogEnv("go")), {}, "wrapper Shifted"),
        (ModCogEnv("go"), {"dt": 20}, "dt: are fixed in"),
        (Battery(["go"]), {"dt": 20}, "dt: are fixed in"),
    ],
)
def test_a_wrong_task_is_refused_in_one_line(task, options, says):
    with pytest.raises(ModcogError, match=says) as caught:
        evaluate_agent(lambda x: 0, task, **options)
    assert "\n" not in str(caught.value)


def test_ctrl_c_is_not_taken_for_a_fault_of_the_agent():
    def stopped(observation):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_agent(stopped, "go", 3)


# Models of Stable-Baselines3


def played(model, observations, recurrent):
    """Actions of a model on whole trials, by its documented interface."""
    n, steps, _ = observations.shape
    actions, state = np.zeros((n, steps), int), None
    for t in range(steps):
        start = np.full(n, t == 0)
        given = (state, start) if recurrent else ()
        actions[:, t], state = model.predict(observations[:, t], *given, deterministic=True)
    return actions


@pytest.mark.parametrize("kind", ["A2C", "RecurrentPPO"])
def test_models_play_as_they_are(kind):
    baselines, contrib = pytest.importorskip("stable_baselines3"), pytest.importorskip("sb3_contrib")
    recurrent = kind == "RecurrentPPO"
    made = contrib.RecurrentPPO if recurrent else baselines.A2C
    options = {"lstm_hidden_size": 16} if recurrent else {}
    policy = "MlpLstmPolicy" if recurrent else "MlpPolicy"
    env = modcog.envs.sb3.vec_env("dms", 2)
    model = made(policy, env, n_steps=8, policy_kwargs={**options, "ortho_init": False}, seed=3, device="cpu")
    model.learn(16)
    battery = Battery(["dms"])
    found = evaluate_agent(model, "modcog/dms-v0", 50, early_end=False)
    assert_same_scores(found, evaluate(lambda x: played(model, x, recurrent), battery, 50))
    assert_same_scores(evaluate_agent(model, env, 50, early_end=False), found)
    lucky = [evaluate_agent(model, battery, 50, deterministic=False).conditions["reaction_time_ms"] for _ in range(2)]
    assert not np.array_equal(*lucky, equal_nan=True)


def test_a_model_sees_observations_as_in_its_training():
    baselines = pytest.importorskip("stable_baselines3")
    env = baselines.common.vec_env.VecNormalize(modcog.envs.sb3.vec_env("go", 2))
    model = baselines.A2C("MlpPolicy", env, seed=0, device="cpu").learn(50)
    battery = Battery(["go"])
    wanted = evaluate(lambda x: played(model, env.normalize_obs(x), False), battery, 40)
    with pytest.raises(ModcogError, match="wrapper VecNormalize"):
        evaluate_agent(model, env, 40)
    assert_same_scores(evaluate_agent(model, battery, 40, early_end=False), wanted)


def test_a_model_of_another_ring_is_refused_in_one_line():
    baselines = pytest.importorskip("stable_baselines3")
    model = baselines.A2C("MlpPolicy", modcog.envs.sb3.vec_env("go", 2, dim_ring=8), device="cpu")
    with pytest.raises(ModcogError, match=r"policy: of observations of shape \(3, 33\) .* but failed: ValueError"):
        evaluate_agent(model, "go", 3)
