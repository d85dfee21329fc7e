"""The report that ``modcog train`` leaves in the folder of a run: the benchmark's page, and how to repeat the run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modcog
from modcog.cli import load
from modcog.cli.training import repeating
from modcog.data import export
from modcog.evaluation.scores import extension
from modcog.experiments.benchmark import Report
from modcog.training import TrainConfig
from modcog.training.checkpoint import latest
from tests.experiments.benchmark.conftest import OWN

TASKS = ("go", "dlygo", "dm1seqr", "dmsintr")

SMALL = (
    "--arch", "gru", "--hidden", 8, "--steps", 4, "--batch-size", 8, "--eval-every", 2, "--eval-trials", 2,
    "--warmup", 1,
)  # fmt: skip

FRAGILE = """
class Fragile(Net):
    def forward(self, x):
        if x.shape[1] > 60:
            raise RuntimeError("too many trials")
        return super().forward(x)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a network of its own."""
    (tmp_path / "own_paged.py").write_text(OWN + FRAGILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def report(folder: str) -> Report:
    return Report.model_validate_json(Path(folder, "report.json").read_text())


def section(folder: str, title: str) -> str:
    return Path(folder, "report.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_page_is_that_of_a_benchmark_of_the_run(run) -> None:
    code, out, _ = run("train", *SMALL, "--tasks", ",".join(TASKS), "--out", "run")
    assert (code, out.splitlines()[-2:]) == (0, ["run", "run/report.html"])
    assert run("benchmark", "run", "--out", "again").code == 0
    ours, theirs = report("run"), report("again")
    changed = {"created": theirs.created, "command": theirs.command, "trained": theirs.trained}
    assert ours.model_copy(update=changed) == theirs
    assert ours.trained
    page = Path("run", "report.html").read_text()
    assert ours.command in page
    assert "Scored on 200 trials of each task with seed 1000." in page
    assert {file.name for file in Path("run").glob("*.*")} >= {"learning_curve.png", "tasks.png", "report.md"}


def test_curves_by_group_are_means_over_the_tasks_of_each_evaluation(run) -> None:
    run("train", *SMALL, "--tasks", ",".join(TASKS), "--out", "run")
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    rows = report("run").rows_of("family", "extension")
    assert [row.name for row in rows] == ["go", "decision", "match", "none", "sequence", "interval"]
    for row in rows:
        group = [t for t in TASKS if row.name in (modcog.parse(t).family, extension(modcog.parse(t)))]
        means = [np.mean([line["decision_accuracy_per_task"][task] for task in group]) for line in lines]
        assert [(one.trials, one.mean) for one in row.curve] == [
            (line["trials"], pytest.approx(mean)) for line, mean in zip(lines, means, strict=True)
        ]


def test_a_run_has_no_page_unless_it_is_wanted_and_gets_one_when_it_is_resumed(run) -> None:
    code, out, _ = run("train", *SMALL, "--tasks", "go", "--out", "run", "--no-report")
    assert (code, out.splitlines()[-1]) == (0, "run")
    assert not list(Path("run").glob("report*"))
    assert run("train", "--resume", "--out", "run").code == 0
    assert report("run").done[0].status == "finished"


def weights(folder: str) -> bytes:
    return (latest(Path(folder, "checkpoints")) / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ("--tasks", "go,dms", "--seed", 5, "--battery", "dt=50", "--battery", "rules=published", "--threads", 1),
        ("--tasks", "yang19", "--train-on", "go,dms", "--eval-early"),
        ("--start", "first", "--tasks", "go,dms", "--replay", 0.5, "--train-on", "dms"),
        ("--data", "data"),
        ("--arch", "own_paged:Net", "--tasks", "go", "--clip", 0, "--precision", "64-true"),
    ],
    ids=["settings", "train_on", "start", "data", "own network"],
)
def test_the_command_on_the_page_repeats_the_run(run, monkeypatch, words) -> None:
    """In another folder beside it, whatever the run was made with."""
    monkeypatch.setattr("modcog.experiments.benchmark.figures.as_html", lambda report: "")  # takes a second
    if "first" in words:
        assert run("train", *SMALL, "--tasks", "go,dms", "--train-on", "go", "--out", "first", "--no-report").code == 0
    if "data" in words:
        export("data", tasks=["go", "dm1"], trials_per_task=40, splits={"train": 1.0}, dt=50)
    assert run("train", *SMALL, *words, "--out", "a run").code == 0
    program, *again = shlex.split(report("a run").command)
    assert program == "modcog"
    code, _, err = run(*again, "--no-report")
    assert (code, err) == (0, "")
    assert weights("a run-again") == weights("a run")
    assert ("; data data;" in section("a run", "What was run")) == ("data" in words)


def test_what_options_cannot_say_is_repeated_from_python(run) -> None:
    values = {"tasks": ["dlygo"], "battery": {"timing": {"delay": ["uniform", [300, 900]]}}, "hidden": 8, "steps": 2}
    Path("run.json").write_text(json.dumps({**values, "arch": "gru", "batch_size": 4, "eval_trials": 1}))
    assert run("train", "--config", "run.json", "--out", "run").code == 0
    command = report("run").command
    assert command.startswith("modcog.training.train(modcog.training.TrainConfig(")
    done = eval(command, {"modcog": modcog})
    assert str(done.folder) == "run-again"
    assert weights("run-again") == weights("run")


TEXTS = st.sampled_from(["identity", "1", "true", "a,b", "None", "uniform:1,2", "-x", "a b"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(0, 1e6), TEXTS)


@settings(deadline=None, max_examples=60)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tasks": st.sampled_from([["go"], "yang19", ["dms", "go"], "modcog132"]),
            "model": st.dictionaries(
                st.sampled_from(["init", "gain", "a=b", "--x"]),
                st.one_of(VALUES, st.lists(VALUES, max_size=2)),
                max_size=2,
            ),
            "battery": st.sampled_from([{"dt": 20}, {"interval": [300]}, {"coherences": [0.1, 0.2]}, {"timing": {}}]),
            "learning_rate": st.floats(1e-9, 10),
            "density": st.sampled_from([None, 0.1]),
            "devices": st.sampled_from(["auto", 1, 2]),
            "clip_absent": st.booleans(),
            "arch": st.sampled_from(["gru", "my_module:net"]),
            "out": st.sampled_from(["runs/a", "-a", "a b", "~"]),
        },
    )
)
def test_a_command_or_a_call_has_all_settings(values) -> None:
    """Whatever they are: what a command line would read as something else is left to Python."""
    config = TrainConfig(**values)
    with click.Context(click.Command("modcog")) as context:
        context.params["modules"] = ()
        command = repeating(config)
    expected = config.model_copy(update={"out": Path(f"{config.out}-again")})
    if command.startswith("modcog.training.train("):
        assert eval(command.removeprefix("modcog.training.train"), {"modcog": modcog}) == expected
        return
    program, name, *words = shlex.split(command)
    assert (program, name) == ("modcog", "train")
    given = load("train").make_context("train", words).params
    assert TrainConfig(**{key: given[key] for key in TrainConfig.model_fields if given[key] is not None}) == expected


def test_a_page_waits_for_no_ceiling_that_is_not_stored(run, monkeypatch) -> None:
    """It has that of the run's pictures, and says so."""
    monkeypatch.setattr("modcog.experiments.benchmark.bench.levels", pytest.fail)
    counted = []
    computed = modcog.evaluation.ceilings.level_of
    monkeypatch.setattr(
        "modcog.evaluation.ceilings.level_of", lambda task, *rest: counted.append(task) or computed(task, *rest)
    )
    assert run("train", *SMALL, "--tasks", "go,dm1", "--battery", "dt=41", "--out", "run").code == 0
    assert sorted(counted) == ["dm1", "go"], "once, for the pictures"
    (note,) = report("run").notes[:1]
    assert "within about 1 %" in note
    assert note.endswith("modcog benchmark run")
    assert all(row.ceiling for row in report("run").rows)
    assert run("train", *SMALL, "--tasks", "go,dm1", "--out", "usual").code == 0
    assert report("usual").notes == ()


