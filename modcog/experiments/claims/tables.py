"""Tables of results as the claims read them."""

from __future__ import annotations

import pandas as pd

from modcog.experiments.sweeps.results import MILESTONES


def per_cell(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each finished cell: its settings, and ``accuracy`` and ``lowest`` over its tasks.

    ``arm`` is its name without the seed. ``reached_…`` tells whether a milestone was reached, and ``trials_to_…`` are
    the trials of the whole run where it was not.
    """
    groups = results[results["task"].notna()].groupby("cell", sort=False)
    cells = groups.first()
    cells["accuracy"] = groups["decision_accuracy"].mean()
    cells["lowest"] = groups["decision_accuracy"].min()
    for percent in MILESTONES:
        reached = cells[f"trials_to_{percent}"].notna()
        cells[f"reached_{percent}"] = reached
        cells[f"trials_to_{percent}"] = cells[f"trials_to_{percent}"].where(reached, cells["trials"])
    cells["arm"] = [arm_name(row.arch, row.density, row.hidden) for row in cells.itertuples()]
    return cells


def arm_name(arch: str, density: float | None, hidden: int) -> str:
    """Return the name of a network without its seed, such as ``lm-rnn 8 % 256``."""
    share = "" if density is None or pd.isna(density) else f" {100 * density:g} %"
    return f"{arch}{share} {hidden}"
