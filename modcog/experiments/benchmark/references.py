"""The networks that come with the package to compare with: what they are, their results, and how they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from modcog.battery import BatteryConfig
from modcog.errors import ModcogError
from modcog.experiments.benchmark.measured import Measured, Record, cost, curve
from modcog.experiments.benchmark.report import Column, Cost, Part, Point
from modcog.experiments.claims.protocol import ALL_TASKS, FULL, LOCAL, SEEDS, network
from modcog.experiments.claims.tables import arm_name
from modcog.experiments.sweeps import Grid, sweep
from modcog.experiments.sweeps.cell import finished_record
from modcog.experiments.sweeps.grid import PLACEMENT, Cell
from modcog.files import whole_file
from modcog.training.config import TrainConfig

STORED = Path(__file__).with_name("references.json")
"""Results of the reference networks."""

ARMS: tuple[dict[str, Any], ...] = (
    network("lm-rnn", 256, LOCAL),
    network("dense", 256),
    network("random", 256, LOCAL),
    network("autapse", 256),
    {**network("gru", 256), "model": {}},  # torch's own units have no initial weights to choose
)

GRIDS = tuple(Grid(settings=settings, arms=ARMS, axes={"seed": SEEDS}) for settings in (ALL_TASKS, FULL))
"""The reference networks, on 132 tasks and on 82: as the claims train them, whose cells they share."""

DIGITS = 4
"""Decimals that are stored."""


class Reference(Part):
    """Results of a reference network; accuracies are means over its seeds."""

    name: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    n_trials: int
    score_seed: int
    scores: dict[str, tuple[float, float]]
    cost: Cost
    curve: tuple[Point, ...]

    @property
    def battery(self) -> BatteryConfig:
        """Of the battery that it was trained and scored on."""
        return TrainConfig.of(**self.settings).battery_settings()


@lru_cache(maxsize=1)
def stored() -> tuple[Reference, ...]:
    """The reference networks that are stored with the package."""
    return read(STORED)


def read(path: Path) -> tuple[Reference, ...]:
    """The reference networks in a file; none if there is no such file."""
    if not path.exists():
        return ()
    return tuple(map(Reference.model_validate, json.loads(path.read_text(encoding="utf-8"))))


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
        folders: of sweeps, of claims' runs for one; a cell is taken from the first that has it finished.
        train: train in the first folder what is finished in none.
        jobs: runs at a time.
        path: file to write.
        grids: the reference networks.
        progress: show a bar; None: if standard error is a terminal.

    Returns:
        The names of cells that are missing. A network that misses all is left out.

    Raises:
        ModcogError: if no cell is finished, or one that is trained fails.
    """
    folders = list(folders)
    known = {cell.name: _finished(cell, folders) for grid in grids for cell in grid.cells(folders[0])}
    for grid in grids if train and None in known.values() else ():
        done = sweep(grid, folders[0], jobs=jobs, progress=progress)
        if done.failed:
            name, error = next(iter(done.failed.items()))
            raise ModcogError(f"{len(done.failed)} reference networks are not finished; {name}: {error}")
        known |= {cell.name: record for cell, record in zip(done.cells, done.records, strict=True)}
    records = [record for record in known.values() if record is not None]
    if not records:
        raise ModcogError(f"no finished cell of a reference network in {', '.join(map(str, folders))}")
    rows = [reference(group).model_dump_json(exclude_none=True) for group in _by_network(records)]
    with whole_file(path) as part:
        part.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
    stored.cache_clear()
    return [name for name, record in known.items() if record is None]


def _finished(cell: Cell, folders: Sequence[str | Path]) -> dict[str, Any] | None:
    """The record of a cell from the first folder that has it finished."""
    places = (cell.config.model_copy(update={"out": Path(folder) / cell.name}) for folder in folders)
    found = (finished_record(Cell(cell.name, cell.tasks, place, cell.n_trials, cell.score_seed)) for place in places)
    return next((record for record in found if record is not None), None)


