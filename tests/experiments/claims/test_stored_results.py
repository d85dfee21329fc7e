"""The results in the docs are what the code of today makes of their tables, and the pages say the same."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from modcog.experiments.claims import CLAIMS, protocol
from modcog.experiments.claims.claim import Verdict
from modcog.experiments.claims.pages import END, START, front_table
from modcog.experiments.claims.validation import CURVES, PAGE, RESULTS, SEARCH, VERDICT, _figure, judge_again, runs_of
from modcog.experiments.sweeps.results import read_table, write_table

DOCS = Path(__file__).parents[3] / "docs" / "results"
STORED = [name for name in CLAIMS if (DOCS / name).exists()]


def stored(name: str) -> Verdict:
    return Verdict.model_validate_json((DOCS / name / VERDICT).read_text(encoding="utf-8"))


def test_every_claim_of_the_paper_is_stored() -> None:
    assert {"C1", "C2", "C3", "C4", "C5"} <= set(STORED)


@pytest.mark.parametrize("name", STORED)
def test_verdicts_and_pages_follow_from_the_tables(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(DOCS / name, tmp_path / name)
    judge_again(CLAIMS[name], folder)
    made, there = (json.loads((place / VERDICT).read_text(encoding="utf-8")) for place in (folder, DOCS / name))
    for one, other in zip(made.pop("settings"), there.pop("settings"), strict=True):
        for ruling, known in zip(one["rulings"], other["rulings"], strict=True):
            for numbers, as_stored in zip(ruling.pop("numbers"), known.pop("numbers"), strict=True):
                assert numbers.keys() == as_stored.keys()
                for key, value in as_stored.items():
                    assert numbers[key] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)
        assert one == other
    assert made == there
    assert (folder / PAGE).read_text(encoding="utf-8") == (DOCS / name / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STORED)
def test_the_text_of_a_figure_can_be_read_on_a_phone(name: str) -> None:
    """There a picture is 640 pixels wide and is scrolled."""
    figure = _figure(CLAIMS[name], runs_of(DOCS / name))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    inside = figure.get_tightbbox(canvas.get_renderer())
    assert inside.xmin > 0
    assert inside.xmax < figure.get_figwidth()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    for text in texts:
        assert text.get_fontsize() / 72 * 640 / figure.get_figwidth() > 9, text
    for axes in (axes for axes in figure.axes if axes.axison):
        for axis in (axes.xaxis, axes.yaxis):
            assert axis.get_label_text(), axes.get_title(loc="left")
            boxes = [text.get_window_extent() for text in axis.get_ticklabels() if text.get_text()]
            assert not any(one.padded(2).overlaps(other) for one, other in pairwise(boxes)), axis.get_label_text()
        title = axes.get_title(loc="left")
        if any(shown in title for shown in ("learning curves", "by extension", "recipe:\naccuracy at the end")):
            told = {text.get_text() for text in axes.get_legend().get_texts()}
            assert {"chance", "ceiling"} <= told or "task by task" in title


def test_the_front_page_has_every_verdict() -> None:
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    table = text.partition(START)[2].partition(END)[0].strip()
    assert table == front_table((CLAIMS[name], stored(name)) for name in STORED)
    for name in STORED:
        for setting in stored(name).settings:
            for ruling in setting.rulings:
                (line,) = (line for line in table.splitlines() if f"[{ruling.part}]({name}/README.md)" in line)
                assert ruling.answer in line


@pytest.mark.parametrize("name", STORED)
def test_the_page_carries_its_caveats(name: str) -> None:
    page = (DOCS / name / PAGE).read_text(encoding="utf-8")
    for setting in stored(name).settings:
        for word in ("rules", "ecipe", "Budget", "Seeds", "Learning rate", "Censoring"):
            assert any(word in caveat for caveat in setting.caveats)
        assert all(caveat.split(":")[0] in page for caveat in setting.caveats)


@pytest.mark.parametrize("name", STORED)
def test_the_tables_hold_the_whole_grid(name: str) -> None:
    results = read_table(DOCS / name / RESULTS, ["recipe"])
    assert not results["task"].isna().any()
    assert set(read_table(DOCS / name / CURVES, ["recipe"])["cell"]) == set(results["cell"])
    for (rules, recipe), rows in results.groupby(["rules", "recipe"]):
        if recipe != protocol.EARLIER:
            rates = rows.groupby("arm")["learning_rate"].first().to_dict()
            seeds = range(rows["seed"].nunique())  # the first of the protocol's
            cells = protocol.judged(name, rules, recipe, rates, seeds=seeds).cells("runs")
            assert set(rows["cell"]) == {cell.name for cell in cells}
            assert len(rows) == sum(len(cell.config.tasks) for cell in cells)


@pytest.mark.parametrize("name", STORED)
def test_accuracies_are_between_0_and_the_ceiling(name: str) -> None:
    results = read_table(DOCS / name / RESULTS, ["recipe"])
    # 200 trials: a network as good as the ideal observer is above it by three standard errors in 1 of 700 draws
    room = 4 * (results["decision_ceiling"] * (1 - results["decision_ceiling"]) / results["n_trials"]).pow(0.5) + 1e-6
    assert (results["decision_accuracy"] >= 0).all()
    assert (results["decision_accuracy"] <= results["decision_ceiling"] + room).all()


@pytest.mark.parametrize("name", STORED)
def test_tables_have_the_same_bytes_whenever_and_under_whatever_name_they_are_written(
    name: str, tmp_path: Path
) -> None:
    for file in (RESULTS, CURVES, SEARCH):
        if (DOCS / name / file).exists():
            table = pd.read_csv(DOCS / name / file, dtype=str, keep_default_na=False)
            write_table(table, tmp_path / f"other-{file}")
            write_table(table, tmp_path / file)
            assert (tmp_path / file).read_bytes() == (tmp_path / f"other-{file}").read_bytes()
            assert pd.read_csv(tmp_path / file, dtype=str, keep_default_na=False).equals(table)
