"""Random environments under random calls: they keep what they declare, and mistakes change nothing."""

from __future__ import annotations

import copy
import pickle
import tempfile
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from attempts import attempt, bounded, examples
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import GOOD_SETTINGS, ODD, PERIODS, TASK, durations, keywords

import modcog
from modcog import Base, Battery, BatteryConfig, Condition, Joint, Outcome, Stimulus, mod_cog_tasks
from modcog.envs.env import ModCogEnv
from modcog.envs.vector import ModCogVectorEnv

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    **GOOD_SETTINGS,
    "dt": st.sampled_from([100, 50.0]),
    "dim_ring": st.sampled_from([4, 8]),
    "timing": st.just({}),
    "trials_per_episode": st.sampled_from([None, 1, 2]),
    "abort": st.booleans(),
    "rewards": st.one_of(
        st.none(), st.dictionaries(st.sampled_from(["abort", "correct", "fail"]), st.floats(-2, 2), max_size=3)
    ),
}
GOOD = st.fixed_dictionaries({}, optional=OPTIONS)


class Judge:
    """The rules of stepping once more, for one trial: what each action earns, and when it ends."""

    def __init__(self, env: Any) -> None:
        self.env, self.rewards = env, {"abort": -0.1, "correct": 1.0, "fail": 0.0, **(env.rewards or {})}
        self.labels, self.step, self.right = env.gt.copy(), 0, 0
        self.start, self.fixation = env.start_ind["decision"], env.end_ind.get("fixation", 0)
        self.respond, self.sequence = env.trial["respond"], "seq" in env.task
        self.published = env.battery.settings.rules == "published"

    def judge(self, action: int) -> tuple[float, bool]:
        """Return the reward of an action, and that it ends the trial."""
        label, last = self.labels[self.step], self.step == len(self.labels) - 1
        steps = len(self.labels) - self.start
        self.step += 1
        if self.step <= self.start:
            broke = action != 0 and (not self.published or self.step <= self.fixation)
            return (self.rewards["abort"] if broke else 0.0), broke and self.env.abort
        if self.sequence and self.respond and not self.published:
            return self.rewards["correct" if action == label else "fail"] / steps, last
        if action != 0 and (self.respond or self.published):
            return self.rewards["correct" if action == label else "fail"], True
        if not self.respond and not self.published:
            if action != 0:
                return self.rewards["fail"], True
            return (self.rewards["correct"] if last else 0.0), last
        return 0.0, last


def same(first: Any, second: Any) -> bool:
    return pickle.dumps(_plain(first)) == pickle.dumps(_plain(second))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def state(env: Any) -> Any:
    """Return the state of an environment that a refused call must leave unchanged."""
    return _plain([env.t_ind, env.num_tr, env.trial, env.ob, env.gt, env._trials_done, env._over, env._index])


def make(kind: str, task: str, options: dict[str, Any]) -> Any:
    """Make an environment in one of the three ways, without wrappers."""
    if kind == "class":
        return ModCogEnv(task, **options)
    if kind == "make":
        return gym.make(f"modcog/{task}-v0", disable_env_checker=True, **options).unwrapped
    return getattr(mod_cog_tasks, task)(**options)


CALLS = st.lists(
    st.sampled_from(["step"] * 12 + ["right"] * 12 + ["reset", "seed", "new_trial", "copy", "pickle", "render", "odd"]),
    min_size=5, max_size=60,
)  # fmt: skip


