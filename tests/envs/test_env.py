"""Stepping a single environment, against rewards worked out by hand from the labels of a sample."""

from __future__ import annotations

import copy
import itertools
import pickle

import gymnasium as gym
import numpy as np
import pytest
from agents import AGENTS, Script, fixating, perfect, premature
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog import TASKS, Base, Battery, Condition, ModcogError, Outcome, Stimulus, UnknownNameError
from modcog.envs.env import ModCogEnv, _period_times

RULES = ("corrected", "published")


def play(env, actions):
    """Steps through a trial; what each step returned, until the trial ends."""
    steps = []
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][4]["new_trial"]:
            break
    return steps


def rewards_of(steps):
    return [step[1] for step in steps]


def play_rest(env):
    """Hold fixation to the end of the trial."""
    return play(env, itertools.repeat(0))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", TASKS)
def test_every_agent_earns_what_the_labels_say(task, rules):
    """Two trials of each agent in one endless episode: observations, gt, rewards, ends, performance and conditions."""
    trials = Battery([task], rules=rules).sample(2 * len(AGENTS), seed=11)
    env = ModCogEnv(task, rules=rules, trials_per_episode=None)
    observation, info = env.reset(seed=11)
    assert info == {}
    rng = np.random.default_rng(0)
    for i, agent in enumerate(AGENTS * 2):
        script = Script.of(trials, i, rules)
        actions = agent(script, 17, rng)
        rewards, performance = script.outcome(actions)
        for step, reward in enumerate(rewards):
            np.testing.assert_array_equal(observation, trials.observations[i, step])
            observation, earned, terminated, truncated, info = env.step(actions[step])
            assert (earned, info["gt"]) == (pytest.approx(reward), script.labels[step])
            assert not terminated
            assert not truncated
            ends = step == len(rewards) - 1
            assert info["new_trial"] == ends
            assert ("performance" in info, "trial" in info) == (ends, ends)
        assert info["performance"] == pytest.approx(performance)
        assert info["trial"] == trials.rows[i]


@settings(deadline=None, max_examples=60)
@given(
    task=st.sampled_from(TASKS), rules=st.sampled_from(RULES), abort=st.booleans(), seed=st.integers(0, 2**32),
    rewards=st.tuples(*[st.floats(-2, 2)] * 3), chance=st.floats(0, 1), dt=st.sampled_from([100, 50, 30]),
)  # fmt: skip
def test_other_options_and_mixed_agents(task, rules, abort, seed, rewards, chance, dt):
    """With any rewards, abort or time step, an agent that is right at each step with some chance."""
    broke, correct, fail = rewards
    chosen = {"rules": rules, "dt": dt, "dim_ring": 8}
    trials = Battery([task], **chosen).sample(3, seed=seed)
    options = {"abort": abort, "rewards": {"abort": broke, "correct": correct, "fail": fail}}
    env = ModCogEnv(task, trials_per_episode=None, **options, **chosen)
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for i in range(3):
        script = Script.of(trials, i, rules)
        right = rng.random(len(script.labels)) < chance
        actions = np.where(right, script.labels, rng.integers(0, 9, len(script.labels))).tolist()
        expected, performance = script.outcome(actions, abort=abort, broke=broke, correct=correct, fail=fail)
        steps = play(env, actions)
        assert rewards_of(steps) == pytest.approx(expected)
        assert steps[-1][4]["performance"] == pytest.approx(performance)


# By example: one trial of each kind, written out.


def test_one_response_ends_the_trial():
    env = ModCogEnv("go")  # fixation 5 steps, stimulus 5, decision 5
    env.reset(seed=0)
    target = int(env.gt[-1])
    assert rewards_of(play(env, [0] * 12 + [target])) == [0.0] * 12 + [1.0]
    env.reset()
    other = 1 + int(env.gt[-1]) % 16
    steps = play(env, [0, 3] + [0] * 9 + [other])
    assert rewards_of(steps) == [0.0, -0.1] + [0.0] * 10
    assert steps[-1][4]["performance"] == 0
    env.reset()
    steps = play_rest(env)
    assert rewards_of(steps) == [0.0] * 15
    assert steps[-1][4]["performance"] == 0


