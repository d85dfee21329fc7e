"""A report as a page and as Markdown."""

from __future__ import annotations

from functools import partial
from typing import Any

from modcog.errors import ModcogError
from modcog.experiments.benchmark import figures
from modcog.experiments.benchmark.report import OWN, REACHED, Cost, Interval, Report, Row

DASH = "–"
"""Where there is no figure."""

MINUS = "−"


def html(report: Report) -> str:
    """The page: one file that needs no other.

    Raises:
        ModcogError: if the package jinja2 is missing.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise ModcogError("a report needs the package jinja2; pip install 'modcog[benchmark]'") from None
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("modcog.experiments.benchmark"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent, "interval": interval, "count": count, "seconds": seconds, "reached": reached,
        "setting": setting, "title": figures.title, "several": several,
    }  # fmt: skip

    def drawn(name: str, draw: Any, says: str) -> Markup | None:
        found = figures.svg(name, draw, says)
        return None if found is None else Markup(found)

    groups = report.tasks_by_extension()
    return environment.get_template("report.html.j2").render(
        report=report,
        battery=report.rows[0],
        own=OWN,
        milestones=REACHED,
        groups=groups,
        curves=drawn("curves", partial(figures.learning_curves, report), "Learning curves"),
        gaps=drawn("gaps", partial(figures.gaps, report), "Gap to the ceiling by group of tasks and network"),
        maps={
            name: drawn(f"map-{name}", partial(figures.heat_map, report, rows), "Decision accuracy by task and network")
            for name, rows in groups.items()
        },
        scale=drawn("scale", figures.colour_scale, "Scale of colours from 0 to 100 %"),
        extremes=extremes(report),
        differences=differences(report),
    )


def markdown(report: Report) -> str:
    """The summary and the table of scores as Markdown, for an issue or a README."""
    battery, names = report.rows[0], [column.name for column in report.references]
    head = ["", "tasks", "decision accuracy", "trial accuracy", "chance", "ceiling", "share", *names]
    rows = [[*_cells(row), *(percent(row.references.get(name)) for name in names)] for row in report.rows]
    share = f" That is {interval(battery.share)} % of the way from chance to the ceiling." if battery.share else ""
    lines = [
        f"# {report.name}",
        "",
        f"Decision accuracy {interval(battery.decision)} %, trial accuracy {interval(battery.trial)} %: the mean over "
        f"{several(len(battery.tasks), 'task')}, {report.n_trials} trials of each.{share}",
        "",
        *_failures(report),
        f"In percent; intervals are 95 % over {report.interval}; share is that of the way from chance to the ceiling.",
        "",
        *table(head, rows),
        "",
        *table(
            ["", "parameters", "synapses", "trials", "seconds", *(f"trials to {p} %" for p in REACHED)], _costs(report)
        ),
        "",
        *(f"- {sentence}" for sentence in [*report.notes, *differences(report)]),
        *([""] if report.notes or differences(report) else []),
        "Made by:",
        "",
        "```sh",
        report.command,
        "```",
    ]
    return "\n".join(lines) + "\n"


def _failures(report: Report) -> list[str]:
    if not report.failed:
        return []
    said = [f"- {seed.name}: {seed.error or seed.status}".replace("|", "\\|") for seed in report.failed]
    return [f"{len(report.failed)} of {several(len(report.seeds), 'seed')} failed and count nowhere:", "", *said, ""]


def _cells(row: Row) -> list[str]:
    levels = (percent(row.chance), percent(row.ceiling))
    accuracies = (interval(row.decision), interval(row.trial))
    return [figures.title(row), str(len(row.tasks)), *accuracies, *levels, interval(row.share)]


def _costs(report: Report) -> list[list[str]]:
    costs = {OWN: report.cost} | {column.name: column.cost for column in report.references}
    return [
        [
            name, count(cost.parameters), count(cost.synapses), count(cost.trials), seconds(cost.seconds),
            *(reached(cost, percent) for percent in REACHED),
        ]
        for name, cost in costs.items()
    ]  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table, numbers to the right."""
    wide = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = [f":{'-' * (wide[0] - 1)}", *("-" * (w - 1) + ":" for w in wide[1:])]
    aligned = (
        [row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True))] for row in [head, *rows]
    )
    first, *rest = (f"| {' | '.join(row)} |" for row in aligned)
    return [first, f"| {' | '.join(line)} |", *rest]


def differences(report: Report) -> list[str]:
    """In what references were trained or scored otherwise, a sentence for those that share it."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for column in report.references:
        if column.differs:
            shared.setdefault(column.differs, []).append(column.name)
    everyone = len(report.references)
    return [
        f"{'The references' if len(names) == everyone > 1 else ', '.join(names)}: {'; '.join(what)}."
        for what, names in shared.items()
    ]


def extremes(report: Report, n: int = 5) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The tasks that are furthest from the ceiling, and those that are nearest, by share or else by accuracy."""
    ranked = sorted(report.rows_of("task"), key=lambda row: (row.share or row.decision).mean)
    n = min(n, len(ranked) // 2)
    return tuple(ranked[:n]), tuple(reversed(ranked[len(ranked) - n :]))


def percent(value: float | None) -> str:
    """A share in percent."""
    return DASH if value is None else _signed(f"{100 * value:.1f}")


def interval(value: Interval | None) -> str:
    """A share with its interval, in percent."""
    if value is None:
        return DASH
    return f"{percent(value.mean)} [{percent(value.low)}, {percent(value.high)}]"


def _signed(text: str) -> str:
    return text.replace("-0.0", "0.0").replace("-", MINUS)


def count(value: float | None) -> str:
    """A number of things."""
    return DASH if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A number of seconds, to three digits or whole."""
    return DASH if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def reached(cost: Cost, accuracy: str) -> str:
    """Trials to an accuracy, and by how many seeds if not by all."""
    found = cost.reached.get(accuracy)
    if found is None:
        return DASH
    return count(found.trials) + (f" ({found.seeds} of {found.of})" if found.seeds < found.of else "")


def several(number: int, what: str) -> str:
    """A number of things, the word as it should be."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def setting(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {setting(inner)}" for name, inner in value.items()) or DASH
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return DASH if value is None else f"{value:g}" if isinstance(value, float) else str(value)