@examples(70)
@given(st.sampled_from(["class", "make", "script"]), TASK, GOOD, CALLS, st.integers(0, 2**32), ODD)
def test_any_calls_keep_what_is_declared(
    kind: str, task: str, options: dict[str, Any], calls: list[str], seed: int, odd: Any
) -> None:
    env, _message = attempt(lambda: make(kind, task, {**options, "render_mode": "rgb_array"}))
    assume(env is not None)
    battery = env.battery
    with bounded():
        observation, _ = env.reset(seed=seed)
        expected = Battery([task], **{k: v for k, v in options.items() if k in BatteryConfig.model_fields} |
                           {"rules": battery.settings.rules}).sample(1, seed=seed)  # fmt: skip
        assert np.array_equal(env.ob, expected.packed_observations)
        assert np.array_equal(env.gt, expected.packed_labels)
        rng, over, judge = np.random.default_rng(seed), False, Judge(env)
        for number, call in enumerate(calls):
            assert env.observation_space.contains(observation), observation
            if call in ("step", "right") and not over:
                right = int(env.gt[env.t_ind])
                action = right if call == "right" else int(rng.integers(0, battery.n_actions))
                reward, ends = judge.judge(action)
                observation, got, over, truncated, info = env.step(action)
                assert got == pytest.approx(reward), (call, number)
                assert info["gt"] == right
                assert info["new_trial"] == ends
                assert not truncated
                if ends:
                    assert 0 <= info["performance"] <= 1 + 1e-9
                    assert info["trial"]
                    judge = Judge(env)
                    assert over == (env.trials_per_episode is not None and env._trials_done == env.trials_per_episode)
                if over:
                    assert not observation.any()
            elif call == "reset":
                observation, _ = env.reset()
                over, judge = False, Judge(env)
            elif call == "seed":
                twins = [env.reset(seed=seed + number)[0] for _ in range(2)]
                assert np.array_equal(*twins)
                observation, over, judge = twins[0], False, Judge(env)
            elif call == "new_trial" and not over:
                env.new_trial()
                observation, judge = env.ob[0], Judge(env)
            elif call == "copy":
                twin = copy.deepcopy(env)
                assert state(twin)[:5] == state(env)[:5]
            elif call == "pickle":
                twin = pickle.loads(pickle.dumps(env))
                assert state(twin) == state(env)
                if not over:
                    first, second = copy.copy(judge), judge
                    assert same(twin.step(0), env.step(0))
                    reward, ends = second.judge(0)
                    assert first.step <= second.step
                    over = env._over
                    observation = np.zeros_like(observation) if over else env.ob[env.t_ind]
                    if ends:
                        judge = Judge(env)
            elif call == "render":
                picture = env.render()
                assert picture.dtype == np.uint8
                assert picture.ndim == 3
                assert picture.shape[2] == 3
            elif call == "odd":
                before = state(env)
                valid = (
                    isinstance(odd, int | np.integer)
                    and not isinstance(odd, bool | np.bool_)
                    and 0 <= odd < battery.n_actions
                )
                if not valid and not isinstance(odd, np.ndarray):
                    assert attempt(lambda: env.step(odd))[0] is None
                    assert state(env) == before
                    result, _ = attempt(lambda: env.new_trial(direction=odd, nonsense=odd), TypeError)
                    assert result is None
                    assert state(env) == before
    env.close()


@examples(100)
@given(
    st.sampled_from(["class", "make", "script", "vector"]),
    st.one_of(TASK, ODD),
    keywords({**OPTIONS, "render_mode": st.none()}),
)
def test_an_environment_takes_or_refuses_any_keyword(kind: str, task: Any, options: dict[str, Any]) -> None:
    """An unknown keyword is a TypeError too, as Python has it."""
    if kind == "vector":
        env, _ = attempt(lambda: ModCogVectorEnv(task, 2, **options))
    elif kind == "class" or not isinstance(task, str) or task not in modcog.TASKS:
        env, _ = attempt(lambda: ModCogEnv(task, **options))
    else:
        env, _ = attempt(lambda: make(kind, task, options))
    if "nonsense" in options:
        assert env is None
        with pytest.raises(TypeError):
            ModCogEnv("go", nonsense=1)
    if env is not None:
        with bounded():
            assert np.isfinite(env.reset(seed=0)[0]).all()
            env.close()


@examples(100)
@given(st.sampled_from(["reset", "options", "new_trial", "ground_truth", "name"]), TASK, ODD)
def test_odd_arguments_change_nothing(call: str, task: str, odd: Any) -> None:
    """A seed, a condition or an option that is refused leaves the environment as it was."""
    env, untouched = ModCogEnv(task), ModCogEnv(task)
    for one in (env, untouched):
        one.reset(seed=4)
    condition = next(
        name for name in ("direction", "direction1_mod1", "sample_direction", "direction1") if name in env.trial
    )
    calls = {
        "reset": lambda: env.reset(seed=odd),
        "options": lambda: env.reset(options=odd),
        "new_trial": lambda: env.new_trial(**{condition: odd}),
        "ground_truth": lambda: env.new_trial(ground_truth=odd),
        "name": lambda: env.new_trial(**{str(odd)[:50]: 1}),
    }
    before = state(env)
    _found, message = attempt(calls[call], TypeError)
    if message:
        assert state(env) == before, message
        assert same(env.step(0), untouched.step(0))
        assert np.array_equal(env.reset()[0], untouched.reset()[0])
        assert env.action_space.sample() == untouched.action_space.sample()
        assert env.np_random.random() == untouched.np_random.random()


VECTOR_OPTIONS = {**OPTIONS, "max_episode_steps": st.sampled_from([None, 3, 30])}


