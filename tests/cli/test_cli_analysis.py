"""``modcog analyse`` on networks that are hardly trained."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from modcog import TASKS
from modcog.cli import load, main

pytest.importorskip("lightning_fabric")

from modcog.analysis.questions import QUESTIONS
from modcog.training import TrainConfig, train

OWN = ["go", "goseql", "dlygo", "dlygointr", "dm1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        train(
            TrainConfig(tasks=OWN, hidden=16, density=0.4, steps=4, batch_size=8, eval_trials=2, threads=1, seed=seed,
                        battery={"rule_input": "compositional"}, out=folder / f"run{seed}")
        )  # fmt: skip
    return [folder / "run0", folder / "run1"]


@pytest.mark.parametrize("question", [name for name, one in QUESTIONS.items() if not one.several])
def test_a_question_leaves_a_table_and_a_figure(question: str, runs: list[Path], capsys) -> None:
    assert main(["analyse", question, str(runs[0]), "--n-trials", "3", "--seed", "1"]) == 0
    said, folder = capsys.readouterr().out, runs[0] / "analysis"
    assert said.endswith(f"{folder / question}.png\n")
    table = pd.read_csv(folder / f"{question}.csv")
    assert (folder / f"{question}.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / f"{question}.csv").read_bytes()
    assert main(["analyse", question, str(runs[0]), "--n-trials", "3", "--seed", "1"]) == 0
    assert (folder / f"{question}.csv").read_bytes() == before
    if question == "composition":
        assert set(table["task"]) == {task for task in TASKS if task.startswith(("go", "dlygo")) or task[:3] == "dm1"}


def test_two_networks_are_compared(runs: list[Path], tmp_path: Path, capsys) -> None:
    words = ["analyse", "likeness", *map(str, runs), "--n-trials", "40", "--tasks", "go,dm1", "--out", str(tmp_path)]
    assert main([*words, "--set", "measure=procrustes", "--set", "n_shuffles=3"]) == 0
    table = pd.read_csv(tmp_path / "likeness.csv")
    assert len(table) == 4
    assert table["value"].between(0, 1).all()
    assert runs[1].name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shfit", "RUN"], "unknown question 'shfit' (nearest: 'shift')"),
        (["likeness", "RUN"], "likeness: got 1 runs, takes two or more"),
        (["shift", "RUN", "RUN"], "shift: got 2 runs, takes one"),
        (["shift", "RUN", "--set", "shift=noise"], "unknown argument 'shift' (nearest: 'shifts')"),
        (["shift", "RUN", "--set", "shifts"], "--set: got 'shifts', must be NAME=VALUE"),
        (["lesions", "RUN", "--set", "groups=patch"], "unknown kind of groups 'patch' (nearest: 'patches')"),
        (["variance", "RUN", "--tasks", "goo,dm1"], "unknown task or collection 'goo' (nearest: 'go')"),
        (["variance", "nowhere"], "nowhere is not the folder of a run"),
    ],
)
def test_wrong_requests(words: list[str], said: str, runs: list[Path], capsys) -> None:
    assert main(["analyse", *(word.replace("RUN", str(runs[0])) for word in words)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_lists_the_questions() -> None:
    text = load("analyse").help
    for name, one in QUESTIONS.items():
        assert any(line.split() == [name, *one.asks.split()] for line in text.splitlines())


def test_evaluate_asks_for_tasks_that_were_held_out(runs: list[Path], capsys) -> None:
    words = ["evaluate", str(runs[0]), "--n-trials", "4", "--no-ceiling", "--json"]
    assert main([*words, "--tasks", "dlygointl,go"]) == 0
    assert {"dlygointl", "go"} <= json.loads(capsys.readouterr().out).keys()
    assert main([*words, "--tasks", "go,dms"]) == 2
    assert "tasks: got 'dms', whose base task the network was not trained on" in capsys.readouterr().err


def test_a_single_value_will_do_for_a_list(runs: list[Path], tmp_path: Path) -> None:
    words = ["analyse", "shift", str(runs[0]), "--n-trials", "3", "--tasks", "go,dlygo", "--out", str(tmp_path)]
    assert main([*words, "--set", "shifts=delay"]) == 0
    assert set(pd.read_csv(tmp_path / "shift.csv")["shift"]) == {"delay"}
    words = ["analyse", "pruning", str(runs[0]), "--n-trials", "3", "--tasks", "go", "--out", str(tmp_path)]
    assert main([*words, "--set", "shares=0,0.5", "--set", "ways=weakest"]) == 0
    table = pd.read_csv(tmp_path / "pruning.csv")
    assert set(table["share"]) == {0, 0.5}
    assert set(table["way"]) == {"weakest"}
