"""Commands that train networks: ``modcog train``, ``sweep``, ``benchmark`` and ``validate``."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from modcog.cli.options import (
    PATH,
    as_words,
    fitted,
    one_of,
    progress,
    running,
    settings_options,
    together,
    trust,
    wrapped,
)
from modcog.errors import ModcogError, one_line, printable, unknown
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig
from modcog.user_code import import_object, is_import_path
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
        click.echo(f"Training takes {about(seconds)}{early}.", err=True)
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


def _protocols() -> list[str]:
    from modcog.experiments.benchmark.protocol import PROTOCOLS

    return list(PROTOCOLS)


@click.command
@click.argument(
    "network", required=False, help="MODULE:NAME, name of a reference architecture, or folder of a training run."
)
@click.option("--out", type=PATH, default="runs/benchmark", metavar="DIR", help="Folder of the report.")
@click.option(
    "--protocol",
    default=None,
    help="Protocol of the leaderboard.  [default: modcog82-corrected]",
    **one_of("protocol", _protocols),
)
@click.option("--entry", type=PATH, metavar="FILE", help="File to write an entry of the leaderboard to.")
@click.option("--search/--no-search", default=None, help="Learning rate of an entry chosen by runs of their own.")
@click.option("--name", help="Name of an entry.")
@click.option("--by", default="", help="Authors of an entry.")
@click.option("--code", metavar="URL", help="Address of the code of an entry.")
@click.option("--check", type=PATH, metavar="PATH", help="Entry to check, or a folder of entries.")
@click.option("--rerun", is_flag=True, help="First network of a checked entry trained again.")
@click.option("--train/--no-train", default=True, help="Training before scoring.")
@click.option("--seeds", type=int, metavar="N", help="Number of networks.  [default: 3; with --no-train 1]")
@click.option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}.", **one_of("preset", lambda: PRESETS))
@click.option("--n-trials", default=200, metavar="N", help="Number of trials of each task to score on.")
@click.option("--score-seed", default=1_000, metavar="N", help="Random seed of these trials.")
@click.option("--ceiling/--no-ceiling", default=True, help="Chance and ceiling in the report.")
@trust
@running()
@settings_options(TrainConfig, exclude=("arch", "seed", "out", "start"))
def benchmark(
    network: str | None,
    settings: dict[str, Any],
    train: bool,
    trust: bool,
    progress: bool | None,
    protocol: str | None,
    entry: Path | None,
    check: Path | None,
    rerun: bool,
    **options: Any,
) -> int:
    """Compare a network with reference networks in a report, or show the leaderboard.

    The network is trained from several seeds and scored. NETWORK is a function that makes a torch module, as in modcog
    train --arch, or the name of a reference architecture. DIR gets report.html (one page that needs no other file),
    report.json, report.md, and the runs. Repeat the command to resume: finished runs are kept, failed ones are tried
    again.

    With --no-train, MODULE:NAME is a trained network: a torch module, a function from observations (n, T, C) to logits
    (n, T, A) or actions (n, T), or a function that makes one of these from nothing or from n_inputs, n_outputs, hidden,
    seed. Only --tasks, --battery, --hidden, --model and --seeds go with it. The folder of a run is scored as it is.

    Without NETWORK the leaderboard is shown. With --entry a network is trained as the leaderboard's protocol asks for,
    its learning rate chosen by runs of their own, and its entry is written; --check tests such a file.

    Examples:
      modcog benchmark
      modcog benchmark my_package.my_module:make_network --seeds 3 --jobs 2
      modcog benchmark lm-rnn --density 0.1 --tasks yang19 --out runs/sparse
      modcog benchmark my_network:predict --no-train --battery rule_input=false
      modcog benchmark runs/lm
      modcog benchmark my_network:make --entry my_network.json --jobs 2
      modcog benchmark --check my_network.json
    """
    require("train", "modcog benchmark")
    entering = {name: options.pop(name) for name in ("search", "name", "by", "code")}
    if not entry and (lost := [name for name, value in entering.items() if value not in (None, "")]):
        raise ModcogError(f"--{lost[0]}: has no effect without --entry")
    if rerun and not check:
        raise ModcogError("--rerun: has no effect without --check")
    if check:
        return _check_entries(check, rerun, trust)
    if network is None:
        _check_effect(settings, (), "no NETWORK is named")
        _show_board(protocol)
        return 0
    if entry and not train:
        raise ModcogError("--no-train: has no effect with --entry, whose networks are trained")
    if entry:
        _enter(network, entry, protocol, settings | {"progress": progress}, {**options, **entering})
        return 0
    from modcog.battery import Battery
    from modcog.experiments.benchmark import run, score
    from modcog.experiments.benchmark.bench import SEEDS, check_seeds
    from modcog.experiments.benchmark.page import interval
    from modcog.models import ARCHITECTURES
    from modcog.training.duration import about, training_seconds

    for name in ("seeds", "dask", "preset"):
        if (value := options.pop(name)) is not None:
            settings[name] = value
    if not is_import_path(network) and network not in ARCHITECTURES:
        if not Path(network).is_dir():
            raise unknown("network", network, [*ARCHITECTURES, "MODULE:FUNCTION", "the folder of a run"])
        _check_effect(settings, (), f"{network} is a run, which has its own settings")
        report = score(network, trust=trust, **options)
    elif train:
        for name in {"arch", "out"} & settings.keys():
            raise ModcogError(f"--config: it holds {name!r}, which a benchmark takes from its command line")
        start = {name: value for name, value in PRESETS.get(settings.pop("preset", ""), {}).items() if name != "arch"}
        settings = {**start, **settings}
        seeds = settings.pop("seeds", SEEDS)
        seconds = training_seconds(TrainConfig.of(arch=network, **settings)) * check_seeds(seeds)
        click.echo(f"Training {seeds} networks takes {about(seconds)}, less where some are finished.", err=True)
        report = run(network, progress=progress, seeds=seeds, **options, **settings)
    else:
        _check_effect(settings, ("tasks", "battery", "hidden", "model", "seeds"), "nothing is trained")
        making = {name: settings.pop(name) for name in ("seeds", "hidden") if name in settings}
        making |= settings.pop("model", {})
        battery = Battery.from_config(TrainConfig.of(**settings).battery_settings())
        report = score(import_object(network), battery, name=network, **options, **making)
    for seed in report.failed:
        click.echo(wrapped(f"{seed.name}: {seed.error or seed.status}", 2))
    over = report.rows[0]
    share = f", {interval(over.share)} % of the way from chance to the ceiling" if over.share else ""
    said = f"decision accuracy {interval(over.decision)} %{share}; trial accuracy {interval(over.trial)} %"
    click.echo(wrapped("\n".join([said, *report.notes]), 2))
    click.echo(options["out"] / "report.html")
    return 1 if report.failed else 0


SHOWN = 7
"""Columns of the leaderboard that a terminal shows."""


def _show_board(protocol: str | None) -> None:
    """Print the leaderboard of a protocol."""
    import numpy as np

    from modcog.experiments.benchmark.board import Board
    from modcog.experiments.benchmark.protocol import DEFAULT, find_protocol

    board = Board(find_protocol(protocol or DEFAULT))
    ceiling = 100 * float(np.mean([level.decision_ceiling for level in board.levels.values()]))
    click.echo(wrapped(f"{board.protocol.describe()} The ideal observer has {ceiling:.1f} % decision accuracy."))
    for size, lines in board.classes().items():
        rows = [row[:SHOWN] for row in board.scores(lines)]
        click.echo(f"\n{size}\n\n{fitted(rows, 'lr')}")
    click.echo("" if board.lines else "no entries yet")
    click.echo(wrapped("Percent, with 95 % intervals over seeds. Other scores: in the documentation and the entries."))


def _check_entries(path: Path, rerun: bool, trust: bool) -> int:
    """Check a file or a folder of entries; the exit code is 1 if one is refused."""
    from modcog.experiments.benchmark.check import check_entry
    from modcog.experiments.benchmark.entries import find_entries

    refused = 0
    for file in find_entries(path) if path.is_dir() else (path,):
        try:
            entry = check_entry(file, rerun=rerun, trust=trust)
        except ModcogError as error:
            refused += 1
            click.echo(wrapped(f"refused: {error}", 2))
        else:
            click.echo(f"{file}: {entry.name}, {len(entry.runs)} seeds, {100 * entry.means.decision:.1f} %")
    return 1 if refused else 0


def _enter(network: str, file: Path, protocol: str | None, settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Train a network for the leaderboard, and write its entry."""
    from modcog.experiments.benchmark.enter import enter
    from modcog.experiments.benchmark.entries import write_entry
    from modcog.experiments.benchmark.protocol import DEFAULT, RATES, RECIPE, find_protocol
    from modcog.training.duration import about, training_seconds

    rules = find_protocol(protocol or DEFAULT)
    given_here = click.get_current_context().get_parameter_source
    for name in ("tasks", "battery", "n_trials", "score_seed", "preset"):
        if name in settings or given_here(name) is ParameterSource.COMMANDLINE:
            raise ModcogError(f"--{name.replace('_', '-')}: protocol {rules.name} decides it; leave it out")
    progress = settings.pop("progress")
    given = {**RECIPE, **settings, **rules.settings, "arch": network}
    searching = options["search"] or (options["search"] is None and "learning_rate" not in settings)
    n = (options["seeds"] or rules.seeds) + (len(RATES) + 1 if searching else 0)
    seconds = training_seconds(TrainConfig.of(**given)) * n
    click.echo(f"Training {n} networks takes {about(seconds)}, less where some are finished.", err=True)
    found = enter(
        network, rules, options["out"] / "runs", name=options["name"], by=options["by"], address=options["code"],
        search=options["search"], seeds=options["seeds"], jobs=options["jobs"], dask=options["dask"],
        progress=progress, **settings,
    )  # fmt: skip
    write_entry(found, file)
    click.echo(f"decision accuracy {100 * found.means.decision:.1f} %, {rules.name}")
    click.echo(file)


def _check_effect(settings: dict[str, Any], used: tuple[str, ...], reason: str) -> None:
    for name in settings.keys() - set(used):
        raise ModcogError(f"--{name.replace('_', '-')}: has no effect, since {reason}; leave it out")


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
