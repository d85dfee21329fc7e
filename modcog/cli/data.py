"""``modcog export`` and ``modcog verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modcog.cli.options import PATH, dask, jobs, progress, settings_options
from modcog.data.config import ExportConfig


@click.command
@click.option("--out", type=PATH, required=True, metavar="DIR", help="Folder of the data set, created if missing.")
@jobs()
@dask
@progress(default=True)
@settings_options(ExportConfig, splits="--split")
def export(settings: dict[str, Any], out: Path, jobs: int, dask: str | None, progress: bool) -> None:
    """Write a data set (resumable).

    It holds trials of any tasks in splits, with a manifest and a data card. Its bytes depend on the settings and the
    version alone. Repeat the command to finish an interrupted export. A folder that holds a data set with other
    settings is refused.

    Examples:
      modcog export --tasks modcog132 --trials-per-task 1000 --out battery --jobs 2
      modcog export --tasks dms,dnms --split train=0.9 --split test=0.1 --format parquet --out match
      modcog export --layout stream --sequences 4096 --seq-len 350 --format zarr --seed 1 --out stream
      modcog export --config export.toml --out battery
    """
    from modcog.data.exporter import export as write

    data = write(out, ExportConfig.of(**settings), jobs=jobs, dask=dask, progress=progress)
    size = sum(file.bytes for file in data.manifest.all_files())
    click.echo(f"{data}: {data.format}, {size / 1e6:,.1f} MB")


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
