"""Test a claim: run its grid, judge the tables, and write both with the figure."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from modcog.errors import ModcogError, one_line, printable, unknown
from modcog.experiments.claims.c1_pool import C1
from modcog.experiments.claims.c2_autapses import C2
from modcog.experiments.claims.c3_density import C3
from modcog.experiments.claims.c4_locality import C4
from modcog.experiments.claims.c5_synapses import C5
from modcog.experiments.claims.claim import Claim, Verdict
from modcog.experiments.sweeps import curves, results, sweep
from modcog.experiments.sweeps.results import NEEDED, read_table, write_table
from modcog.files import whole_file, write_json, write_text
from modcog.tables import literal
from modcog.user_code import failures_as
from modcog.validation import read_record

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (C1, C2, C3, C4, C5)}
"""Claims by name."""

RESULTS, CURVES, FIGURE, PAGE, VERDICT = "results.csv", "curves.csv", "figure.png", "README.md", "verdict.json"


class Made(BaseModel):
    """The part of a ``verdict.json`` that is read again."""

    command: str


def validate(
    name: str,
    preset: str = "full",
    out: str | Path = "runs/claims",
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool | None = None,
) -> Verdict:
    """Run the grid of a claim and judge it.

    The runs are in ``out/runs``, which all claims share, so that a network that two claims need is trained once. The
    tables, the figure and the verdict go to ``out/<name>``, those of the small preset to ``out/<name>-small``.

    Args:
        name: C1 … C5.
        preset: ``"small"`` or ``"full"``.
        out: folder of all claims.
        jobs: runs at a time on this machine.
        dask: address of a dask scheduler whose workers train instead.
        progress: show a bar; None: if standard error is a terminal.

    Raises:
        UnknownNameError: for a claim or preset that does not exist.
        ModcogError: if a run failed; the others are kept, and failed ones are tried again the next time.
    """
    claim = find(name)
    if preset not in claim.presets:
        raise unknown("preset", preset, claim.presets)
    done = sweep(claim.presets[preset], Path(out) / "runs", jobs=jobs, dask=dask, progress=progress)
    if done.failed:
        first, error = next(iter(done.failed.items()))
        raise ModcogError(f"{len(done.failed)} of {len(done.cells)} runs are not finished; {first}: {error}")
    folder = folder_of(claim, preset, Path(out))
    write_table(results(done.records), folder / RESULTS)
    write_table(curves(done.records), folder / CURVES)
    return judge(claim, folder, f"modcog validate {claim.name} --preset {preset}")


def find(name: str) -> Claim:
    """Return a claim by its name, in capitals or not.

    Raises:
        UnknownNameError: if there is none.
    """
    if name.upper() not in CLAIMS:
        raise unknown("claim", name, CLAIMS)
    return CLAIMS[name.upper()]


def folder_of(claim: Claim, preset: str, out: Path) -> Path:
    """Return the folder of a verdict; a small preset does not overwrite the figures that are quoted."""
    return out / (claim.name if preset == "full" else f"{claim.name}-{preset}")


def judge_again(claim: Claim, folder: Path) -> Verdict:
    """Judge a claim by the tables in a folder, which an earlier call may have written with its command.

    Raises:
        ModcogError: as ``judge`` does, or if the verdict that is there is damaged.
    """
    there = folder / VERDICT
    return judge(claim, folder, read_record(there, Made).command if there.exists() else "unknown")


def judge(claim: Claim, folder: Path, command: str) -> Verdict:
    """Judge a claim by the tables in a folder, and write the verdict, the figure and a page beside them.

    The folder has ``results.csv`` and ``curves.csv``; ``command`` is the one that made them, for the page.

    Raises:
        ModcogError: if a table is missing, damaged, or without the runs that the claim compares.
    """
    for path in (folder / RESULTS, folder / CURVES):
        if not path.exists():
            raise ModcogError(f"{path} is missing: a claim is judged by a folder with {RESULTS} and {CURVES}")
    scores = read_table(folder / RESULTS, NEEDED)
    learning = read_table(folder / CURVES, ("cell", "trials", "decision_accuracy"))
    with failures_as(f"{folder}: {claim.name} cannot be judged by its tables"):
        verdict, figure = claim.verdict(scores, learning), claim.figure(scores, learning)
    findings = [{"what": f.what, "unit": f.unit, **f.estimate._asdict()} for f in verdict.findings]
    record = {"claim": claim.name, "says": claim.says, "test": claim.test, **vars(verdict), "findings": findings}
    write_json(folder / VERDICT, record | {"command": command})
    with whole_file(folder / FIGURE) as part:
        figure.savefig(part, format="png", dpi=120)
    write_text(folder / PAGE, printable(page(claim, verdict, command), keep="\n"))
    return verdict


def page(claim: Claim, verdict: Verdict, command: str) -> str:
    """Return a verdict as Markdown."""
    findings = "\n".join(f"- {literal(str(finding))}" for finding in verdict.findings)
    return f"""\
# {claim.name}: {claim.title}

**The claim.** {claim.says}

**The test.** {claim.test}

**The verdict: {verdict.answer}.** {verdict.because}

![{claim.title}]({FIGURE})

Means over seeds with 95 % intervals (Student's t). Significant: the interval excludes 0 (a difference), 1 (a ratio) or
the accuracy that is named. A run that did not reach an accuracy counts with all its trials, which makes a ratio an
upper or a lower bound, ≤ or ≥; seeds of which neither run reached it are left out.

{findings}

Tables: [results]({RESULTS}), a row for each run and task; [learning curves]({CURVES}). Made by:

```sh
{one_line(command)}
```
"""
