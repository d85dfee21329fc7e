"""Run the cells of a grid, on this machine or on a cluster."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modcog.experiments.sweeps.cell import DONE, Record, finished, lost_cell, run_cell
from modcog.experiments.sweeps.grid import Cell, Grid
from modcog.experiments.workers import processes, spread
from modcog.files import write_json


@dataclass(frozen=True)
class Sweep:
    """A sweep that has been run.

    Attributes:
        out: its folder.
        cells: its cells.
        records: for each, what is in its ``result.json``.
    """

    out: Path
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]

    @property
    def failed(self) -> dict[str, str]:
        """What went wrong, by the name of the cell."""
        lost = [record for record in self.records if record["status"] not in DONE]
        return {record["cell"]["name"]: record["error"] or record["status"] for record in lost}

    def statuses(self) -> dict[str, int]:
        """How many cells ended in which way."""
        return dict(Counter(record["status"] for record in self.records))


def sweep(
    grid: Grid, out: str | Path, *, jobs: int = 1, dask: str | None = None, progress: bool | None = None
) -> Sweep:
    """Run the cells of a grid that are not finished; cells of other grids in the same folder are left alone.

    A cell is a training run in a folder of its own, named by what it is, so that one that two grids share is trained
    once, even if two sweeps want it at the same time: one waits for the other. An interrupted cell goes on from its
    last checkpoint. One that failed is tried again the next time; it does not stop the others, even if its process is
    killed, unless that is this one (``jobs=1``).

    Args:
        grid: what to run.
        out: folder of the sweep.
        jobs: cells at a time on this machine, one thread each.
        dask: address of a dask scheduler whose workers run the cells; they must see ``out`` under the same path.
        progress: show a bar on standard error; None: if it is a terminal.

    Raises:
        ModcogError: if the settings of a cell are wrong (nothing is run then), or workers are lost.
        KeyboardInterrupt: after SIGINT or SIGTERM, when the cells that were being trained have saved a checkpoint.
    """
    out = Path(out).absolute()
    cells = grid.cells(out)
    write_json(out / "grid.json", grid.model_dump(mode="json"))
    known: dict[str, Record] = {cell.name: record for cell in cells if (record := finished(cell)) is not None}
    todo = [cell for cell in cells if cell.name not in known]
    again, interrupted = "run the same sweep again to go on", False
    beside = dask is None and processes(jobs) > 1
    with _bar(len(cells), len(known), progress) as advance:
        for index, record in spread(run_cell, todo, jobs, dask, again, lost=lost_cell):
            if record["status"] == "interrupted":  # the signal was meant for the sweep
                interrupted = True
                if beside:  # others are still saving a checkpoint
                    continue
                break
            known[todo[index].name] = record
            advance(todo[index], record)
    if interrupted:
        raise KeyboardInterrupt
    return Sweep(out, tuple(cells), tuple(known[cell.name] for cell in cells))


@contextmanager
def _bar(total: int, done: int, shown: bool | None) -> Iterator[Any]:
    """A bar of cells; what failed is said as it happens."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    visible = sys.stderr.isatty() if shown is None else shown
    columns = (TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as bar:
        task = bar.add_task("cells", total=total, completed=done)

        def advance(cell: Cell, record: Record) -> None:
            bar.advance(task)
            if record["status"] not in DONE:
                bar.console.print(
                    f"{cell.name}: {record['error'] or record['status']}", highlight=False, soft_wrap=True
                )

        yield advance
