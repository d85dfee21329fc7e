"""Shifted trials: that they are what they are called, and beside their own ceiling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modcog import Battery, ModcogError, UnknownNameError, evaluate, models
from modcog.analysis import plot_shift, shift
from modcog.analysis.shift import SHIFTS, change_dt
from modcog.evaluation import levels
from modcog.training import TrainConfig, train

BATTERY = Battery(["go", "dlygo", "dlygointr", "goseql", "dm1", "dms", "dlydm1"])


def hold(observations: np.ndarray) -> np.ndarray:
    """Hold fixation always."""
    return np.zeros(observations.shape[:2], int)


def test_each_shift_concerns_the_tasks_whose_trials_it_changes() -> None:
    table = shift(hold, BATTERY, n_trials=3).table
    tasks = {name: list(rows["task"].unique()) for name, rows in table.groupby("shift")}
    assert tasks == {
        "interval": ["dlygointr"],
        "delay": ["dlygo", "dms", "dlydm1"],
        "sequence": ["goseql"],
        "noise": ["dm1", "dms", "dlydm1"],
        "coherence": ["dm1"],
    }
    assert (table.groupby("shift")["point"].first() == "trained").all()
    for name, points in table.groupby("shift")["point"].nunique().items():
        assert points == len(SHIFTS[name].points(BATTERY))
    assert len(plot_shift(type("Result", (), {"table": table})()).axes) == 5


@pytest.mark.parametrize(
    ("name", "task", "column", "lowest", "highest"),
    [
        ("interval", "dlygointr", "interval_ms", 1300, 2400),
        ("delay", "dlygo", "duration_delay", 1300, 2400),
        ("sequence", "goseql", "duration_decision", 2000, 4000),
    ],
)
def test_trials_are_as_long_as_it_says(name: str, task: str, column: str, lowest: float, highest: float) -> None:
    points = SHIFTS[name].points(BATTERY)
    samples = {
        label: BATTERY.replace(**changes).sample(200, task=task, seed=0).conditions[column]
        for label, changes in points.items()
    }
    trained = samples.pop("trained")
    shifted = np.concatenate(list(samples.values()))
    assert trained.max() < lowest <= shifted.min()
    assert highest - 20 <= shifted.max() <= highest


def test_levels_are_those_of_the_shifted_trials() -> None:
    table = shift(hold, BATTERY, shifts=["noise", "coherence"], tasks=["dm1"], n_trials=3).table
    ceiling = table.set_index(["shift", "point"])["ceiling"]
    stored = levels(BATTERY)["dm1"].decision_ceiling
    assert ceiling["noise", "trained"] == ceiling["coherence", "trained"] == stored
    assert ceiling["noise", "× 0.5"] > stored > ceiling["noise", "× 2"] > ceiling["noise", "× 4"]
    assert ceiling["coherence", "0.48"] > ceiling["coherence", "0.12"] > ceiling["coherence", "0.02"]
    assert (table["best_strategy"] <= table["ceiling"] + 1e-9).all()
    np.testing.assert_allclose(table["accuracy"], 0)  # it never answers


def test_unknown_shifts_and_tasks_without_one() -> None:
    with pytest.raises(UnknownNameError, match="nearest: 'interval'"):
        shift(hold, BATTERY, shifts=["intervals"])
    for network in (hold, models.build("lm-rnn", BATTERY.n_channels, BATTERY.n_actions, hidden=16, density=0.3)):
        with pytest.raises(ModcogError, match="shifts: got 'dt', which needs a MaskedRNN with tau above dt"):
            shift(network, BATTERY, shifts=["dt"], tasks=["go"])
    with pytest.raises(ModcogError, match="none changes the trials of go"):
        shift(hold, BATTERY, tasks=["go"])


def test_units_charge_at_the_same_rate_with_another_time_step() -> None:
    network = models.build("autapse", 3, 2, hidden=4, tau=400.0, noise=0.1, batch_first=True)
    with torch.no_grad():
        network.weight_recurrent.zero_()
    for factor, steps in ((0.25, 32), (0.5, 16), (2.0, 4)):
        changed = change_dt(network, factor)
        assert changed.alpha == 0.25 * factor
        assert changed.noise == pytest.approx(0.1 / factor**0.5)
        changed.noise = 0.0
        _, states = changed(torch.ones(1, steps, 3), return_states=True)
        drive = (network.weight_in.sum(dim=1) + network.bias).relu()
        assert torch.allclose(states[0, -1], drive * (1 - (1 - changed.alpha) ** steps))
    assert network.noise == 0.1


def test_a_leaky_network_is_scored_at_other_time_steps() -> None:
    network = models.build("lm-rnn", BATTERY.n_channels, BATTERY.n_actions, hidden=16, density=0.3, tau=150.0)
    with torch.no_grad():
        network.bias_out[0] = -9.0  # it answers, at chance
    table = shift(network, BATTERY, shifts=["dt"], tasks=["go", "dlygointr"], n_trials=20).table
    assert list(table["point"].unique()) == ["trained", "× 0.25", "× 0.5"]  # at × 2, α would be 4 / 3
    slow = models.build("lm-rnn", BATTERY.n_channels, BATTERY.n_actions, hidden=16, density=0.3, dt=50.0, tau=150.0)
    slow.load_state_dict(network.state_dict())
    scores = evaluate(slow, BATTERY.replace(dt=50), 20, 0, ["go", "dlygointr"]).per_task()
    assert table[table["point"] == "× 0.5"].set_index("task")["accuracy"].to_dict() == pytest.approx(scores)
    assert max(scores.values()) > 0
    assert len(shift(network, BATTERY, tasks=["go"], n_trials=2).table) == 3


def test_a_run_is_asked_for_the_tasks_that_it_trained(tmp_path) -> None:
    config = TrainConfig(tasks=["go", "dlygo", "dlyanti"], train_on=["go", "dlygo"], hidden=8, density=0.3, steps=1,
                         batch_size=2, eval_trials=1, out=tmp_path / "run")  # fmt: skip
    folder = train(config, progress_bar=False).folder
    assert set(shift(folder, shifts=["delay"], n_trials=2).table["task"]) == {"dlygo"}
    assert set(shift(folder, shifts=["delay"], tasks=["dlyanti"], n_trials=2).table["task"]) == {"dlyanti"}
