"""A claim put to the test for real, on networks as small as can be, and by the command."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import Arm, tables

from modcog import ModcogError, UnknownNameError
from modcog.cli import main
from modcog.experiments.claims import CLAIMS, judge, plan, protocol, validate
from modcog.experiments.claims.claim import Verdict
from modcog.experiments.claims.rates import search_table
from modcog.experiments.claims.validation import CURVES, RESULTS, SEARCH, find
from modcog.experiments.sweeps import Grid
from modcog.experiments.sweeps.results import read_table, write_table

TINY = {"steps": 4, "eval_every": 2, "eval_trials": 2}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small presets of four updates, scored on few trials."""
    for recipe in protocol.RECIPES:
        monkeypatch.setitem(protocol.SMALL, recipe, protocol.SMALL[recipe] | TINY)
    monkeypatch.setitem(protocol.TASKS, "C1", {"tasks": ["go", "dm1", "dms"], "eval_trials": 2})
    monkeypatch.setitem(protocol.SIZES, "small", 64)
    monkeypatch.setitem(protocol.POOLS, "small", (4, 8))
    monkeypatch.setitem(protocol.UNITS, "small", (16, 64))
    few = Grid.cells
    monkeypatch.setattr(Grid, "cells", lambda grid, out: few(grid.model_copy(update={"n_trials": 5}), out))


def test_the_command_trains_judges_and_writes(tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["validate", "c2", "--preset", "small", "--rules", "corrected", "--out", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert re.match(
        r"C2, small preset: 8 runs to judge by and 0 that choose .* about \d+ s on one core; a small", said.err
    )
    assert said.out.endswith(f"{tmp_path / 'C2-small'}\n")
    folder = tmp_path / "C2-small"
    verdict = Verdict.model_validate_json((folder / "verdict.json").read_text())
    assert verdict.command == "modcog validate C2 --preset small --rules corrected"
    assert {key[1:] for key in verdict.answers()} == {("corrected", "authors"), ("corrected", "modcog")}
    page = (folder / "README.md").read_text()
    for setting in verdict.settings:
        for caveat in setting.caveats:
            assert caveat in said.out
        for ruling in setting.rulings:
            assert f"{ruling.part}: {ruling.answer}" in page
            assert f"{ruling.part}: {ruling.answer}" in said.out
    table = read_table(folder / RESULTS, ["recipe"])
    assert len(table) == 2 * 4 * 8
    rows = table[(table["extension"] != "none") & (table["recipe"] == "modcog")]
    means = rows.groupby(["arch", "seed"])["decision_accuracy"].mean()
    (gap,) = verdict.settings[1].rulings[0].numbers
    assert gap["mean"] == pytest.approx((means["lm-rnn"] - means["autapse"]).mean(), abs=1e-6)
    assert (folder / "figure.png").stat().st_size > 10_000

    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("runs/*/result.json")}
    assert len(before) == 8
    assert plan("C2", "small", tmp_path, rules="corrected").judged == 0
    tables_before = (folder / RESULTS).read_bytes()
    assert validate("C2", "small", tmp_path, rules="corrected") == verdict
    assert before == {file: file.stat().st_mtime_ns for file in before}
    assert (folder / RESULTS).read_bytes() == tables_before

    assert main([*words[:-4], "--rules", "published", "--recipe", "modcog", "--out", str(tmp_path)]) == 0  # others stay
    both = Verdict.model_validate_json((folder / "verdict.json").read_text())
    assert len(both.settings) == 3
    assert [across.recipe for across in both.across] == ["modcog"]
    assert "The same networks under both sets of rules" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("C1", "authors"), ("C3", "authors"), ("C4", "modcog"), ("C5", "modcog"), ("scale", "authors")],
)
def test_every_small_preset_runs(tiny: None, tmp_path: Path, name: str, recipe: str) -> None:
    verdict = validate(name, "small", tmp_path, rules="published", recipe=recipe, progress=False)
    assert len(verdict.answers()) == len(CLAIMS[name].parts)
    (setting,) = verdict.settings
    assert not any(ruling.because.startswith("The tables have") for ruling in setting.rulings)  # two seeds are few


