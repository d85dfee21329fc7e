"""A report as Markdown, and as a page that shows the same with figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from modcog.errors import one_line
from modcog.evaluation.measures import MEASURES
from modcog.evaluation.report import without
from modcog.experiments.benchmark import figures
from modcog.experiments.benchmark.report import OWN, Cost, Interval, Report, Row
from modcog.experiments.sweeps.results import THRESHOLDS
from modcog.tables import literal, markdown_table

STYLE = Path(__file__).with_name("report.css")

DASH = "–"
"""Stands for an unknown figure."""


def markdown(report: Report) -> str:
    """Return the report as Markdown, in which texts of the network and of its files are shown as they are."""
    sections = "\n\n".join(f"## {title}\n\n{text}" for title, text in _sections(report).items())
    return f"{_summary(report)}\n\n{sections}\n"


def html(report: Report) -> str:
    """Return the report as a page, one file that needs no other."""
    render = MarkdownIt("js-default").render  # which escapes HTML in what a user's network said
    sections = {title: render(f"## {title}\n\n{text}") for title, text in _sections(report).items()}
    for title in ("Scores", "Task by task"):  # the style sheet colours a cell by its percentage
        sections[title] = re.sub(r'(<td style="text-align:right)(">)(\d+\.\d)', r"\1;--percent:\3\2\3", sections[title])
    scores = sections.pop("Scores")
    rest = "".join(sections.values())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(one_line(report.name))} on Mod-Cog</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
{render(_summary(report))}{scores}{figures.as_html(report)}{rest}</body>
</html>
"""


