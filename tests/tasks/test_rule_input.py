"""The rule input against one made from the tasks' names, everywhere that trials come from."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog import Battery, ModcogError
from modcog.data import export, load

TASKS = ["dmsintrseql", "go", "dlygoseqr", "dms", "dlygointl"]
BASES = ["go", "dlygo", "dms"]  # in canonical order


def coded(task: str, bases: list[str] = BASES) -> list[int]:
    """The compositional rule input of a task, by its name."""
    base = max((base for base in bases if task.startswith(base)), key=len)
    rest = task.removeprefix(base)
    return [int(base == name) for name in bases] + [int(sign in rest) for sign in ("intr", "intl", "seqr", "seql")]


EXPECTED = np.array([coded(task) for task in TASKS])


def test_the_codes_written_out() -> None:
    assert EXPECTED.tolist() == [
        [0, 0, 1, 1, 0, 0, 1],
        [1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 1, 0, 0, 1, 0, 0],
    ]


def test_the_whole_battery_has_20_base_tasks_and_four_signs() -> None:
    battery = Battery(rule_input="compositional")
    assert battery.n_channels == 33 + 24
    bases = list(modcog.collection("yang19"))
    trials = battery.sample(per_task=1, seed=0)
    for k, task in enumerate(battery.tasks):
        own = trials[k].packed_observations[:, 33:]
        assert (own == coded(task, bases)).all(), task


@given(st.permutations(TASKS), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_samples_have_it_and_the_same_trials(tasks: list[str], seed: int) -> None:
    plain, battery = Battery(tasks), Battery(tasks, rule_input="compositional")
    trials, without = battery.sample(12, seed=seed), plain.sample(12, seed=seed)
    np.testing.assert_array_equal(trials.packed_observations[:, :33], without.packed_observations)
    expected = np.array([coded(tasks[k]) for k in trials.task])
    np.testing.assert_array_equal(trials.packed_observations[:, 33:], np.repeat(expected, trials.lengths, axis=0))


@pytest.mark.parametrize("device", [None, "cpu"])
def test_streams_have_it(device: str | None) -> None:
    if device:
        pytest.importorskip("torch")
    one_hot, coded_ = (
        next(Battery(TASKS, rule_input=kind).stream(3, 100, seed=1, device=device))
        for kind in ("one-hot", "compositional")
    )
    task = np.asarray(one_hot[0])[..., 33:]
    np.testing.assert_array_equal(np.asarray(coded_[0])[..., 33:], task @ EXPECTED)
    np.testing.assert_array_equal(np.asarray(coded_[0])[..., :33], np.asarray(one_hot[0])[..., :33])


def test_one_hot_is_another_word_for_true() -> None:
    assert Battery(TASKS, rule_input="one-hot") == Battery(TASKS, rule_input=True)
    assert Battery(TASKS, rule_input="one-hot").rule_input is True
    assert Battery(TASKS, rule_input="compositional").replace(dt=50).rule_input == "compositional"
    assert Battery(TASKS, rule_input="compositional") != Battery(TASKS, rule_input=True)


@pytest.mark.parametrize("wrong", ["onehot", 1, None, "True", ["compositional"]])
def test_other_values_are_refused(wrong: object) -> None:
    with pytest.raises(ModcogError, match=r"rule_input: got .* must be true, false, 'one-hot' or 'compositional'"):
        Battery(TASKS, rule_input=wrong)  # type: ignore[arg-type]


def test_environments_have_that_of_their_task() -> None:
    env = gymnasium.make("modcog/dlygointl-v0", rule_input="compositional")
    observation, _ = env.reset(seed=0)
    assert observation[33:].tolist() == [1, 0, 1, 0, 0]
    assert env.observation_space.shape == (38,)


@pytest.mark.parametrize("layout", ["trials", "stream"])
def test_data_sets_are_read_with_it(layout: str, tmp_path: Path) -> None:
    amount = {"trials_per_task": 5} if layout == "trials" else {"sequences": 5, "seq_len": 80}
    export(tmp_path / "d", tasks=TASKS, layout=layout, splits={"train": 1}, rule_input="compositional", **amount)
    data = load(tmp_path / "d")
    assert data.rule_input == "compositional"
    assert data.battery.n_channels == 33 + 7
    trials = data["train"][:]
    np.testing.assert_array_equal(
        trials.packed_observations[:, 33:], np.repeat(EXPECTED[trials.task], trials.lengths, axis=0)
    )
    assert load(tmp_path / "d", rule_input="one-hot")["train"][:].packed_observations.shape[1] == 33 + 5
    pytest.importorskip("torch")
    items = data["train"].torch()
    plain = data["train"].torch(rule_input=False)
    for k in range(len(items)):
        own = items[k]["observations"].numpy()
        np.testing.assert_array_equal(own[:, :33], plain[k]["observations"].numpy())
        expected = {tuple(row) for row in own[:, 33:].astype(int)}
        assert expected <= set(map(tuple, EXPECTED))
        if layout == "trials":
            assert expected == {tuple(EXPECTED[items[k]["task"]])}


def test_the_trainer_s_batches_have_it() -> None:
    pytest.importorskip("torch")
    from modcog.training.batches import make_batches
    from modcog.training.config import TrainConfig

    parts = []
    for kind in (True, "compositional"):
        config = TrainConfig(tasks=TASKS, batch_size=6, battery={"rule_input": kind})
        parts.append(make_batches(config, Battery.from_config(config.battery_settings()))(0).parts)
    assert len(parts[0]) == len(parts[1])
    for one_hot, own in ((a.observations.numpy(), b.observations.numpy()) for a, b in zip(*parts, strict=True)):
        np.testing.assert_array_equal(own[..., :33], one_hot[..., :33])
        np.testing.assert_array_equal(own[..., 33:], one_hot[..., 33:] @ EXPECTED)
