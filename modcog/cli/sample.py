"""``modcog sample``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import settings_options, tasks_of
from modcog.errors import ModcogError
from modcog.files import whole_file
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, concatenate, join_by_task
from modcog.version import __version__

PATIENCE = 1.0
"""Seconds after which a progress bar is shown."""

LARGEST = 4e9
"""Bytes of padded observations that a sample may take; a data set (``modcog export``) has no such bound."""


@settings_options(BatteryConfig, leave=("tasks",))
def sample(
    settings: dict[str, Any],
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="TASKS", help="Tasks or collections; modcog132 if there are none."),
    ] = None,
    n: Annotated[int | None, typer.Option("-n", metavar="N", help="Trials; a task is drawn for each.")] = None,
    per_task: Annotated[int | None, typer.Option(metavar="N", help="Instead: trials of each task.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of all random numbers.")] = 0,
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where to; replaced if it exists.")] = Path(
        "trials.npz"
    ),
) -> None:
    r"""Sample trials into an .npz file, for a quick look or a quick test.

    The file holds observations (n, T, C), labels (n, T), mask (n, T), lengths, task, tasks, decision_start, a column
    condition_NAME for everything that was drawn, settings as JSON, seed and version. numpy.load opens it.

    \b
    Examples:
      modcog sample modcog132 --per-task 10 --out trials.npz
      modcog sample dlygointr dmsintl -n 500 --seed 1 --dt 20
      modcog sample yang19 --config battery.toml --rule-input
    """
    if n is not None and per_task is not None:
        raise ModcogError("sample takes either -n, the number of trials, or --per-task, the number of each task")
    if out.suffix != ".npz":
        raise ModcogError(f"--out: got {str(out)!r}, must end in .npz")
    battery = Battery(**{**settings, **({"tasks": tasks_of(tasks)} if tasks else {})})
    trials = draw(battery, 1000 if n is None else n, per_task, seed)
    with whole_file(out) as part, part.open("wb") as file:
        np.savez(file, **arrays(trials, battery, seed))  # type: ignore[arg-type]  # none is called allow_pickle
    padded = trials.observations.shape
    of = battery.tasks[0] if len(battery.tasks) == 1 else f"{len(battery.tasks)} tasks"
    typer.echo(f"{len(trials)} trials of {of}, observations {padded} float32, in {out}")


def draw(battery: Battery, n: int, per_task: int | None, seed: int) -> Trials:
    """The trials of ``Battery.sample``, with a bar if it takes long.

    Raises:
        ModcogError: if a number is not at least 1, or the arrays would not fit in memory.
    """
    total = check_count("-n", n) if per_task is None else len(battery.tasks) * check_count("--per-task", per_task)
    size = total * battery.tables.mean_length.max() * battery.n_channels * 4
    if size > LARGEST:
        raise ModcogError(
            f"{total} trials would take {size / 1e9:.0f} GB of memory; at most {LARGEST / 1e9:.0f} are allowed here; "
            "modcog export writes any number"
        )
    blocks = battery.blocks(Seed.of(seed, Purpose.SAMPLE), n if per_task is None else None, per_task)
    return (concatenate if per_task is None else join_by_task)(list(_watched(blocks, total)))


def _watched(blocks: Iterable[Trials], total: int) -> Iterator[Trials]:
    """The same blocks; a bar appears once they have taken longer than ``PATIENCE``."""
    from modcog.data.progress import Progress

    start, done, bar = time.monotonic(), 0, None
    with ExitStack() as stack:
        for block in blocks:
            yield block
            done += len(block)
            if bar is not None:
                bar.advance(len(block), block.packed_observations.nbytes)
            elif time.monotonic() - start > PATIENCE:
                bar = stack.enter_context(Progress("sample", "trials", total, done))


def arrays(trials: Trials, battery: Battery, seed: int) -> dict[str, NDArray[Any]]:
    """What the file holds, by name; nothing in it needs pickle."""
    return {
        "observations": trials.observations,
        "labels": trials.labels,
        "lengths": trials.lengths,
        "mask": trials.mask,
        "task": trials.task,
        "tasks": np.array(trials.tasks),
        "decision_start": trials.decision_start,
        **{f"condition_{name}": column for name, column in trials.conditions.items()},
        "settings": np.array(battery.config.model_dump_json()),
        "seed": np.array(seed),
        "version": np.array(__version__),
    }
