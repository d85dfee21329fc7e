"""Sweeps that are really run: what is redone, what is not, what fails, and what the tables say."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import modcog
from modcog.cli import main
from modcog.experiments.sweeps import Grid, curves, results, sweep
from modcog.experiments.sweeps.records import RESULT, finished_record
from modcog.experiments.sweeps.results import write_table
from modcog.experiments.sweeps.runner import run_cell
from modcog.training import train

SETTINGS = {
    "tasks": ["go", "dm1", "dmsintr"], "hidden": 12, "steps": 6, "batch_size": 8, "eval_every": 3, "eval_trials": 2,
    "warmup": 1,
}  # fmt: skip
GRID = {
    "n_trials": 10,
    "settings": SETTINGS,
    "arms": [{"arch": "lm-rnn", "density": 0.3}, {"arch": "own_networks:sometimes"}],
    "axes": {"seed": [0, 1]},
}
OWN = """
import torch

def sometimes(n_inputs, n_outputs, hidden, seed):
    if seed == 1:
        raise RuntimeError("no luck\\ntoday")
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = torch.nn.RNN(n_inputs, hidden), torch.nn.Linear(hidden, n_outputs)
        def forward(self, x):
            return self.out(self.rnn(x)[0])
    return Net()
def leaves(n_inputs, n_outputs, hidden, seed):
    import sys
    sys.exit(f"seed {seed} leaves")
def dies(n_inputs, n_outputs, hidden, seed):
    import os
    net = sometimes(n_inputs, n_outputs, hidden, 0)
    net.out.register_forward_hook(lambda module, args, output: os._exit(1) if module.training else output)
    return net
