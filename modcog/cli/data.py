"""``modcog export`` and ``modcog verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from modcog.cli.options import settings_options
from modcog.data.config import ExportConfig
from modcog.errors import ModcogError, shown


@settings_options(ExportConfig, leave=("splits",))
def export(
    settings: dict[str, Any],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the data set; made if there is none.")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE", help="A split and its share; repeat it. [default: train=0.8 val=0.1 test=0.1]"
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Worker processes on this machine.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Scheduler of a dask cluster that makes the shards instead."),
    ] = None,
    progress: Annotated[bool, typer.Option(help="A bar with rate and time left, on standard error.")] = True,
) -> None:
    r"""Write a data set: trials of any part of the battery, in splits, with a manifest and a data card.

    The bytes depend on the settings and the version alone. If it is stopped, killed, or the disk runs full, the same
    command finishes it. A folder that holds other settings is refused.

    \b
    Examples:
      modcog export --tasks modcog132 --trials-per-task 1000 --out battery --jobs 2
      modcog export --tasks dms,dnms --split train=0.9 --split test=0.1 --format parquet --out match
      modcog export --layout stream --sequences 4096 --seq-len 350 --format zarr --seed 1 --out stream
      modcog export --config export.toml --out battery
    """
    from modcog.data.exporter import export as write

    if split:
        settings["splits"] = _splits(split)
    data = write(out, ExportConfig.of(**settings), jobs=jobs, dask=dask, progress=progress)
    size = sum(file.bytes for file in data.manifest.all_files())
    typer.echo(f"{data}: {data.format}, {size / 1e6:,.1f} MB")


def _splits(given: list[str]) -> dict[str, float]:
    """``["train=0.8", …]`` as a mapping.

    Raises:
        ModcogError: if one is not a name and a number, or a name comes twice.
    """
    found: dict[str, float] = {}
    for text in given:
        name, _, share = text.partition("=")
        try:
            number = float(share)
        except ValueError:
            raise ModcogError(f"--split: got {shown(text)}, must be NAME=SHARE, for example train=0.8") from None
        if name in found:
            raise ModcogError(f"--split: {shown(name)} is given twice")
        found[name] = number
    return found


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The data set.")],
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", metavar="N", help="Files read at the same time. [default: one a core]")
    ] = None,
    progress: Annotated[bool, typer.Option(help="A bar with rate and time left, on standard error.")] = True,
) -> None:
    r"""Check every file of a data set against its manifest, by size and hash.

    Files that are missing, truncated, damaged, swapped with another, extra or unreadable are named, one a line. Exit
    code 0: whole; 1: something is wrong; 2: not a data set.

    \b
    Examples:
      modcog verify battery
      modcog verify battery --jobs 8 --no-progress
    """
    from modcog.data.verification import verify as check

    report = check(folder, jobs=jobs, progress=progress)
    for problem in report.problems:
        typer.echo(problem)
    if not report.ok:
        typer.echo(f"{folder}: {len(report.problems)} of {report.n_files} files are wrong")
        raise typer.Exit(1)
    typer.echo(f"{folder} is whole: {report.n_files} files, {report.n_bytes / 1e6:,.1f} MB")
