"""``modcog train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modcog.cli.options import settings_options
from modcog.errors import ModcogError
from modcog.training.config import TrainConfig
from modcog.training.presets import PRESETS

if TYPE_CHECKING:
    from modcog.training.run import Run


@settings_options(TrainConfig, leave=("out",))
def train(
    settings: dict[str, Any],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path("runs/run"),
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Settings to start from: {', '.join(PRESETS)}.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out, with its settings; start it if there is none."),
    ] = False,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="A progress bar; by itself only in a terminal.")
    ] = None,
) -> None:
    r"""Train a network on the battery.

    The folder of the run gets run.json (settings, versions, scores), metrics.jsonl and tensorboard/ (accuracy of every
    task at every evaluation), checkpoints/, and two pictures. Ctrl-C saves and stops.

    \b
    Examples:
      modcog train --preset quick --out runs/quick
      modcog train --arch lm-rnn --tasks modcog132 --hidden 256 --density 0.1 --steps 20000 --out runs/lm
      modcog train --resume --out runs/lm
      modcog train --arch gru --tasks go,dms,dlydm1 --target-accuracy 0.9 --out runs/gru
      modcog train --arch lm-rnn --model init=identity --battery dt=50 --config run.toml --out runs/mine
    """
    from modcog.training import train as train_network

    config = _config(settings, out, preset, resume)
    run = train_network(config, resume=resume, progress_bar=progress)
    if not _leads():
        return
    typer.echo(summary(run))
    if run.status == "interrupted":
        typer.echo(f"modcog train --resume --out {out} goes on with it")
        raise typer.Exit(130)


def _config(settings: dict[str, Any], out: Path, preset: str | None, resume: bool) -> TrainConfig:
    from modcog.training.run import RUN, read_run

    if not (resume and (out / RUN).exists()):
        return TrainConfig.of(preset, **{**settings, "out": out})
    if preset is not None:
        raise ModcogError(f"--preset: got {preset!r}, but a run is resumed with its own settings")
    return TrainConfig.of(**{**read_run(out).record["config"], **settings, "out": out})


def summary(run: Run) -> str:
    """How a run ended, in a few lines."""
    done, scores = run.record["progress"], run.record["scores"]
    lines = [f"{run.status} after {done['step']:,} steps, {done['trials']:,} trials, {done['seconds']:,.0f} s"]
    if scores:
        per_task = scores["decision_accuracy_per_task"]
        lowest = min(per_task, key=per_task.__getitem__)
        lines.append(
            f"decision accuracy {scores['decision_accuracy']:.1%} (lowest: {lowest} {per_task[lowest]:.1%}), "
            f"trial accuracy {scores['trial_accuracy']:.1%}"
        )
    for percent, reached in done["milestones"].items():
        lines.append(f"{percent} % after {reached['trials']:,} trials, {reached['seconds']:,.0f} s")
    return "\n".join([*lines, str(run.folder)])


def _leads() -> bool:
    """Whether this is the first of the processes that trained together."""
    from torch import distributed

    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