def test_holding_fixation_earns_one_at_the_end():
    env = ModCogEnv("dms", timing={"delay": 200}, trials_per_episode=None)  # 3, 5, 2, 5 and 9 steps
    env.reset(seed=0)
    env.new_trial(match=0)
    steps = play_rest(env)
    assert rewards_of(steps) == [0.0] * 23 + [1.0]
    assert steps[-1][4]["performance"] == 1
    env.new_trial(match=0)
    steps = play(env, [0] * 20 + [4])
    assert rewards_of(steps) == [0.0] * 21
    assert steps[-1][4]["new_trial"]
    assert steps[-1][4]["performance"] == 0


def test_a_sequence_pays_for_each_right_step_and_runs_to_its_end():
    env = ModCogEnv("goseqr")  # fixation 5, stimulus 5, decision 10
    env.reset(seed=0)
    env.new_trial(direction=14)
    right = [15, 16, 1, 2, 3, 4, 5, 6, 7, 8]
    assert env.gt.tolist() == [0] * 10 + right
    steps = play(env, [0] * 10 + right[:7] + [0, 0, 9])
    assert rewards_of(steps) == pytest.approx([0.0] * 10 + [0.1] * 7 + [0.0] * 3)
    assert steps[-1][4]["performance"] == pytest.approx(0.7)


def test_published_rules_end_a_sequence_with_its_first_response():
    env = ModCogEnv("goseqr", rules="published")
    env.reset(seed=0)
    steps = play(env, env.gt.tolist())
    assert rewards_of(steps)[-1] == 1
    assert len(steps) == env.start_ind["decision"] + 1 + int(env.gt[env.start_ind["decision"]] == 0)


def test_published_rules_punish_only_in_fixation_and_pay_nothing_for_holding():
    env = ModCogEnv("dms", rules="published", trials_per_episode=None)
    env.reset(seed=0)
    env.new_trial(match=0)
    early = env.start_ind["decision"]
    fixation = env.end_ind["fixation"]
    steps = play(env, [5] * early + [0] * (len(env.gt) - early))
    assert rewards_of(steps) == [-0.1] * fixation + [0.0] * (len(steps) - fixation)
    assert steps[-1][4]["performance"] == 0


@pytest.mark.parametrize(("rules", "late"), [("corrected", True), ("published", False)])
def test_abort_ends_the_trial(rules, late):
    env = ModCogEnv("go", abort=True, rules=rules)
    env.reset(seed=0)
    steps = play(env, [0, 0, 1])
    assert rewards_of(steps) == [0, 0, -0.1]
    assert steps[-1][2]
    assert steps[-1][4]["performance"] == 0
    env.reset()
    assert len(play(env, [0] * 7 + [1])) == 8
    assert env._over == late  # in the stimulus: punished by one rule set, free in the other


# Episodes


@pytest.mark.parametrize("trials", [1, 3])
def test_an_episode_is_so_many_trials(trials):
    env = ModCogEnv("dlygointrseql", trials_per_episode=trials)
    for seed in (5, None):  # the second episode goes on with the sequence
        env.reset(seed=seed)
        for _ in range(trials - 1):
            assert not play_rest(env)[-1][2]
        observation, _, terminated, truncated, info = play_rest(env)[-1]
        assert (terminated, truncated, info["new_trial"]) == (True, False, True)
        assert observation.shape == (33,)
        assert not observation.any()
        with pytest.raises(ModcogError, match="no episode is under way: call reset"):
            env.step(0)
    expected = Battery(["dlygointrseql"]).sample(2 * trials, seed=5)
    assert info["trial"] == expected.rows[-1]


