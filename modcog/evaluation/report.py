"""Scores as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modcog.evaluation.scores import Score
from modcog.tables import markdown_table


def format_table(table: Mapping[str, Score]) -> str:
    """Return a table of scores (see ``Scores.table``) as Markdown, in percent; groups come first."""

    def percent(*values: float) -> str:
        return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in values))

    def plain(value: float | None, scale: float = 100) -> str:
        return "–" if value is None or np.isnan(value) else f"{scale * value:.1f}"

    rows = [[
        "", "tasks", "trials", "decision accuracy", "chance", "ceiling", "share", "trial accuracy", "last step",
        "directional", "error (°)", "unanswered", "pooled",
    ]]  # fmt: skip
    for name in sorted(table, key=lambda name: table[name].n_tasks == 1 and ":" not in name and name != "battery"):
        one = table[name]
        primary = one["decision"]
        beside = [primary.levels.get("blind"), primary.levels.get("ideal"), primary.share]
        rows.append([
            name, str(one.n_tasks), str(one.n_trials), percent(primary.value, *primary.interval), *map(plain, beside),
            percent(one.trial_accuracy, *one["trial"].interval), plain(one.last_step_accuracy),
            plain(one.directional_accuracy), plain(one.angular_error, 1), plain(one.unanswered),
            plain(one.pooled_accuracy),
        ])  # fmt: skip
    return markdown_table(rows)