def test_a_run_on_some_tasks_and_one_that_starts_from_it_say_so(run) -> None:
    words = (*SMALL, "--tasks", "go,dms,anti")
    assert run("train", *words, "--train-on", "go,dms", "--out", "first").code == 0
    assert "Trained on 2 of the 3 tasks alone: go, dms." in report("first").notes
    assert run("train", *words, "--start", "first", "--out", "second").code == 0
    assert any("Started from the weights of the run in first," in note for note in report("second").notes)
    assert "; start first;" in section("second", "What was run")


def test_a_run_that_diverged_has_the_page_of_its_last_good_checkpoint(run) -> None:
    words = ("--arch", "dense", "--learning-rate", 1e30, "--clip", 0, "--steps", 50, "--eval-every", 50)
    code, out, err = run("train", *SMALL, *words, "--tasks", "go", "--out", "run")
    assert (code, out) == (2, "run/report.html\n")
    assert err.startswith("modcog: ")
    assert err.count("\n") == 1
    found = report("run")
    assert found.done[0].status == "diverged"
    assert "The run is not finished (status: diverged)" in found.notes[0]
    assert "after 0 of 50 updates" in found.notes[0]
    assert len(found.curve) == 1
    assert "Learning curves by family" in Path("run/report.html").read_text()