def reference(records: Sequence[Record]) -> Reference:
    """A reference network from the records of its seeds."""
    cell = records[0]["cell"]
    config = cell["config"]
    settings = {name: value for name, value in config.items() if name not in {*PLACEMENT, "seed"}}
    measured = Measured(records, None)
    scores = {
        task: (measured.accuracy("decision", [task]).mean, measured.accuracy("trial", [task]).mean)
        for task in measured.tasks
    }
    return Reference(
        name=arm_name(config["arch"], config["density"], config["hidden"]),
        settings=settings,
        seeds=tuple(record["cell"]["config"]["seed"] for record in records),
        n_trials=cell["n_trials"],
        score_seed=cell["score_seed"],
        scores={task: (round(decision, DIGITS), round(trial, DIGITS)) for task, (decision, trial) in scores.items()},
        cost=cost(records),
        curve=tuple(_rounded(point) for point in curve(records)),
    )


def _rounded(point: Point) -> Point:
    return Point(**{name: round(value, DIGITS) for name, value in point.model_dump().items()})


def _by_network(records: Sequence[Record]) -> list[list[Record]]:
    """The records of each network, in order."""
    found: dict[str, list[Record]] = {}
    for record in records:
        settings = {name: value for name, value in record["cell"]["config"].items() if name not in {*PLACEMENT, "seed"}}
        found.setdefault(json.dumps(settings), []).append(record)
    return list(found.values())


def columns(
    references: Iterable[Reference], battery: BatteryConfig, settings: dict[str, Any], n_trials: int, score_seed: int
) -> tuple[list[Column], list[str]]:
    """The references that can stand beside a network, and a sentence if some cannot.

    Args:
        references: all there are.
        battery: that the network was scored on.
        settings: that it was trained with; empty if they are not known.
        n_trials: of each task that it was scored on.
        score_seed: of those trials.
    """
    found, left = [], []
    for one in _best(references, set(battery.tasks)):
        if apart := _other_trials(one.battery, battery):
            left.append(f"{one.name} ({apart})")
            continue
        same_tasks = set(one.scores) == set(battery.tasks)
        column = Column(
            name=one.name,
            settings=one.settings,
            seeds=len(one.seeds),
            cost=one.cost if same_tasks else one.cost.model_copy(update={"reached": {}}),
            curve=one.curve if same_tasks else (),
            differs=tuple(_differences(one, battery, settings, n_trials, score_seed)),
            scores=one.scores,
        )
        found.append(column)
    note = f"Not shown, because their trials were others: {'; '.join(left)}."
    return found, [note] if left else []


def _best(references: Iterable[Reference], tasks: set[str]) -> list[Reference]:
    """Of each network the results with the most of these tasks and the fewest others; none that has none of them."""
    best: dict[str, Reference] = {}
    for one in references:
        if set(one.scores) & tasks:
            best[one.name] = max(best.get(one.name, one), one, key=lambda found: _fit(found, tasks))
    return list(best.values())


def _fit(one: Reference, tasks: set[str]) -> tuple[int, int]:
    return len(set(one.scores) & tasks), -len(set(one.scores) - tasks)


def _other_trials(one: BatteryConfig, other: BatteryConfig) -> str:
    """In which settings two batteries make other trials; tasks and rule input do not matter."""
    differ = [
        f"{name} {_short(getattr(one, name))}, not {_short(getattr(other, name))}"
        for name in type(one).model_fields
        if name not in ("tasks", "rule_input") and getattr(one, name) != getattr(other, name)
    ]
    return ", ".join(differ)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _differences(
    one: Reference, battery: BatteryConfig, settings: dict[str, Any], n_trials: int, score_seed: int
) -> Iterable[str]:
    """What is otherwise with a reference, as a reader of its column should know."""
    if set(one.scores) != set(battery.tasks):
        yield f"trained on {len(one.scores)} tasks, not on {len(battery.tasks)}"
    if one.battery.rule_input != battery.rule_input:
        yield f"{'with' if one.battery.rule_input else 'without'} the rule input"
    for name, what in (("steps", "updates"), ("batch_size", "trials in an update"), ("layout", "layout")):
        if name in settings and one.settings[name] != settings[name]:
            theirs, own = (
                f"{value:,}" if isinstance(value, int) else value for value in (one.settings[name], settings[name])
            )
            yield f"{what} {theirs}, not {own}"
    if (one.n_trials, one.score_seed) != (n_trials, score_seed):
        yield f"scored on {one.n_trials} trials of each task with seed {one.score_seed}"
