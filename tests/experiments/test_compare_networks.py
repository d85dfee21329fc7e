"""The page that compares the reference networks says what its table says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/results/networks"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "tests/benchmarks/compare_networks.py"))


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "measures.csv")


def test_the_page_is_that_of_the_table(script, table):
    assert script["page"](table) == (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_network_has_every_measure_of_every_seed(script, table):
    assert set(table["measure"]) == set(script["MEASURES"])
    assert set(table["network"]) == set(script["NETWORKS"])
    assert (table.groupby(["network", "measure"])["seed"].nunique() == table["seed"].nunique()).all()
    assert table["value"].notna().all()


def test_means_and_stars_are_those_of_plain_arithmetic(table):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| tasks that were trained "))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    of = table[table["measure"] == "trained"].groupby("network")["value"].mean() * 100
    for name, cell in zip(["dense", "LM-RNN 8 %", "autapses", "GRU"], cells, strict=True):
        assert float(cell.split()[0]) == pytest.approx(of[name], abs=0.051)
    stars = len(re.findall(r"\\\*", text.split("### Composition")[1]))
    assert f"{stars} are significant" in text
