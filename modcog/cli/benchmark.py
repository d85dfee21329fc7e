"""``modcog benchmark``: a report on a network, and the leaderboard."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from modcog.cli.options import PATH, fitted, one_of, running, settings_options, trust, wrapped
from modcog.errors import ModcogError, unknown
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig
from modcog.user_code import import_object, is_import_path


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
        _check_effect([*settings, *_given()], ("check", "rerun", "trust", "config"), "an entry is checked")
        return _check_entries(check, rerun, trust)
    if network is None:
        _check_effect([*settings, *_given()], ("protocol", "config"), "no NETWORK is named")
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
        click.echo(
            f"Training {seeds} networks takes {about(seconds, network)}, less where some are finished.",
            err=True,
        )
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
    from modcog.experiments.benchmark.board import Board
    from modcog.experiments.benchmark.protocol import find_protocol

    board = Board(find_protocol(protocol))
    ceiling = f"The ideal observer has {100 * board.ceiling:.1f} % decision accuracy."
    click.echo(wrapped(f"{board.protocol.describe()} {ceiling}"))
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
    from modcog.experiments.benchmark.enter import enter, searches, training_settings
    from modcog.experiments.benchmark.entries import write_entry
    from modcog.experiments.benchmark.protocol import RATES, find_protocol
    from modcog.training.duration import about, training_seconds

    rules = find_protocol(protocol)
    for name in ("tasks", "battery", "n_trials", "score_seed", "preset"):
        if name in settings or name in _given():
            raise ModcogError(f"--{name.replace('_', '-')}: protocol {rules.name} decides it; leave it out")
    progress = settings.pop("progress")
    searching = searches(settings) if options["search"] is None else options["search"]
    n = (options["seeds"] or rules.seeds) + (len(RATES) + 1 if searching else 0)
    seconds = training_seconds(TrainConfig.of(**training_settings(network, rules, settings))) * n
    click.echo(f"Training {n} networks takes {about(seconds, network)}, less where some are finished.", err=True)
    found = enter(
        network, rules, options["out"] / "runs", name=options["name"], by=options["by"], address=options["code"],
        search=options["search"], seeds=options["seeds"], jobs=options["jobs"], dask=options["dask"],
        progress=progress, **settings,
    )  # fmt: skip
    write_entry(found, file)
    click.echo(f"decision accuracy {100 * found.means.decision:.1f} %, {rules.name}")
    click.echo(file)


def _given() -> list[str]:
    """Return the names of the parameters that the command line has."""
    context = click.get_current_context()
    return [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


def _check_effect(given: Iterable[str], used: tuple[str, ...], reason: str) -> None:
    for name in (name for name in given if name not in used):
        if name == "network":
            raise ModcogError(f"NETWORK: has no effect, since {reason}; leave it out")
        raise ModcogError(f"--{name.replace('_', '-')}: has no effect, since {reason}; leave it out")
