"""Run the cells of a sweep whose networks can be trained side by side: see ``modcog.training.together``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import lru_cache, partial
from typing import Any

import torch

from modcog.battery import Battery, BatteryConfig
from modcog.evaluation.evaluate import trials_to_score
from modcog.evaluation.scoring import score
from modcog.experiments.sweeps.grid import Cell
from modcog.experiments.sweeps.records import describe_cell, record_failure, score_run, write_result
from modcog.experiments.sweeps.results import Record
from modcog.training.learned import Learned, write_learned
from modcog.training.together import can_join, context, default_workers, groups, train_together
from modcog.trials.arrays import Trials


def run_together(
    cells: Sequence[Cell], workers: int | None = None, progress: bool | None = None
) -> Iterator[tuple[Cell, Record]]:
    """Train, score and record the cells that can be trained together, on a GPU if there is one; leave out the others.

    Args:
        cells: cells that are scored on as many trials of the same seed.
        workers: processes that make trials, and as many that write folders while the next networks are trained; 0: this
            one does both; None: by the number of cores.
        progress: show a bar; None: if standard error is a terminal.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = default_workers(device) if workers is None else workers
    of = {cell.config.out: cell for cell in cells if can_join(cell.config)}
    if not of:
        return
    score_on = partial(trials_to_score, n_trials=cells[0].n_trials, seed=cells[0].score_seed)
    waiting: dict[Future[Record], Cell] = {}
    with ProcessPoolExecutor(workers, context(), torch.set_num_threads, (1,)) if workers else _Here() as pool:
        for group in groups(cell.config for cell in of.values()):
            for learned in train_together(group, device, score_on, workers=workers, progress=progress):
                cell = of[learned.config.out]
                waiting[pool.submit(record_learned, cell, learned)] = cell
            for done in [future for future in waiting if future.done()]:
                yield waiting.pop(done), done.result()
        for future, cell in waiting.items():
            yield cell, future.result()


class _Here(Executor):
    """An executor that calls at once, in this process."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(call(*args, **options))
        return future


def record_learned(cell: Cell, learned: Learned) -> Record:
    """Write the folder of a cell, score it, and return the content of its ``result.json``."""
    run = write_learned(learned)
    if run.status == "diverged":
        return record_failure(cell, f"loss, weights or output became NaN or infinite by step {learned.diverged}")
    settings = cell.config.battery_settings().model_dump_json()
    trials = _trials(settings, cell.n_trials, cell.score_seed)
    scores = score(learned.actions, trials)
    record: Record = {"status": run.status, "error": None, "cell": describe_cell(cell)}
    return write_result(cell, record | score_run(run.folder, cell.n_trials, cell.score_seed, scores=scores))


@lru_cache(maxsize=4)
def _trials(settings: str, n_trials: int, seed: int) -> Trials:
    return trials_to_score(Battery.from_config(BatteryConfig.model_validate_json(settings)), n_trials, seed)
