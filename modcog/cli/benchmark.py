"""``modcog benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modcog.cli.options import settings_options
from modcog.cli.sweep import Dask, Jobs, Progress
from modcog.errors import ModcogError, unknown
from modcog.training.config import TrainConfig
from modcog.training.presets import PRESETS
from modcog.user_code import is_place, object_at

if TYPE_CHECKING:
    from modcog.experiments.benchmark import Report

FOR_SCORING = ("tasks", "battery", "hidden", "model")
"""Settings that a network which is not trained here may need."""


@settings_options(TrainConfig, leave=("arch", "seed", "out"))
def benchmark(
    settings: dict[str, Any],
    network: Annotated[
        str | None,
        typer.Argument(
            metavar="NETWORK", help="MODULE:FUNCTION, a reference architecture by name, or the folder of a run."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the report.  [default: runs/benchmark]")
    ] = None,
    train: Annotated[bool, typer.Option("--train/--no-train", help="Train it, or take it as it is.")] = True,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Networks to train.  [default: 3; with --no-train 1]")
    ] = None,
    jobs: Jobs = 1,
    dask: Dask = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Settings to start from: {', '.join(PRESETS)}.")
    ] = None,
    n_trials: Annotated[int, typer.Option(metavar="N", help="Trials of each task to score on.")] = 200,
    score_seed: Annotated[int, typer.Option(metavar="N", help="Of those trials.")] = 1_000,
    ceiling: Annotated[bool, typer.Option(help="Compare with chance and with the ideal observer.")] = True,
    store_references: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Make the package's references anew, of runs in DIR; see below."),
    ] = None,
    progress: Progress = None,
) -> None:
    r"""Train a network from several seeds, score it, and write a report beside reference networks.

    NETWORK is a function that makes a torch module, as in modcog train --arch, or the name of an architecture. DIR gets
    report.html (one page that needs no other file), report.json, report.md, and the runs. The same command again goes
    on where it was stopped; finished runs are not redone, failed ones are tried again.

    With --no-train, MODULE:NAME is a trained network: a torch module, a function from observations (n, T, C) to logits
    (n, T, A) or actions (n, T), or a function that makes one of these from nothing or from n_inputs, n_outputs, hidden,
    seed. Just --tasks, --battery, --hidden and --model go with it. The folder of a run is scored as it is.

    --store-references trains the reference networks in DIR that are not finished there; with --no-train it leaves them
    out. Given several times, finished runs are looked for in every DIR.

    \b
    Examples:
      modcog benchmark my_package.my_module:make_network --tasks modcog132 --steps 20000 --seeds 3 --jobs 2
      modcog benchmark lm-rnn --density 0.1 --tasks yang19 --steps 5000 --out runs/sparse
      modcog benchmark my_package.my_module:predict --no-train --battery rule_input=false
      modcog benchmark runs/lm
      modcog benchmark --store-references runs/claims/runs --no-train
    """
    if store_references:
        return _store(store_references, network, settings, train, jobs, progress)
    if network is None:
        raise ModcogError("got no network, must be MODULE:FUNCTION, a reference architecture or the folder of a run")
    for name in ("arch", "out"):
        if name in settings:
            raise ModcogError(f"--config: it holds {name!r}, which a benchmark takes from its command line")
    from modcog.experiments.benchmark import run, score
    from modcog.experiments.benchmark.bench import HTML, OUT, SEEDS

    out = OUT if out is None else out
    scoring: dict[str, Any] = {"jobs": jobs, "out": out, "n_trials": n_trials, "score_seed": score_seed}
    scoring["ceiling"] = ceiling
    if _is_folder(network):
        _only(settings, (), f"{network} is a run, which has its own settings")
        report = score(network, **scoring)
    elif train:
        given = {**_preset(preset), **settings}
        report = run(network, seeds=SEEDS if seeds is None else seeds, dask=dask, progress=progress, **scoring, **given)
    else:
        _only(settings, FOR_SCORING, "nothing is trained")
        report = _scored(network, settings, 1 if seeds is None else seeds, scoring)
    typer.echo(summary(report))
    typer.echo(out / HTML)
    if report.failed:
        raise typer.Exit(1)


def _is_folder(network: str) -> bool:
    """Whether a network is the folder of a run; what is neither that, nor a place, nor an architecture is refused."""
    from modcog.models import ARCHITECTURES

    if is_place(network) or network in ARCHITECTURES:
        return False
    if not Path(network).is_dir():
        raise unknown("network", network, [*ARCHITECTURES, "MODULE:FUNCTION", "the folder of a run"])
    return True


def _only(settings: dict[str, Any], allowed: tuple[str, ...], because: str) -> None:
    for name in settings:
        if name not in allowed:
            option = "--" + name.replace("_", "-")
            raise ModcogError(f"{option}: has no effect, since {because}; leave it out")


def _preset(name: str | None) -> dict[str, Any]:
    if name is not None and name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name] if name else {}


def _scored(network: str, settings: dict[str, Any], seeds: int, scoring: dict[str, Any]) -> Report:
    """The report on ``MODULE:NAME``, which is trained already."""
    from modcog.battery import Battery
    from modcog.experiments.benchmark import score

    battery = Battery.from_config(TrainConfig.of(**settings).battery_settings())
    making = {**settings.get("model", {}), **{name: settings[name] for name in ("hidden",) if name in settings}}
    return score(object_at(network), battery, name=network, seeds=seeds, **scoring, **making)


def summary(report: Report) -> str:
    """The scores over the battery, and what failed, in a few lines."""
    from modcog.experiments.benchmark.page import interval

    battery = report.rows[0]
    share = f", {interval(battery.share)} % of the way from chance to the ceiling" if battery.share else ""
    lines = [f"{seed.name}: {seed.error or seed.status}" for seed in report.failed]
    lines.append(f"decision accuracy {interval(battery.decision)} %{share}; trial accuracy {interval(battery.trial)} %")
    return "\n".join([*lines, *report.notes])


def _store(
    folders: list[Path],
    network: str | None,
    settings: dict[str, Any],
    train: bool,
    jobs: int,
    progress: bool | None,
) -> None:
    from modcog.experiments.benchmark import store
    from modcog.experiments.benchmark.references import STORED

    if network is not None or settings:
        raise ModcogError("--store-references stores the networks that it knows; it takes no other and no settings")
    for name in store(folders, train=train, jobs=jobs, progress=progress):
        typer.echo(f"not finished, left out: {name}", err=True)
    typer.echo(STORED)
