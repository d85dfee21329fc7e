"""``modcog study`` on networks that are hardly trained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from modcog.cli import load

pytest.importorskip("lightning_fabric")

from modcog.experiments.studies import STUDIES
from modcog.experiments.studies.stages import as_rows, over_seeds

TINY = [f"--{name}={value}" for name, value in {
    "arch": "autapse", "hidden": 8, "steps": 2, "eval-every": 2, "eval-trials": 2, "batch-size": 4, "warmup": 1,
    "n-trials": 3,
}.items()]  # fmt: skip
ASKED = {
    "few-shot": [
        "--tasks",
        "go,goseqr,dlygo,dlygointr",
        "--set",
        "split=composition-2",
        "--set",
        "updates=1",
        "--seeds",
        "1",
    ],
    "continual": ["--tasks", "go,dm1", "--set", "methods=none", "--seeds", "2"],
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_its_time_and_leaves_tables_and_a_figure(name: str, run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ["study", name, *TINY, *ASKED[name], "--out", tmp_path]
    code, out, err = run(*words)
    assert code == 0, err
    first = err.splitlines()[0]
    n = {"few-shot": 4, "continual": 4}[name]
    assert first.startswith(f"{n} of {n} runs are left, about ")
    assert max(map(len, out.removesuffix(f"{tmp_path / 'figure.png'}\n").splitlines())) <= 80
    assert len(pd.read_csv(tmp_path / "summary.csv")) == len(STUDIES[name].summary(pd.read_csv(tmp_path / "table.csv")))
    again = run(*words)
    assert again.out == out
    assert again.err.startswith(f"0 of {n} runs are left")


def test_intervals_need_two_seeds() -> None:
    rows = pd.DataFrame([["a", 0.5, 0.1], ["a", 0.7, -0.1], ["b", 0.3, -0.001]], columns=["key", "one", "two"])
    found = as_rows(over_seeds(rows, ["key"], ["one", "two"]))
    assert found == [
        ["key", "seeds", "one", "two"],
        ["a", "2", "0.60 [-0.67, 1.87]", "0.00 [-1.27, 1.27]"],
        ["b", "1", "0.30", "0.00"],
    ]


def test_help_lists_the_studies() -> None:
    text = load("study").help
    for name, one in STUDIES.items():
        assert any(line.split() == [name, *one.asks.split()] for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fewshot"], "unknown study 'fewshot' (nearest: 'few-shot')"),
        (["few-shot", "--set", "update=3"], "unknown option or setting 'update' (nearest: 'updates')"),
        (["continual", "--set", "replay=0.5"], "replay: is decided by the study; leave it out"),
        (["continual", "--preset", "quik"], "unknown preset 'quik' (nearest: 'quick')"),
    ],
)
def test_wrong_requests(words: list[str], said: str, run) -> None:
    code, _, err = run("study", *words)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
