"""Hidden states over trials, from every kind of network."""

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import modcog
from modcog import Battery, models
from modcog.analysis import HiddenStates, hidden_states, ringness, trajectories
from modcog.errors import ModcogError, UnknownNameError
from modcog.training import TrainConfig, train

BATTERY = Battery(["dlygo", "dm1", "dms"], rule_input=True)
SIZES = {"n_inputs": BATTERY.n_channels, "n_outputs": BATTERY.n_actions, "hidden": 12}


def observations_as_states(observations: np.ndarray) -> np.ndarray:
    return observations


@pytest.mark.parametrize(
    "architecture", ["lm-rnn", "autapse", "dale", "low-rank", "lru", "mingru", "cornn", "gru", "lstm"]
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_states_are_those_of_each_trial_on_its_own(architecture: str, batch_first: bool) -> None:
    network = models.build(architecture, batch_first=batch_first, **SIZES)
    states = hidden_states(network, BATTERY, n_trials=4, seed=1)
    trials = states.trials
    assert np.bincount(trials.task).tolist() == [4] * len(BATTERY.tasks)
    assert not np.array_equal(trials.packed_labels, BATTERY.sample(per_task=4, seed=1).packed_labels)
    for i in range(len(trials)):
        x = torch.from_numpy(trials[i].packed_observations)[None if batch_first else slice(None), :]
        with torch.no_grad():
            _, alone = network(x if batch_first else x[:, None], return_states=True)
        mine = states.packed[trials.offsets[i] : trials.offsets[i + 1]]
        np.testing.assert_allclose(mine, alone.squeeze(0 if batch_first else 1).numpy(), rtol=1e-5, atol=1e-6)


def test_aligned_states_begin_with_the_period() -> None:
    states = hidden_states(observations_as_states, BATTERY, n_trials=30)
    delay, decision = states.aligned("dms", "delay"), states.aligned("dms", "decision")
    lasting = states.trials.conditions["steps_delay"][states.rows("dms")]
    assert np.array_equal(np.isfinite(delay[:, :, 0]).sum(axis=1), lasting)
    assert len(np.unique(lasting)) > 3  # delays do differ
    there = np.isfinite(delay[:, :, 0])
    assert (delay[there][:, 0] == 1).all()
    assert (delay[there][:, 1:33] == 0).all()
    assert (decision[..., 0] == 0).all()  # the cue is off in the decision and nowhere else
    whole = states.aligned("dms")
    assert np.nansum(whole[..., 0] == 0) == decision[..., 0].size
    sample = states.aligned("dms", "sample")[:, :, 1:33].sum(axis=(1, 2))
    assert (sample > 1).all()  # a stimulus is seen


def test_chosen_tasks_keep_their_rule() -> None:
    states = hidden_states(observations_as_states, BATTERY, tasks=["dms"], n_trials=3)
    assert (states.packed[:, -3:] == [0, 0, 1]).all()
    assert states.trials.dim_ring == 16


def test_directions_are_those_of_the_first_stimulus_unless_said() -> None:
    states = hidden_states(observations_as_states, BATTERY, n_trials=20)
    for task, name in (("dlygo", "direction"), ("dm1", "direction1"), ("dms", "sample_direction")):
        column = states.trials.conditions[name][states.rows(task)]
        assert np.array_equal(states.directions(task), column)
    seen = states.aligned("dms", "sample")[:, :, 1:33].mean(axis=1).reshape(20, 2, 16).sum(axis=1).argmax(axis=1)
    assert np.array_equal(states.directions("dms"), seen)
    assert np.array_equal(
        states.directions("dms", by="test_direction"), states.trials.conditions["test_direction"][states.rows("dms")]
    )


def test_under_the_published_rules_angles_are_passed_over() -> None:
    battery = Battery(["go", "dms"], rules="published")
    states = hidden_states(observations_as_states, battery, n_trials=20)
    for task, name in (("go", "target"), ("dms", "sample_direction")):
        column = states.trials.conditions[name][states.rows(task)]
        assert np.array_equal(states.directions(task), column)


def draw_bearing(t: modcog.Draw) -> modcog.Outcome:
    return modcog.Outcome(t["bearing"], [modcog.Stimulus(0, t["side"], t["bearing"])])


@pytest.fixture
def user_defined() -> Iterator[str]:
    modcog.add_base(
        modcog.Base(
            name="bearing",
            family="navigation",
            summary="Respond in the direction of the stimulus.",
            periods={"fixation": 200, "stimulus": 300, "delay": 300, "decision": 200},
            shows=("stimulus",),
            conditions=(modcog.Condition("side", "modality"), modcog.Condition("bearing", "direction")),
            draw=draw_bearing,
        )
    )
    yield "bearing"
    modcog.remove_base("bearing")


def test_a_user_defined_task_is_grouped_by_the_direction_it_declares(user_defined: str) -> None:
    battery = Battery([user_defined, "dms"])
    states = hidden_states(observations_as_states, battery, n_trials=200)
    assert np.array_equal(states.directions(user_defined), states.trials.conditions["bearing"][:200])
    assert states.grouping(user_defined) == "bearing"
    assert states.grouping("dms") == "sample_direction"
    assert ringness(states, task=user_defined, period="stimulus", n_shuffles=50).by == "bearing"
    assert trajectories(states, task=user_defined).by == "bearing"


def test_private_noise_comes_from_the_seed() -> None:
    network = models.build("lm-rnn", noise=0.1, **SIZES)
    trials = BATTERY.sample(5, seed=0)
    before = torch.get_rng_state()
    first, again, other = (HiddenStates.of(network, trials, seed, private_noise=True).packed for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    off, off_again = (hidden_states(network, BATTERY, n_trials=2, seed=1).packed for _ in range(2))
    network.noise = 0.0
    assert np.array_equal(off, hidden_states(network, BATTERY, n_trials=2, seed=1).packed)
    network.noise = 0.1
    assert not np.array_equal(off, hidden_states(network, BATTERY, n_trials=2, seed=1, private_noise=True).packed)
    assert np.array_equal(off, off_again)
    assert torch.equal(before, torch.get_rng_state())


def test_the_folder_of_a_run_is_enough(tmp_path) -> None:
    train(TrainConfig(tasks=["go", "dm1"], hidden=8, steps=2, eval_trials=2, out=tmp_path / "run", threads=1))
    states = hidden_states(tmp_path / "run", n_trials=3)
    assert states.trials.tasks == ("go", "dm1")
    assert states.n_units == 8


class Short(nn.Module):
    """Time first by its own word, whatever its parts say."""

    batch_first = False

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(BATTERY.n_channels, 5, batch_first=True)

    def forward(self, x, return_states=False):
        states = self.rnn(x.transpose(0, 1))[0].transpose(0, 1)
        return states, states


def test_a_modules_own_word_on_its_axes_goes_before_that_of_its_parts() -> None:
    module = Short()
    states = hidden_states(module, BATTERY, n_trials=4)
    trials = states.trials
    with torch.no_grad():
        alone = module.rnn(torch.from_numpy(trials.observations))[0].numpy()[trials.mask]
    assert np.allclose(states.packed, alone, atol=1e-6)


def test_states_of_sixteen_bits_and_tensors_are_taken() -> None:
    network = models.build("lm-rnn", **SIZES)
    exact = hidden_states(network, BATTERY, n_trials=3)
    half = hidden_states(copy.deepcopy(network).bfloat16(), BATTERY, n_trials=3)
    assert half.packed.shape == exact.packed.shape
    wanted = torch.ones(1, requires_grad=True)
    given = hidden_states(lambda x: torch.from_numpy(x) * wanted, BATTERY, n_trials=3)
    assert np.array_equal(given.packed, hidden_states(lambda x: x, BATTERY, n_trials=3).packed)


class NoStates(nn.Module):
    def forward(self, x):
        return x


class WrongStates(nn.Module):
    def forward(self, x, return_states=False):
        return x


class Failing(nn.Module):
    def forward(self, x, return_states=False):
        raise RuntimeError("out of\nluck")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (NoStates(), "NoStates returns no hidden states; its forward must take return_states=True"),
        (WrongStates(), "returned no hidden states when asked for them"),
        (Failing(), r"failed on torch.float32 observations .*RuntimeError: out of luck"),
        (lambda x: 1 / 0, r"failed on observations of shape \(n, T, C\) = .*: ZeroDivisionError"),
        (lambda x: exit(3), r"SystemExit: 3"),
        (lambda x: "no", "got str, which is no array"),
        (lambda x: np.cumsum(x, axis=0), "output for a trial depends on the trials beside it"),
        (lambda x: x[:, :3], r"must be \(n, T, N\)"),
        (lambda x: x * np.nan, "not finite"),
        (3, "got int, must be a torch module"),
    ],
)
def test_networks_without_states_are_refused_in_one_line(network, said: str) -> None:
    with pytest.raises(ModcogError, match=said) as error:
        hidden_states(network, BATTERY, n_trials=2)
    assert "\n" not in str(error.value)


def test_what_does_not_exist_is_named() -> None:
    states = hidden_states(observations_as_states, BATTERY, n_trials=2, tasks=["dlygo"])
    with pytest.raises(UnknownNameError, match="unknown task 'dms'"):
        states.aligned("dms")
    with pytest.raises(UnknownNameError, match="nearest: 'delay'"):
        states.aligned("dlygo", "dealy")
    with pytest.raises(UnknownNameError, match="nearest: 'direction'"):
        states.directions("dlygo", by="direction1")
    trials = BATTERY.sample(5, task="dm1", seed=0)
    with pytest.raises(ModcogError, match="by: got 'coherence', must be a condition that is a whole number"):
        HiddenStates(trials, trials.packed_observations).directions("dm1", by="coherence")
    with pytest.raises(ModcogError, match=r"battery: got none, must be a modcog\.Battery"):
        hidden_states(observations_as_states)
    with pytest.raises(ModcogError, match="not the folder of a run"):
        hidden_states("no/such/run")
