"""``modcog train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modcog.cli.options import PATH, one_of, progress, settings_options
from modcog.errors import ModcogError
from modcog.extras import require
from modcog.training.config import PRESETS, TrainConfig

if TYPE_CHECKING:
    from modcog.training.run import Run


@click.command
@click.option("--out", type=PATH, default="runs/run", metavar="DIR", help="Folder of the run.")
@click.option("--preset", help=f"Settings to start from: {', '.join(PRESETS)}.", **one_of("preset", lambda: PRESETS))
@click.option(
    "--resume", is_flag=True, help="Resume the run in --out with its saved settings (start it if there is none)."
)
@progress()
@settings_options(TrainConfig, exclude=("out",))
def train(settings: dict[str, Any], out: Path, preset: str | None, resume: bool, progress: bool | None) -> int:
    """Train a network on the battery (resumable).

    The folder of the run gets run.json (settings, versions, scores), metrics.jsonl and tensorboard/ (accuracy of every
    task at every evaluation), checkpoints/, and two pictures. Ctrl-C saves a checkpoint and stops.

    Examples:
      modcog train --preset quick --out runs/quick
      modcog train --arch lm-rnn --tasks modcog132 --hidden 256 --density 0.1 --steps 20000 --out runs/lm
      modcog train --resume --out runs/lm
      modcog train --arch gru --tasks go,dms,dlydm1 --target-accuracy 0.9 --out runs/gru
      modcog train --arch lm-rnn --model init=identity --battery dt=50 --config run.toml --out runs/mine
    """
    require("train", "modcog train")
    from modcog.training import train as train_network

    run = train_network(_config(settings, out, preset, resume), resume=resume, progress_bar=progress)
    interrupted = run.status == "interrupted"
    if _is_first_process():
        click.echo(summary(run))
        if interrupted:
            click.echo(f"To resume: modcog train --resume --out {out}")
    return 130 if interrupted else 0


def _config(settings: dict[str, Any], out: Path, preset: str | None, resume: bool) -> TrainConfig:
    from modcog.training.run import RUN, read_run

    if resume and (out / RUN).exists():
        if preset is not None:
            raise ModcogError(f"--preset: got {preset!r}, but a run is resumed with its saved settings")
        return TrainConfig.of(**{**read_run(out).record["config"], **settings, "out": out})
    config = TrainConfig.of(preset, **{**settings, "out": out})
    if resume:
        click.echo(f"There is no run in {out}; starting one.", err=True)
    return config


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


def _is_first_process() -> bool:
    """Tell whether this is the first of the processes that trained together."""
    from torch import distributed

    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
