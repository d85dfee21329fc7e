"""``modcog benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modcog.cli.options import PATH, dask, jobs, one_of, progress, settings_options
from modcog.errors import ModcogError, unknown
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig
from modcog.user_code import import_object, is_import_path

if TYPE_CHECKING:
    from modcog.experiments.benchmark import Report


@click.command
@click.argument("network", help="MODULE:NAME, name of a reference architecture, or folder of a training run.")
@click.option("--out", type=PATH, default="runs/benchmark", metavar="DIR", help="Folder of the report.")
@click.option("--train/--no-train", default=True, help="Training before scoring.")
@click.option("--seeds", type=int, metavar="N", help="Number of networks.  [default: 3; with --no-train 1]")
@jobs()
@dask
@click.option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}.", **one_of("preset", lambda: PRESETS))
@click.option("--n-trials", default=200, metavar="N", help="Number of trials of each task to score on.")
@click.option("--score-seed", default=1_000, metavar="N", help="Random seed of these trials.")
@click.option("--ceiling/--no-ceiling", default=True, help="Chance and ceiling in the report.")
@progress()
@settings_options(TrainConfig, exclude=("arch", "seed", "out"))
def benchmark(network: str, settings: dict[str, Any], train: bool, progress: bool | None, **options: Any) -> int:
    """Compare a network with reference networks in a report.

    The network is trained from several seeds and scored. NETWORK is a function that makes a torch module, as in modcog
    train --arch, or the name of a reference architecture. DIR gets report.html (one page that needs no other file),
    report.json, report.md, and the runs. Repeat the command to resume: finished runs are kept, failed ones are tried
    again.

    With --no-train, MODULE:NAME is a trained network: a torch module, a function from observations (n, T, C) to logits
    (n, T, A) or actions (n, T), or a function that makes one of these from nothing or from n_inputs, n_outputs, hidden,
    seed. Only --tasks, --battery, --hidden, --model and --seeds go with it. The folder of a run is scored as it is.

    Examples:
      modcog benchmark my_package.my_module:make_network --tasks modcog132 --steps 20000 --seeds 3 --jobs 2
      modcog benchmark lm-rnn --density 0.1 --tasks yang19 --steps 5000 --out runs/sparse
      modcog benchmark my_package.my_module:predict --no-train --battery rule_input=false
      modcog benchmark runs/lm
    """
    require("benchmark", "modcog benchmark")
    from modcog.battery import Battery
    from modcog.experiments.benchmark import run, score

    for name in ("seeds", "dask", "preset"):
        if (value := options.pop(name)) is not None:
            settings[name] = value
    if _is_run(network):
        _check_effect(settings, (), f"{network} is a run, which has its own settings")
        report = score(network, **options)
    elif train:
        for name in {"arch", "out"} & settings.keys():
            raise ModcogError(f"--config: it holds {name!r}, which a benchmark takes from its command line")
        start = {name: value for name, value in PRESETS.get(settings.pop("preset", ""), {}).items() if name != "arch"}
        report = run(network, progress=progress, **options, **{**start, **settings})
    else:
        _check_effect(settings, ("tasks", "battery", "hidden", "model", "seeds"), "nothing is trained")
        making = {name: settings.pop(name) for name in ("seeds", "hidden") if name in settings}
        making |= settings.pop("model", {})
        battery = Battery.from_config(TrainConfig.of(**settings).battery_settings())
        report = score(import_object(network), battery, name=network, **options, **making)
    click.echo(f"{summary(report)}\n{options['out'] / 'report.html'}")
    return 1 if report.failed else 0


def _is_run(network: str) -> bool:
    """Tell the folder of a run from the other networks; raise for what is none of them."""
    from modcog.models import ARCHITECTURES

    if is_import_path(network) or network in ARCHITECTURES:
        return False
    if not Path(network).is_dir():
        raise unknown("network", network, [*ARCHITECTURES, "MODULE:FUNCTION", "the folder of a run"])
    return True


def _check_effect(settings: dict[str, Any], used: tuple[str, ...], reason: str) -> None:
    for name in settings.keys() - set(used):
        raise ModcogError(f"--{name.replace('_', '-')}: has no effect, since {reason}; leave it out")


def summary(report: Report) -> str:
    """Sum up in a few lines the scores over the battery, and what failed."""
    from modcog.experiments.benchmark.page import interval

    battery = report.rows[0]
    share = f", {interval(battery.share)} % of the way from chance to the ceiling" if battery.share else ""
    lines = [f"{seed.name}: {seed.error or seed.status}" for seed in report.failed]
    lines.append(f"decision accuracy {interval(battery.decision)} %{share}; trial accuracy {interval(battery.trial)} %")
    return "\n".join([*lines, *report.notes])
