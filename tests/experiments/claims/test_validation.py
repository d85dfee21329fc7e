"""A claim put to the test for real, on networks as small as can be, and by the command."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from made_up import by_arch, tables

from modcog import ModcogError, UnknownNameError
from modcog.cli import main
from modcog.experiments.claims import CLAIMS, judge, validate
from modcog.experiments.claims.validation import find
from modcog.experiments.sweeps import Grid

TINY = {"steps": 4, "batch_size": 8, "eval_every": 2, "eval_trials": 2, "warmup": 1}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """C2 with networks of 8 units that see 32 trials."""
    small = CLAIMS["C2"].presets["small"]
    arms = tuple({**arm, "hidden": 8, **({"density": 0.5} if "density" in arm else {})} for arm in small.arms)
    grid = Grid(settings={**small.settings, **TINY}, arms=arms, axes={"seed": [0, 1]}, n_trials=5)
    monkeypatch.setitem(CLAIMS["C2"].presets, "tiny", grid)


def test_the_command_trains_judges_and_writes(tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "c2", "--preset", "tiny", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"{tmp_path / 'C2-tiny'}\n")
    verdict = json.loads((tmp_path / "C2-tiny" / "verdict.json").read_text())
    assert said.startswith(f"C2: {verdict['answer']}. ")
    table = pd.read_csv(tmp_path / "C2-tiny" / "results.csv")
    assert len(table) == 4 * 8
    means = table[table["extension"] != "none"].groupby(["arch", "seed"])["decision_accuracy"].mean()
    gap = next(finding for finding in verdict["findings"] if finding["what"].endswith("extended tasks"))
    assert gap["mean"] == pytest.approx((means["lm-rnn"] - means["autapse"]).mean(), abs=1e-6)
    assert (tmp_path / "C2-tiny" / "figure.png").stat().st_size > 10_000
    page = (tmp_path / "C2-tiny" / "README.md").read_text()
    assert f"The verdict: {verdict['answer']}" in page
    assert verdict["command"] == "modcog validate C2 --preset tiny"

    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("runs/*/result.json")}
    assert len(before) == 4
    assert validate("C2", "tiny", tmp_path).answer == verdict["answer"]
    assert before == {file: file.stat().st_mtime_ns for file in before}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_verdict_can_be_had_again_from_its_tables(name: str, tmp_path: Path, capsys) -> None:
    archs = ("lm-rnn", "dense", "autapse", "random", "shuffled")
    grid = CLAIMS[name].presets["small"]
    made = tables(grid, by_arch(dict.fromkeys(archs, 0.7)), lambda cell: 1000 + cell.config.seed)
    for table, file in zip(made, ("results.csv", "curves.csv"), strict=True):
        table.to_csv(tmp_path / file, index=False)
    verdict = judge(find(name), tmp_path, "modcog validate something")
    assert main(["validate", name, "--tables", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: {verdict.answer}")
    page = (tmp_path / "README.md").read_text()
    assert "modcog validate something" in page
    assert not re.search(r"\bnan\b", page)


def test_a_failed_run_leaves_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(settings={**TINY, "tasks": ["go"]}, arms=({"arch": "no_such_module:f"},))
    monkeypatch.setitem(CLAIMS["C2"].presets, "broken", grid)
    with pytest.raises(
        ModcogError, match=r"1 of 1 runs are not finished; no_such_module.*: architecture 'no_such_module:f': cannot"
    ):
        validate("C2", "broken", tmp_path)
    assert not list(tmp_path.glob("C2*"))


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown claim 'C9'"):
        validate("C9")
    with pytest.raises(UnknownNameError, match=r"unknown preset 'ful'.*nearest: 'full'"):
        validate("C1", "ful")
    with pytest.raises(ModcogError, match=r"results\.csv is missing"):
        judge(find("C1"), tmp_path, "")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("results.csv", b"", "results.csv is damaged"),
        ("results.csv", b"a,b\n1,2\n", "results.csv is damaged: it has no column cell, status"),
        ("results.csv", b"\xff\xfe\x00", "results.csv is damaged"),
        ("curves.csv", b'"', "curves.csv is damaged"),
        ("results.csv", None, "cannot be judged by its tables"),
        ("verdict.json", b"[]", "verdict.json is damaged"),
        ("verdict.json", b"{}", "verdict.json is damaged: command: missing"),
    ],
)
def test_damaged_tables_are_one_line(tmp_path: Path, capsys, file: str, content: bytes | None, said: str) -> None:
    folder = shutil.copytree(Path(__file__).parents[3] / "docs" / "results" / "C3", tmp_path / "C3")
    head = (folder / file).read_bytes().split(b"\n")[0] + b"\n"
    (folder / file).write_bytes(head if content is None else content)
    assert main(["validate", "C3", "--tables", str(folder)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "unexpected" not in error