@examples(60)
@given(
    TASK,
    st.fixed_dictionaries({}, optional=VECTOR_OPTIONS),
    st.integers(1, 3),
    st.integers(0, 2**31),
    st.integers(5, 60),
)
def test_vector_copies_are_single_environments(
    task: str, options: dict[str, Any], lanes: int, seed: int, steps: int
) -> None:
    limit = options.get("max_episode_steps")
    vec, _message = attempt(lambda: ModCogVectorEnv(task, lanes, **options))
    assume(vec is not None)
    single = {name: value for name, value in options.items() if name != "max_episode_steps"}
    singles = [ModCogEnv(task, **single) for _ in range(lanes)]
    with bounded():
        found, _ = vec.reset(seed=seed)
        assert np.array_equal(found, [env.reset(seed=seed + lane)[0] for lane, env in enumerate(singles)])
        rng, done = np.random.default_rng(seed), np.zeros(lanes, int)
        for _ in range(steps):
            guess = rng.integers(0, vec.single_action_space.n, lanes)
            actions = np.array(
                [env.gt[env.t_ind] if rng.random() < 0.7 else g for env, g in zip(singles, guess, strict=True)]
            )
            found, rewards, ended, cut, infos = vec.step(actions)
            assert vec.observation_space.contains(found)
            for lane, env in enumerate(singles):
                ob, reward, over, _, info = env.step(int(actions[lane]))
                done[lane] += 1
                late = limit is not None and done[lane] >= limit
                assert rewards[lane] == pytest.approx(reward)
                assert ended[lane] == over
                assert cut[lane] == late
                if over or late:
                    done[lane] = 0
                    last = infos["final_observation"][lane] if "final_observation" in infos else found[lane]
                    assert np.array_equal(last, ob)
                    if "final_observation" not in infos:  # gymnasium 1.x resets in the next step: so do both, now
                        return
                    ob = env.reset()[0]
                else:
                    assert infos["gt"][lane] == info["gt"]
                    assert infos["new_trial"][lane] == info["new_trial"]
                assert np.array_equal(found[lane], ob)


@examples(60)
@given(st.sampled_from(["actions", "seed", "options", "set_attr"]), ODD)
def test_odd_arguments_change_nothing_in_many_copies(call: str, odd: Any) -> None:
    vec, untouched = ModCogVectorEnv("dm1", 2), ModCogVectorEnv("dm1", 2)
    for one in (vec, untouched):
        one.reset(seed=4)
    calls = {
        "actions": lambda: vec.step(odd),
        "seed": lambda: vec.reset(seed=odd),
        "options": lambda: vec.reset(options=odd),
        "set_attr": lambda: vec.set_attr(str(odd)[:20] or "x", odd),
    }
    _found, message = attempt(calls[call], TypeError, AttributeError)
    if message:
        assert same(vec.step(np.zeros(2, int))[:4], untouched.step(np.zeros(2, int))[:4])
        assert np.array_equal(vec.reset()[0], untouched.reset()[0])


@examples(40)
@given(TASK, st.sampled_from(["cohs", "sigma", "dt", "timing", "dim_ring", "rewards", "rules", "omega", "anti"]), ODD)
def test_a_write_to_a_setting_acts_or_is_refused(task: str, name: str, value: Any) -> None:
    """Nothing that is written is silently ignored."""
    env = getattr(mod_cog_tasks, task)()
    assume(hasattr(env, name))  # else it is an attribute of the script's own
    env.reset(seed=0)
    before = copy.copy(env.ob)
    result, message = attempt(lambda: setattr(env, name, value) or True, AttributeError, TypeError)
    if result is None:
        assert name in message
        env.reset(seed=0)
        assert np.array_equal(env.ob, before)
    else:
        assert name in ("rewards", "timing"), f"{name} was written, and nothing said that it has no effect"


@examples(60)
@given(
    st.sampled_from(["dlygo", "dm1", "dlydm1intr", "dms", "goseql"]),
    st.dictionaries(st.sampled_from(PERIODS), durations(), max_size=3),
)
def test_every_form_of_a_duration_plays_in_every_environment(task: str, forms: dict[str, Any]) -> None:
    timing = {period: duration for period, (duration, _) in forms.items() if duration is not None}
    own = {period: duration for period, duration in timing.items() if period in Battery([task]).tables.periods[0]}
    made = [
        lambda: ModCogEnv(task, timing=own),
        lambda: gym.make(f"modcog/{task}-v0", timing=own).unwrapped,
        lambda: getattr(mod_cog_tasks, task)(timing=timing),
        lambda: ModCogVectorEnv(task, 2, timing=own),
    ]
    for make_one in made:
        env, message = attempt(make_one)
        assert env is not None, message
        with bounded():
            env.reset(seed=1)
            if isinstance(env, ModCogVectorEnv):
                continue
            for _ in range(3):
                env.new_trial()
                for period, (_, allowed) in forms.items():
                    if period in own:
                        assert allowed(env.trial[f"duration_{period}"]), (period, env.trial)


