"""Commands that train networks: ``modcog train``, ``sweep`` and ``validate``."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modcog.cli.options import (
    PATH,
    as_words,
    one_of,
    progress,
    running,
    settings_options,
    together,
    trust,
    wrapped,
)
from modcog.errors import ModcogError, one_line, printable
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig
from modcog.user_code import is_import_path
from modcog.validation import validated

if TYPE_CHECKING:
    from modcog.training.run import Run


LONG = 30
"""Seconds of training from which on the time is said beforehand."""


@click.command
@click.option("--out", type=PATH, default="runs/run", metavar="DIR", help="Folder of the run.")
@click.option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}.", **one_of("preset", lambda: PRESETS))
@click.option("--resume", is_flag=True, help="Resume the run in --out, if there is one, with its saved settings.")
@click.option("--report/--no-report", default=True, help="Report on the trained network.")
@trust
@progress()
@settings_options(TrainConfig, exclude=("out",))
def train(
    settings: dict[str, Any],
    out: Path,
    preset: str | None,
    resume: bool,
    report: bool,
    trust: bool,
    progress: bool | None,
) -> int:
    """Train a network on the battery (resumable).

    The folder of the run gets run.json (settings, versions, scores), metrics.jsonl and tensorboard/ (accuracy of every
    task at every evaluation), checkpoints/, two pictures, and report.html: the page that modcog benchmark makes, for
    which the trained network is scored on 200 new trials of each task. Ctrl-C saves a checkpoint and stops.

    Examples:
      modcog train --preset quick --out runs/quick
      modcog train --arch lm-rnn --density 0.1 --steps 20000 --out runs/lm
      modcog train --resume --out runs/lm
      modcog train --arch gru --tasks go,dms --target-accuracy 0.9 --out runs/gru
      modcog train --config run.toml --model init=identity --battery dt=50
    """
    require("train", "modcog train")
    from modcog.models import configure
    from modcog.training import train as train_network
    from modcog.training.checkpoint import checkpoints
    from modcog.training.duration import about, training_seconds
    from modcog.training.loop import DivergedError
    from modcog.training.record import RUN
    from modcog.training.run import CHECKPOINTS, read_run

    settings["out"], done = out, 0
    if resume and os.path.lexists(out / RUN):
        if preset is not None:
            raise ModcogError(f"--preset: got {preset!r}, but a run is resumed with its saved settings")
        saved = read_run(out, trust or "arch" in settings)
        config = validated(TrainConfig, {**saved.record["config"], **settings})
        done = min(saved.record["progress"]["step"], config.steps)
    else:
        config = TrainConfig.of(preset, **settings)
        if resume and checkpoints(out / CHECKPOINTS):
            raise ModcogError(f"--resume: {out} holds checkpoints without {RUN}, so that their settings are unknown")
        if resume:
            click.echo(f"There is no run in {printable(str(out))}; starting one.", err=True)
    seconds = training_seconds(config) * (1 - done / config.steps)
    first = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"  # of processes that train together
    if first and (preset or seconds > LONG):
        early = ", less if it reaches its target" if config.target_accuracy else ""
        configure(config.arch, hidden=config.hidden, **config.model)  # what is wrong with it is said alone
        click.echo(f"Training takes {about(seconds, config.arch)}{early}.", err=True)
    try:
        run = train_network(config, resume=resume, progress_bar=progress)
    except DivergedError:
        if report and _rank() is None:  # else it would end with the other processes, in the middle
            _report(config)
        raise
    interrupted = run.status == "interrupted"
    if not _rank():  # the first of the processes that trained together speaks
        click.echo(wrapped(summary(run), 2))
        if interrupted:
            again = ["modcog", "train", "--resume", *(["--trust"] if is_import_path(config.arch) else [])]
            click.echo(f"To resume: {shlex.join([*again, '--out', str(out)])}")
        elif report:
            if preset or seconds > LONG:
                click.echo("Scoring the network for its report; Ctrl-C leaves it out.", err=True)
            _report(config)
    return 130 if interrupted else 0


def _rank() -> int | None:
    """Return the number of this process among those that train a network together; None if it trains alone."""
    from torch import distributed

    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else None


def _report(config: TrainConfig) -> None:
    """Write the report on a run that was trained here; if that fails, say why, since the run itself is whole."""
    from modcog.experiments.benchmark.bench import report_training

    try:
        report_training(config.out, repeating(config))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{config.out} has no report, which modcog benchmark can make") from None
    except ModcogError as error:
        click.echo(f"no report: {one_line(error)}", err=True)
    else:
        click.echo(config.out / "report.html")


def repeating(config: TrainConfig) -> str:
    """Return the command that repeats a run in another folder, or the call in Python where options cannot say it.

    All settings but defaults are in it: no preset, which may change, and no file, which may be elsewhere.
    """
    from modcog.experiments.sweeps.grid import collection_name

    config = config.model_copy(update={"out": Path(f"{config.out}-again")})
    given = config.model_dump(mode="json", exclude_defaults=True)
    for name in ("tasks", "train_on"):
        if names := getattr(config, name):
            given[name] = collection_name(names) or list(names)
    words = as_words({**given, **({"start": config.start["out"]} if config.start else {})})
    with suppress(click.ClickException, ModcogError):  # not all values have words that are read as the same
        read = train.make_context("train", list(words)).params
        if (
            validated(TrainConfig, {name: read[name] for name in TrainConfig.model_fields if read[name] is not None})
            == config
        ):
            modules = click.get_current_context().find_root().params["modules"]
            return shlex.join(["modcog", *(f"--import={module}" for module in modules), "train", *words])
    settings = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"modcog.training.train(modcog.training.TrainConfig({settings}))"


def summary(run: Run) -> str:
    """Sum up in a few lines how a run ended."""
    done, scores = run.record["progress"], run.record["scores"]
    lines = [f"{run.status} after {done['step']:,} steps, {done['trials']:,} trials, {done['seconds']:,.0f} s"]
    if scores:
        per_task = scores["decision_accuracy_per_task"]
        lowest = min(per_task, key=per_task.__getitem__)
        lines.append(
            f"decision accuracy {scores['decision_accuracy']:.1%} (lowest: {lowest} {per_task[lowest]:.1%}), "
            f"trial accuracy {scores['trial_accuracy']:.1%}"
            + ("" if (step := scores.get("step", done["step"])) == done["step"] else f", evaluated at step {step:,}")
        )
    for percent, reached in done["milestones"].items():
        lines.append(f"{percent} % after {reached['trials']:,} trials, {reached['seconds']:,.0f} s")
    return "\n".join([*lines, str(run.folder)])


@click.command
@click.argument("grid", metavar="FILE", type=PATH, help="TOML, YAML or JSON file with settings, arms and axes.")
@click.option("--out", type=PATH, default="runs/sweep", metavar="DIR", help="Folder of the sweep.")
@click.option("--table", default="csv", help="csv or parquet.", **one_of("table format", lambda: ("csv", "parquet")))
@trust
@together
@running()
def sweep(grid: Path, out: Path, table: str, trust: bool, **running: Any) -> int:
    """Train and score the networks of a grid (resumable).

    FILE has a table `settings` of what all runs share (see modcog train), a list of tables `arms` of what is compared,
    and a table `axes` with a list of values for each setting to vary; each arm is run with each combination of them.
    DIR gets a folder for each run, results.csv with a row for each run and task, and curves.csv with the learning
    curves. Repeat the command to resume: finished runs are kept, failed ones are tried again.

    Examples:
      modcog sweep density.toml --out runs/density --jobs 2
      modcog sweep density.toml --together
      modcog sweep density.toml --dask tcp://head:8786 --table parquet
    """
    require("train", "modcog sweep")
    if table == "parquet":
        require("parquet", "--table parquet")
    from modcog.experiments.sweeps import Grid, curves, results
    from modcog.experiments.sweeps import sweep as run_sweep
    from modcog.experiments.sweeps.records import unfinished
    from modcog.experiments.sweeps.results import write_table
    from modcog.training.duration import about, training_seconds

    runs = Grid.of(grid, trust)
    left = unfinished(runs.cells(out.absolute()))
    if left:
        seconds = sum(training_seconds(cell.config) for cell in left)
        click.echo(f"{len(left)} runs are left, {about(seconds)}{_side_by_side(running['together'])}.", err=True)
    done = run_sweep(runs, out, **running)
    write_table(results(done.records), done.out / f"results.{table}")
    write_table(curves(done.records), done.out / f"curves.{table}")
    click.echo(", ".join(f"{count} {status}" for status, count in done.statuses().items()))
    click.echo(out / f"results.{table}")
    return 1 if done.failed else 0


def _side_by_side(together: bool) -> str:
    """Return what goes with the time of training one by one."""
    import torch

    if not together:
        return ""
    gpu = torch.cuda.is_available()
    return " one by one, a small part of it side by side" if gpu else "; side by side takes longer, without a GPU"


@click.command
@click.argument("claim", help="C1, C2, C3, C4, C5 or scale.")
@click.option("--preset", default="full", metavar="small|full", help="small: a look, in minutes; full: core hours.")
@click.option("--rules", metavar="published|corrected", help="Rules of the trials.  [default: both]")
@click.option("--recipe", metavar="authors|modcog", help="Recipe of training.  [default: both]")
@click.option(
    "--search/--no-search",
    default=None,
    help="Learning rate of each network chosen by runs of their own.  [default: with the full preset]",
)
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Number of runs of each network.  [default: 8; 2]")
@click.option("--out", type=PATH, default="runs/claims", metavar="DIR", help="Folder of all claims.")
@click.option("--tables", type=PATH, metavar="DIR", help="Folder of finished tables, to be judged without training.")
@together
@running()
def validate(
    claim: str,
    preset: str,
    seeds: int | None,
    tables: Path | None,
    jobs: int,
    dask: str | None,
    together: bool,
    progress: bool | None,
    **options: Any,
) -> None:
    """Test a claim of the Mod-Cog paper.

    Claims:
      C1     A pool of autapses solves the 20 base tasks.
      C2     Autapses fail on interval and sequence tasks; an LM-RNN does not.
      C3     An LM-RNN learns faster than a dense network; a density is best.
      C4     Locality, not sparsity alone.
      C5     As many synapses instead of as many units.
      scale  The best density as networks grow.

    A claim has parts, each with a verdict for each set of rules and each recipe. The time that training takes is said
    beforehand, roughly. DIR/CLAIM gets tables, figure.png, verdict.json and README.md (DIR/CLAIM-small with the small
    preset), DIR/README.md the table of verdicts; the runs are in DIR/runs, which the claims share. Repeat the command
    to resume; finished runs are kept.

    Examples:
      modcog validate C1 --preset small --jobs 2
      modcog validate C3 --rules published --recipe authors --jobs 2
      modcog validate C3 --tables docs/results/C3
    """
    require("train", "modcog validate")
    from modcog.experiments.claims import plan
    from modcog.experiments.claims import validate as run_claim
    from modcog.experiments.claims.pages import verdict_text
    from modcog.experiments.claims.validation import find, folder_of, judge_again
    from modcog.training.duration import about

    if tables is None:
        options["seeds"] = range(seeds) if seeds else None
        needed = plan(claim, preset, **options)
        click.echo(
            f"{find(claim).name}, {preset} preset: {needed.judged} runs to judge by and {needed.searched} that choose "
            f"learning rates are left, {about(3600 * needed.hours)}{_side_by_side(together)}"
            + ("; a small preset is for a look, its verdicts say little" if preset == "small" else ""),
            err=True,
        )
        verdict = run_claim(claim, preset, jobs=jobs, dask=dask, together=together, progress=progress, **options)
        folder = folder_of(find(claim), preset, options["out"])
    else:
        folder, verdict = tables, judge_again(find(claim), tables)
    click.echo(wrapped(verdict_text(find(claim), verdict), 2))
    click.echo(folder)
