"""Zero-shot scores of players without any network, whose accuracy is known."""

from __future__ import annotations

import numpy as np
import pytest

from modcog import Battery, ModcogError, parse, split
from modcog.analysis import composition, plot_composition
from modcog.evaluation import levels
from modcog.training import TrainConfig, train

BASES = ("go", "dlygo", "dms")
TASKS = [task for task in split(name="composition-2").training if parse(task).base in BASES]
HELD_OUT = [task for task in split(name="composition-2").held_out if parse(task).base in BASES]
BATTERY = Battery(TASKS, rule_input="compositional")


class Holder:
    """Holds fixation always, and keeps the rule inputs that it saw."""

    def __init__(self) -> None:
        self.seen: set[tuple[float, ...]] = set()

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.seen |= {tuple(row) for row in observations[:, 0, 33:] if row.any()}  # none in padding
        return np.zeros(observations.shape[:2], int)


def test_held_out_tasks_are_asked_for_in_their_own_code() -> None:
    holder = Holder()
    result = composition(holder, BATTERY, n_trials=5)
    table = result.table.set_index("task")
    assert list(table.index) == [task for task in Battery().tasks if parse(task).base in BASES]
    assert set(table.index[table["held_out"]]) == set(HELD_OUT)
    assert len(holder.seen) == len(table)  # a code of its own for each task
    known = levels(Battery(list(table.index)))
    for task, row in table.iterrows():
        assert (row["chance"], row["ceiling"]) == known[task].ends("decision")
        assert row["base"] + row["extension"].replace("plain", "") == task
    # it holds where the answer is to hold, and nowhere else
    assert (table.loc[table["base"] != "dms", "accuracy"] == 0).all()
    assert table.loc["dms", "accuracy"] > 0
    interval = ~table["held_out"] & table["extension"].isin(["intr", "intl"])
    assert result.means().loc[("int", "trained"), "accuracy"] == table.loc[interval, "accuracy"].mean()


def test_the_matrix_frames_what_was_held_out() -> None:
    figure = plot_composition(composition(Holder(), BATTERY, n_trials=2))
    assert len(figure.axes[0].patches) == len(HELD_OUT)


def test_other_rule_inputs_and_base_tasks_are_refused() -> None:
    with pytest.raises(ModcogError, match="rule_input: must be 'compositional'"):
        composition(Holder(), Battery(TASKS, rule_input=True))
    with pytest.raises(ModcogError, match="got 'dm1', whose base task the network was not trained on"):
        composition(Holder(), BATTERY, tasks=["go", "dm1"])


def test_a_run_that_trained_some_of_its_tasks_holds_out_the_others(tmp_path) -> None:
    small = {"tasks": [*TASKS, *HELD_OUT], "battery": {"rule_input": "compositional"}, "hidden": 8, "density": 0.3,
             "steps": 1, "batch_size": 2, "eval_trials": 1}  # fmt: skip
    first = train(TrainConfig(**small, train_on=TASKS, out=tmp_path / "first"), progress_bar=False)
    table = composition(first.folder, n_trials=2).table
    assert set(table.loc[table["held_out"], "task"]) == set(HELD_OUT)
    more = TrainConfig(**small, train_on=HELD_OUT[:1], start=first.folder, out=tmp_path / "more")
    table = composition(train(more, progress_bar=False).folder, n_trials=2).table
    assert set(table.loc[table["held_out"], "task"]) == set(HELD_OUT[1:])
