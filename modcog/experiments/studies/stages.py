"""Training runs that start one from the other, as sweeps: a sweep for each stage, whose runs a study names by keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from modcog.errors import ModcogError
from modcog.experiments.estimate import Estimate
from modcog.experiments.sweeps import Cell, Grid, sweep
from modcog.experiments.sweeps.results import Record

Key = tuple[Any, ...]
Stage = dict[Key, Cell]
"""The runs of a stage by their keys; a run that several keys name is trained once."""


def cell_of(out: Path, n_trials: int, settings: Mapping[str, Any], start: Cell | None = None) -> Cell:
    """Return the run of some settings in a folder of runs; ``start`` is the run that it starts from.

    Raises:
        ModcogError: for a wrong setting.
    """
    earlier = {} if start is None else {"start": start.config.model_dump(mode="json")}
    (cell,) = Grid(settings={**settings, **earlier}, n_trials=n_trials).cells(out)
    return cell


def train_stages(stages: Sequence[Stage], out: Path, **running: Any) -> list[dict[Key, Record]]:
    """Train the runs of each stage that are not finished, and return the results of all by their keys.

    Args:
        stages: each may start from runs of those before.
        out: folder of the runs.
        **running: ``jobs``, ``dask`` and ``progress`` of ``sweep``.

    Raises:
        ModcogError: if a run failed; the others are kept, and failed ones are tried again the next time.
    """
    found = []
    for stage in stages:
        arms = {cell.name: cell.config.model_dump(mode="json", exclude={"out"}) for cell in stage.values()}
        n_trials = next(iter(stage.values())).n_trials
        done = sweep(Grid(arms=tuple(arms.values()), n_trials=n_trials), out, **running)
        if done.failed:
            first, error = next(iter(done.failed.items()))
            raise ModcogError(f"{len(done.failed)} of {len(done.cells)} runs are not finished; {first}: {error}")
        records = {record["cell"]["name"]: record for record in done.records}
        found.append({key: records[cell.name] for key, cell in stage.items()})
    return found


def accuracies(record: Record, tasks: Iterable[str]) -> list[float]:
    """Return the decision accuracy on each of some tasks."""
    return [record["scores"][task]["decision_accuracy"] for task in tasks]


def as_rows(means: pd.DataFrame) -> list[list[str]]:
    """Return a table of ``over_seeds`` as text, the head first: each mean with its interval, if there are two seeds."""
    columns = [name for name in means if f"{name}_low" in means]
    rows = [[*means.index.names, "seeds", *columns]]
    for key, row in means.iterrows():
        bounded = row["seeds"] > 1
        row = row.round(2) + 0.0  # no −0.00
        text = [
            f"{row[c]:.2f}" + (f" [{row[f'{c}_low']:.2f}, {row[f'{c}_high']:.2f}]" if bounded else "") for c in columns
        ]
        rows.append([*map(str, key if isinstance(key, tuple) else (key,)), f"{row['seeds']:.0f}", *text])
    return rows


def over_seeds(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Return the mean over seeds of some columns, each with its 95 % interval, and the number of seeds.

    Args:
        rows: a row for each group and seed.
        by: columns that tell the groups.
        columns: to average.
    """
    found = []
    for key, group in rows.groupby(list(by), sort=False):
        values = dict(zip(by, key, strict=True))
        for column in columns:
            mean, low, high, n, _ = Estimate.of(group[column])
            values |= {column: mean, f"{column}_low": low, f"{column}_high": high, "seeds": n}
        found.append(values)
    return pd.DataFrame(found).set_index(list(by))
