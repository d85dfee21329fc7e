"""Benchmarks that are really run: what is trained, what is scored, what fails, and what is not done twice."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import modcog
from modcog.cli import main
from modcog.errors import ModcogError
from modcog.evaluation import levels
from modcog.experiments import benchmark
from modcog.experiments.sweeps.runner import run_cell
from modcog.training import TrainConfig, train
from modcog.training.run import read_run
from tests.experiments.benchmark.conftest import SETTINGS, TASKS, Done, command

pytestmark = pytest.mark.usefixtures("folder")


def runs(folder: Path) -> list[Path]:
    return sorted((folder / "out" / "runs").glob("own_benchmarked.sometimes-*"))


def test_the_command_says_how_it_went_and_which_seed_failed(done: Done) -> None:
    assert done.code == 1
    assert "decision accuracy" in done.out
    assert done.out.splitlines()[-1] == "out/report.html"
    (failed,) = done.report.failed
    assert failed.seed == 1
    assert failed.error is not None
    assert "no luck" in failed.error
    assert failed.error in done.out
    assert "Traceback" not in done.err


def test_scores_are_those_of_the_networks_evaluated_alone(done: Done) -> None:
    found = [modcog.load_model(run, trust=True) for run in runs(done.folder) if (run / "checkpoints").exists()]
    scores = [modcog.evaluate(model, model.battery, 30, seed=1_000) for model in found]
    assert [seed.decision for seed in done.report.done] == pytest.approx([one.decision_accuracy for one in scores])
    rows = {row.name: row for row in done.report.rows}
    for task in TASKS:
        each = [one.per_task()[task] for one in scores]
        assert rows[task].decision.mean == pytest.approx(np.mean(each))
        assert rows[task].trial.mean == pytest.approx(np.mean([one.trial_accuracy_per_task()[task] for one in scores]))
        level = levels(found[0].battery)[task]
        share = (np.mean(each) - level.decision_chance) / (level.decision_ceiling - level.decision_chance)
        assert rows[task].share.mean == pytest.approx(share)
    assert rows["all tasks"].share.mean == pytest.approx(np.mean([rows[task].share.mean for task in TASKS]))
    assert rows["all tasks"].decision.mean == pytest.approx(np.mean([one.decision_accuracy for one in scores]))


def test_the_report_has_what_the_runs_recorded(done: Done) -> None:
    report = done.report
    ran = json.loads((runs(done.folder)[0] / "run.json").read_text())
    assert report.versions == ran["versions"]
    assert report.settings["steps"] == ran["config"]["steps"] == 4
    assert "seed" not in report.settings
    assert report.cost.trials == ran["progress"]["trials"] == 32
    assert [point.trials for point in report.curve] == [0, 16, 32]
    metrics = [json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]) for run in (runs(done.folder)[0],)]
    assert report.done[0].curve[-1].mean == metrics[0]["decision_accuracy"]
    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
             for run in runs(done.folder) if (run / "metrics.jsonl").exists()]  # fmt: skip
    for row in report.rows_of("family", "extension"):
        means = [
            [np.mean([line["decision_accuracy_per_task"][task] for task in row.tasks]) for line in run] for run in lines
        ]
        assert [point.mean for point in row.curve] == pytest.approx(np.mean(means, axis=0))
    network = modcog.load_model(runs(done.folder)[0], trust=True)
    assert report.cost.parameters == sum(weight.numel() for weight in network.parameters())


def test_the_command_in_the_report_makes_it_again_without_training(done: Done, monkeypatch) -> None:
    before = done.report
    tried = []
    monkeypatch.setattr(
        "modcog.experiments.sweeps.runner.run_cell", lambda cell: tried.append(cell.config.seed) or run_cell(cell)
    )
    program, *words = shlex.split(before.command)
    assert program == "modcog"
    assert command(monkeypatch, *words) == 1
    after = done.report
    assert tried == [1]  # the one that failed
    assert after.rows == before.rows
    assert after.command == before.command
    assert any("earlier call: seed 0, 2" in note for note in after.notes)


def test_python_and_the_command_line_make_the_same_report(done: Done) -> None:
    settings = {"hidden": 8, "steps": 4, "batch_size": 8, "eval_every": 2, "eval_trials": 2, "warmup": 1}
    report = benchmark.run("own_benchmarked:sometimes", out="out", tasks=TASKS, n_trials=30, **settings)
    assert report.rows == done.report.rows
    assert len(report.seeds) == 3


def test_a_network_that_always_fails_is_one_line(folder: Path, capsys) -> None:
    for network, said in (
        ("own_benchmarked:never", "all 2 seeds failed: own_benchmarked:never: called with n_inputs, n_outputs"),
        ("own_benchmarked:narrow", "returned (3, 2, 16)"),
        ("no_such_module:net", "cannot import 'no_such_module'"),
        ("own_benchmarked:not_a_network", "is of type int"),
        ("lm-rn", "unknown network 'lm-rn' (nearest: 'lm-rnn')"),
    ):
        assert main(["benchmark", network, "--seeds", "2", "--out", "bad", *SETTINGS]) == 2
        err = capsys.readouterr().err
        assert said in err
        *time, _ = err.splitlines()
        assert all(line.startswith("Training 2 networks takes about") for line in time)
    assert not (folder / "bad" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "go"], "--tasks: has no effect, since no NETWORK is named"),
        (["lm-rnn", "--seeds", "0"], "seeds: got 0"),
        (["lm-rnn", "--tasks", "goo"], "nearest: 'go'"),
        (["lm-rnn", "--preset", "quik"], "nearest: 'quick'"),
        (["own_benchmarked:holds", "--no-train", "--steps", "5"], "--steps: has no effect, since nothing is trained"),
        (["own_benchmarked:hold", "--no-train"], "nearest: 'holds'"),
        (["gru", "--no-train"], "gru"),
    ],
)
def test_a_wrong_request_is_one_line(folder: Path, capsys, words: list[str], said: str) -> None:
    assert main(["benchmark", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


class TestTrainedAlready:
    """Networks that are only scored."""

    def test_a_function_that_makes_one_from_nothing(self, folder: Path, monkeypatch) -> None:
        words = ["own_benchmarked:trained", "--no-train", "--tasks", "go,dms", "--n-trials", "50", "--out", "trained"]
        assert command(monkeypatch, "benchmark", *words) == 0
        report = benchmark.Report.model_validate_json((folder / "trained" / "report.json").read_text())
        rows = {row.name: row for row in report.rows if row.kind == "task"}
        assert rows["go"].decision.mean == 0  # a response is asked in every trial
        assert 0.25 < rows["dms"].decision.mean < 0.75  # and here in half of them
        assert (report.trained, report.curve, report.interval) == (False, (), "trials")
        assert shlex.split(report.command)[2:] == words

    def test_a_function_of_the_seed_makes_one_network_for_each(self) -> None:
        battery = modcog.Battery(["go"], rule_input=True)
        from own_benchmarked import of_seed

        report = benchmark.score(of_seed, battery, seeds=17, n_trials=200, out="seeds")
        scores = [seed.decision for seed in report.seeds]
        assert scores[0] == 0
        assert sum(filter(None, scores)) == pytest.approx(1)  # each answers one direction, and one is right

    def test_a_module(self) -> None:
        from own_benchmarked import Net

        battery = modcog.Battery(["go", "dmc"])
        module = Net(battery.n_channels, battery.n_actions)
        report = benchmark.score(module, battery, n_trials=20, out="module", name="mine")
        assert report.rows[0].decision.mean == pytest.approx(
            modcog.evaluate(module, battery, 20, 1_000).decision_accuracy
        )
        assert report.cost.parameters == sum(weight.numel() for weight in module.parameters())
        assert report.command.startswith(
            "modcog.experiments.benchmark.score(mine, modcog.Battery(**{'tasks': ['go', 'dmc']})"
        )

    def test_the_folder_of_a_run(self, done: Done) -> None:
        run = str(runs(done.folder)[0].relative_to(done.folder))
        assert main(["benchmark", run, "--n-trials", "30", "--out", "of_run", "--trust"]) == 0
        report = benchmark.Report.model_validate_json((done.folder / "of_run" / "report.json").read_text())
        assert report.done[0].scores == done.report.done[0].scores
        assert report.curve == done.report.done[0].curve
        assert main(["benchmark", run, "--steps", "9"]) == 2

    @pytest.mark.parametrize(
        ("name", "said"),
        [("nan", "NaN"), ("wide", "must be logits of shape"), ("broken", "no weights"), ("not_a_network", "got int")],
    )
    def test_a_bad_network_is_one_line(self, folder: Path, capsys, name: str, said: str) -> None:
        assert main(["benchmark", f"own_benchmarked:{name}", "--no-train", "--tasks", "go", "--out", "bad"]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert name in err
        assert err.count("\n") == 1

    def test_a_battery_is_needed(self, folder: Path) -> None:
        with pytest.raises(ModcogError, match=r"battery: got NoneType, must be a modcog\.Battery"):
            benchmark.score(lambda observations: observations)


@pytest.mark.parametrize("counts", [{"jobs": 0}, {"jobs": -3}, {"seeds": 0}, {"seeds": 10**9}, {"seeds": 1.5}])
def test_counts_are_checked_before_anything_is_done(tmp_path, counts) -> None:
    (name,) = counts
    for make, network in ((benchmark.run, ("gru",)), (benchmark.score, (len, modcog.Battery(["go"])))):
        with pytest.raises(modcog.ModcogError, match=f"^{name}: got"):
            make(*network, out=tmp_path / "out", **counts)
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_killed_is_reported_as_far_as_its_weights_are(tmp_path) -> None:
    """Its record was written when it started."""
    sizes = {"hidden": 4, "steps": 4, "batch_size": 4, "eval_every": 2, "eval_trials": 1}
    folder = train(TrainConfig(tasks=["go"], arch="gru", out=tmp_path / "run", **sizes)).folder
    record = json.loads((folder / "run.json").read_text())
    started = {"step": 0, "trials": 0, "seconds": 0.0, "loss": None, "milestones": {}}
    (folder / "run.json").write_text(json.dumps({**record, "status": "running", "progress": started, "scores": {}}))
    report = benchmark.score(folder, n_trials=2, out=tmp_path / "report", ceiling=False)
    assert report.cost.trials == record["progress"]["trials"] == 16
    with pytest.raises(modcog.ModcogError, match="not been evaluated"):
        _ = read_run(folder).decision_accuracy
