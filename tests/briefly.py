"""The program, but with three updates and two trials of whatever it is asked for: for commands that take minutes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from modcog.cli import main
from modcog.experiments.benchmark import bench, check, enter, protocol
from modcog.experiments.sweeps import Grid
from modcog.training import TrainConfig

LEAST = {"steps": 3, "eval_every": 3, "batch_size": 8, "eval_trials": 1, "warmup": 1, "target_accuracy": None}

whole_config, whole_cells = TrainConfig.of.__func__, Grid.cells


def config_of(cls: type[TrainConfig], *args: Any, **values: Any) -> TrainConfig:
    """A run of few updates."""
    return whole_config(cls, *args, **values).model_copy(update=LEAST)


def cells(grid: Grid, out: str) -> list[Any]:
    """The cells of the first seed alone, scored on few trials."""
    found = [replace(cell, n_trials=2) for cell in whole_cells(grid, out)]
    first = min(cell.config.seed for cell in found)
    return [cell for cell in found if cell.config.seed == first]


if __name__ == "__main__":
    TrainConfig.of = classmethod(config_of)  # type: ignore[assignment, method-assign]
    Grid.cells = cells  # type: ignore[assignment, method-assign]
    bench.N_TRIALS = 2  # of the report that a run ends with
    few = {"trials": LEAST["steps"] * LEAST["batch_size"], "seeds": 1, "n_trials": 2}
    protocol.PROTOCOLS |= {name: one.model_copy(update=few) for name, one in protocol.PROTOCOLS.items()}
    check.LEAST_GAP, enter.MOST_RATES = 1, 3  # of scores on so few trials
    words = sys.argv[1:]  # one network instead of several
    sys.exit(main(["1" if before == "--seeds" else word for before, word in zip(["", *words], words, strict=False)]))
