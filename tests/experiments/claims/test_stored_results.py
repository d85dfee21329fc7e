"""The results in the docs are what the code of today makes of their tables, and the page says the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from modcog.experiments.claims import CLAIMS

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def stored(name: str) -> dict:
    return json.loads((RESULTS / name / "verdict.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CLAIMS)
def test_the_verdict_follows_from_the_tables(name: str) -> None:
    verdict = CLAIMS[name].verdict(*(pd.read_csv(RESULTS / name / f"{table}.csv") for table in ("results", "curves")))
    assert stored(name)["answer"] == verdict.answer
    assert stored(name)["because"] == verdict.because
    assert [finding["what"] for finding in stored(name)["findings"]] == [finding.what for finding in verdict.findings]
    means = [finding["mean"] for finding in stored(name)["findings"]]
    assert means == pytest.approx([finding.estimate.mean for finding in verdict.findings])


@pytest.mark.parametrize("name", CLAIMS)
def test_the_tables_hold_the_whole_grid(name: str) -> None:
    results = pd.read_csv(RESULTS / name / "results.csv")
    cells = CLAIMS[name].presets["full"].cells("runs")
    assert set(results["cell"]) == {cell.name for cell in cells}
    assert len(results) == sum(len(cell.config.tasks) for cell in cells)
    assert not results["task"].isna().any()


@pytest.mark.parametrize("name", CLAIMS)
def test_the_page_names_the_verdict(name: str) -> None:
    rows = re.findall(
        r"^\| \[(C\d)\]\((C\d)/README\.md\) \|.*\| \**([a-z ]+)\** \|", (RESULTS / "README.md").read_text(), re.M
    )
    assert (name, name, stored(name)["answer"]) in rows


@pytest.mark.parametrize("name", CLAIMS)
def test_accuracies_are_between_0_and_the_ceiling(name: str) -> None:
    results = pd.read_csv(RESULTS / name / "results.csv")
    # 200 trials: a network as good as the ideal observer is above it by three standard errors in 1 of 700 draws
    room = 4 * (results["decision_ceiling"] * (1 - results["decision_ceiling"]) / results["n_trials"]).pow(0.5) + 1e-6
    assert (results["decision_accuracy"] >= 0).all()
    assert (results["decision_accuracy"] <= results["decision_ceiling"] + room).all()