def test_a_run_that_diverged_before_an_evaluation_has_none(run) -> None:
    words = ("--arch", "dense", "--model", "gain=1e38", "--model", "activation=relu")
    code, out, err = run("train", *SMALL, *words, "--tasks", "go", "--out", "run")
    assert (code, out) == (2, "")
    assert "the network's output became NaN or infinite" in err
    assert not list(Path("run").glob("report*"))


def test_a_run_that_was_stopped_has_none(run, monkeypatch) -> None:
    monkeypatch.setattr("modcog.training.loop.stop_signals", _Asked)
    code, out, _ = run("train", *SMALL, "--tasks", "go", "--out", "run")
    assert code == 130
    assert out.splitlines()[-1] == "To resume: modcog train --resume --out run"
    assert not list(Path("run").glob("report*"))


class _Asked:
    """Stands for the signals of a process that was asked to stop."""

    def __enter__(self):
        return lambda: True

    def __exit__(self, *_: object) -> None: ...


def test_a_network_that_cannot_be_scored_is_no_failure_of_its_run(run) -> None:
    code, out, err = run("train", *SMALL, "--arch", "own_paged:Fragile", "--tasks", "go", "--out", "run")
    assert (code, out.splitlines()[-1]) == (0, "run")
    assert err.startswith("no report: ")
    assert "too many trials" in err
    assert err.count("\n") == 1
    assert not list(Path("run").glob("report*"))


def test_ctrl_c_while_a_network_is_scored_leaves_a_whole_run(run, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("modcog.experiments.benchmark.bench.score_run", stop)
    code, out, err = run("train", *SMALL, "--tasks", "go", "--out", "run")
    assert (code, out.splitlines()[0].split()[0]) == (130, "finished")
    assert err == "modcog: stopped; run has no report, which modcog benchmark can make\n"
    assert json.loads(Path("run/run.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_of_two_processes_the_first_writes_the_page(tmp_path) -> None:
    words = [*map(str, SMALL), "--tasks", "go", "--devices", "2", "--accelerator", "cpu", "--out", "run"]
    environment = {**os.environ, "PYTHONPATH": str(Path(modcog.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "modcog", "train", *words],
        capture_output=True, text=True, timeout=300, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report.html") == 1
    assert report("run").cost.trials == 4 * 8 * 2
