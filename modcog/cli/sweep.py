"""``modcog sweep``."""

from __future__ import annotations

from pathlib import Path

import click

from modcog.cli.options import PATH, dask, jobs, one_of, progress
from modcog.extras import require


@click.command
@click.argument("grid", metavar="FILE", type=PATH, help="TOML, YAML or JSON file with settings, arms and axes.")
@click.option("--out", type=PATH, default="runs/sweep", metavar="DIR", help="Folder of the sweep.")
@jobs()
@dask
@click.option(
    "--table", default="csv", help="csv or parquet.", **one_of("format of a table", lambda: ("csv", "parquet"))
)
@progress()
def sweep(grid: Path, out: Path, table: str, jobs: int, dask: str | None, progress: bool | None) -> int:
    """Train and score the networks of a grid (resumable).

    FILE has a table `settings` of what all runs share (see modcog train), a list of tables `arms` of what is compared,
    and a table `axes` with a list of values for each setting to vary; each arm is run with each combination of them.
    DIR gets a folder for each run, results.csv with a row for each run and task, and curves.csv with the learning
    curves. Repeat the command to resume: finished runs are kept, failed ones are tried again.

    Examples:
      modcog sweep density.toml --out runs/density --jobs 2
      modcog sweep density.toml --out runs/density --dask tcp://head:8786 --table parquet
    """
    require("benchmark", "modcog sweep")
    if table == "parquet":
        require("parquet", "--table parquet")
    from modcog.experiments.sweeps import Grid, curves, results
    from modcog.experiments.sweeps import sweep as run
    from modcog.experiments.sweeps.results import write_table

    done = run(Grid.of(grid), out, jobs=jobs, dask=dask, progress=progress)
    write_table(results(done.records), done.out / f"results.{table}")
    write_table(curves(done.records), done.out / f"curves.{table}")
    click.echo(", ".join(f"{count} {status}" for status, count in done.statuses().items()))
    click.echo(out / f"results.{table}")
    return 1 if done.failed else 0