def test_a_trial_can_be_stepped_without_reset():
    """neurogym's scripts do so; before any trial there is nothing to step."""
    env = ModCogEnv("go")
    with pytest.raises(ModcogError, match="no episode is under way: call reset"):
        env.step(0)
    env.new_trial()
    assert play_rest(env)[-1][2]
    env.new_trial()
    assert play_rest(env)[-1][2]


def test_none_is_one_endless_episode():
    env = ModCogEnv("rtgo", trials_per_episode=None)
    env.reset(seed=0)
    assert not any(step[2] for _ in range(200) for step in play_rest(env))


def test_the_observation_after_a_trial_is_the_first_of_the_next():
    env = ModCogEnv("dm1", trials_per_episode=None)
    env.reset(seed=1)
    second = Battery(["dm1"]).sample(2, seed=1)[1]
    np.testing.assert_array_equal(play_rest(env)[-1][0], second.observations[0, 0])


# Seeds


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["go", "multidlydmintrseql", "dmc", "dnms"])
def test_the_trials_are_those_of_a_sample(task, rules):
    chosen = {"rules": rules, "dt": 50, "sigma": 0.5, "dim_ring": 8, "rule_input": True}
    expected = Battery([task], **chosen).sample(150, seed=8)  # three blocks
    env = ModCogEnv(task, **chosen)
    env.seed(8)
    for i in range(150):
        assert env.new_trial() == expected.rows[i]
        np.testing.assert_array_equal(env.ob, expected.observations[i, : len(env.ob)])
        np.testing.assert_array_equal(env.gt, expected.labels[i, : len(env.gt)])
        assert env.observation_space.shape == (18,)


def test_without_a_seed_trials_differ():
    assert ModCogEnv("dm1").reset()[0].tobytes() == ModCogEnv("dm1").reset()[0].tobytes()  # fixation
    first, second = ModCogEnv("dm1"), ModCogEnv("dm1")
    assert first.new_trial() != second.new_trial()


def test_reset_without_a_seed_goes_on():
    env = ModCogEnv("dm1")
    env.reset(seed=3)
    first = env.trial
    env.reset()
    assert env.trial != first
    env.reset(seed=3)
    assert env.trial == first


def test_seed_none_goes_on_where_a_seed_was_given():
    env = ModCogEnv("dm1")
    expected = Battery(["dm1"]).sample(2, seed=3).rows
    assert env.seed(3) == [3]
    assert env.new_trial() == expected[0]
    assert env.seed() == [None]
    assert env.new_trial() == expected[1]
    fresh = ModCogEnv("dm1")
    before = fresh.new_trial()
    fresh.seed()
    assert fresh.new_trial() != before


def test_actions_sampled_follow_the_seed():
    drawn = []
    for seed in (1, 1, 2):
        env = ModCogEnv("go")
        env.seed(seed)
        drawn.append([int(env.action_space.sample()) for _ in range(20)])
    assert drawn[0] == drawn[1] != drawn[2]


# Copies


def trial_bytes(env, n=3):
    """Observations of the next n trials."""
    found = b""
    for _ in range(n):
        env.new_trial()
        found += env.ob.tobytes()
    return found


def test_deep_copies_stand_where_the_original_stands_and_go_on_by_themselves():
    env = ModCogEnv("dlydm1", trials_per_episode=None)
    env.reset(seed=7)
    play(env, [0] * 6)
    copies = [copy.deepcopy(env) for _ in range(3)]
    nested = copy.deepcopy(copies[0])
    for twin in (*copies, nested):
        assert (twin.t_ind, twin.trial, twin.start_ind) == (6, env.trial, env.start_ind)
        np.testing.assert_array_equal(twin.ob, env.ob)
        assert not np.shares_memory(twin.ob, env.ob)
        assert twin._top is twin
    everyone = [env, *copies, nested]
    assert len({trial_bytes(one) for one in everyone}) == 5
    assert len({one.rng.randint(2**31) for one in everyone}) == 5
    assert len({int(one.action_space.sample()) for one in everyone for _ in range(20)}) > 10


