"""``modcog ceiling`` and ``modcog evaluate``."""

from __future__ import annotations

import json

import pytest

from modcog import TASKS, Battery
from modcog.evaluation import STRATEGIES, levels

NETWORK = """
import numpy as np

def hold(observations):
    return np.zeros(observations.shape[:2], int)

def wrong(observations):
    return np.zeros((len(observations), 4))

class box:
    hold = staticmethod(hold)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a module that holds a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_for_evaluate.py").write_text(NETWORK, encoding="utf-8")
    return tmp_path


def test_ceiling_shows_every_task(run) -> None:
    code, out, err = run("ceiling")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:-1]] == list(TASKS)


def test_ceiling_as_json_is_what_is_stored(run) -> None:
    code, out, _ = run("ceiling", "multidm", "dms", "--rules", "published", "--json")
    found = json.loads(out)
    kept = levels(Battery(["multidm", "dms"], rules="published"))
    assert code == 0
    assert found["settings"]["rules"] == "published"
    assert {task: (level["values"], level["error"]) for task, level in found["levels"].items()} == {
        task: (level.values, level.error) for task, level in kept.items()
    }


def test_ceiling_under_other_settings_is_computed(run) -> None:
    code, out, _ = run("ceiling", "dm1", "--dim-ring", 4, "--sigma", 0, "--n-trials", 50)
    assert code == 0
    assert out.splitlines()[1].split() == ["dm1", "25.00", "50.00", "25.00", "100.00", "100.00", "100.00"]
    assert out.splitlines()[0].split() == list(STRATEGIES)
    _, out, _ = run("ceiling", "go", "--measure", "directional", "--tolerance", 0)
    assert out.splitlines()[1].split()[:2] == ["go", "6.25"]


def test_scores_are_split_by_a_condition(run, here) -> None:
    words = ("evaluate", "mine_for_evaluate:hold", "--tasks", "dms,dm1", "--n-trials", 40, "--by", "match")
    code, out, _ = run(*words)
    assert code == 0
    assert [line.split()[::2][0] for line in out.splitlines()] == ["match", "0", "1"]
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["100.0", "0.0"]
    found = json.loads(run(*words, "--measure", "angular_error", "--json")[1])
    assert [row["n"] for row in found] == [int(line.split()[1]) for line in out.splitlines()[1:]]
    assert found[0]["value"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ceiling", "dm3"), "dms"),
        (("ceiling", "go", "--n-trials", 0), "n_trials"),
        (("ceiling", "go", "--rebuild"), "--rebuild"),
        (("ceiling", "--rebuild", "--sigma", 2), "--rebuild"),
        (("ceiling", "ctxdm1", "--dim-ring", 256), "dim_ring"),
        (("evaluate", "nowhere"), "nowhere"),
        (("evaluate", "nowhere:predict"), "nowhere"),
        (("evaluate", "mine_for_evaluate:hodl"), "hold"),
        (("evaluate", "mine_for_evaluate:wrong", "--tasks", "go"), "shape"),
        (("evaluate", "mine_for_evaluate:hold", "--tasks", "goo"), "go"),
        (("evaluate", "."), "run"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, here, words, says) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_evaluate_a_function_of_a_module(run, here) -> None:
    code, out, err = run("evaluate", "mine_for_evaluate:box.hold", "--tasks", "go,dms", "--n-trials", 50)
    assert (code, err) == (0, "")
    first, second = out.split("\n\n")
    rows = {row[1]: row for row in [[cell.strip() for cell in line.split("|")] for line in first.splitlines()]}
    assert [line.split("|")[1].strip() for line in second.splitlines()] == list(rows)
    assert rows["go"][4].startswith("0.0 ")
    assert rows["go"][5:9] == ["6.2", "6.2 (blind)", "100.0", "-6.7"]
    assert rows["battery"][2:4] == ["2", "100"]


def test_evaluate_as_json_without_ceiling(run, here) -> None:
    code, out, _ = run(
        "evaluate", "mine_for_evaluate:hold", "--tasks", "go,dms", "--n-trials", 20, "--json", "--no-ceiling"
    )
    found = json.loads(out)
    assert code == 0
    assert found["go"]["decision_accuracy"] == 0
    assert found["dms"]["decision_ceiling"] is None


def test_evaluate_says_where_there_is_no_ceiling(run, here) -> None:
    settings = ("--rules", "published", "--timing", "delay=uniform:100,900")
    code, out, err = run("evaluate", "mine_for_evaluate:hold", "--tasks", "dlygointr", "--n-trials", 5, *settings)
    assert code == 0
    assert err.startswith("no ceiling: ")
    assert "–" in out


def test_evaluate_a_run_on_its_own_battery_or_part_of_it(run, tmp_path) -> None:
    folder = tmp_path / "run"
    told = ("--tasks", "go,dms,dm1", "--battery", "rule_input=true", "--hidden", 8, "--steps", 1, "--eval-trials", 2)
    assert run("train", *told, "--out", folder)[0] == 0
    code, out, err = run("evaluate", folder, "--n-trials", 10, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["battery"]["n_tasks"] == 3
    code, out, _ = run("evaluate", folder, "--n-trials", 10, "--json", "--tasks", "dm1")
    assert code == 0
    assert json.loads(out)["battery"]["n_tasks"] == 1
    for words, says in ((("--tasks", "anti"), "anti"), (("--dim-ring", 8), "dim_ring")):
        code, _, err = run("evaluate", folder, *words)
        assert code == 2
        assert says in err
