"""``modcog sample``, ``modcog export`` and ``modcog verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import click
import numpy as np
from numpy.lib.format import write_array

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import PATH, jobs, progress, running, seed, settings_options
from modcog.data.config import ExportConfig
from modcog.errors import ModcogError
from modcog.files import whole_file
from modcog.progress import ProgressBar
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import concatenate, join_by_task
from modcog.version import __version__

LARGEST = 4e9
"""Bytes of padded observations that a sample may take; a data set (``modcog export``) has no such bound."""

MANY = 4e8
"""Bytes that take long enough for a progress bar."""


@click.command
@click.option("-n", type=int, metavar="N", help="Number of trials, each of a random task.  [default: 1000]")
@click.option("--per-task", type=int, metavar="N", help="Number of trials of each task, instead of -n.")
@seed
@click.option("--out", type=PATH, default="trials.npz", metavar="FILE.npz", help="Output file, replaced if it exists.")
@settings_options(BatteryConfig, tasks="[TASK]...")
def sample(settings: dict[str, Any], n: int | None, per_task: int | None, seed: int, out: Path) -> None:
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
    battery = Battery(**settings)
    if per_task is None:
        total = n = check_count("-n", 1000 if n is None else n)
    else:
        total = len(battery.tasks) * check_count("--per-task", per_task)
    size = total * battery.tables.mean_length.max() * battery.n_channels * 4
    if size > LARGEST:
        raise ModcogError(
            f"{total} trials would take {size / 1e9:.0f} GB of memory; at most {LARGEST / 1e9:.0f} are allowed here; "
            "modcog export writes any number"
        )
    parts = []
    with ProgressBar("sample", "trials", total, show=size > MANY) as bar:
        for block in battery.blocks(Seed.of(seed, Purpose.SAMPLE), n, per_task):
            parts.append(block)
            bar.advance(len(block))
    trials = concatenate(parts) if per_task is None else join_by_task(parts)
    arrays = ("observations", "labels", "lengths", "mask", "task", "tasks", "decision_start")
    found: dict[str, Any] = {name: getattr(trials, name) for name in arrays}
    found |= {f"condition_{name}": column for name, column in trials.conditions.items()}
    found |= {"settings": battery.config.model_dump_json(), "seed": seed, "version": __version__}
    # np.savez of NumPy 1.26 leaves the archive open on a full disk, which Python then complains about.
    with whole_file(out) as part, ZipFile(part, "w") as archive:
        for name, array in found.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                write_array(file, np.asanyarray(array), allow_pickle=False)  # type: ignore[no-untyped-call]
    of = battery.tasks[0] if len(battery.tasks) == 1 else f"{len(battery.tasks)} tasks"
    click.echo(f"{total} trials of {of}, observations {trials.observations.shape} float32, in {out}")


@click.command
@click.option("--out", type=PATH, required=True, metavar="DIR", help="Folder of the data set, created if missing.")
@running(progress_default=True)
@settings_options(ExportConfig, splits="--split")
def export(settings: dict[str, Any], out: Path, **running: Any) -> None:
    """Write a data set (resumable).

    It holds trials of any tasks in splits, with a manifest and a data card. Its bytes depend on the settings and the
    version alone. Repeat the command to finish an interrupted export. A folder that holds a data set with other
    settings is refused.

    Examples:
      modcog export --tasks modcog132 --format parquet --out battery --jobs 2
      modcog export --tasks dms --split train=0.9 --split test=0.1 --out match
      modcog export --layout stream --sequences 4096 --seq-len 350 --out stream
      modcog export --config export.toml --out battery
    """
    from modcog.data.exporter import export as write

    data = write(out, ExportConfig.of(**settings), **running)
    click.echo(f"{data}: {data.format}, {sum(file.bytes for file in data.manifest.all_files()) / 1e6:,.1f} MB")


@click.command
@click.argument("folder", metavar="DIR", type=PATH, help="Folder of the data set.")
@jobs(default=-1)
@progress(default=True)
def verify(folder: Path, jobs: int, progress: bool) -> int:
    """Check a data set against its manifest.

    The size and hash of every file are compared. Files that are missing, truncated, damaged, swapped with another,
    extra or unreadable are listed. Exit code 0: complete and undamaged; 1: something is wrong; 2: not a data set.

    Examples:
      modcog verify battery
      modcog verify battery --jobs 8 --no-progress
    """
    from modcog.data.verification import verify as check

    report = check(folder, jobs=jobs, progress=progress)
    for problem in report.problems:
        click.echo(problem)
    if report.ok:
        click.echo(f"{folder} is whole: {report.n_files} files, {report.n_bytes / 1e6:,.1f} MB")
    else:
        click.echo(f"{folder}: {len(report.problems)} of {report.n_files} files are wrong")
    return 0 if report.ok else 1