def test_copying_does_not_disturb_the_original():
    env, other = ModCogEnv("dm1"), ModCogEnv("dm1")
    env.seed(7), other.seed(7)
    env.new_trial(), other.new_trial()
    copy.deepcopy(env)
    assert trial_bytes(env, 70) == trial_bytes(other, 70)


def test_copies_of_the_same_seed_are_the_same():
    env = ModCogEnv("dm1")
    lanes = []
    for _ in range(2):
        env.seed(5)
        lanes.append([trial_bytes(copy.deepcopy(env)) for _ in range(3)])
    assert lanes[0] == lanes[1]
    assert len(set(lanes[0])) == 3


def test_copies_can_be_given_a_seed():
    env = ModCogEnv("dm1")
    first, second, third = (copy.deepcopy(env) for _ in range(3))
    first.seed(1), second.seed(1), third.seed(2)
    assert trial_bytes(first) == trial_bytes(second) != trial_bytes(third)


def test_a_copy_of_a_copy_does_not_meet_its_aunt():
    """Keys of copies must not be confused: copy 1 of copy 2 is not copy 2 of copy 1."""
    env = ModCogEnv("dm1")
    env.seed(0)
    one, two = copy.deepcopy(env), copy.deepcopy(env)
    family = [one, two, copy.deepcopy(one), copy.deepcopy(one), copy.deepcopy(two), copy.deepcopy(two)]
    assert len({trial_bytes(member) for member in family}) == 6


def test_a_shallow_copy_is_a_deep_one():
    env = ModCogEnv("dm1")
    env.reset(seed=7)
    twin, other = copy.copy(env), ModCogEnv("dm1")
    assert (twin.trial, twin.t_ind) == (env.trial, 0)
    twin.step(0)
    assert env.t_ind == 0
    other.reset(seed=7)
    assert trial_bytes(copy.deepcopy(other)) == trial_bytes(twin) != trial_bytes(env)


@pytest.mark.parametrize("task", ["dmsintr", "go"])
def test_a_copy_with_a_seed_plays_its_sample_however_little_it_keeps(task):
    env = copy.deepcopy(ModCogEnv(task))
    env.seed(9)
    expected = Battery([task]).sample(60, seed=9)  # blocks of 16 and 32 trials, in parts of 8
    for i in range(60):
        assert env.new_trial() == expected.rows[i]
        np.testing.assert_array_equal(env.ob, expected[i].packed_observations)
        np.testing.assert_array_equal(env.gt, expected[i].packed_labels)
        assert (env.ob.dtype, env.gt.dtype) == (np.float32, np.int64)


def test_a_copy_of_a_copy_pickles():
    env = copy.deepcopy(copy.deepcopy(ModCogEnv("dms")))
    env.new_trial()
    twin = pickle.loads(pickle.dumps(env))
    assert trial_bytes(env, 20) == trial_bytes(twin, 20)
    assert int(env.action_space.sample()) == int(twin.action_space.sample())


def test_an_action_space_that_a_user_has_put_in_stays_in_copies():
    env = ModCogEnv("go")
    env.action_space = gym.spaces.Discrete(3)
    assert copy.deepcopy(env).action_space.n == 3
    env.seed(1)
    assert env.action_space.n == 3


def test_pickle_goes_on_as_the_original():
    env = ModCogEnv("multidlydmintr", trials_per_episode=2)
    env.reset(seed=7)
    play_rest(env)
    play(env, [0] * 4)
    stored = pickle.dumps(env)
    assert len(stored) < 30_000
    twin = pickle.loads(stored)
    for action in (0, 3, 0, 0):
        ours, theirs = env.step(action), twin.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
    assert trial_bytes(env, 70) == trial_bytes(twin, 70)
    assert env.rng.randint(2**31) == twin.rng.randint(2**31)
    assert trial_bytes(copy.deepcopy(env)) == trial_bytes(copy.deepcopy(twin))


