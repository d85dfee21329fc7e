"""``modcog validate``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from modcog.cli.options import PATH, dask, jobs, progress
from modcog.extras import require


@click.command
@click.argument("claim", help="C1, C2, C3, C4 or C5.")
@click.option("--preset", default="full", metavar="small|full", help="full, as published, or small, for minutes.")
@click.option("--out", type=PATH, default="runs/claims", metavar="DIR", help="Folder of all claims.")
@jobs()
@dask
@click.option("--tables", type=PATH, metavar="DIR", help="Folder of finished tables, to be judged without training.")
@progress()
def validate(
    claim: str, preset: str, out: Path, tables: Path | None, jobs: int, dask: str | None, progress: bool | None
) -> None:
    """Test a claim of the Mod-Cog paper.

    Claims:
      C1  A pool of autapses solves the 20 base tasks.
      C2  Autapses fail on interval and sequence tasks where an LM-RNN does not.
      C3  An LM-RNN trains in fewer trials than a dense network; a density is best.
      C4  Locality, not sparsity alone.
      C5  As many synapses instead of as many units.

    DIR/CLAIM gets results.csv, curves.csv, figure.png, verdict.json and README.md (DIR/CLAIM-small with the small
    preset); the runs are in DIR/runs, which the claims share. Repeat the command to resume; finished runs are kept.

    Examples:
      modcog validate C1 --preset small --jobs 2
      modcog validate C3 --jobs 2 --out runs/claims
      modcog validate C3 --tables docs/results/C3
    """
    require("benchmark", "modcog validate")
    from modcog.experiments.claims import validate as run
    from modcog.experiments.claims.validation import VERDICT, find, folder_of, judge

    if tables is None:
        verdict = run(claim, preset, out, jobs=jobs, dask=dask, progress=progress)
        folder = folder_of(find(claim), preset, out)
    else:
        folder, path = tables, tables / VERDICT
        command = json.loads(path.read_text(encoding="utf-8"))["command"] if path.exists() else "unknown"
        verdict = judge(find(claim), folder, command)
    click.echo(f"{find(claim).name}: {verdict.answer}. {verdict.because}")
    for finding in verdict.findings:
        click.echo(f"  {finding}")
    click.echo(folder)
