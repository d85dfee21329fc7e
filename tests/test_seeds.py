"""Seeds: no two purposes share random numbers, and nothing that can be trained on is evaluated on."""

from __future__ import annotations

import ast
import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog import Battery, ModcogError, Trials
from modcog.seeds import LARGEST, Purpose, Seed
from modcog.trials.source import per_task

PACKAGE = Path(modcog.__file__).parent
TASKS = ["dm1", "dlydm2", "dms"]  # their noise makes every trial one of a kind

seeds = st.builds(
    Seed,
    st.integers(0, 3) | st.integers(0, LARGEST),
    st.sampled_from(Purpose),
    st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=3).map(tuple),
)
places = st.tuples(seeds, st.integers(0, 4), st.integers(0, 4) | st.integers(0, 2**64 - 1))


# --- generators ---------------------------------------------------------------------------------


def test_only_one_file_makes_generators() -> None:
    """A generator made elsewhere has no purpose, and sooner or later shares its numbers with another."""
    makers = {"SeedSequence", "default_rng", "SFC64", "PCG64", "Philox"}
    for path in PACKAGE.rglob("*.py"):
        calls = [n.func for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        called = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
        assert path.name == "seeds.py" or not called & makers, path


@pytest.mark.parametrize("number", [0, 1, 7, 2**32, 2**128 - 1])
def test_every_two_purposes_have_different_generators(number: int) -> None:
    """Copies and copies of copies included, each part and block of each."""
    paths: list[tuple[int, ...]] = [(), (0,), (1,), (2,), (1, 1), (1, 2), (2, 1), (1, 1, 1)]
    firsts = {}
    for purpose in Purpose:
        for path in paths:
            for part in range(5):
                for block in (0, 1, 2, 2**32, 2**32 + 1):
                    words = tuple(Seed(number, purpose, path).sequence(part, block).generate_state(4))
                    firsts.setdefault(words, []).append((purpose, path, part, block))
    assert [places for places in firsts.values() if len(places) > 1] == []


@given(places, places)
@settings(deadline=None)
def test_different_places_have_different_generators(one: tuple[Seed, int, int], other: tuple[Seed, int, int]) -> None:
    first, second = (seed.sequence(*place).generate_state(4).tolist() for seed, *place in (one, other))
    assert (one == other) == (first == second)


def test_a_seed_from_the_operating_system_is_a_number_that_repeats_it() -> None:
    first, second = (Seed.of(None, Purpose.SAMPLE) for _ in range(2))
    assert first.entropy != second.entropy
    assert Seed.of(first.entropy, Purpose.SAMPLE) == first


@pytest.mark.parametrize("seed", [-1, np.int64(-1), 1.0, np.float64(1), "1", True, float("nan"), [1], (1, 2)], ids=repr)
def test_a_wrong_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ModcogError, match=r"^seed: got .*, must be a whole number, at least 0, or None$"):
        Seed.of(seed, Purpose.SAMPLE)


# --- trials -------------------------------------------------------------------------------------


def prints(trials: Trials) -> set[bytes]:
    """Return the noisy observations of each trial as bytes."""
    return {trials[i].packed_observations.tobytes() for i in range(len(trials))}


def steps_of(trials: Trials) -> set[bytes]:
    """Return each noisy step's observation as bytes; those without noise repeat everywhere."""
    rows = trials.packed_observations
    noisy = rows[(rows[:, 1:] != 0).all(axis=1)]
    return {row.tobytes() for row in noisy}


class Memory:
    """A player who knows trials by heart and holds fixation in those it has not seen.

    Their noise tells trials apart: of every noisy step it remembers the first label of the decision that followed.
    """

    def __init__(self, n_actions: int) -> None:
        self.n_actions, self.known = n_actions, dict[bytes, int]()

    def learn(self, observations: Any, labels: Any) -> None:
        """Remember steps (…, C) and their labels (…), in the order of time."""
        rows, labels = observations.reshape(-1, observations.shape[-1]), labels.ravel()
        starts = np.flatnonzero((rows[:-1, 0] != 0) & (rows[1:, 0] == 0)) + 1
        for step in np.flatnonzero((rows[:, 1:] != 0).any(axis=1)):
            following = starts[np.searchsorted(starts, step, side="right") :]
            if len(following):
                self.known[rows[step].tobytes()] = int(labels[following[0]])

    def __call__(self, observations: Any) -> Any:
        actions = np.zeros(observations.shape[:2], int)
        for trial, steps in enumerate(observations):
            for step in steps[(steps[:, 1:] != 0).any(axis=1)]:
                if (answer := self.known.get(step.tobytes())) is not None:
                    actions[trial, steps[:, 0] == 0] = answer
        return actions


def sampled(battery: Battery, seed: int, memory: Memory) -> None:
    for trials in (battery.sample(per_task=200, seed=seed), battery.sample(600, seed=seed)):
        memory.learn(trials.packed_observations, trials.packed_labels)


def streamed(battery: Battery, seed: int, memory: Memory) -> None:
    stream = battery.stream(batch_size=32, seq_len=200, seed=seed, batch_first=True)
    for _ in range(6):
        memory.learn(*next(stream))