def test_an_environment_that_was_never_reset_can_be_copied_and_pickled():
    env = ModCogEnv("go")
    assert pickle.loads(pickle.dumps(env)).new_trial()
    assert copy.deepcopy(env).new_trial()


# Actions


@pytest.mark.parametrize("action", [0, 16, np.int64(3), np.int8(3), np.array(3), np.uint8(2), np.array([3])])
def test_whole_numbers_are_actions(action):
    env = ModCogEnv("go")
    env.reset(seed=0)
    env.step(action)
    assert env._last == (np.asarray(action).item(), 0)


@pytest.mark.parametrize(
    "action",
    [
        -1, 17, 10**30, np.int64(-1), np.int64(17), 1.5, 3.0, float("nan"), float("inf"), np.float32("nan"), True,
        np.True_, False, None, "3", [3], np.array([3.0]), np.array([True]), np.array([[3]]), np.array([1, 2]),
        np.array(2.0), {}, 3 + 0j, ModCogEnv,
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_changes_nothing(action):
    env = ModCogEnv("go")
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(ModcogError, match=r"^action: got .*, must be a whole number from 0 to 16$"):
        env.step(action)
    assert env.t_ind == 1


def test_a_tensor_is_an_action():
    import torch

    env = ModCogEnv("go")
    env.reset(seed=0)
    env.step(torch.tensor(3))
    with pytest.raises(ModcogError, match="action: got tensor"):
        env.step(torch.tensor(3.0))


# Conditions


def test_conditions_can_be_fixed():
    env = ModCogEnv("dlygointr")
    env.seed(0)
    trial = env.new_trial(direction=3, modality=2, duration_delay=700)
    assert (trial["direction"], trial["modality"], trial["duration_delay"], trial["target"]) == (3, 2, 700, 3)
    assert env.end_ind["delay"] - env.start_ind["delay"] == 7
    assert set(env.gt[env.start_ind["decision"] :].tolist()) == {1 + 3 + 7}


@pytest.mark.parametrize(
    ("task", "conditions", "message"),
    [
        ("go", {"direktion": 3}, "unknown condition 'direktion' \\(nearest: 'direction'\\)"),
        ("go", {"direction": 16}, "direction: got .*16.*, must be whole and from 0 to 15"),
        ("go", {"direction": "north"}, "direction: got 'north', must be one number"),
        ("go", {"duration_delay": 100}, "unknown condition 'duration_delay'"),
        ("dlygo", {"duration_delay": float("nan")}, "duration_delay: got .*nan.*, must be finite"),
        ("dms", {"ground_truth": 3}, "ground_truth: got 3, must be one of"),
        ("dm1", {"ground_truth": 16}, "ground_truth: got 16, must be from 0 to 15"),
        ("dm1", {"ground_truth": [1, 2]}, "ground_truth: got \\[1, 2\\], must be from 0 to 15"),
        ("dm1", {"ground_truth": np.array([1, 2])}, "ground_truth: got array.*, must be from 0 to 15"),
        ("dm1", {"ground_truth": None}, "ground_truth: got None, must be from 0 to 15"),
        ("dms", {"ground_truth": "match", "match": 0}, "ground_truth: got 'match', which contradicts match=0"),
        ("dms", {"ground_truth": "match", "match": [0, 1]}, "ground_truth: got 'match', which contradicts match="),
        ("go", {"ground_truth": 3, "target": 4}, "ground_truth: got 3, which contradicts target=4"),
        ("go", {"ground_truth": 3, "direction": 4}, "ground_truth: got 3; target: got 3, contradicts .* make it 4"),
        ("dm1", {"coherence": 0.5}, "coherence: got 0.5, contradicts .* make it 0.08 or 0.16 or 0.32 or 0.64"),
        ("dm1", {"target": 99}, "target: got \\[99\\], must be whole and from 0 to 15"),
        ("dm1", {"interval_ms": 100}, "unknown condition 'interval_ms'"),
        ("dlygointr", {"interval_ms": 150.0}, "interval_ms: got 150.0, contradicts .* make it 100 or 200 or"),
        ("dlygointr", {"interval_ms": 300, "steps_delay": 4}, "interval_ms, steps_delay: got 300, 4, never together"),
    ],
)
def test_wrong_conditions_say_what_is_allowed(task, conditions, message):
    env = ModCogEnv(task)
    with pytest.raises(ModcogError, match=message):
        env.new_trial(**conditions)


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("dm1", {"coherence": 0.64}),
        ("ctxdm1", {"coherence": 0.32, "evidence": -0.32}),
        ("multidm", {"coherence": 0.4, "direction1": 3}),
        ("dlygointr", {"interval_ms": 700.0}),
        ("dms", {"steps_delay": 5, "match": 0, "respond": 0}),
        ("dm1", {"target": 7, "coherence": 0.08}),
        ("anti", {"target": 2}),
    ],
)
def test_conditions_that_follow_from_others_can_be_asked_for(task, wanted):
    env = ModCogEnv(task)
    env.seed(0)
    for _ in range(3):
        trial = env.new_trial(**wanted)
        assert {name: trial[name] for name in wanted} == pytest.approx(wanted)


