"""Write modcog/experiments/benchmark/references.json: the results of the reference networks, means over their seeds.

python tests/benchmarks/store_references.py runs/claims/runs           # train there what is not finished, then store
python tests/benchmarks/store_references.py DIR1 DIR2 --no-train       # store what is finished in either folder

The claims train most of these networks in the `runs` of `modcog validate`; a run is taken from the first folder that
has it finished.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modcog.errors import ModcogError
from modcog.experiments.benchmark.measure import cost, curve, score_table
from modcog.experiments.benchmark.references import STORED
from modcog.experiments.benchmark.report import Point, Reference
from modcog.experiments.claims.protocol import ERDOS_RENYI, FULL, LOCAL, network
from modcog.experiments.sweeps import Cell, Grid, sweep
from modcog.experiments.sweeps.grid import arm_name
from modcog.experiments.sweeps.records import finished_record
from modcog.experiments.sweeps.results import Record
from modcog.files import whole_file
from modcog.training.config import PLACEMENT

ARMS: tuple[dict[str, Any], ...] = (
    network("lm-rnn", 256, LOCAL),
    network("dense", 256),
    network("random", 256, LOCAL) | ERDOS_RENYI,
    network("autapse", 256),
    {**network("gru", 256), "model": {}},  # torch's own units have no initial weights to choose
)

ALL_TASKS: dict[str, Any] = {**FULL, "tasks": "modcog132", "steps": 16_000, "eval_every": 250}

GRIDS = tuple(Grid(settings=settings, arms=ARMS, axes={"seed": [0, 1, 2]}) for settings in (ALL_TASKS, FULL))
"""The reference networks, on 132 tasks and on 82: trained as for the claims, whose cells they share."""

DIGITS = 4
"""Decimals that are stored."""


def store(
    folders: Iterable[str | Path],
    *,
    train: bool = False,
    jobs: int = 1,
    path: Path = STORED,
    grids: Sequence[Grid] = GRIDS,
    progress: bool | None = None,
) -> list[str]:
    """Store the finished cells of the reference networks.

    Args:
        folders: of sweeps; a cell is taken from the first that has it finished.
        train: train in the first folder what is finished in none.
        jobs: runs at a time.
        path: file to write.
        grids: the reference networks.
        progress: show a bar; None: if standard error is a terminal.

    Returns:
        The names of missing cells. A network without any finished cell is left out.

    Raises:
        ModcogError: if no cell is finished, or one that is trained fails.
    """
    folders = list(folders)
    known = {cell.name: find_record(cell, folders) for grid in grids for cell in grid.cells(folders[0])}
    for grid in grids if train and None in known.values() else ():
        done = sweep(grid, folders[0], jobs=jobs, progress=progress)
        if done.failed:
            name, error = next(iter(done.failed.items()))
            raise ModcogError(f"{len(done.failed)} reference networks are not finished; {name}: {error}")
        known |= {cell.name: record for cell, record in zip(done.cells, done.records, strict=True)}
    records = [record for record in known.values() if record is not None]
    if not records:
        raise ModcogError(f"no finished cell of a reference network in {', '.join(map(str, folders))}")
    rows = [reference(group).model_dump_json(exclude_none=True, exclude={"differs"}) for group in by_network(records)]
    with whole_file(path) as part:
        part.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
    return [name for name, record in known.items() if record is None]


def find_record(cell: Cell, folders: Sequence[str | Path]) -> Record | None:
    """Return the record of a cell from the first folder that has it finished."""
    configs = (cell.config.model_copy(update={"out": Path(folder) / cell.name}) for folder in folders)
    found = (finished_record(replace(cell, config=config)) for config in configs)
    return next((record for record in found if record is not None), None)


def by_network(records: Sequence[Record]) -> list[list[Record]]:
    """Group the records by their settings without the seed, in order."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(json.dumps(settings_of(record)), []).append(record)
    return list(found.values())


def settings_of(record: Record) -> dict[str, Any]:
    """Return the settings of training without the seed."""
    return {name: value for name, value in record["cell"]["config"].items() if name not in {*PLACEMENT, "seed"}}


def reference(records: Sequence[Record]) -> Reference:
    """Average the records of a network's seeds."""
    cell, settings = records[0]["cell"], settings_of(records[0])
    means = score_table(records).groupby("task", sort=False)[["decision", "trial"]].mean().round(DIGITS)
    points = ({name: round(value, DIGITS) for name, value in point.model_dump().items()} for point in curve(records))
    return Reference(
        name=arm_name(settings["arch"], settings["density"], settings["hidden"]),
        settings=settings,
        seeds=tuple(record["cell"]["config"]["seed"] for record in records),
        n_trials=cell["n_trials"],
        score_seed=cell["score_seed"],
        scores={task: (decision, trial) for task, decision, trial in means.itertuples()},
        cost=cost(records),
        curve=tuple(Point(**point) for point in points),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--no-train", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    for name in store(arguments.folders, train=not arguments.no_train, jobs=arguments.jobs):
        print(f"not finished, left out: {name}")
    print(STORED)


if __name__ == "__main__":
    main()
