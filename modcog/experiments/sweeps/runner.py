"""Run the cells of a grid, on this machine or on a cluster."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from joblib import effective_n_jobs

from modcog.experiments.sweeps.cell import DONE, Record, finished_record, record_failure, run_cell
from modcog.experiments.sweeps.grid import Cell, Grid
from modcog.experiments.workers import call_each
from modcog.files import write_json
from modcog.progress import ProgressBar

KILLED = "the process that trained it was killed, perhaps for lack of memory"


@dataclass(frozen=True)
class Sweep:
    """A sweep that has been run.

    Attributes:
        out: its folder.
        cells: its cells.
        records: the content of each cell's ``result.json``.
    """

    out: Path
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]

    @property
    def failed(self) -> dict[str, str]:
        """Errors of the cells that failed, by the name of the cell."""
        unfinished = [record for record in self.records if record["status"] not in DONE]
        return {record["cell"]["name"]: record["error"] or record["status"] for record in unfinished}

    def statuses(self) -> dict[str, int]:
        """Return the number of cells with each status."""
        return dict(Counter(record["status"] for record in self.records))


def sweep(
    grid: Grid, out: str | Path, *, jobs: int = 1, dask: str | None = None, progress: bool | None = None
) -> Sweep:
    """Run the cells of a grid that are not finished; cells of other grids in the same folder are left alone.

    A cell is a training run in a folder of its own, named by its settings. So a cell of two grids is trained once, even
    if two sweeps want it at the same time: one waits for the other. An interrupted cell resumes from its last
    checkpoint. One that failed is tried again by the next sweep; it does not stop the others, even if its process is
    killed, unless that is this process (``jobs=1``).

    Args:
        grid: the cells to run.
        out: folder of the sweep.
        jobs: cells at a time on this machine, one thread each; 1: one by one in this process; −1: one for each core.
        dask: address of a dask scheduler whose workers run the cells; they must see ``out`` under the same path.
        progress: show a bar on standard error; None: if it is a terminal.

    Raises:
        ModcogError: if the settings of a cell are wrong (nothing is run then), or the cluster is lost.
        KeyboardInterrupt: after SIGINT or SIGTERM, when the cells that were being trained have saved a checkpoint.
    """
    out = Path(out).absolute()
    cells = grid.cells(out)
    write_json(out / "grid.json", grid.model_dump(mode="json"))
    known = {cell.name: record for cell in cells if (record := finished_record(cell)) is not None}
    todo = [cell for cell in cells if cell.name not in known]
    jobs = jobs if jobs >= 0 else effective_n_jobs(jobs)
    with ProgressBar("sweep", "cells", len(cells), len(known), progress) as bar:
        for index, record in call_each(run_cell, todo, jobs, dask) if dask or jobs > 1 else _run_here(todo):
            cell = todo[index]
            record = record_failure(cell, KILLED) if record is None else record
            if record["status"] == "interrupted":
                continue
            known[cell.name] = record
            bar.advance()
            if record["status"] not in DONE:
                print(f"{cell.name}: {record['error'] or record['status']}", file=sys.stderr)
    if len(known) < len(cells):  # somebody has asked a cell's own process to stop
        raise KeyboardInterrupt
    return Sweep(out, tuple(cells), tuple(known[cell.name] for cell in cells))


def _run_here(cells: list[Cell]) -> Iterator[tuple[int, Record | None]]:
    for index, cell in enumerate(cells):
        record = run_cell(cell)
        if record["status"] == "interrupted":  # training has trapped the signal, which was meant for the sweep
            raise KeyboardInterrupt
        yield index, record
