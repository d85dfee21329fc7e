"""``modcog validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modcog.cli.sweep import Dask, Jobs, Progress


def validate(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="C1, C2, C3, C4 or C5.")],
    preset: Annotated[str, typer.Option(metavar="small|full", help="Minutes for a look, or what is quoted.")] = "full",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of all claims.")] = Path("runs/claims"),
    jobs: Jobs = 1,
    dask: Dask = None,
    tables: Annotated[
        Path | None,
        typer.Option("--tables", metavar="DIR", help="Train nothing: judge the tables in this folder anew."),
    ] = None,
    progress: Progress = None,
) -> None:
    r"""Put a claim of the Mod-Cog paper to the test.

    \b
    C1  A pool of autapses solves the 20 base tasks.
    C2  Autapses fail on interval and sequence tasks where an LM-RNN does not.
    C3  An LM-RNN trains in fewer trials than a dense network; a density is best.
    C4  Locality, not sparsity alone.
    C5  As many synapses instead of as many units.

    DIR/CLAIM gets results.csv, curves.csv, figure.png, verdict.json and README.md (DIR/CLAIM-small those of the small
    preset); the runs are in DIR/runs, which the claims share. Interrupted runs are resumed, finished ones not redone.

    \b
    Examples:
      modcog validate C1 --preset small --jobs 2
      modcog validate C3 --jobs 2 --out runs/claims
      modcog validate C3 --tables docs/results/C3
    """
    from modcog.experiments.claims import validate as run
    from modcog.experiments.claims.validation import VERDICT, find, folder_of, judge

    if tables is None:
        verdict = run(claim, preset, out, jobs=jobs, dask=dask, progress=progress)
        folder = folder_of(find(claim), preset, out)
    else:
        import json

        folder, path = tables, tables / VERDICT
        command = json.loads(path.read_text(encoding="utf-8"))["command"] if path.exists() else "unknown"
        verdict = judge(find(claim), folder, command)
    typer.echo(f"{find(claim).name}: {verdict.answer}. {verdict.because}")
    for finding in verdict.findings:
        typer.echo(f"  {finding}")
    typer.echo(folder)
