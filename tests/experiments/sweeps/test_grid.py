"""A sweep as data: the cells of a description, and the errors for a wrong one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import ModcogError, UnknownNameError
from modcog.experiments.sweeps import Grid

TOML = """
n_trials = 30
[settings]
steps = 10
[[arms]]
arch = "lm-rnn"
density = 0.1
[[arms]]
arch = "dense"
hidden = 32
[axes]
tasks = ["yang19", ["go", "dms"]]
seed = [0, 1, 2]
"model.init" = ["identity", "degree"]
"""


def test_every_arm_at_every_point_of_the_axes(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(TOML)
    cells = Grid.of(tmp_path / "grid.toml").cells(tmp_path)
    found = {
        (c.config.arch, c.config.density, c.config.hidden, len(c.config.tasks), c.config.seed, c.config.model["init"])
        for c in cells
    }
    arms = [("lm-rnn", 0.1, 256), ("dense", None, 32)]
    assert found == {
        (*arm, tasks, seed, init)
        for arm, tasks, seed, init in itertools.product(arms, (20, 2), range(3), ("identity", "degree"))
    }
    assert len(cells) == 24
    assert {c.config.steps for c in cells} == {10}
    assert {c.n_trials for c in cells} == {30}
    assert {c.tasks for c in cells} == {"yang19", "go+dms"}
    assert all(c.config.out == tmp_path / c.name for c in cells)


def test_settings_without_arms_and_axes_are_one_cell(tmp_path: Path) -> None:
    (cell,) = Grid.of({"settings": {"tasks": "yang19", "preset": None, "hidden": 8}}).cells(tmp_path)
    assert (cell.config.hidden, cell.tasks, cell.config.threads) == (8, "yang19", 1)


def test_a_preset_may_be_the_start(tmp_path: Path) -> None:
    (cell,) = Grid.of({"settings": {"preset": "quick", "steps": 7}}).cells(tmp_path)
    assert (cell.config.arch, cell.config.learning_rate, cell.config.steps) == ("autapse", 3e-3, 7)


def test_the_later_of_two_tables_or_values_wins(tmp_path: Path) -> None:
    settings = {"model": {"gain": 2.0, "tau": 50.0}, "model.init": "identity"}
    arms = [{}, {"model": {"init": "degree"}}, {"model.init": "degree"}]
    cells = Grid.of({"settings": settings, "arms": arms}).cells(tmp_path)
    assert [cell.config.model for cell in cells] == [
        {"gain": 2.0, "tau": 50.0, "init": "identity"},
        {"init": "degree"},
        {"gain": 2.0, "tau": 50.0, "init": "degree"},
    ]
    (cell,) = Grid.of({"arms": arms[1:2], "axes": {"model.init": ["identity"]}}).cells(tmp_path)
    assert cell.config.model == {"init": "identity"}


def test_cells_that_are_the_same_run_are_one(tmp_path: Path) -> None:
    grid = Grid.of({"arms": [{"arch": "dense"}, {"arch": "dense"}], "axes": {"seed": [0, 0]}})
    assert len(grid.cells(tmp_path)) == 1


def test_what_decides_the_run_decides_its_folder_and_nothing_else_does(tmp_path: Path) -> None:
    def name(**settings: object) -> str:
        return Grid.of({"settings": settings}).cells(tmp_path)[0].name

    assert name(arch="gru") == name(arch="gru", threads=2, accelerator="cpu")
    others = [name(arch="gru", **{key: value}) for key, value in [("steps", 9), ("battery.dt", 50), ("warmup", 1)]]
    assert len({name(arch="gru"), *others}) == 4
    assert name(arch="gru", hidden=12, seed=4).startswith("gru-h12-modcog132-s4-")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "lm-rnn-h256-modcog132-s0-2ecdee1b"),
        ({"tasks": "yang19", "arch": "gru", "hidden": 64, "seed": 3, "steps": 100}, "gru-h64-yang19-s3-1cde57f5"),
        ({"preset": "authors-d3"}, "lm-rnn-h256-modcog82-s0-046fa8d6"),
        (
            {"tasks": ["go", "dms"], "model": {"init": "identity"}, "battery": {"dt": 50}},
            "lm-rnn-h256-go+dms-s0-b8aa080c",
        ),
    ],
)
def test_runs_made_before_a_setting_was_added_keep_their_names(tmp_path: Path, values: dict, name: str) -> None:
    assert Grid.of({"settings": values}).cells(tmp_path)[0].name == name


def test_the_settings_of_earlier_runs_are_part_of_the_name_and_their_folders_are_not(tmp_path: Path) -> None:
    def name(start: dict | None) -> str:
        return Grid.of({"settings": {"tasks": ["go"], "start": start}}).cells(tmp_path)[0].name

    plain = {"tasks": ["go"], "start": {"tasks": ["go"]}}
    same = [name({**plain, "out": "a", "threads": 2}), name({**plain, "start": {"tasks": ["go"], "out": "b"}})]
    others = [name(None), name({"tasks": ["go"]}), name({**plain, "steps": 9}),
              name({**plain, "start": {"tasks": ["go"], "seed": 1}})]  # fmt: skip
    assert set(same) == {name(plain)}
    assert len({name(plain), *others}) == 5


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), st.integers(1, 3))
def test_the_number_of_cells_is_the_product(seeds: list[int], arms: int) -> None:
    grid = Grid.of({"arms": [{"hidden": 8 + k} for k in range(arms)], "axes": {"seed": seeds, "steps": [5, 6]}})
    cells = grid.cells("out")
    assert len(cells) == len({cell.name for cell in cells}) == arms * len(seeds) * 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"axis": {}}, r"unknown setting 'axis' \(nearest: 'axes'\)"),
        ({"axes": {"seed": []}}, r"axes.*1 or more values"),
        ({"axes": {"seed": 3}}, r"axes.*list"),
        ({"arms": []}, r"arms.*1 or more values"),
        ({"n_trials": 0}, r"n_trials: got 0, must be .*1"),
        ({"settings": {"hiden": 3}}, r"cell .*unknown setting 'hiden' \(nearest: 'hidden'\)"),
        ({"axes": {"tasks": ["yang91"]}}, r"cell \{.*'tasks': 'yang91'\}: .*nearest: 'yang19'"),
        ({"arms": [{"density": 2}]}, r"cell \{.*'density': 2\}: density"),
        ({"settings": {"preset": "lm123"}}, r"unknown preset 'lm123' \(nearest: 'lm132'\)"),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(values: dict, said: str) -> None:
    with pytest.raises(ModcogError, match=said) as caught:
        Grid.of(values).cells("out")
    assert "\n" not in str(caught.value)


def test_a_long_name_and_a_folder_that_is_none_are_refused_in_a_short_line() -> None:
    with pytest.raises(ModcogError, match=r"axes\.x+…: got 3") as caught:
        Grid.of({"axes": {"x" * 10**5: 3}})
    assert len(str(caught.value)) < 400
    with pytest.raises(ModcogError, match="out: got 3, must be the path"):
        Grid.of({"settings": {"tasks": ["go"]}}).cells(3)  # type: ignore[arg-type]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModcogError, match=r"cannot read .*none\.toml: No such file"):
        Grid.of(tmp_path / "none.toml")


def test_the_unknown_name_error_is_kept() -> None:
    with pytest.raises(UnknownNameError):
        Grid.of({"axis": {}})


def test_a_name_with_a_dot_needs_a_table(tmp_path):
    with pytest.raises(ModcogError, match=r"hidden\.x: hidden is 8, which is no table"):
        Grid.of({"settings": {"hidden": 8}, "axes": {"hidden.x": [1]}}).cells(tmp_path)