def _summary(report: Report) -> str:
    battery = report.rows[0]
    name = f" ({literal(report.tasks)})" if isinstance(report.tasks, str) else ""
    share = f", **{interval(battery.share)} %** of the way from chance to the ceiling" if battery.share else ""
    over = "trials (bootstrap), so that they tell nothing of other seeds"
    if report.interval == "seeds":
        over = f"{len(report.done)} seeds (Student's t){', which is rough for two' if len(report.done) == 2 else ''}"
    furthest, nearest = (", ".join(f"{row.name} ({percent(row.decision.mean)})" for row in rows)
                         for rows in extremes(report))  # fmt: skip
    failed = report.failed
    failures = "\n".join(f"- {literal(one.name)}: {literal(one.error or one.status)}" for one in failed)
    paragraphs = [
        f"# {literal(report.name)}",
        f"Mod-Cog benchmark of {report.created[:10]}: {several(len(battery.tasks), 'task')}{name}, "
        f"{several(report.n_trials, 'trial')} of each.",
        failures and f"{len(failed)} of {several(len(report.seeds), 'seed')} failed and are left out:\n\n{failures}",
        f"Decision accuracy **{interval(battery.decision)} %**{share}; trial accuracy **{interval(battery.trial)} %**.",
        f"Intervals are 95 % over {over}. *Decision accuracy* is the share of decision steps with the correct action, "
        "*trial accuracy* that of trials without any error. *Chance* is the decision accuracy of a player who sees no "
        "stimulus, the *ceiling* that of an ideal observer; the *share* is 0 at chance and 100 at the ceiling. "
        "*Without* is the best player who lacks one thing that the tasks need, and is ideal otherwise: no comparison "
        "of stimuli, no memory, no clock or no sequence. A network at that level has not learned this thing.",
        *map(literal, report.notes),
        furthest and f"Furthest from the ceiling: {furthest}. Nearest: {nearest}.",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _sections(report: Report) -> dict[str, str]:
    """Return the Markdown of each section by its title."""
    shared: dict[tuple[str, ...], list[str]] = {}
    costs = {OWN: report.cost}
    for reference in report.references:
        costs[reference.name] = reference.cost
        if reference.differs:
            shared.setdefault(reference.differs, []).append(reference.name)
    everyone = len(report.references)
    differences = [
        f"{'The references' if len(names) == everyone > 1 else ', '.join(names)}: {'; '.join(what)}."
        for what, names in shared.items()
    ]
    tasks = {row.name: row for row in report.rows_of("task")}
    cost_table = [
        ["", "parameters", "synapses", "density", "trials", "seconds", *(f"trials to {p} %" for p in THRESHOLDS)],
        *([name, number(cost.parameters), number(cost.synapses), percent(cost.density), number(cost.trials),
           number(cost.seconds), *(reached(cost, accuracy) for accuracy in THRESHOLDS)]
          for name, cost in costs.items()),
    ]  # fmt: skip
    return {
        "Scores": "Accuracies in percent, as means over tasks; the number of tasks is in brackets. The last columns "
        "are decision accuracies of reference networks.\n\n"
        + "\n\n".join([*differences, _score_table(report, report.rows_of("battery", "family", "extension"))]),
        "Task by task": "\n\n".join(
            f"### {row.name.replace('none', 'no extension')}\n\n{_score_table(report, [tasks[t] for t in row.tasks])}"
            for row in report.rows_of("extension")
        ),
        "Other measures": "*Last step* counts the last step of a trial only. *Directional* also counts a response "
        "within 36° of the right one there (Yang et al. 2019). The *error* is the mean angle of responses to what they "
        "should be, *unanswered* the share of steps that ask for a response and get none. *Pooled* accuracy counts "
        "every decision step of all trials alike. Percent, but for the angle.\n\n"
        + _other_table(report.rows_of("battery", "family", "extension")),
        "Cost": "Means over seeds; synapses are recurrent connections, density is their share of all possible ones in "
        "percent. Trials to an accuracy: until the mean decision accuracy over the tasks, on held-out trials, first "
        "reached it (in brackets the number of seeds that did, if not all), for networks trained on the same tasks. "
        "Seconds are those of the machine that a network was trained on, without evaluation.\n\n"
        + markdown_table(cost_table),
        "What was run": _origin(report),
    }


def _score_table(report: Report, rows: Sequence[Row]) -> str:
    names = [reference.name for reference in report.references]
    head = ["", "decision accuracy", "trial accuracy", "chance", "without", "ceiling", "share", *names]
    cells = [
        [row.title, interval(row.decision), interval(row.trial), percent(row.chance), without(row.levels) or DASH,
         percent(row.ceiling), interval(row.share), *(percent(row.references.get(name)) for name in names)]
        for row in rows
    ]  # fmt: skip
    return markdown_table([head, *cells])


def _other_table(rows: Sequence[Row]) -> str:
    kinds = [kind for kind in MEASURES if any(kind in row.others for row in rows)]
    head = ["", *(MEASURES[kind].label + (" (°)" if MEASURES[kind].unit == "°" else "") for kind in kinds)]
    scale = {kind: 100 if MEASURES[kind].unit == "%" else 1 for kind in kinds}
    return markdown_table(
        [head, *([row.title, *(interval(row.others.get(kind), scale[kind]) for kind in kinds)] for row in rows)]
    )


def _origin(report: Report) -> str:
    head = ["", "status", "decision accuracy", "trial accuracy", "trials", "seconds"]
    seeds = [
        [literal(one.name if one.seed is None else f"seed {one.seed}"), literal(one.status),
         percent(one.decision), percent(one.trial), number(one.cost.trials), number(one.cost.seconds)]
        for one in report.seeds
    ]  # fmt: skip
    items = {"Training": report.settings, "Battery": report.battery, "Versions": report.versions, "git": report.git}
    for one in report.references:
        shown = {name: one.settings[name] for name in ("steps", "batch_size", "learning_rate", "model")}
        items[one.name] = {"seeds": len(one.seeds), **shown}
    details = "\n".join(f"- {name}: {literal(setting(_given(values)))}" for name, values in items.items() if values)
    scored = f"Scored on {several(report.n_trials, 'trial')} of each task with seed {report.score_seed}."
    again = f"```sh\n{one_line(report.command)}\n```"
    return f"{markdown_table([head, *seeds])}\n\n{scored} To repeat it:\n\n{again}\n\n{details}"


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value; of the run that another starts from, its folder."""
    start = settings.get("start")
    settings = {**settings, "start": start["out"] if isinstance(start, dict) else start}
    return {name: value for name, value in settings.items() if value is not None and value != {}}


def extremes(report: Report, n: int = 5) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the n tasks furthest from the ceiling and the n nearest to it, by share or else by accuracy."""
    ranked = sorted(report.rows_of("task"), key=lambda row: (row.share or row.decision).mean)
    n = min(n, len(ranked) // 2)
    return tuple(ranked[:n]), tuple(reversed(ranked[len(ranked) - n :]))


def percent(value: float | None, scale: float = 100) -> str:
    """Write a share in percent, or an angle, with a scale of 1, in degrees."""
    return DASH if value is None else f"{scale * value:.1f}".replace("-0.0", "0.0").replace("-", "−")


def interval(value: Interval | None, scale: float = 100) -> str:
    """Write a share with its interval, in percent, or an angle."""
    if value is None:
        return DASH
    mean, low, high = (percent(one, scale) for one in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def number(value: float | None) -> str:
    """Write a number, whole or to three digits."""
    return DASH if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def reached(cost: Cost, accuracy: str) -> str:
    """Write the trials to an accuracy, and the number of seeds that reached it if not all did."""
    found = cost.reached.get(accuracy)
    if found is None:
        return DASH
    return number(found.trials) + (f" ({found.seeds} of {found.of})" if found.seeds < found.of else "")


def several(number: int, what: str) -> str:
    """Write a number of things, with the plural of the word."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def setting(value: Any) -> str:
    """Write a setting for a reader."""
    if isinstance(value, dict):
        return "; ".join(f"{name} {setting(inner)}" for name, inner in value.items()) or DASH
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return DASH if value is None else f"{value:g}" if isinstance(value, float) else str(value)