def test_a_trial_can_be_asked_for_again():
    for task in ("go", "dm1", "dlygointrseql", "dnmc"):
        env = ModCogEnv(task, sigma=0)
        env.seed(0)
        for _ in range(4):
            before = env.new_trial()
            ob = env.ob
            assert env.new_trial(**before) == before
            np.testing.assert_array_equal(env.ob, ob)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["go", "anti", "dm1", "ctxdlydm2", "multidm", "dlygointr", "rtantiseql"])
def test_ground_truth_asks_for_a_direction(task, rules):
    env = ModCogEnv(task, rules=rules)
    env.seed(2)
    for wanted in range(0, 16, 5):
        assert env.new_trial(ground_truth=wanted)["target"] == wanted


def test_ground_truth_asks_for_a_match():
    env = ModCogEnv("dnms")
    assert env.choices == ["match", "non-match"]
    assert [env.new_trial(ground_truth=choice)["match"] for choice in env.choices] == [1, 0]


@pytest.mark.parametrize("rules", RULES)
def test_ground_truth_asks_for_the_target_of_a_users_own_task(rules):
    def draw(t):
        return Outcome((t["cue_place"] + 5) % 16, [Stimulus(0, 1, t["cue_place"])], t["go"] == 1)

    conditions = (Condition("cue_place", "direction"), Condition("go", "flag"))
    periods = {"fixation": 200, "cue": 200, "decision": 200}
    modcog.add_base(Base("turned", "own", "Look away.", periods, ("cue",), conditions, draw))
    try:
        env = ModCogEnv("turned", rules=rules)
        for wanted in (0, 7, 15):
            trial = env.new_trial(ground_truth=wanted)
            assert (trial["target"], trial["cue_place"], trial["go"]) == (wanted, (wanted - 5) % 16, 1)
        with pytest.raises(
            ModcogError, match="ground_truth: got 3; respond: got 1, contradicts the other conditions, which make it 0"
        ):
            env.new_trial(ground_truth=3, go=0)
        with pytest.raises(ModcogError, match="ground_truth: got 'match', must be from 0 to 15"):
            env.new_trial(ground_truth="match")
    finally:
        modcog.remove_base("turned")


# What neurogym's tools read


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("task", ["go", "dlydm1", "dmcintlseqr"])
def test_periods_and_times_fit_together(task, rules):
    pytest.importorskip("neurogym")  # whose views and statistics these are
    env = ModCogEnv(task, rules=rules, dt=30, sigma=0)
    for _ in range(20):
        env.new_trial()
        periods = list(env.timing)
        assert list(env.start_ind) == list(env.end_ind) == list(env.start_t) == list(env.end_t) == periods
        assert [env.start_ind[p] for p in periods[1:]] == [env.end_ind[p] for p in periods[:-1]]
        assert env.end_ind["decision"] == len(env.ob) == len(env.gt)
        assert env.tmax == len(env.ob) * 30 == env.end_t["decision"]
        assert env.view_ob("fixation").shape == (env.end_ind["fixation"], 33)
        np.testing.assert_array_equal(env.ob[:, 0], np.arange(len(env.ob)) < env.start_ind["decision"])
        assert not env.in_period("decision")
        assert env.in_period("decision", env.start_t["decision"])


