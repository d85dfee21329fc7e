"""The page and the Markdown say what the report holds, and need nothing else."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from modcog.colours import GREY, PALETTE
from modcog.evaluation import STRATEGIES
from modcog.evaluation.report import best_without, without
from modcog.experiments.benchmark import Report, figures
from modcog.experiments.benchmark.page import (
    extremes,
    html,
    interval,
    markdown,
    number,
    percent,
    reached,
    setting,
)
from modcog.experiments.benchmark.report import OWN, Cost, Interval, Reached, Row
from tests.experiments.benchmark.conftest import TASKS, Done

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """The elements, table rows and text of a page; unbalanced elements are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open:
            self.rows[-1][-1] += data

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def page(done: Done) -> Page:
    return Page((done.folder / "out" / "report.html").read_text())


def test_the_page_needs_no_other_file(done: Done, page: Page) -> None:
    for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
        assert all(value.startswith("data:image/svg+xml;base64,") for value in page.values(name))
    text = (done.folder / "out" / "report.html").read_text()
    assert not re.search(r"https?:|@import|//cdn", text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}


def expected_cells(row: Row, report: Report) -> list[str]:
    levels = [percent(row.chance), without(row.levels) or "–", percent(row.ceiling)]
    own = [interval(row.decision), interval(row.trial), *levels, interval(row.share)]
    return [row.title, *own, *(percent(row.references.get(one.name)) for one in report.references)]


def other_cells(row: Row) -> list[str]:
    scales = {"angular_error": 1}
    kinds = ("last_step", "directional", "angular_error", "unanswered", "pooled")
    return [row.title, *(interval(row.others.get(kind), scales.get(kind, 100)) for kind in kinds)]


def test_every_row_is_there_once_with_its_scores(done: Done, page: Page) -> None:
    titles = [row.title for row in done.report.rows]
    assert titles == [
        "all tasks (3)", "go family (1)", "decision family (1)", "match family (1)",
        "no extension (1)", "sequence (1)", "interval (1)", *TASKS,
    ]  # fmt: skip
    for row in done.report.rows:
        again = [other_cells(row)] if row.kind != "task" else []
        assert [cells for cells in page.rows if cells[:1] == [row.title]] == [expected_cells(row, done.report), *again]


def test_markdown_has_the_same_tables(done: Done) -> None:
    text = (done.folder / "out" / "report.md").read_text()
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows.setdefault(cells[0], cells)
    for row in done.report.rows:
        assert rows[row.title] == expected_cells(row, done.report)
    assert rows[OWN][4] == "32"  # trials
    assert rows["seed 1"][1] == "failed"
    assert f"\n```sh\n{done.report.command}\n```\n" in text


def test_accuracies_are_coloured(done: Done, page: Page) -> None:
    row = done.report.rows[0]
    assert f"text-align:right;--percent:{100 * row.decision.mean:.1f}" in page.values("style")


def test_what_a_failed_seed_said_is_shown_and_not_run(done: Done, page: Page) -> None:
    assert "no luck <script>alert('today')</script>" in page.text
    assert "1 of 3 seeds failed" in page.text
    assert "no luck" in (done.folder / "out" / "report.md").read_text()


def test_the_page_has_its_parts(done: Done, page: Page) -> None:
    for title in ("Scores", "Learning curves", "Gap to the ceiling", "Task by task", "Cost", "What was run"):
        assert title in page.text
    assert done.report.command in page.text
    groups = [f"Learning curve, {row.title}" for row in done.report.rows_of("family", "extension")]
    assert len(groups) == 6
    assert page.values("alt") == ["Learning curves", "Gap to the ceiling", *groups]
    assert "The band is from the lowest to the highest seed." in page.text
    for image in page.values("src"):
        assert b"</svg>" in b64decode(image.partition(",")[2])


def test_figures_show_the_numbers(done: Done) -> None:
    report = done.report
    axes = figures.learning_curves(report).axes[0]
    own = next(line for line in axes.lines if line.get_label() == OWN)
    assert list(own.get_xdata()) == [0, 16, 32]
    assert list(own.get_ydata()) == [point.mean for point in report.curve]
    gaps = figures.gaps(report).axes[0]
    own_points = [dots.get_offsets()[0][0] for dots in gaps.collections if len(dots.get_offsets()) and dots.zorder == 3]
    assert own_points == pytest.approx(
        [100 * (row.ceiling - row.decision.mean) for row in report.rows_of("battery", "family", "extension")]
    )


def drawn_levels(axes: Axes) -> dict[str, tuple[float, float]]:
    """Return the line and the place of each name on the right of a curve."""
    lines = [line.get_ydata()[0] for line in axes.lines if line.get_color() == GREY]
    names = {text.get_text(): text.get_position()[1] for text in axes.texts}
    return {name: (line, place) for line, (name, place) in zip(lines, names.items(), strict=True)}


def test_the_curve_of_a_group_has_its_levels_and_its_seeds(done: Done) -> None:
    for row in done.report.rows_of("family", "extension"):
        (axes,) = figures.group_curve(row).axes
        own = next(line for line in axes.lines if line.get_color() == PALETTE[0])
        assert list(own.get_xdata()) == [0, 16, 32]
        assert list(own.get_ydata()) == [point.mean for point in row.curve]
        (band,) = axes.collections
        heights = band.get_paths()[0].vertices[:, 1]
        assert {*heights} == {value for point in row.curve for value in (point.low, point.high)}
        levels = {name: line for name, (line, _) in drawn_levels(axes).items()}
        best = best_without(row.levels)
        expected = {"chance": row.chance, "ceiling": row.ceiling}
        expected |= {} if best == "blind" else {best.replace("-", " "): row.levels[best]}
        assert levels == expected
    assert {name for row in done.report.rows for name in row.levels if name == best_without(row.levels)} >= {"no-clock"}