def blows_up(n_inputs, n_outputs, hidden, seed):
    net = sometimes(n_inputs, n_outputs, hidden, 0)
    net.out.register_forward_hook(lambda module, args, output: output * float("nan") if module.training else output)
    return net
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """A folder with the sweep done in it, two cells at a time, which is the working directory of the module's tests."""
    path = tmp_path_factory.mktemp("sweep")
    (path / "own_networks.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.syspath_prepend(str(path))
        done = sweep(Grid.of(GRID), path / "out", jobs=2, progress=False)
        yield path, done


def test_a_failed_cell_is_reported_and_the_others_are_there(folder) -> None:
    _, done = folder
    assert done.statuses() == {"finished": 3, "failed": 1}
    ((name, error),) = done.failed.items()
    assert name.startswith("own_networks.sometimes-h12-go+dm1+dmsintr-s1-")
    assert "it failed: RuntimeError: no luck today" in error
    assert "\n" not in error


def test_finished_cells_are_not_redone_and_failed_ones_are_tried_again(folder, monkeypatch) -> None:
    path, done = folder
    tried = []
    monkeypatch.setattr(
        "modcog.experiments.sweeps.runner.run_cell", lambda cell: tried.append(cell.name) or run_cell(cell)
    )
    again = sweep(Grid.of(GRID), path / "out", progress=False)
    assert tried == list(done.failed)
    assert again.records[:3] == done.records[:3]


def test_other_trials_to_score_on_do_not_train_again(folder) -> None:
    path, done = folder
    more = sweep(Grid.of({**GRID, "n_trials": 20, "arms": GRID["arms"][:1]}), path / "out", progress=False)
    assert [len(record["scores"]) for record in more.records] == [3, 3]
    assert more.records[0]["scores"]["go"]["n_trials"] == 20
    assert more.records[0]["curve"] == done.records[0]["curve"]
    assert len((done.cells[0].config.out / "metrics.jsonl").read_text().splitlines()) == 3
    sweep(Grid.of(GRID), path / "out", progress=False)


def test_a_cell_is_the_run_that_the_trainer_makes(folder, tmp_path: Path) -> None:
    _, done = folder
    alone = train(done.cells[0].config.model_copy(update={"out": tmp_path / "run"}), progress_bar=False)
    assert done.records[0]["progress"]["trials"] == alone.record["progress"]["trials"]
    assert done.records[0]["progress"]["loss"] == alone.record["progress"]["loss"]
    model = modcog.load_model(tmp_path / "run")
    scores = modcog.evaluate(model, model.battery, 10, seed=1_000)
    assert {task: score["decision_accuracy"] for task, score in done.records[0]["scores"].items()} == scores.per_task()


def test_an_interrupted_cell_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    cell = Grid.of({**GRID, "arms": GRID["arms"][:1], "axes": {}}).cells(tmp_path)[0]
    train(cell.config.model_copy(update={"steps": 3, "schedule": "constant"}), progress_bar=False)
    (cell.config.out / "run.json").unlink()  # as if it had been killed before the record was whole
    record = run_cell(cell)
    assert record["status"] == "finished"
    assert record["progress"]["step"] == 6
    assert [point["step"] for point in record["curve"]] == [0, 3, 6]


ASKED = [(1, signal.SIGINT, os.killpg), (2, signal.SIGINT, os.killpg), (2, signal.SIGTERM, os.kill)]


@pytest.mark.parametrize(("jobs", "number", "send"), ASKED)
def test_being_asked_to_stop_saves_the_cells_and_stops_the_sweep(tmp_path: Path, jobs: int, number: int, send) -> None:
    """By Ctrl-C, which a terminal sends to all processes of a command, or as batch systems do."""
    settings = {**SETTINGS, "steps": 100_000, "eval_every": 50_000}
    grid = {**GRID, "settings": settings, "arms": GRID["arms"][:1], "axes": {"seed": [0, 1, 2, 3, 4, 5]}}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    words = [sys.executable, "-m", "modcog", "sweep", "grid.json", "--out", "out", "--jobs", str(jobs)]
    process = subprocess.Popen(words, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while sum(path.stat().st_size > 0 for path in tmp_path.glob("out/*/metrics.jsonl")) < jobs:
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(0.5)
    send(process.pid, number)
    assert process.wait(60) == 130
    about, stopped = process.stderr.read().splitlines()
    assert re.fullmatch(r"6 runs are left, about \S+ (s|min|h) on one core\.", about)
    kept = "0 of 6 runs are finished and kept, those under way have their checkpoints; repeat the command to go on"
    assert stopped == f"modcog: stopped; {kept}"
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("out/*/run.json")]
    assert [run["status"] for run in runs] == ["interrupted"] * jobs
    assert not list(tmp_path.glob("out/*/result.json"))
    saved = [int(max(path.glob("step-*")).name.split("-")[1]) for path in tmp_path.glob("out/*/checkpoints")]
    assert sorted(saved) == sorted(run["progress"]["step"] for run in runs)
    assert all(0 < step < 50_000 for step in saved)


def test_a_diverging_network_is_a_failed_cell(folder, tmp_path: Path) -> None:
    grid = Grid.of({**GRID, "arms": [{"arch": "own_networks:blows_up"}], "axes": {}})
    done = sweep(grid, tmp_path, progress=False)
    (error,) = done.failed.values()
    assert "the loss became nan at step 0" in error


def test_a_network_that_calls_exit_is_a_failed_cell(folder, tmp_path: Path) -> None:
    done = sweep(Grid.of({**GRID, "arms": [{"arch": "own_networks:leaves"}]}), tmp_path, progress=False)
    assert [error.split(": ", 1)[1] for error in done.failed.values()] == [
        f"called with n_inputs, n_outputs, hidden, seed, it failed: SystemExit: seed {seed} leaves" for seed in (0, 1)
    ]


def test_a_network_that_ends_its_process_is_a_failed_cell_and_the_others_are_there(folder, tmp_path: Path) -> None:
    grid = Grid.of({**GRID, "arms": [{"arch": "own_networks:dies"}, {"arch": "gru"}]})
    done = sweep(grid, tmp_path, jobs=2, progress=False)
    assert [record["status"] for record in done.records] == ["failed", "failed", "finished", "finished"]
    assert set(done.failed.values()) == {"the process that trained it was killed, perhaps for lack of memory"}
    assert json.loads((done.cells[0].config.out / RESULT).read_text())["status"] == "failed"


def test_where_a_cell_is_computed_does_not_make_it_another(folder, monkeypatch) -> None:
    path, done = folder
    monkeypatch.setattr("modcog.experiments.sweeps.runner.train", None, raising=False)
    monkeypatch.setattr("modcog.training.train", None)  # would fail
    grid = {**GRID, "arms": GRID["arms"][:1], "settings": {**SETTINGS, "accelerator": "cpu", "threads": 2}}
    assert sweep(Grid.of(grid), path / "out", progress=False).records == done.records[:2]


def test_a_cell_goes_on_on_another_kind_of_device(tmp_path: Path) -> None:
    cell = Grid.of({**GRID, "arms": GRID["arms"][:1], "axes": {}}).cells(tmp_path)[0]
    train(cell.config.model_copy(update={"steps": 3}), progress_bar=False)
    other = Grid.of({**GRID, "arms": [{**GRID["arms"][0], "accelerator": "cpu"}], "axes": {}}).cells(tmp_path)[0]
    assert run_cell(other)["status"] == "finished"


def test_a_failure_does_not_take_the_place_of_a_result(folder, monkeypatch) -> None:
    path, done = folder
    before = (done.cells[0].config.out / RESULT).read_text()
    grid = Grid.of({**GRID, "n_trials": 11, "arms": GRID["arms"][:1], "axes": {}})  # would be scored anew
    monkeypatch.setattr("modcog.experiments.sweeps.runner.score_run", None)
    assert list(sweep(grid, path / "out", progress=False).failed) == [done.cells[0].name]
    assert (done.cells[0].config.out / RESULT).read_text() == before


def test_a_folder_that_cannot_be_written_is_a_failed_cell(folder, tmp_path: Path) -> None:
    grid = Grid.of({**GRID, "arms": GRID["arms"][:1]})
    first, _ = grid.cells(tmp_path)
    first.config.out.write_text("in the way")
    done = sweep(grid, tmp_path, progress=False)
    assert [record["status"] for record in done.records] == ["failed", "finished"]
    assert "File exists" in done.failed[first.name]


def test_a_cell_that_was_trained_on_by_hand_is_not_taken_for_the_one_asked_for(tmp_path: Path) -> None:
    (cell,) = Grid.of({**GRID, "arms": GRID["arms"][:1], "axes": {}}).cells(tmp_path)
    train(cell.config.model_copy(update={"steps": 9}), progress_bar=False)
    record = run_cell(cell)
    assert record["status"] == "failed"
    assert record["error"].endswith("was trained for 9 updates instead of 6; move it away")


def test_two_sweeps_with_the_same_cells_train_each_once(folder, tmp_path: Path) -> None:
    """The second waits for the first, then finds its result; neither disturbs the other's files."""
    settings = {**SETTINGS, "steps": 300, "eval_every": 20}
    grid = {**GRID, "settings": settings, "arms": GRID["arms"][:1]}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    words = [sys.executable, "-m", "modcog", "sweep", "grid.json", "--out", "out", "--no-progress"]
    both = [subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    alone = sweep(Grid.of(grid), tmp_path / "alone", progress=False)
    for cell, record in zip(Grid.of(grid).cells(tmp_path / "out"), alone.records, strict=True):
        there = json.loads((cell.config.out / RESULT).read_text())
        assert there["scores"] == record["scores"]
        assert [point["step"] for point in there["curve"]] == list(range(0, 301, 20))


def test_a_damaged_result_is_made_again(folder) -> None:
    path, done = folder
    (done.cells[1].config.out / RESULT).write_text("{")
    again = sweep(Grid.of(GRID), path / "out", progress=False)
    assert again.records[1]["scores"] == done.records[1]["scores"]


def test_the_workers_of_a_cluster_make_the_same_cells(folder, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    _, done = folder
    grid = Grid.of({**GRID, "arms": GRID["arms"][:1], "axes": {}})
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        there = sweep(grid, tmp_path, dask=cluster.scheduler_address, progress=False)
    assert there.records[0]["scores"] == done.records[0]["scores"]


def test_the_table_has_a_row_for_each_run_and_task(folder) -> None:
    _, done = folder
    table = results(done.records)
    assert len(table) == 3 * 3 + 1
    failed = table[table["status"] == "failed"]
    assert failed["task"].isna().all()
    assert failed["error"].str.contains("no luck").all()
    row = table[(table["arch"] == "lm-rnn") & (table["seed"] == 1) & (table["task"] == "dmsintr")].iloc[0]
    score = done.records[1]["scores"]["dmsintr"]
    assert row["decision_accuracy"] == score["decision_accuracy"]
    assert [row["decision_low"], row["decision_high"]] == list(score["decision_interval"])
    assert (row["family"], row["extension"], row["hidden"], row["trials"]) == ("match", "interval", 12, 48)
    assert row["synapses"] == round(row["synapses"]) < 12 * 12
    assert table["trials_to_95"].isna().all()
    assert set(curves(done.records)["step"]) == {0, 3, 6}


def test_whole_numbers_stay_whole_though_some_are_missing(folder, tmp_path: Path) -> None:
    _, done = folder
    record = json.loads(json.dumps(done.records[0]))
    record["progress"]["trials"] = record["progress"]["milestones"]["95"] = 1_234_567_890
    record["progress"]["milestones"] = {"95": {"trials": 1_234_567, "seconds": 1.0}}
    write_table(results([record, done.records[3]]), tmp_path / "table.csv")
    head, first, *_ = (tmp_path / "table.csv").read_text().splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert (row["trials"], row["trials_to_95"], row["trials_to_90"]) == ("1234567890", "1234567", "")
    assert row["hidden"] == "12"


def test_the_command_writes_tables_that_can_be_read(folder, capsys) -> None:
    path, _ = folder
    (path / "grid.json").write_text(json.dumps(GRID))
    code = main(["sweep", "grid.json", "--out", "out", "--table", "parquet", "--trust"])
    said = capsys.readouterr()
    assert code == 1  # one cell failed
    assert "3 finished, 1 failed" in said.out
    assert "no luck today" in said.err
    assert "Traceback" not in said.err
    code = main(["sweep", "grid.json", "--out", "out", "--trust"])
    assert code == 1
    csv, parquet = pd.read_csv("out/results.csv"), pd.read_parquet("out/results.parquet")
    assert list(csv["task"].dropna()) == list(parquet["task"].dropna())
    assert math.isclose(csv["decision_accuracy"].mean(), parquet["decision_accuracy"].mean(), abs_tol=1e-5)
    assert len(pd.read_csv("out/curves.csv")) == 9


def test_a_wrong_grid_runs_nothing(folder, capsys) -> None:
    path, _ = folder
    (path / "wrong.yaml").write_text("axes:\n  sed: [1]\n")
    assert main(["sweep", "wrong.yaml", "--out", "new"]) == 2
    assert "unknown setting 'sed' (nearest: 'seed')" in capsys.readouterr().err
    assert not (path / "new").exists()


@pytest.mark.parametrize("jobs", [0, -3, 1.5, "2"])
def test_a_number_of_jobs_is_checked_before_anything_is_written(tmp_path: Path, jobs) -> None:
    with pytest.raises(modcog.ModcogError, match=r"^jobs: got"):
        sweep(Grid.of(GRID), tmp_path / "out", jobs=jobs)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": {}},
        {"scores": {"go": 3}},
        {"error": 3},
        {"curve": [{"step": -1}]},
        {"progress": []},
        {"network": [1]},
    ],
)
def test_a_result_of_another_form_is_made_again(tmp_path: Path, changes) -> None:
    cell = Grid.of({**GRID, "arms": GRID["arms"][:1], "axes": {}}).cells(tmp_path)[0]
    first = run_cell(cell)
    (cell.config.out / RESULT).write_text(json.dumps({**first, **changes}))
    assert run_cell(cell) == first


def test_the_name_of_a_network_does_not_leave_the_folder(tmp_path: Path) -> None:
    cell = Grid.of({"settings": {**SETTINGS, "arch": "../../a\x1b b:c" + "d" * 300}}).cells(tmp_path)[0]
    assert cell.config.out.parent == tmp_path
    assert cell.name.isprintable()
    assert len(cell.name) < 200


class Beyond(BaseException):
    """An error that ``except Exception`` does not catch."""


def test_an_error_of_any_kind_is_that_of_its_cell(tmp_path: Path, monkeypatch) -> None:
    def fails(*args, **options):
        raise Beyond("\x1b[31mno luck")

    monkeypatch.setattr("modcog.training.train", fails)
    record = run_cell(Grid.of({**GRID, "axes": {}}).cells(tmp_path)[0])
    assert (record["status"], record["error"]) == ("failed", r"Beyond: \x1b[31mno luck")


@pytest.mark.parametrize("workers", [0, 1])
def test_networks_trained_side_by_side_get_the_results_of_a_sweep(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("modcog.experiments.sweeps.together.default_workers", lambda device: workers)
    arms = [{"arch": "lm-rnn", "density": 0.3}, {"arch": "dense", "hidden": 9}, {"arch": "gru"}]
    grid = Grid.of({**GRID, "arms": arms})
    ours, theirs = (sweep(grid, tmp_path / str(side), together=side, progress=False) for side in (True, False))
    assert ours.statuses() == theirs.statuses() == {"finished": 6}
    for mine, its in zip(ours.records, theirs.records, strict=True):
        assert mine["cell"] == its["cell"]
        assert mine["network"] == its["network"]
        assert mine["scores"].keys() == its["scores"].keys()
        for task, score in mine["scores"].items():
            assert score.keys() == its["scores"][task].keys()
            assert score["decision_accuracy"] == pytest.approx(its["scores"][task]["decision_accuracy"], abs=0.05)
        assert [p["step"] for p in mine["curve"]] == [p["step"] for p in its["curve"]]
    assert sweep(grid, tmp_path / "True", progress=False).records == ours.records  # nothing is left to train


def test_one_that_diverges_beside_others_fails_alone(tmp_path):
    arms = [{"arch": "dense"}, {"arch": "dense", "learning_rate": 1e30}]
    done = sweep(Grid.of({**GRID, "arms": arms, "axes": {}}), tmp_path, together=True, progress=False)
    assert done.statuses() == {"finished": 1, "failed": 1}
    (error,) = done.failed.values()
    assert "NaN or infinite" in error


def test_a_result_of_before_a_setting_was_added_is_not_made_again(tmp_path: Path) -> None:
    grid = Grid.of({"n_trials": 2, "settings": SETTINGS})
    (record,) = sweep(grid, tmp_path).records
    (cell,) = grid.cells(tmp_path)
    for name in ("train_on", "start", "replay", "trainable", "penalty", "strength", "eval_early"):
        del record["cell"]["config"][name]
    (cell.config.out / RESULT).write_text(json.dumps(record))
    assert finished_record(cell) is not None
    record["cell"]["config"]["steps"] = 7
    (cell.config.out / RESULT).write_text(json.dumps(record))
    assert finished_record(cell) is None
