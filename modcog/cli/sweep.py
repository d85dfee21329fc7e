"""``modcog sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Jobs = Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Runs at a time, one thread each; -1: all cores.")]
Dask = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Address of a dask scheduler whose workers do it instead.")
]
Progress = Annotated[
    bool | None, typer.Option("--progress/--no-progress", help="A progress bar; by itself only in a terminal.")
]


def sweep(
    grid: Annotated[Path, typer.Argument(metavar="FILE", help="TOML, YAML or JSON: settings, arms and axes.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the sweep.")] = Path("runs/sweep"),
    jobs: Jobs = 1,
    dask: Dask = None,
    table: Annotated[Literal["csv", "parquet"], typer.Option(help="Format of the results.")] = "csv",
    progress: Progress = None,
) -> None:
    r"""Train and score every cell of a grid: arms × axes.

    FILE has a table `settings` of what all runs share (see modcog train), a list of tables `arms` of what is compared,
    and a table `axes` with a list of values for each setting to vary. DIR gets a folder for each run, results.csv with
    a row for each run and task, and curves.csv with the learning curves. The same command again goes on where it was
    stopped; finished runs are not redone, failed ones are tried again.

    \b
    Examples:
      modcog sweep density.toml --out runs/density --jobs 2
      modcog sweep density.toml --out runs/density --dask tcp://head:8786 --table parquet
    """
    from modcog.experiments.sweeps import Grid, curves, results
    from modcog.experiments.sweeps import sweep as run
    from modcog.experiments.sweeps.results import write_table

    done = run(Grid.of(grid), out, jobs=jobs, dask=dask, progress=progress)
    for name, rows in (("results", results(done.records)), ("curves", curves(done.records))):
        write_table(rows, done.out / f"{name}.{table}")
    typer.echo(", ".join(f"{count} {status}" for status, count in done.statuses().items()))
    typer.echo(out / f"results.{table}")
    if done.failed:
        raise typer.Exit(1)
