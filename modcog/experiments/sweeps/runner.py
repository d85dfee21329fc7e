"""Run the cells of a grid: train or resume each, score it, and record the outcome; on this machine or on a cluster."""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from modcog.checks import check_jobs
from modcog.errors import ModcogError
from modcog.experiments.sweeps.grid import Cell, Grid
from modcog.experiments.sweeps.records import (
    DONE,
    describe_cell,
    finished_record,
    record_failure,
    score_run,
    write_result,
)
from modcog.experiments.sweeps.results import Record
from modcog.experiments.workers import call_each
from modcog.files import write_json
from modcog.progress import ProgressBar
from modcog.tables import Brief
from modcog.user_code import PASS, error_text


@dataclass(frozen=True, repr=False)
class Sweep(Brief):
    """A sweep that has been run: its folder, its cells, and the content of the ``result.json`` of each."""

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
    grid: Grid,
    out: str | Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    together: bool = False,
    progress: bool | None = None,
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
        together: train networks with a mask side by side first, a hundred or so at once: many times faster on a GPU,
            slower on a CPU. Their results are the same but for rounding. They leave no checkpoints on the way: those
            that are being trained when the sweep is interrupted start anew.
        progress: show a bar on standard error; None: if it is a terminal.

    Raises:
        ModcogError: if the settings of a cell are wrong (nothing is run then), or the cluster is lost.
        KeyboardInterrupt: after SIGINT or SIGTERM, when the cells that were being trained have saved a checkpoint.
    """
    out, jobs = Path(out).absolute(), check_jobs(jobs)
    cells = grid.cells(out)
    write_json(out / "grid.json", grid.model_dump(mode="json"))
    known = {cell.name: record for cell in cells if (record := finished_record(cell)) is not None}
    try:
        _run(cells, known, jobs, dask, together, progress)
    except KeyboardInterrupt:
        kept = f"{len(known)} of {len(cells)} runs are finished and kept, those under way have their checkpoints"
        raise KeyboardInterrupt(f"{kept}; repeat the command to go on") from None
    return Sweep(out, tuple(cells), tuple(known[cell.name] for cell in cells))


def _run(
    cells: list[Cell], known: dict[str, Record], jobs: int, dask: str | None, together: bool, progress: bool | None
) -> None:
    """Run the cells that are not known, and add their records to ``known``."""
    here = jobs == 1 and not dask
    if together:
        from modcog.experiments.sweeps.together import run_together

        for cell, record in run_together([cell for cell in cells if cell.name not in known], progress=progress):
            _note(cell, record, known)
    todo = [cell for cell in cells if cell.name not in known]
    with ProgressBar("sweep", "cells", len(cells), len(known), progress) as bar:
        for index, record in enumerate(map(run_cell, todo)) if here else call_each(run_cell, todo, jobs, dask):
            cell = todo[index]
            if record is None:
                record = record_failure(cell, "the process that trained it was killed, perhaps for lack of memory")
            if record["status"] == "interrupted":
                if here:
                    break  # training has trapped the signal, which was meant for the sweep
                continue
            _note(cell, record, known)
            bar.advance()
    if len(known) < len(cells):  # this process or that of a cell has been asked to stop
        raise KeyboardInterrupt


def _note(cell: Cell, record: Record, known: dict[str, Record]) -> None:
    known[cell.name] = record
    if record["status"] not in DONE:
        print(f"{cell.name}: {record['error'] or record['status']}", file=sys.stderr)


def run_cell(cell: Cell) -> Record:
    """Train and score a cell, unless that has been done; a failure is recorded, not raised.

    Returns:
        The content of its ``result.json``: ``status``, ``error`` (one line if the cell failed, else None), ``cell``
        (its description), ``network`` (figures of ``modcog.models.measure``), ``progress``, ``curve`` and ``scores``.
        A run that is further than the cell asks for is refused.
    """
    import torch

    from modcog.training import train

    if (known := finished_record(cell)) is not None:
        return known
    record: Record = {"status": "", "error": None, "cell": describe_cell(cell)}
    threads = torch.get_num_threads()
    try:
        # Another sweep may be training this cell: wait for as long as it takes, then find it done.
        run = train(cell.config, resume=True, progress_bar=False, wait=math.inf)
        if (step := run.record["progress"]["step"]) > (steps := cell.config.steps):
            raise ModcogError(f"{run.folder} was trained for {step} updates instead of {steps}; move it away")
        record["status"] = run.status
        if run.status in DONE:
            # Training has just written the folder's record from the cell's own settings, MODULE:NAME included.
            record |= score_run(run.folder, cell.n_trials, cell.score_seed, trust=True)
    except PASS:
        raise
    except BaseException as error:  # the cell may run a user's code, which must not end the sweep
        return record_failure(cell, error_text(error))
    finally:
        torch.set_num_threads(threads)  # the cell may have set its own number in the user's process
    return record if record["status"] == "interrupted" else write_result(cell, record)
