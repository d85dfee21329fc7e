"""Scores as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from modcog.evaluation.measures import MEASURES
from modcog.evaluation.scores import Figure, Score
from modcog.tables import fitted_table, markdown_table

LEAST_GAP = 0.005
"""Smallest distance of a level from the ceiling at which it is called below."""


def format_table(table: Mapping[str, Score], width: int | None = None) -> str:
    """Return scores (see ``Scores.table``) as two Markdown tables, in percent and degrees; groups come first.

    The first has the decision accuracy with its levels, the second all other measures. A table that is wider than
    ``width`` characters is parted into several, each with the names on the left.
    """
    primary, *others = MEASURES
    first = [["", "tasks", "trials", MEASURES[primary].label, "chance", "without", "ceiling", "share"]]
    head = [one.label.removesuffix(" accuracy") + (" (°)" if one.unit == "°" else "") for one in MEASURES.values()]
    second = [["", *head[1:]]]
    for name in sorted(table, key=lambda name: table[name].n_tasks == 1 and ":" not in name and name != "battery"):
        one, figure = table[name], table[name][primary]
        levels = [
            _percent(figure.levels.get("blind")),
            without(figure.levels) or "–",
            _percent(figure.levels.get("ideal")),
        ]
        first.append([name, str(one.n_tasks), str(one.n_trials), _cell(figure), *levels, _percent(figure.share)])
        second.append([name, *(_cell(one[kind], 100 if MEASURES[kind].unit == "%" else 1) for kind in others)])
    return "\n\n".join(fitted_table(rows, width or sys.maxsize, markdown_table) for rows in (first, second))


def without(levels: Mapping[str, float]) -> str:
    """Write the best level below the ideal observer's in percent, and who has it; empty if there is none."""
    name = best_without(levels)
    return f"{100 * levels[name]:.1f} ({name.replace('-', ' ')})" if name else ""


def best_without(levels: Mapping[str, float]) -> str | None:
    """Return the strategy with the best level below the ideal observer's; None if there is none."""
    below = {name: level for name, level in levels.items() if levels["ideal"] - level > LEAST_GAP}
    return max(below, key=below.__getitem__) if below else None


def _cell(figure: Figure, scale: float = 100) -> str:
    if np.isnan(figure.value):
        return "–"
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(scale * value for value in (figure.value, *figure.interval)))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