def played(battery: Battery, seed: int, memory: Memory) -> None:
    for task in battery.tasks:
        env = gymnasium.make(f"modcog/{task}-v0", trials_per_episode=None, disable_env_checker=True).unwrapped
        twin = copy.deepcopy(env)
        env.reset(seed=seed)
        for each in (env, twin, copy.deepcopy(env)):
            for _ in range(200):
                each.new_trial()
                memory.learn(each.ob, each.gt)


def exported(battery: Battery, seed: int, memory: Memory) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = modcog.data.export(folder, tasks=battery.tasks, trials_per_task=250, seed=seed, progress=False)
        for split in data.values():
            memory.learn(split[:].packed_observations, split[:].packed_labels)


@pytest.mark.parametrize("source", [sampled, streamed, played, exported], ids=lambda source: source.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_who_knows_all_of_a_seed_by_heart_gains_nothing_in_evaluate(source: Any, seed: int) -> None:
    battery = Battery(TASKS)
    memory = Memory(battery.n_actions)
    source(battery, seed, memory)
    assert len(memory.known) > 1000
    seen = modcog.evaluate(memory, battery, n_trials=200, seed=seed).per_task()
    fresh = modcog.evaluate(Memory(battery.n_actions), battery, n_trials=200, seed=seed).per_task()
    assert seen == fresh


def test_the_memory_would_gain_if_trials_leaked() -> None:
    battery = Battery(TASKS)
    memory = Memory(battery.n_actions)
    leaked = battery.blocks(Seed.of(0, Purpose.EVALUATION), per_task=50)
    for trials in leaked:
        memory.learn(trials.packed_observations, trials.packed_labels)
    assert modcog.evaluate(memory, battery, n_trials=50, seed=0).decision_accuracy == 1


def served(task: str, seed: int) -> Iterator[tuple[str, set[bytes]]]:
    """Yield the noisy steps that each purpose serves of one task under the same number."""
    battery = Battery([task])
    for purpose in Purpose:
        found = battery.blocks(Seed.of(seed, purpose), n=64)
        yield purpose.name, set.union(*map(steps_of, found))
    yield (
        "sample of copy",
        set.union(*(steps_of(part) for part in battery.blocks(Seed(seed, Purpose.SAMPLE, (12,)), 64))),
    )


def test_no_purpose_shows_a_step_that_another_shows() -> None:
    found = [step for _, steps in served("dm1", 0) for step in steps]
    assert len(found) > 1000
    assert len(set(found)) == len(found)


def test_copies_of_copies_play_trials_of_their_own() -> None:
    env = gymnasium.make("modcog/dm1-v0", trials_per_episode=None, disable_env_checker=True).unwrapped
    env.reset(seed=0)
    family = [env, *(copy.deepcopy(env) for _ in range(13))]
    family += [copy.deepcopy(family[1]), copy.deepcopy(family[1]), copy.deepcopy(family[2])]
    shown = [set.union(*({(one.new_trial(), one.ob.tobytes())[1]} for _ in range(20))) for one in family]
    assert len(set.union(*shown)) == 20 * len(family)


@given(st.sampled_from(["n", "per_task"]), st.integers(1, 700), st.integers(1, 700), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_trial_i_is_the_same_however_many_are_asked_for(how: str, few: int, many: int, seed: int) -> None:
    few, many = sorted((few, many))
    battery = Battery(["dm1", "dms"])
    one, other = (battery.sample(**{how: count}, seed=seed) for count in (few, many))
    for task in range(2):
        places = [np.flatnonzero(trials.task == task) for trials in (one, other)]
        shown = [[trials[int(i)].packed_observations.tobytes() for i in where[: len(places[0])]]
                 for trials, where in zip((one, other), places, strict=True)]  # fmt: skip
        assert shown[0] == shown[1]


def test_a_task_has_the_same_trials_whichever_others_are_asked_for() -> None:
    battery = Battery("modcog82")
    seed = Seed.of(2, Purpose.EVALUATION)
    some, all_of_them = (list(per_task(battery.tables, seed, tasks, 20)) for tasks in ([3, 40, 81], range(82)))
    shown = [set.union(*(prints(part) for part in parts if part.task[0] == 40)) for parts in (some, all_of_them)]
    assert len(shown[0]) == 20
    assert shown[0] == shown[1]
    assert {int(part.task[0]) for part in some} == {3, 40, 81}


def test_tasks_do_not_share_their_noise() -> None:
    trials = Battery(["dlydm1", "dlydm2", *(f"dlydm1{end}" for end in ("seqr", "seql", "intr"))]).sample(
        per_task=9, seed=2
    )
    steps = [steps_of(trials[9 * k : 9 * k + 9]) for k in range(5)]
    assert len(set.union(*steps)) == sum(map(len, steps))
    assert trials.task.tolist() == np.repeat(range(5), 9).tolist()


def test_one_task_by_itself_has_the_trials_of_its_environment() -> None:
    battery = Battery(["dms"])
    assert prints(battery.sample(20, seed=4)) == prints(battery.sample(per_task=20, seed=4))
    several = Battery(["dm1", "dms"])
    assert prints(several.sample(20, seed=4, task="dms")) == prints(battery.sample(20, seed=4))
    blocks = per_task(battery.tables, Seed.of(4, Purpose.SAMPLE), [0], 20)
    assert set.union(*map(prints, blocks)) == prints(battery.sample(20, seed=4))