def test_spaces_are_named():
    env = ModCogEnv("go", dim_ring=8, rule_input=True)
    assert env.observation_space.shape == (18,)
    assert env.observation_space.name["fixation"] == 0
    assert list(env.observation_space.name["stimulus_mod1"]) == list(range(1, 9))
    assert list(env.observation_space.name["stimulus_mod2"]) == list(range(9, 17))
    assert env.action_space.n == 9
    assert list(env.action_space.name["choice"]) == list(range(1, 9))


def test_an_environment_does_not_grow_with_the_trials_it_has_played():
    env = ModCogEnv("dms", dim_ring=4, timing={"delay": ("uniform", (0, 10_000))})
    env.new_trial()
    before = len(pickle.dumps(env))
    for _ in range(1000):
        env.new_trial()
    assert len(pickle.dumps(env)) < before + 10_000  # the current trial may be longer
    assert _period_times.cache_info().maxsize < 5000


def test_trial_length_stats():
    pytest.importorskip("neurogym")
    assert ModCogEnv("go").trial_length_stats()["mean"] == 15
    stats = ModCogEnv("dlygointr", interval=(100, 300)).trial_length_stats(num_trials=200)
    assert 16 < stats["mean"] < 18
    assert stats["max"] == 18
    env, other = ModCogEnv("dms"), ModCogEnv("dms")
    env.seed(3), other.seed(3)
    env.trial_length_stats()
    assert env.new_trial() == other.new_trial()


def test_durations_can_be_drawn_by_period():
    env = ModCogEnv("dms", timing={"sample": ("truncated_exponential", (300, 200, 700)), "test": lambda: 250})
    env.seed(0)
    before = copy.deepcopy(env).trial
    drawn = [env.sample_time("delay") for _ in range(50)]
    assert set(drawn) <= set(range(200, 1200, 100))
    assert len(set(drawn)) > 5
    assert {env.sample_time("sample") for _ in range(30)} <= set(range(200, 700, 100))
    assert (env.sample_time("fixation"), env.sample_time("test")) == (300, 200)
    assert env.trial == before
    with pytest.raises(UnknownNameError, match="unknown period 'dely'"):
        env.sample_time("dely")


def test_whole_milliseconds_are_whole_numbers():
    """As neurogym has them: scripts count with // and slice with the result."""
    env = ModCogEnv("go")
    env.reset()
    env.step(0)
    assert [type(ms) for ms in (env.dt, env.t, env.tmax, *env.start_t.values(), *env.timing.values())] == [int] * 9
    assert type(ModCogEnv("go", dt=33.3).dt) is float


def test_it_shows_its_name():
    assert str(ModCogEnv("go")) == "<ModCogEnv go>"


# Wrong options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigmma": 1}, "unknown option 'sigmma' \\(nearest: 'sigma'\\)"),
        ({"tasks": ["dms"]}, "unknown option 'tasks'"),
        ({"trials_per_episode": 0}, "trials_per_episode: got 0, must be greater than or equal to 1"),
        ({"trials_per_episode": 1.5}, "trials_per_episode: got 1.5, must be"),
        ({"trials_per_episode": True}, "trials_per_episode: got True, must be"),
        ({"abort": "yes"}, "abort: got 'yes', must be true or false"),
        ({"rewards": {"corect": 1}}, "unknown setting 'corect' \\(nearest: 'correct'\\)"),
        ({"rewards": {"correct": float("nan")}}, "correct: got nan, must be a finite number"),
        ({"rewards": {"fail": "no"}}, "fail: got 'no', must be a number"),
        ({"rewards": 3}, "rewards: got 3, must be"),
        ({"render_mode": "ansi"}, "render_mode: got 'ansi', must be 'rgb_array' or 'human'"),
        ({"dt": 0}, "dt: got 0, must be greater than 0"),
        ({"dim_ring": 7}, "dim_ring: got 7, must be even"),
        ({"rules": "publishd"}, "unknown rule set 'publishd' \\(nearest: 'published'\\)"),
        ({"timing": {"decision": 0}}, "decision"),
        ({"timing": {"dellay": 300}}, "unknown period in timing 'dellay'"),
    ],
)
def test_wrong_options_say_what_is_allowed(options, message):
    with pytest.raises(ModcogError, match=message) as caught:
        ModCogEnv("dlygo", **options)
    assert "\n" not in str(caught.value)


