"""``modcog sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import PATH, seed, settings_options, tasks
from modcog.errors import ModcogError
from modcog.files import whole_file
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import concatenate, join_by_task
from modcog.version import __version__

LARGEST = 4e9
"""Bytes of padded observations that a sample may take; a data set (``modcog export``) has no such bound."""

MANY = 4e8
"""Bytes that take long enough for a progress bar."""

ARRAYS = ("observations", "labels", "lengths", "mask", "task", "tasks", "decision_start")


@click.command
@tasks()
@click.option("-n", type=int, metavar="N", help="Number of trials, each of a random task.  [default: 1000]")
@click.option("--per-task", type=int, metavar="N", help="Number of trials of each task, instead of -n.")
@seed
@click.option("--out", type=PATH, default="trials.npz", metavar="FILE.npz", help="Output file, replaced if it exists.")
@settings_options(BatteryConfig, exclude=("tasks",))
def sample(
    settings: dict[str, Any], tasks: list[str] | None, n: int | None, per_task: int | None, seed: int, out: Path
) -> None:
    """Sample trials into an .npz file.

    The file holds observations (n, T, C), labels (n, T), mask (n, T), lengths, task, tasks, decision_start, a column
    condition_NAME for each condition, settings as JSON, seed and version. numpy.load opens it.

    Examples:
      modcog sample modcog132 --per-task 10 --out trials.npz
      modcog sample dlygointr dmsintl -n 500 --seed 1 --dt 20
      modcog sample yang19 --config battery.toml --rule-input
    """
    if n is not None and per_task is not None:
        raise ModcogError("sample takes either -n, the number of trials, or --per-task, the number of each task")
    if out.suffix != ".npz":
        raise ModcogError(f"--out: got {str(out)!r}, must end in .npz")
    if tasks:
        settings["tasks"] = tasks
    battery = Battery(**settings)
    n = 1000 if n is None and per_task is None else n
    total = check_count("-n", n) if per_task is None else len(battery.tasks) * check_count("--per-task", per_task)
    size = total * battery.tables.mean_length.max() * battery.n_channels * 4
    if size > LARGEST:
        raise ModcogError(
            f"{total} trials would take {size / 1e9:.0f} GB of memory; at most {LARGEST / 1e9:.0f} are allowed here; "
            "modcog export writes any number"
        )
    from modcog.progress import ProgressBar

    parts = []
    with ProgressBar("sample", "trials", total, show=size > MANY) as bar:
        for block in battery.blocks(Seed.of(seed, Purpose.SAMPLE), n, per_task):
            parts.append(block)
            bar.advance(len(block))
    trials = concatenate(parts) if per_task is None else join_by_task(parts)
    found: dict[str, Any] = {name: getattr(trials, name) for name in ARRAYS}
    found |= {f"condition_{name}": column for name, column in trials.conditions.items()}
    found |= {"settings": battery.config.model_dump_json(), "seed": seed, "version": __version__}
    with whole_file(out) as part, part.open("wb") as file:
        np.savez(file, **found)
    of = battery.tasks[0] if len(battery.tasks) == 1 else f"{len(battery.tasks)} tasks"
    click.echo(f"{total} trials of {of}, observations {trials.observations.shape} float32, in {out}")