@pytest.mark.parametrize(
    "levels", [(0.0, 0.01, 1.0), (0.97, 0.99, 1.0), (0.5, 0.5, 0.5), (0.0, 0.0, 0.02), (0.06, 0.3, 0.33)]
)
def test_names_of_levels_do_not_lie_on_each_other(done: Done, levels: tuple[float, float, float]) -> None:
    chance, clock, ceiling = levels
    row = done.report.rows_of("extension")[0]
    values = {**dict.fromkeys(row.levels, -1.0), "no-clock": clock, "ideal": clock + 1}
    row = row.model_copy(update={"chance": chance, "ceiling": ceiling, "levels": values})
    found = drawn_levels(figures.group_curve(row).axes[0])
    assert {name: line for name, (line, _) in found.items()} == {
        "chance": chance,
        "no clock": clock,
        "ceiling": ceiling,
    }
    places = [place for _, place in found.values()]
    assert np.diff(places).min() > 0.999 * figures.LINE
    assert places[-1] <= 1


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in ("blind", "ideal")])
def test_names_of_levels_are_not_cut(done: Done, strategy: str) -> None:
    row = done.report.rows_of("extension")[0]
    row = row.model_copy(update={"levels": {**dict.fromkeys(STRATEGIES, 0.0), strategy: 0.5, "ideal": 1.0}})
    figure = figures.group_curve(row)
    canvas = FigureCanvasAgg(figure)
    (axes,) = figure.axes
    ends = [text.get_window_extent(canvas.get_renderer()).x1 for text in axes.texts]
    starts = [text.get_window_extent(canvas.get_renderer()).x0 for text in axes.get_yticklabels()]
    assert len(ends) == 3
    assert max(ends) < figure.bbox.x1 - 2
    assert min(starts) > 2


def test_a_curve_of_one_evaluation_is_seen(done: Done) -> None:
    row = done.report.rows_of("family")[0]
    (axes,) = figures.group_curve(row.model_copy(update={"curve": row.curve[:1]})).axes
    assert axes.lines[0].get_marker() == "o"
    assert axes.get_xlim()[1] >= 1


def test_a_report_without_levels_curves_and_references_is_a_page(done: Done) -> None:
    rows = tuple(
        row.model_copy(update={"chance": None, "ceiling": None, "share": None, "references": {}, "curve": ()})
        for row in done.report.rows
    )
    bare = done.report.model_copy(
        update={"rows": rows, "curve": (), "references": (), "cost": Cost(), "git": None, "settings": {}}
    )
    page = Page(html(bare))
    assert "Learning curves" not in page.text
    assert "Gap to the ceiling" not in page.text
    assert {cells[0] for cells in page.rows if cells} >= set(TASKS)
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
    values = (None, 0.01234, 8.0, 45.6789, 1234.5, 1_024_000.0)
    assert [number(value) for value in values] == ["–", "0.0123", "8", "45.7", "1,234", "1,024,000"]
    cost = Cost(reached={"50": Reached(trials=1500, seeds=2, of=3), "75": Reached(trials=9, seeds=1, of=1)})
    assert [reached(cost, accuracy) for accuracy in ("50", "75", "90")] == ["1,500 (2 of 3)", "9", "–"]
    assert setting({"a": 0.5, "b": [True, None]}) == "a 0.5; b yes, –"


HOSTILE = "<script>alert(1)</script> ![x](http://evil/x.png) [y](http://evil) \x1b[2Jgone\x00 \u202etxt `code` **bold**"


def test_what_a_network_or_its_files_say_is_shown_and_obeyed_by_nothing(done: Done) -> None:
    """Names, errors, notes, settings, versions and the command of a report can be anybody's text."""
    one = done.report.seeds[0]
    changes = {
        "name": HOSTILE, "tasks": HOSTILE, "notes": (HOSTILE,), "versions": {HOSTILE: HOSTILE},
        "settings": {**done.report.settings, "model": {HOSTILE: HOSTILE}}, "git": {"commit": HOSTILE},
        "command": f"```\n{HOSTILE}",
        "seeds": (*done.report.seeds, one.model_copy(update={"name": HOSTILE, "error": HOSTILE, "scores": {}}),
                  one.model_copy(update={"name": HOSTILE, "seed": None, "status": HOSTILE})),
    }  # fmt: skip
    report = done.report.model_copy(update=changes)
    text, found = markdown(report), Page(html(report))
    assert not {"script", "a", "strong ", "link"} & {tag for tag, _ in found.elements}
    assert all(value.startswith("data:image/svg+xml;base64,") for value in found.values("src"))
    for said in (text.replace("\n", ""), html(report).replace("\n", "")):
        assert said.isprintable()
    assert text.count("<script>") == 1, "in the command only, which is a block of code"
    assert text.count("```") == 3, "one of them within the command's line"
    shown = found.text.count("<script>alert(1)</script> ![x](http://evil/x.png) [y](http://evil) \\x1b[2Jgone\\x00")
    assert shown >= 8
