"""A base task of the user's own: the example of the documentation, and the door it comes through."""

from __future__ import annotations

import multiprocessing
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import modcog
from modcog.data.manifest import ARRAYS, OWN_COLUMNS
from modcog.describe import describe
from modcog.envs.registration import environment_id
from modcog.evaluation import levels
from modcog.tasks import names
from modcog.trials.tables import RESERVED
from tests.gymnasiums import MODE, PLUGINS, portable

PAGE = (Path(__file__).parents[1] / "docs" / "own-task.md").read_text(encoding="utf-8")
BLOCKS = [portable(text) for text in re.findall(r"```python(?: file=\S+)?\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture(scope="module")
def midpoint() -> Iterator[dict]:
    """The names that the page defines up to the row, with the task added."""
    defined: dict = {}
    for block in BLOCKS[:2]:
        exec(block, defined)
    yield defined
    modcog.remove_base("midpoint")


def own_ids() -> set[str]:
    return {name for name in gym.registry if "midpoint" in name}


def directions(rings: np.ndarray, start: int, end: int) -> np.ndarray:
    """Angle of the activity on both rings over some steps, by population vector, in positions."""
    n = rings.shape[-1] // 2
    activity = (rings[start:end, :n] + rings[start:end, n:]).mean(axis=0)
    return np.angle((activity * np.exp(2j * np.pi * np.arange(n) / n)).sum()) * n / (2 * np.pi)


@pytest.mark.parametrize("ring", [4, 6, 16, 32])
@pytest.mark.parametrize("rules", ["corrected", "published"])
def test_the_answer_is_midway_between_what_is_seen_and_moved_by_the_extensions(midpoint, ring, rules) -> None:
    battery = modcog.Battery(names.variants("midpoint"), sigma=0, dim_ring=ring, dt=50, rules=rules)
    trials = battery.sample(per_task=25, seed=1)
    for i in range(len(trials)):
        spec = modcog.parse(trials.tasks[trials.task[i]])
        ends = np.cumsum([0, *trials.period_steps(i).values()])
        seen = trials.observations[i, :, 1:]
        first = directions(seen, ends[1], ends[2])
        apart = (directions(seen, ends[3], ends[4]) - first + ring / 2) % ring - ring / 2
        waited = (ends[3] - ends[2]) * 50
        steps = np.arange(ends[5] - ends[4]) * 50
        moved = spec.interval * (waited // 100) + spec.sequence * (steps // 100)
        place = np.round(first + apart / 2 + moved).astype(int)
        right = (1 + place) % ring if rules == "published" else 1 + place % ring
        np.testing.assert_array_equal(trials.labels[i, ends[4] : ends[5]], right)
        assert not trials.labels[i, : ends[4]].any()


def test_published_rules_leave_an_own_task_as_it_is(midpoint) -> None:
    for family in ("go", "decision", "match"):
        modcog.add_base(replace(midpoint["midpoint"], name="own", family=family))
        try:
            tasks = names.variants("own")
            corrected = modcog.Battery(tasks).sample(200, seed=0)
            published = modcog.Battery(tasks, rules="published").sample(200, seed=0)
            assert set(published.conditions) == set(corrected.conditions)
            assert published.conditions["interval_ms"][published.task == 3].min() >= 100
        finally:
            modcog.remove_base("own")


def test_it_has_its_place_beside_the_others(midpoint) -> None:
    tasks = ("midpointintr", "dms", "midpoint", "go")
    battery = modcog.Battery(tasks, rule_input=True)
    trials = battery.sample(400, seed=0)
    assert battery.tasks == tasks
    assert battery.n_channels == 33 + 4
    assert set(np.bincount(trials.task) > 50) == {True}
    has_first = trials.conditions["first_direction"] >= 0
    np.testing.assert_array_equal(has_first, np.isin(trials.task, [0, 2]))
    observations, labels = next(battery.stream(batch_size=4, seq_len=60, seed=0))
    assert (observations.shape, labels.shape) == ((60, 4, 37), (60, 4))


def test_its_names_are_read_and_suggested(midpoint) -> None:
    spec = modcog.parse("midpointintlseqr")
    assert (spec.base, spec.family, spec.interval, spec.sequence) == ("midpoint", "averaging", -1, 1)
    with pytest.raises(modcog.UnknownNameError, match="nearest: 'midpointintr'"):
        modcog.Battery(["midpointint"])
    assert len(modcog.TASKS) == 132  # the battery itself stays what it is


def test_its_environments_pass_the_checks_and_play_its_trials(midpoint) -> None:
    assert own_ids() == {environment_id(task) for task in names.variants("midpoint")}
    env = gym.make("modcog/midpointintr-v0", disable_env_checker=True)
    check_env(env.unwrapped, skip_render_check=True)
    trials = modcog.Battery(["midpointintr"]).sample(3, seed=4)
    env.reset(seed=4)
    for i in range(3):
        np.testing.assert_array_equal(env.unwrapped.ob, trials.observations[i, : trials.lengths[i]])
        for label in trials.labels[i, : trials.decision_start[i] + 1]:
            _, reward, terminated, _, _ = env.step(int(label))
        assert (reward, terminated) == (1.0, True)
        env.reset()


def test_conditions_can_be_fixed(midpoint) -> None:
    env = gym.make("modcog/midpoint-v0").unwrapped
    env.new_trial(first_direction=15, half_distance=3, clockwise=0, modality=2)
    assert env.gt[-1] == 1 + (15 + 3) % 16
    with pytest.raises(modcog.ModcogError, match="half_distance: got 4, must be one of 0, 1, 2, 3"):
        env.new_trial(half_distance=4)


def test_the_vector_environment(midpoint) -> None:
    vector = gym.make_vec("modcog/midpointseql-v0", num_envs=3, vectorization_mode=MODE)
    observations, _ = vector.reset(seed=0)
    assert observations.shape == (3, 33)


def test_every_block_of_the_page_runs(midpoint, tmp_path, monkeypatch) -> None:
    modcog.remove_base("midpoint")
    monkeypatch.chdir(tmp_path)
    defined: dict = {}
    for block in BLOCKS:
        exec(block, defined)
    assert (tmp_path / "midpoint.png").stat().st_size > 10_000
    share = defined["mixed"].conditions
    moved = (share["target"] - share["first_direction"]) % 16
    np.testing.assert_array_equal(moved, share["quarter"] * np.array([0, 1, 2, 1])[defined["mixed"].task])
    assert own_ids() == set()  # the last block takes the tasks out again
    modcog.add_base(midpoint["midpoint"])


DIRECTION = modcog.Condition("direction", "direction", "where to look")


def look(t: modcog.Draw) -> modcog.Outcome:
    return modcog.Outcome(t["direction"], [])


GOOD = modcog.Base(
    "good", "own", "Look.", {"fixation": 300, "delay": 300, "decision": 300}, ("fixation",), (DIRECTION,), look, "delay"
)


def returns(**changes) -> Callable[[modcog.Draw], modcog.Outcome]:
    def draw(t: modcog.Draw) -> modcog.Outcome:
        parts = {"target": t["direction"], "stimuli": [modcog.Stimulus(0, 1, t["direction"])], "respond": None}
        return modcog.Outcome(**{**parts, **{name: make(t) for name, make in changes.items()}})

    return draw


def shows(**changes) -> Callable[[modcog.Draw], modcog.Outcome]:
    stimulus = {"which": 0, "modality": 1, "strength": 1.0}
    return returns(stimuli=lambda t: [modcog.Stimulus(**{"direction": np.zeros(t.n, int), **stimulus, **changes})])


def fills(value: float, kind: str = "count", name: str = "turn") -> dict:
    """Return changes that declare a condition and let the draw function fill it in."""

    def draw(t: modcog.Draw) -> modcog.Outcome:
        t.fill("turn", np.full(t.n, value))
        return look(t)

    return {"conditions": (DIRECTION, modcog.Condition(name, kind)), "draw": draw}


def declares(*conditions) -> dict:
    return {"conditions": (DIRECTION, *conditions)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "dms"}, "there is a base task 'dms' already"),
        ({"name": "Look"}, "use up to 64 small letters"),
        ({"name": "lookintr"}, "not ending in intr"),
        ({"periods": {"decision": 300, "fixation": 300}}, "must end with 'decision'"),
        ({"periods": {"fixation": "long", "delay": 300, "decision": 300}}, "fixation: got 'long', must be a number"),
        ({"periods": {"fixation": -1, "delay": 300, "decision": 300}}, "fixation: got -1, durations must be finite"),
        ({"periods": {"fixation": 300, "delay": 300, "decision": 20}}, "decision of good can last"),
        ({"shows": ("stimulus",)}, "shows: 'stimulus' is not one of the periods"),
        ({"timed": "wait"}, "timed: 'wait' is not one of the periods"),
        ({"timed": "decision"}, "name an earlier one"),
        ({"noise": "some"}, "noise: got 'some', must be one of 'none', 'shown', 'both', 'all'"),
        ({"draw": lambda t: np.zeros(t.n)}, "good: return of its draw function: got array"),
        ({"draw": returns(target=lambda t: 3)}, "target of its draw function: got 3, must be a column"),
        ({"draw": returns(target=lambda t: np.full(t.n, 16))}, "must be whole numbers from 0 to 15"),
        ({"draw": returns(target=lambda t: np.full(t.n, 1.5))}, "must be whole numbers from 0 to 15"),
        ({"draw": returns(respond=lambda t: np.ones(t.n, int))}, "respond of its draw function"),
        ({"draw": returns(respond=lambda t: np.ones(3, bool))}, "respond of its draw function"),
        ({"draw": returns(stimuli=lambda t: [(0, 1, 2)])}, "must be modcog.Stimulus"),
        ({"draw": shows(which=1)}, "which of its draw function: got 1, must be less than 1"),
        ({"draw": shows(modality=0)}, "modality of its draw function: got 0, must be 1 or 2"),
        ({"draw": shows(direction=np.array([-1.0]))}, "direction of its draw function"),
        ({"draw": shows(strength=np.nan)}, "strength of its draw function: got nan, must be finite"),
        (fills(-1), "turn: got [-1"),
        (fills(1.5), "turn: got [1.5"),
        (fills(np.nan), "condition turn of its draw function"),
        (fills(-1, "strength"), "must be from 0 to"),
        (fills(1, "flag"), "turn: has been drawn from its values"),
        (fills(3, name="steps_delay"), "'steps_delay' is a name that the battery itself uses"),
        (fills(3, name="size"), "fills in 'turn', which conditions does not declare"),
        (declares(modcog.Condition("turn", "count")), "'turn' has no values and is not filled in"),
        (declares(modcog.Condition("turn", "count", values=(1, -1))), "turn: values: got (1, -1), must be whole"),
        (declares(modcog.Condition("turn", "count", values=())), "turn: values: got ()"),
        (declares(modcog.Condition("direction", "count", values=(1, 2))), "'direction' is declared more than once"),
        (declares("turn"), "must be a modcog.Condition"),
        ({"draw": lambda t: t["turn"]}, "unknown condition 'turn'"),
        ({"draw": lambda t: t.param("share")}, "unknown parameter 'share'"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_task_that_cannot_be_is_refused_and_leaves_no_trace(changes, said) -> None:
    with pytest.raises(modcog.ModcogError) as error:
        modcog.add_base(replace(GOOD, **changes))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "good" not in names.BASES
    assert "modcog/good-v0" not in gym.registry


def test_a_mistake_inside_the_draw_function_is_the_users_to_see() -> None:
    with pytest.raises(ZeroDivisionError):
        modcog.add_base(replace(GOOD, draw=lambda t: 1 / 0))
    assert "good" not in names.BASES


def test_something_that_is_no_base() -> None:
    with pytest.raises(modcog.ModcogError, match="must be a modcog"):
        modcog.add_base({"name": "good"})


def test_taking_out_and_adding_again() -> None:
    assert modcog.add_base(GOOD) == names.variants("good")
    with pytest.raises(modcog.ModcogError, match="there is a base task 'good' already"):
        modcog.add_base(GOOD)
    modcog.remove_base("good")
    assert "modcog/goodintr-v0" not in gym.registry
    assert modcog.add_base(replace(GOOD, timed=None)) == ("good", "goodseqr", "goodseql")
    modcog.remove_base("good")
    with pytest.raises(modcog.UnknownNameError, match="unknown base task 'good'"):
        modcog.remove_base("good")
    with pytest.raises(modcog.ModcogError, match="'dms' is one of the battery's own"):
        modcog.remove_base("dms")
    assert "modcog/dms-v0" in gym.registry


def _labels_of_own_task(task: str) -> list[int]:
    return modcog.Battery([task]).sample(5, seed=0).labels[:, -1].tolist()


def test_worker_processes_import_the_module_that_is_named(tmp_path, monkeypatch, midpoint) -> None:
    source = "\n".join(BLOCKS[:2]).replace('"midpoint"', '"between"')
    (tmp_path / "own_module.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("MODCOG_IMPORT", "own_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_labels_of_own_task, ("betweenintr",))
    assert found == _labels_of_own_task("midpointintr")


@pytest.mark.skipif(not PLUGINS, reason="gymnasium 1.x has no plugins: modcog imports it to register with it")
def test_gymnasium_imported_later_knows_the_task() -> None:
    code = f"""
import sys
{BLOCKS[0]}
{BLOCKS[1]}
assert "gymnasium" not in sys.modules
import gymnasium
ids = [name for name in gymnasium.registry if name.startswith("modcog/")]
print(sum("midpoint" in name for name in ids), len(ids))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("9 141\n", "")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", 3, "name: got 3, must be text"),
        ("name", "match", "name: 'match' is the name of a collection"),
        ("name", "modcog82", "name: 'modcog82' is the name of a collection"),
        ("family", 3, "family: got 3, must be text"),
        ("periods", ["fixation", "decision"], "periods: got .*, must be a dict"),
        ("periods", {3: 300, "decision": 500}, "periods: 3 is no name"),
        ("shows", "stim1", "shows: got 'stim1', must be a tuple of period names"),
        ("draw", 3, "draw: got 3, must be a function"),
        ("params", 3, "params: got 3, must be a dict"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(midpoint, field, value, says) -> None:
    before = names.known_tasks()
    with pytest.raises(modcog.ModcogError, match=says):
        modcog.add_base(replace(midpoint["midpoint"], **{"name": "other", field: value}))
    assert names.known_tasks() == before


@pytest.mark.parametrize(
    "name", ["con", "NUL", "", "a/b", "../b", "Turn", "1st", "a b", "é", "\udcff", "a\0", "x" * 65]
)
@pytest.mark.parametrize("field", ["name", "periods", "conditions"])
def test_a_name_that_cannot_stand_everywhere_is_refused(midpoint, field, name) -> None:
    """It becomes that of a column, a folder of Zarr or an environment, also where case is ignored or Windows reads."""
    own = midpoint["midpoint"]
    value = {"name": name, "periods": {name: 300, **own.periods}, "conditions": (modcog.Condition(name, "flag"),)}
    with pytest.raises(modcog.ModcogError, match=f"{field}: .* is no name; use up to 64 small letters"):
        modcog.add_base(replace(own, **{"name": "other", field: value[field]}))


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_condition_does_not_take_the_place_of_a_column(midpoint, name) -> None:
    with pytest.raises(modcog.ModcogError, match=f"'{name}' is a name that the battery itself uses"):
        modcog.add_base(replace(midpoint["midpoint"], name="other", conditions=(modcog.Condition(name, "flag"),)))


def test_what_data_sets_hold_beside_conditions_is_reserved() -> None:
    assert {*ARRAYS, *OWN_COLUMNS} <= RESERVED


def turn_aside(t: modcog.Draw) -> modcog.Outcome:
    """A cue shows a direction; respond a quarter of the ring to one side of it."""
    aside = t.dim_ring // 4 * (1 - 2 * t["leftwards"])
    cue = modcog.Stimulus(0, 1 + t["leftwards"], t["cue_direction"])
    return modcog.Outcome((t["cue_direction"] + aside) % t.dim_ring, [cue])


@pytest.fixture
def aside() -> Iterator[tuple[str, ...]]:
    """A base task with two conditions whose names the package has never heard of."""
    base = modcog.Base(
        "aside", "turning", "Respond a quarter of the ring beside the cue.",
        {"fixation": 300, "cue": 500, "delay": 300, "decision": 300}, ("cue",),
        (modcog.Condition("cue_direction", "direction", "where the cue stands"),
         modcog.Condition("leftwards", "flag", "1: respond to the left of the cue, which ring 2 then shows")),
        turn_aside, timed="delay", noise="shown",
    )  # fmt: skip
    yield modcog.add_base(base)
    modcog.remove_base("aside")


def test_a_declaration_is_all_that_the_environment_needs(aside) -> None:
    env = gym.make("modcog/aside-v0", disable_env_checker=True).unwrapped
    env.reset(seed=0)
    turned = set()
    for k in range(16):
        trial = env.new_trial(ground_truth=k)
        assert trial["target"] == k == (trial["cue_direction"] + 4 - 8 * trial["leftwards"]) % 16
        assert env.gt[-1] == 1 + k
        turned.add(trial["leftwards"])
    assert turned == {0, 1}
    assert env.new_trial(ground_truth=2, leftwards=1)["cue_direction"] == 6
    message = "ground_truth: got 2; target: got 2, contradicts the other conditions, which make it 1 or 9"
    with pytest.raises(modcog.ModcogError, match=message):
        env.new_trial(ground_truth=2, cue_direction=5)


def test_its_periods_take_every_form_of_a_duration() -> None:
    periods: dict = {
        "fixation": ("constant", 200), "wait": ("truncated_exponential", [300, 100, 600]),
        "cue": lambda rng: rng.choice([100, 300]), "decision": [200, 400],
    }  # fmt: skip
    base = modcog.Base(
        "forms", "own", "Look.", periods, ("cue",), (modcog.Condition("place", "direction"),),
        lambda t: modcog.Outcome(t["place"], [modcog.Stimulus(0, 1, t["place"])]), timed="wait",
    )  # fmt: skip
    try:
        battery = modcog.Battery(modcog.add_base(base))
        steps = {
            name: set(column.tolist()) for name, column in battery.sample(400, seed=0, task="forms").conditions.items()
        }
        assert (steps["steps_fixation"], steps["steps_cue"], steps["steps_decision"]) == ({2}, {1, 3}, {2, 4})
        assert steps["steps_wait"] == {1, 2, 3, 4, 5}
        assert battery.sample(20, seed=1).rows == battery.sample(40, seed=1).rows[:20]
    finally:
        modcog.remove_base("forms")
    with pytest.raises(modcog.ModcogError, match="wait: got None, must be a number of ms"):
        modcog.add_base(replace(base, periods={**periods, "wait": None}))


def test_a_declaration_is_all_that_the_ideal_observer_needs(aside) -> None:
    """Blind, any of 16 answers is as good; without noise the cue tells all; between them, the noise decides."""
    quiet, noisy, flooded = (modcog.Battery(aside, sigma=sigma) for sigma in (0, 6, 1e4))
    assert {level.decision_ceiling for level in levels(quiet, n_trials=50).values()} == {1.0}
    assert {round(level.decision_chance, 12) for level in levels(quiet, n_trials=50).values()} == {1 / 16}
    middle = levels(noisy, n_trials=400)["aside"]
    assert 0.3 < middle.decision_ceiling < 0.999
    # which ring is noisy still tells the side, but not the direction
    assert levels(flooded, n_trials=400)["aside"].decision_ceiling == pytest.approx(1 / 16, abs=0.02)


def test_a_declaration_is_all_that_descriptions_and_manifests_need(aside, tmp_path) -> None:
    described = describe("asideintr").conditions
    assert described["cue_direction"] == "where the cue stands"
    data = modcog.data.export(tmp_path, tasks=["aside", "dms"], trials_per_task=20)
    assert data.manifest.columns["leftwards"].startswith("1: respond to the left of the cue")
    trials = data["train"][:]
    assert (trials.conditions["cue_direction"][trials.task == 1] == -1).all()
    assert (trials.conditions["cue_direction"][trials.task == 0] >= 0).all()
    assert [c.kind for c in trials.declared if c.name in ("cue_direction", "leftwards")] == ["direction", "flag"]


def test_a_declaration_is_all_that_analyses_need(aside) -> None:
    """The default grouping is the cue's direction: a network that shows its input has a ring of it."""
    from modcog.analysis import ringness

    battery = modcog.Battery(["aside"], sigma=0)
    found = ringness(lambda x: x, battery, task="aside", period="cue", n_trials=200)
    assert found.by == "cue_direction"


# --- declarations that a draw function does not keep ---------------------------------------------


@pytest.fixture
def adds() -> Iterator[Callable[..., modcog.Battery]]:
    """Return a function that adds a base task "odd" of some conditions and a draw function, until the test ends."""

    def add(conditions: tuple, draw: Callable, **fields) -> modcog.Battery:
        periods = {"fixation": 300, "stim": ("choice", (300, 800)), "decision": 300}
        modcog.add_base(modcog.Base("odd", "own", "Look.", periods, ("stim",), conditions, draw, **fields))
        return modcog.Battery(["odd"])

    yield add
    if "odd" in names.BASES:
        modcog.remove_base("odd")


def answers(respond=None) -> Callable[[modcog.Draw], modcog.Outcome]:
    def draw(t: modcog.Draw) -> modcog.Outcome:
        held = None if respond is None else respond(t)
        return modcog.Outcome(t["direction"], [modcog.Stimulus(0, 1, t["direction"])], held)

    return draw


def test_trials_that_depend_on_durations_have_no_ceiling(adds) -> None:
    battery = adds((DIRECTION,), answers(lambda t: t.duration("stim") > 500))
    with pytest.raises(modcog.ModcogError, match="odd: its trials depend on durations, so they cannot be enumerated"):
        levels(battery, n_trials=10)


def test_trials_that_depend_on_undeclared_random_numbers_have_no_ceiling(adds) -> None:
    battery = adds((DIRECTION,), answers(lambda t: t.rng.random(t.n) < 0.5))
    with pytest.raises(modcog.ModcogError, match="odd: its draw function uses random numbers"):
        levels(battery, n_trials=10)


@pytest.mark.parametrize("how", ["fill", "derive"])
def test_what_has_been_drawn_cannot_be_filled_in(adds, how) -> None:
    def draw(t: modcog.Draw) -> modcog.Outcome:
        getattr(t, how)("direction", np.zeros(t.n, int))
        return answers()(t)

    with pytest.raises(modcog.ModcogError, match="direction: has been drawn from its values"):
        adds((DIRECTION,), draw)


def test_conditions_of_different_kinds_can_be_drawn_together(adds) -> None:
    place = modcog.Joint((DIRECTION, modcog.Condition("gain", "strength")), [(3, 0.5), (7, 1.0)])

    def draw(t: modcog.Draw) -> modcog.Outcome:
        return modcog.Outcome(t["direction"], [modcog.Stimulus(0, 1, t["direction"], t["gain"])])

    found = adds((place,), draw).sample(50, seed=0).conditions
    assert found["direction"].dtype == np.int64
    assert set(zip(found["direction"].tolist(), found["gain"].tolist(), strict=True)) == {(3, 0.5), (7, 1.0)}


def test_trials_with_values_from_a_lambda_can_be_pickled(adds) -> None:
    odd = modcog.Condition("odd", "count", values=lambda settings, params: range(3))
    trials = adds((DIRECTION, odd), answers()).sample(5, seed=0)
    twin = pickle.loads(pickle.dumps(trials))
    np.testing.assert_array_equal(twin.conditions["odd"], trials.conditions["odd"])
    pickle.dumps(modcog.Battery("yang19", rules="published").sample(5, seed=0))


@pytest.mark.parametrize("contrast", [-5, np.inf, np.nan, 1e300])
def test_a_given_condition_that_is_filled_in_is_checked(adds, contrast) -> None:
    def draw(t: modcog.Draw) -> modcog.Outcome:
        gain = t.fill("contrast", t.rng.uniform(0.5, 1, t.n))
        return modcog.Outcome(t["direction"], [modcog.Stimulus(0, 1, t["direction"], gain)])

    adds((DIRECTION, modcog.Condition("contrast", "strength")), draw)
    env = gym.make("modcog/odd-v0", disable_env_checker=True).unwrapped
    with pytest.raises(modcog.ModcogError, match=r"contrast: got .*, must be from 0 to 1e"):
        env.new_trial(contrast=contrast)


def test_a_task_without_conditions_has_a_ceiling(adds) -> None:
    battery = adds((), lambda t: modcog.Outcome(np.full(t.n, 2), [modcog.Stimulus(0, 1, np.full(t.n, 2))]))
    assert levels(battery, n_trials=10)["odd"].decision_chance == 1


def test_target_is_not_a_users_condition(adds) -> None:
    with pytest.raises(modcog.ModcogError, match="'target' is a name that the battery itself uses"):
        adds((DIRECTION, modcog.Condition("target", "flag")), answers())


def test_a_target_outside_a_smaller_ring_is_refused(adds) -> None:
    battery = adds((), lambda t: modcog.Outcome(np.full(t.n, 10), []))
    with pytest.raises(modcog.ModcogError, match="odd: its draw function returned targets outside 0 to 7"):
        battery.replace(dim_ring=8).sample(3, seed=0)
