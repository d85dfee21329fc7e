"""``modcog study``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modcog.cli.options import PATH, fitted, mapping, one_of, read_by, running, settings_options
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig


@click.command
@click.argument("name", metavar="STUDY", help="One of the studies below.")
@click.option("--out", type=PATH, metavar="DIR", help="Folder of the study.  [default: runs/STUDY]")
@click.option("--seeds", type=click.IntRange(1), default=3, metavar="N", help="Number of networks.")
@click.option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}.", **one_of("preset", lambda: PRESETS))
@click.option(
    "--n-trials", type=click.IntRange(1), default=100, metavar="N", help="Number of trials of each task to score on."
)
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_by(lambda pairs: mapping("--set", pairs)),
    help="Option of the study.",
)
@running()
@settings_options(
    TrainConfig,
    exclude=("seed", "out", "data", "start", "train_on", "replay", "trainable", "penalty", "strength"),
)
def study(
    settings: dict[str, Any],
    name: str,
    seeds: int,
    out: Path | None,
    preset: str | None,
    n_trials: int,
    options: dict[str, Any] | None,
    **running: Any,
) -> None:
    """Train networks for a study of few-shot or continual learning (resumable).

    Studies:
      few-shot   Few updates on combinations that were held out.
      continual  Groups of tasks one after the other: forgetting, and transfer.

    Options of few-shot: split (composition-1 … composition-5), updates (10,100,1000), each (true: a run for each task).
    Options of continual: order (family, extension, random), methods (none,replay,ewc,si), n_groups (of a random order),
    strength (of a penalty). The settings of training are those of the base run, or of each stage.

    The time that training takes is said beforehand. DIR gets table.csv, summary.csv with means over the networks and
    their intervals, figure.png, and the runs. Repeat the command to resume; finished runs are kept.

    Examples:
      modcog study few-shot --hidden 128 --steps 5000 --jobs 2
      modcog study few-shot --set updates=30,300 --set each=true --seeds 1
      modcog study continual --tasks yang19 --set methods=none,ewc
    """
    require("train", "modcog study")
    from modcog.experiments.studies import plan_study
    from modcog.experiments.studies import study as run_study
    from modcog.experiments.studies.stages import as_rows
    from modcog.experiments.sweeps.records import unfinished
    from modcog.training.duration import about, training_seconds

    values: dict[str, Any] = {"out": out, "seeds": seeds, "n_trials": n_trials, **settings, **(options or {})}
    values |= {} if preset is None else {"preset": preset}
    runs = {cell.name: cell for stage in plan_study(name, **values) for cell in stage.values()}
    left = unfinished(runs.values())
    click.echo(
        f"{len(left)} of {len(runs)} runs are left, {about(sum(training_seconds(c.config) for c in left))}.", err=True
    )
    found = run_study(name, **values, **running)
    click.echo(fitted(as_rows(found.summary), keys=found.summary.index.nlevels))
    click.echo(found.folder / "figure.png")