def test_unknown_keywords_are_the_errors_that_tools_expect():
    """Tools that try keywords out leave out those that raise a TypeError, some only if it says Python's own words."""
    for kind in (TypeError, UnknownNameError, ModcogError):
        with pytest.raises(kind, match=r"unexpected keyword argument 'frameskip'.*; allowed: trials_per_episode, "):
            ModCogEnv("go", frameskip=4)
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
        gym.make("modcog/go-v0", frameskip=4)


def test_a_wrong_task_is_named():
    with pytest.raises(UnknownNameError, match="unknown task 'dlygoo' \\(nearest: 'dlygo'\\)"):
        ModCogEnv("dlygoo")


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, float("nan"), np.float64(3), np.int64(-3), np.array([3])])
def test_wrong_seeds_are_refused_and_change_nothing(seed):
    env = ModCogEnv("dm1")
    env.reset(seed=3)
    with pytest.raises(ModcogError, match=r"seed: got .*, must be a whole number, at least 0, or None"):
        env.seed(seed)
    with pytest.raises(ModcogError, match="seed: got"):
        env.reset(seed=seed)
    assert env.new_trial() == Battery(["dm1"]).sample(2, seed=3).rows[1]


@pytest.mark.parametrize("options", [5, "x", [("step_fn", None)], {"step_fn": 3}])
def test_wrong_options_of_reset_are_refused_and_change_nothing(options):
    env = ModCogEnv("dm1")
    env.reset(seed=3)
    with pytest.raises(ModcogError, match=r"^options: got "):
        env.reset(seed=4, options=options)
    assert env.new_trial() == Battery(["dm1"]).sample(2, seed=3).rows[1]


def test_a_step_into_a_trial_that_cannot_be_drawn_ends_the_episode():
    numbers = iter([500] * 16)
    env = ModCogEnv("go", timing={"decision": lambda: next(numbers)}, trials_per_episode=None)
    env.reset(seed=0)
    for _ in range(16 * 15 - 1):
        env.step(0)
    with pytest.raises(ModcogError, match="timing: the function of decision failed: StopIteration"):
        env.step(0)
    with pytest.raises(ModcogError, match="no episode is under way"):
        env.step(0)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.int32])
def test_whole_numbers_of_any_type_are_seeds(kind):
    env = ModCogEnv("dm1")
    env.reset(seed=kind(3))
    assert env.trial == Battery(["dm1"]).sample(1, seed=3).rows[0]
    env.seed(kind(4))
    assert env.new_trial() == Battery(["dm1"]).sample(1, seed=4).rows[0]


def test_agents_are_told_apart():
    """The oracle itself: on a trial of go the agents earn what they are made for."""
    script = Script([0, 0, 0, 4, 4], 3, 3, "respond")
    rng = np.random.default_rng(0)
    assert script.outcome(perfect(script, 17, rng)) == ([0, 0, 0, 1], 1)
    assert script.outcome(fixating(script, 17, rng)) == ([0] * 5, 0)
    assert sum(script.outcome(premature(script, 17, rng))[0]) == pytest.approx(0.9)
    assert script.outcome([0, 2, 0, 4, 4], abort=True) == ([0, -0.1], 0)
