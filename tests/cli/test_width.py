"""Terminals of 80 columns: no line of a table is wider, and what tells rows apart is in every part of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from modcog.cli import COMMANDS, doctor
from modcog.extras import EXTRAS, install_command

CLAIM = Path(__file__).parents[2] / "docs/results/C3"


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "own_net.py").write_text("def predict(x):\n    return x[..., :17]\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(CLAIM, tmp_path / "C3")


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


EVALUATE = "evaluate own_net:predict --n-trials 2"


@pytest.mark.parametrize(
    "words",
    [
        "list",
        "show modcog132 --trials 1",
        "show dlygointrseql --rules published --dim-ring 64 --rule-input --timing fixation=uniform:12345.678,23456.789",
        "ceiling modcog132",
        "ceiling go --measure angular_error",
        EVALUATE,
        f"{EVALUATE} --tasks dm1 --no-ceiling",
        f"{EVALUATE} --tasks dlydm1intr --by coherence",
        f"{EVALUATE} --tasks dlydm1intr --by coherence,interval_ms,direction1,strength1_mod1",
        f"{EVALUATE} --tasks dlydm1intr --by coherence,interval_ms,direction1,strength1_mod1,direction2,target",
        "validate C3 --tables C3",
        *(f"{command} --help" for command in COMMANDS),
        "--help",
    ],
)
def test_nothing_is_wider_than_the_terminal(run, words) -> None:
    code, out, err = run(*words.split())
    assert code == 0, err
    assert widest(out) <= 80


def test_every_part_of_a_table_of_scores_names_its_rows(run) -> None:
    _, out, _ = run(*EVALUATE.split(), "--tasks", "yang19")
    parts = [[line.split("|")[1].strip() for line in part.splitlines()[2:]] for part in out.split("\n\n")]
    assert len(parts) > 2
    assert all(rows == parts[0] and len(set(rows)) == len(rows) for rows in parts)
    heads = [cell.strip() for part in out.split("\n\n") for cell in part.splitlines()[0].split("|")[2:-1]]
    assert heads[:7] == ["tasks", "trials", "decision accuracy", "chance", "without", "ceiling", "share"]
    assert heads[7:] == ["trial", "last-step", "directional", "angular error (°)", "unanswered", "pooled"]


def test_a_pipe_gets_whole_tables(run, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS")
    _, out, _ = run(*EVALUATE.split())
    assert out.count("\n\n") == 1
    assert widest(run("list")[1]) > 200


def test_every_part_of_split_scores_has_the_conditions(run) -> None:
    conditions = "coherence,interval_ms,direction1,strength1_mod1"
    _, out, _ = run(*EVALUATE.split(), "--tasks", "dlydm1intr", "--by", conditions)
    parts = [part.splitlines() for part in out.split("\n\n")]
    assert len(parts) > 1
    keys = [[line.split()[:4] for line in part] for part in parts]
    assert keys[0][0] == conditions.split(",")
    assert all(rows == keys[0] for rows in keys)


def test_where_conditions_leave_no_room_each_row_is_a_table(run) -> None:
    conditions = ["coherence", "interval_ms", "direction1", "strength1_mod1", "direction2", "target"]
    _, out, _ = run(*EVALUATE.split(), "--tasks", "dlydm1intr", "--by", ",".join(conditions))
    for part in out.split("\n\n"):
        names = [re.split(" {2,}", line)[0] for line in part.splitlines()]
        assert names == [*conditions, "trials", "decision accuracy (%)", "low", "high"]


def test_the_levels_stand_in_one_table(run) -> None:
    _, out, _ = run("ceiling", "modcog132")
    assert out.splitlines()[0].split() == ["blind", "no-comparison", "no-memory", "no-clock", "no-sequence", "ideal"]


def test_doctor_wraps_what_is_missing_but_not_the_command_that_installs_it(run, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "TESTS", {})
    monkeypatch.setattr("modcog.extras.find_spec", lambda module: None)
    _, out, _ = run("doctor")
    assert widest(out) <= 80
    assert all(install_command(extra) in out for extra in EXTRAS)
    assert "\N{NO-BREAK SPACE}" not in out


def test_summaries_of_runs(run, tmp_path) -> None:
    small = "--hidden 4 --eval-trials 1 --tasks multidlydmintrseqr,dm1 --steps 2 --eval-every 1"
    assert widest(run("train", *small.split(), "--out", "a")[1]) <= 80
    report = run("benchmark", "gru", *small.split(), "--seeds", "1", "--n-trials", "2", "--out", "b")
    assert (report.code, widest(report.out) <= 80) == (0, True), report.err
