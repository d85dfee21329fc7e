"""What the claims ask of the tables of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modcog.experiments.sweeps.results import MILESTONES

if TYPE_CHECKING:
    import pandas as pd


def per_cell(results: pd.DataFrame) -> pd.DataFrame:
    """A row for each finished cell: its settings, and ``accuracy``, ``share``, ``lowest`` over its tasks.

    ``arm`` names what it is apart from the seed. ``trials_to_…`` are the trials of the whole run where it was not
    reached, and ``reached_…`` says whether it was.
    """
    done = results[results["task"].notna()]
    groups = done.groupby("cell", sort=False)
    cells = groups.first()
    cells["accuracy"] = groups["decision_accuracy"].mean()
    cells["share"] = groups["decision_share"].mean()
    cells["lowest"] = groups["decision_accuracy"].min()
    for percent in MILESTONES:
        reached = cells[f"trials_to_{percent}"].notna()
        cells[f"reached_{percent}"] = reached
        cells[f"trials_to_{percent}"] = cells[f"trials_to_{percent}"].where(reached, cells["trials"])
    cells["arm"] = [arm(row.arch, row.density, row.hidden) for row in cells.itertuples()]
    return cells


def arm(arch: str, density: float | None, hidden: int) -> str:
    """Name of a network without its seed, e.g. ``lm-rnn 8 % 256``."""
    share = f" {100 * density:g} %" if density == density and density is not None else ""
    return f"{arch}{share} {hidden}"


def by_seed(cells: pd.DataFrame, column: str, **where: object) -> pd.Series:
    """A column of the cells whose settings are ``where``, by seed."""
    chosen = cells
    for name, value in where.items():
        chosen = chosen[chosen[name] == value]
    return chosen.set_index("seed")[column].sort_index()


def by_extension(results: pd.DataFrame, column: str = "decision_accuracy") -> pd.DataFrame:
    """Mean of a column over the tasks of each extension: a row for each cell, a column for each extension."""
    done = results[results["task"].notna()]
    return done.pivot_table(index="cell", columns="extension", values=column, sort=False)
