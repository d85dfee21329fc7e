"""Reference networks: stored from cells that were run, and shown where they can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from modcog import Battery
from modcog.battery import BatteryConfig
from modcog.errors import ModcogError
from modcog.experiments.benchmark import Reference, stored
from modcog.experiments.benchmark.references import comparable
from modcog.experiments.sweeps import Grid, results
from modcog.experiments.sweeps.records import read_result
from modcog.models import configure
from modcog.training.config import TrainConfig
from tests.benchmarks.store_references import GRIDS, store

SETTINGS = {
    "tasks": ["go", "dm1", "dms"], "hidden": 6, "steps": 2, "batch_size": 4, "eval_every": 1, "eval_trials": 2,
    "warmup": 1, "density": 0.5,
}  # fmt: skip
GRID = Grid(settings=SETTINGS, arms=({"arch": "lm-rnn"}, {"arch": "random"}), axes={"seed": [0, 1]}, n_trials=6)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two seeds of the first arm and one of the second, trained because they are missing."""
    folder = tmp_path_factory.mktemp("references")
    for grid in (part(GRID.arms[:1], [0, 1]), part(GRID.arms[1:], [0])):
        assert store([folder], grids=[grid], path=folder / "part.json", train=True, progress=False) == []
    return folder


def part(arms, seeds) -> Grid:
    return Grid.of({**GRID.model_dump(), "arms": arms, "axes": {"seed": seeds}})


@pytest.fixture(scope="module")
def found(cells: Path) -> tuple[Reference, ...]:
    store([cells], grids=[GRID], path=cells / "found.json")
    return stored(cells / "found.json")


def shown(found, tasks=("go", "dm1", "dms"), settings=None, n_trials=6, score_seed=1_000, **battery):
    made = Battery(tasks, **{"rule_input": True, **battery})
    return comparable(found, made, settings or {}, n_trials, score_seed)


def test_what_is_stored_are_the_means_over_the_seeds_that_are_there(cells: Path, found) -> None:
    local, scattered = found
    assert (local.name, local.seeds, scattered.seeds) == ("lm-rnn 50 % 6", (0, 1), (0,))
    records = [read_result(folder) for folder in sorted(cells.glob("lm-rnn-*"))]
    table = results(records)
    for task, (decision, trial) in local.scores.items():
        rows = table[table["task"] == task]
        assert decision == pytest.approx(rows["decision_accuracy"].mean(), abs=1e-4)
        assert trial == pytest.approx(rows["trial_accuracy"].mean(), abs=1e-4)
    assert local.cost.synapses == table["synapses"].mean()
    assert [point.trials for point in local.curve] == [0, 4, 8]
    assert (local.n_trials, local.score_seed) == (6, 1_000)


def test_missing_cells_are_named_and_looked_for_in_every_folder(cells: Path, tmp_path: Path) -> None:
    missing = store([cells], grids=[GRID], path=tmp_path / "one.json")
    assert [name.rsplit("-", 1)[0] for name in missing] == ["random-h6-d0.5-go+dm1+dms-s1"]
    assert store([tmp_path / "none", cells], grids=[GRID], path=tmp_path / "two.json") == missing
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()
    with pytest.raises(ModcogError, match="no finished cell of a reference network"):
        store([tmp_path], grids=[GRID], path=tmp_path / "none.json")


def test_a_reference_stands_beside_its_own_tasks(found) -> None:
    (local, scattered), notes = shown(found)
    assert (local.name, scattered.name, notes) == ("lm-rnn 50 % 6", "random 50 % 6", [])
    assert local.curve == found[0].curve
    assert local.differs == ()


def test_other_tasks_are_said_and_leave_no_curve(found) -> None:
    (local, _), _ = shown(found, tasks=("go", "dlygo"))
    assert local.differs == ("tasks 3, not 2",)
    assert (local.curve, local.cost.reached) == ((), {})
    assert shown(found, tasks=("anti",)) == ([], [])


def test_other_settings_are_said(found) -> None:
    (local, _), _ = shown(found, settings={"steps": 1000, "batch_size": 4}, n_trials=50, rule_input=False)
    assert local.differs == (
        "rule_input True, not False",
        "n_trials 6, not 50",
        "steps 2, not 1000",
    )


def test_other_trials_cannot_be_compared(found) -> None:
    assert shown(found, dt=50)[0] == []
    (note,) = shown(found, dt=50)[1]
    assert "lm-rnn 50 % 6 (dt 100, not 50)" in note


def test_of_several_results_those_on_the_nearest_tasks_are_shown(found) -> None:
    one = found[0]
    fewer = one.model_copy(update={"scores": {task: one.scores[task] for task in ("go", "dm1")}, "seeds": (7,)})
    for known in ([one, fewer], [fewer, one]):
        assert [len(column.seeds) for column in shown(known)[0]] == [2]
        assert [len(column.seeds) for column in shown(known, tasks=("go", "dm1"))[0]] == [1]
        assert [len(column.seeds) for column in shown(known, tasks=("dms",))[0]] == [2]


def test_the_reference_networks_can_be_built() -> None:
    for grid in GRIDS:
        for cell in grid.cells("runs"):
            density = {} if cell.config.density is None else {"density": cell.config.density}
            configure(cell.config.arch, hidden=cell.config.hidden, **density, **cell.config.model)


def test_the_stored_references_are_those_of_the_grids_under_the_default_battery() -> None:
    cells = {(cell.config.arch, cell.config.tasks): cell for grid in GRIDS for cell in grid.cells("runs")}
    assert stored()
    for one in stored():
        cell = cells[one.settings["arch"], tuple(one.scores)]
        assert one.settings["steps"] == cell.config.steps
        default = BatteryConfig(tasks=tuple(one.scores), rule_input=True)
        assert TrainConfig.of(**one.settings).battery_settings() == default
        assert all(0 <= value <= 1 for scores in one.scores.values() for value in scores)
        assert one.curve[-1].trials == one.cost.trials