def test_a_search_comes_first_widens_and_its_rates_are_used(tiny: None, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(protocol.RATES, "modcog", (0.001, 0.002, 0.004))
    best = {"lm-rnn 8 % 64": 0.008, "autapse 64": 0.0005}

    def near_the_best(results: pd.DataFrame, recipe: str) -> pd.DataFrame:  # nothing is learned in so few updates
        table = search_table(results, recipe)
        table["score"] = -np.log(table["learning_rate"] / table["arm"].map(best)).abs()
        near = (table["arm"] == "autapse 64") & (table["learning_rate"] == 0.001)
        table.loc[near, "score"] = table["seed"].eq(100) * 1.005 - 1  # as good by the first seed
        return table

    monkeypatch.setattr("modcog.experiments.claims.validation.search_table", near_the_best)
    options = {"rules": "corrected", "recipe": "modcog", "search": True}
    assert plan("C2", "small", tmp_path, **options)[:2] == (4, 6)
    verdict = validate("C2", "small", tmp_path, **options)
    searched = read_table(tmp_path / "C2-small" / SEARCH, ["score"]).groupby("arm")["learning_rate"]
    assert {arm: sorted(set(rates)) for arm, rates in searched} == {
        "lm-rnn 8 % 64": [0.001, 0.002, 0.004, 0.008, 0.016],
        "autapse 64": [0.00025, 0.0005, 0.001, 0.002, 0.004],
    }
    more = read_table(tmp_path / "C2-small" / SEARCH, ["score"]).query("seed > 100")[["arm", "learning_rate", "seed"]]
    assert set(more.itertuples(index=False, name=None)) == {
        ("autapse 64", rate, seed) for rate in (0.0005, 0.001) for seed in (101, 102)
    }
    used = read_table(tmp_path / "C2-small" / RESULTS, ["recipe"]).groupby("arm")["learning_rate"].unique()
    assert {arm: list(rates) for arm, rates in used.items()} == {arm: [rate] for arm, rate in best.items()}
    assert any("by decision accuracy after 4 updates" in text for text in verdict.settings[0].caveats)
    assert plan("C2", "small", tmp_path, **options)[:2] == (0, 0)


def test_further_seeds_join_those_that_are_there(tiny: None, tmp_path: Path) -> None:
    options = {"rules": "corrected", "recipe": "modcog", "progress": False}
    validate("C2", "small", tmp_path, seeds=[0], **options)
    shutil.rmtree(tmp_path / "runs")
    verdict = validate("C2", "small", tmp_path, seeds=[1], **options)
    scores = read_table(tmp_path / "C2-small" / RESULTS, ["recipe"])
    learning = read_table(tmp_path / "C2-small" / CURVES, ["cell"])
    assert set(scores["seed"]) == {0, 1}
    assert set(learning["cell"]) == set(scores["cell"])
    assert any("Seeds: 2 for each network" in text for text in verdict.settings[0].caveats)
    before = learning.groupby("cell").size()
    validate("C2", "small", tmp_path, seeds=[0, 1], **options)
    assert read_table(tmp_path / "C2-small" / CURVES, ["cell"]).groupby("cell").size().equals(before)


def test_a_full_preset_takes_hours_and_says_so(tmp_path: Path) -> None:
    needed = plan("C3", "full", tmp_path, rules="published", recipe="authors")
    assert needed[:2] == (9 * 8, 9 * 5)
    assert 5 < needed.hours < 50
    assert plan("C3", "full", tmp_path, rules="published", recipe="authors", seeds=range(2)).judged == 9 * 2
    assert plan("C3", "small", tmp_path, rules="published", recipe="authors").hours < 0.2


@pytest.mark.parametrize("name", CLAIMS)
def test_a_verdict_can_be_had_again_from_its_tables(name: str, tmp_path: Path, capsys) -> None:
    def accuracy(arm: Arm, task: str) -> float:
        return 0.7

    made = [tables(name, accuracy, rules=rules) for rules in ("published", "corrected")]
    for file, parts in zip((RESULTS, CURVES), zip(*made, strict=True), strict=True):
        write_table(pd.concat(parts), tmp_path / name / file)
    (tmp_path / name / "notes.txt").write_text("These tables are made up.\n")
    (tmp_path / "README.md").write_text("before\n<!-- verdicts -->\nstale\n<!-- end of verdicts -->\nafter\n")
    verdict = judge(find(name), tmp_path / name, "modcog validate something")
    assert main(["validate", name, "--tables", str(tmp_path / name)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Note: These tables are made up.")
    page = (tmp_path / name / "README.md").read_text()
    assert "modcog validate something" in page
    assert "These tables are made up." in page
    assert not re.search(r"\bnan\b", page)
    assert bool(verdict.across) == bool(CLAIMS[name].pair)
    front = (tmp_path / "README.md").read_text()
    assert front.startswith("before\n")
    assert front.endswith("after\n")
    assert "stale" not in front
    for part in CLAIMS[name].parts:
        assert f"[{part.name}]({name}/README.md)" in front


def test_a_failed_run_leaves_no_verdict(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "arms", lambda *_: [{"arch": "no_such_module:f", "hidden": 8}])
    with pytest.raises(
        ModcogError, match=r"2 of 2 runs are not finished; no_such_module.*: architecture 'no_such_module:f': cannot"
    ):
        validate("C2", "small", tmp_path, rules="corrected", recipe="modcog")
    assert not list(tmp_path.glob("C2*"))


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown claim 'C9'"):
        validate("C9")
    with pytest.raises(UnknownNameError, match=r"unknown preset 'ful'.*nearest: 'full'"):
        validate("C1", "ful")
    with pytest.raises(UnknownNameError, match=r"unknown rules 'correct'.*nearest: 'corrected'"):
        plan("C1", rules="correct")
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'author'.*nearest: 'authors'"):
        validate("C1", recipe="author")
    with pytest.raises(ModcogError, match=r"results\.csv\.gz is missing"):
        judge(find("C1"), tmp_path, "")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (RESULTS, b"", "results.csv.gz is damaged"),
        (
            RESULTS,
            gzip.compress(b"a,b\n1,2\n", mtime=0),
            "results.csv.gz is damaged: it has no column recipe, cell, status",
        ),
        (RESULTS, b"\xff\xfe\x00", "results.csv.gz is damaged"),
        (CURVES, gzip.compress(b'"', mtime=0), "curves.csv.gz is damaged"),
        (RESULTS, None, "has no finished run"),
        ("verdict.json", b"[]", "verdict.json is damaged"),
        ("verdict.json", b"{}", "verdict.json is damaged: command: missing"),
    ],
)
def test_damaged_tables_are_one_line(tmp_path: Path, capsys, file: str, content: bytes | None, said: str) -> None:
    folder = shutil.copytree(Path(__file__).parents[3] / "docs" / "results" / "C3", tmp_path / "C3")
    if content is None:
        content = gzip.compress(gzip.decompress((folder / file).read_bytes()).split(b"\n")[0] + b"\n")
    (folder / file).write_bytes(content)
    assert main(["validate", "C3", "--tables", str(folder)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "unexpected" not in error