# --- own base tasks ---

KINDS = ("direction", "modality", "strength", "flag", "count", "duration")


@st.composite
def bases(draw: st.DrawFn) -> Base:
    """Draw a base task, right or nearly so."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    values = {
        "direction": [0, 1],
        "modality": [1, 2],
        "strength": [0.5, 1.0],
        "flag": [0, 1],
        "count": [0, 7],
        "duration": [0.0, 5.5],
    }
    conditions: list[Any] = []
    odd_name = draw(
        st.sampled_from([None] * 6 + ["con", "a/b", "", "Direction", "labels", "start", "\udcff", "x" * 300])
    )
    for number, kind in enumerate(kinds):
        given_values = (
            draw(st.sampled_from([values[kind], values[kind], None, ODD])) if draw(st.booleans()) else values[kind]
        )
        given_values = draw(ODD) if given_values is ODD else given_values
        name = f"{kind}{number}" if odd_name is None else odd_name
        conditions.append(Condition(name, kind, "made up", values=given_values))
    if draw(st.integers(0, 9)) == 0:
        conditions.append(
            Joint((Condition("a", "flag"), Condition("b", "count")), draw(st.one_of(st.just([[0, 1], [1, 2]]), ODD)))
        )
    periods = {
        "fixation": 200,
        "stimulus": draw(st.sampled_from([300, ("uniform", (200, 400)), [200, 300]])),
        "decision": 300,
    }
    if draw(st.integers(0, 4)) == 0:
        periods = {
            **draw(st.dictionaries(st.one_of(st.sampled_from(PERIODS), ODD.filter(_hashable)), ODD, max_size=2)),
            **periods,
        }
    off = draw(st.sampled_from([0, 0, 0, 0.5, -1, 10**6, float("nan"), "x"]))
    target = draw(st.sampled_from(["right", "right", "right", "float", "short", "negative", "none"]))

    def draw_trials(t: Any) -> Outcome:
        right = np.arange(t.n) % t.dim_ring
        found: Any = {"right": right, "float": right / 2, "short": right[:1], "negative": right - 1, "none": None}[
            target
        ]
        for condition in conditions:
            if isinstance(condition, Condition) and condition.name not in t.conditions:
                t.fill(condition.name, np.zeros(t.n, int))
        return Outcome(found, [Stimulus(0, 1, right + off if off != "x" else off)])

    fields = {"name": draw(st.sampled_from(["mine", "mine", "mine", "go", "mineseqr", "Mine", "", "a b", "ｍ", "con"])),
              "family": "mine", "summary": "made up", "periods": periods, "shows": ("stimulus",),
              "conditions": tuple(conditions), "draw": draw_trials,
              "timed": draw(st.sampled_from([None, "stimulus", "stimulus", "decision", "nowhere"])),
              "noise": draw(st.sampled_from(["none", "shown", "both", "all", "some"]))}  # fmt: skip
    if draw(st.integers(0, 4)) == 0:
        fields[draw(st.sampled_from(sorted(fields)))] = draw(ODD)
    return Base(**fields)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


@examples(70)
@given(bases(), st.sampled_from(["npy", "hdf5", "zarr", "parquet"]))
def test_an_own_base_task_works_or_is_refused(base: Base, form: str) -> None:
    """In a data set, too, whose columns have the names of its conditions and periods."""
    before = modcog.TASKS, len(modcog.tasks.table.BASES)
    names, _ = attempt(lambda: modcog.add_base(base))
    try:
        if names is None:
            assert (modcog.TASKS, len(modcog.tasks.table.BASES)) == before
            return
        for name in names[:3]:
            with bounded():
                trials = Battery([name, "go"]).sample(20, seed=0)
                assert np.isfinite(trials.packed_observations).all()
                assert trials.packed_labels.min() >= 0
                assert trials.packed_labels.max() <= 16
                env = ModCogEnv(name)
                assert np.array_equal(env.reset(seed=0)[0], Battery([name]).sample(1, seed=0).packed_observations[0])
                scores = modcog.evaluate(lambda x: x[..., 0] * 0, Battery([name]), 2)
                assert 0 <= scores.decision_accuracy <= 1
                pickle.loads(pickle.dumps(Battery([name])))
        with tempfile.TemporaryDirectory() as place:
            amounts = {"tasks": [names[0], "go"], "trials_per_task": 2, "splits": {"a": 1.0}, "format": form}
            modcog.data.export(place, **amounts)
            assert modcog.data.verify(place)
            assert len(modcog.data.load(place)["a"][:]) == 4
    finally:
        if names is not None:
            modcog.remove_base(base.name)
    assert (modcog.TASKS, len(modcog.tasks.table.BASES)) == before
