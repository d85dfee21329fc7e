"""The page and the Markdown say what the report holds, and need nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from modcog.experiments.benchmark import Report, figures
from modcog.experiments.benchmark.page import (
    count,
    extremes,
    html,
    interval,
    markdown,
    percent,
    reached,
    seconds,
    setting,
)
from modcog.experiments.benchmark.report import OWN, Cost, Interval, Reached
from tests.experiments.benchmark.conftest import TASKS, Done

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """What there is in a page; unbalanced elements are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: dict[str, list[str]] = {}
        self.text = ""
        self._row: str | None = None
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self._row = found.get("data-task")
        if tag == "td" and self._row:
            self.cells.setdefault(self._row, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._row and {"td"} & set(self.open):
            self.cells[self._row][-1] += data

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def page(done: Done) -> Page:
    return Page((done.folder / "out" / "report.html").read_text())


def test_the_page_needs_no_other_file(done: Done, page: Page) -> None:
    for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
        assert all(value.startswith(("#", "data:image/png;base64,")) for value in page.values(name))
    text = (done.folder / "out" / "report.html").read_text()
    assert not re.search(r"https?:|@import|//cdn", text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}


def test_references_inside_the_page_lead_somewhere_and_no_id_is_there_twice(done: Done, page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    text = (done.folder / "out" / "report.html").read_text()
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) <= set(ids)


def test_every_task_is_there_once_with_its_scores(done: Done, page: Page) -> None:
    assert sorted(page.values("data-task")) == sorted(TASKS)
    assert page.values("data-family") == ["go", "decision", "match"]
    assert page.values("data-extension") == ["none", "sequence", "interval"]
    for row in done.report.rows_of("task"):
        decision, trial, chance, ceiling, share, *references = page.cells[row.name]
        assert decision == interval(row.decision)
        assert trial == interval(row.trial)
        assert [chance, ceiling] == [percent(row.chance), percent(row.ceiling)]
        assert share == interval(row.share)
        assert references == [percent(row.references.get(one.name)) for one in done.report.references]


def test_what_a_failed_seed_said_is_shown_and_not_run(done: Done, page: Page) -> None:
    assert "no luck <script>alert('today')</script>" in page.text
    assert "1 of 3 seeds failed" in page.text
    assert "no luck" in (done.folder / "out" / "report.md").read_text()


def test_the_page_has_its_parts(done: Done, page: Page) -> None:
    for title in ("Scores", "Learning curves", "Gap to the ceiling", "Task by task", "Cost", "What was run"):
        assert title in page.text
    assert done.report.command in page.text
    assert len([tag for tag, _ in page.elements if tag == "svg"]) == 2 + 1 + 3  # curves, gaps, scale, a map each


def test_markdown_has_the_numbers_of_the_report(done: Done) -> None:
    text = (done.folder / "out" / "report.md").read_text()
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    rows = {cells[0]: cells for cells in lines}
    for row in done.report.rows:
        cells = rows[figures.title(row)]
        assert cells[1] == str(len(row.tasks))
        assert cells[2] == interval(row.decision)
        assert float(cells[3].split()[0]) == pytest.approx(100 * row.trial.mean, abs=0.051)
    assert rows[OWN][3] == "32"
    assert done.report.command in text


def test_figures_show_the_numbers(done: Done) -> None:
    report = done.report
    axes = figures.learning_curves(report).axes[0]
    own = next(line for line in axes.lines if line.get_label() == OWN)
    assert list(own.get_xdata()) == [0, 16, 32]
    assert list(own.get_ydata()) == [point.mean for point in report.curve]
    rows = report.rows_of("task")
    shown = figures.heat_map(report, rows).axes[0]
    assert [label.get_text() for label in shown.get_yticklabels()] == [row.name for row in rows]
    width = 1 + len(report.references)
    numbers = [text.get_text() for text in shown.texts][::width]
    assert numbers == [f"{100 * row.decision.mean:.0f}" for row in rows]
    gaps = figures.gaps(report).axes[0]
    own_points = [dots.get_offsets()[0][0] for dots in gaps.collections if len(dots.get_offsets()) and dots.zorder == 3]
    assert own_points == pytest.approx(
        [100 * (row.ceiling - row.decision.mean) for row in report.rows_of("battery", "family", "extension")]
    )


def test_the_tasks_of_a_base_stand_together_in_the_heat_map(done: Done) -> None:
    row = done.report.rows_of("task")[0]
    names = ("goseqr", "dmsseqr", "goseql", "dmsseql")
    shown = figures.heat_map(done.report, tuple(row.model_copy(update={"name": name}) for name in names)).axes[0]
    assert [label.get_text() for label in shown.get_yticklabels()] == ["goseqr", "goseql", "dmsseqr", "dmsseql"]


def test_a_report_without_levels_curves_and_references_is_a_page(done: Done) -> None:
    rows = tuple(
        row.model_copy(update={"chance": None, "ceiling": None, "share": None, "references": {}})
        for row in done.report.rows
    )
    bare = done.report.model_copy(
        update={"rows": rows, "curve": (), "references": (), "cost": Cost(), "git": None, "settings": {}}
    )
    page = Page(html(bare))
    assert "Learning curves" not in page.text
    assert "Gap to the ceiling" not in page.text
    assert sorted(page.values("data-task")) == sorted(TASKS)
    assert "[–" not in markdown(bare)


def test_extremes_are_the_lowest_and_the_highest_share(done: Done) -> None:
    values = {"a": 0.2, "b": 0.9, "c": 0.1, "d": 0.5}
    row = done.report.rows_of("task")[0]
    rows = tuple(
        row.model_copy(update={"name": name, "share": Interval(mean=value, low=0, high=1)})
        for name, value in values.items()
    )
    lowest, highest = extremes(Report.model_copy(done.report, update={"rows": rows}))
    assert ["".join(row.name for row in part) for part in (lowest, highest)] == ["ca", "bd"]


def test_how_numbers_are_written() -> None:
    assert [percent(value) for value in (None, 0.12345, -0.00001, -0.5)] == ["–", "12.3", "0.0", "−50.0"]
    assert [count(value) for value in (None, 1_024_000.0)] == ["–", "1,024,000"]
    assert [seconds(value) for value in (None, 0.01234, 45.6789, 1234.5)] == ["–", "0.0123", "45.7", "1,234"]
    cost = Cost(reached={"50": Reached(trials=1500, seeds=2, of=3), "75": Reached(trials=9, seeds=1, of=1)})
    assert [reached(cost, accuracy) for accuracy in ("50", "75", "90")] == ["1,500 (2 of 3)", "9", "–"]
    assert setting({"a": 0.5, "b": [True, None]}) == "a: 0.5, b: yes, –"
