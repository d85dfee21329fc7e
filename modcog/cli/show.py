"""``modcog show``."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import click

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import PATH, seed, settings_options, tasks
from modcog.cli.output import width
from modcog.describe import Description, describe
from modcog.envs.registration import environment_id
from modcog.tables import plain_table
from modcog.trials.arrays import Trials, concatenate


@click.command
@tasks(required=True)
@click.option("--trials", default=3, metavar="N", help="Number of example trials of each task.")
@seed
@click.option("--plot", type=PATH, metavar="FILE", help="Picture of the example trials: .png, .svg or .pdf.")
@settings_options(BatteryConfig, exclude=("tasks",))
def show(settings: dict[str, Any], tasks: list[str], trials: int, seed: int, plot: Path | None) -> None:
    """Describe tasks, with example trials and a picture.

    The description says what the subject must do, which periods and conditions there are and what the extensions do,
    with the numbers of the settings given.

    Examples:
      modcog show dlygointrseql
      modcog show dms --plot dms.png --trials 4 --seed 7
      modcog show ctxdm1 --rules published --dt 20 --dim-ring 32
    """
    settings.pop("tasks", None)  # of a file
    battery = Battery(tasks, **settings)
    examples = [battery.sample(check_count("--trials", trials), seed=seed, task=task) for task in tasks]
    if plot is not None:  # first, so that a wrong request prints its error alone
        from modcog.plot import plot_trials, save

        save(plot_trials(concatenate(examples)), plot)
    for task, example in zip(tasks, examples, strict=True):
        description = describe(task, **settings)
        click.echo(f"{as_text(description)}\n\nExamples (seed {seed})\n{as_examples(example, description)}\n")
    if plot is not None:
        click.echo(f"Drawn to {plot}")


def as_text(d: Description) -> str:
    """Return a description as paragraphs and tables."""
    number = "not among the 132" if d.index is None else f"index {d.index} among the 132"
    extensions = {"Interval": d.interval, "Sequence": d.sequence}
    periods = [("period", "lasts", "steps", "the subject sees"), *((p.name, p.ms, p.steps, p.shows) for p in d.periods)]
    spans = (f"{name} {first}" + (f"–{last}" if last > first else "") for name, (first, last) in d.channels.items())
    parts = [
        f"{d.task}: {d.summary}",
        f"{d.family} family, base task {d.base}, {number}; {environment_id(d.task)}",
        *(f"{name}: {text}" for name, text in extensions.items() if text),
        f"Periods\n{_table(periods)}",
        f"Observation: channels {', '.join(spans)}",
        f"Action: 0 holds fixation, 1 + k responds in direction k: {d.n_actions} in all",
        f"Answer at step j of the decision: {d.answer}",
        f"Drawn for each trial, besides durations\n{_table(list(d.conditions.items()))}",
    ]
    return "\n\n".join(part if "\n" in part else fill(part, width()) for part in parts)


def _table(rows: list[Any]) -> str:
    """Lay out rows in columns, the last of which is wrapped."""
    lines = plain_table(rows).splitlines()
    indent = " " * lines[0].rindex(rows[0][-1])
    return "\n".join(fill(line, width(), subsequent_indent=indent) for line in lines)


def as_examples(trials: Trials, d: Description) -> str:
    """Return a block for each trial: its conditions, the lengths of its periods, and the labels of its decision."""
    lines = []
    for i, row in enumerate(trials.rows):
        start, end = trials.offsets[i] + trials.decision_start[i], trials.offsets[i + 1]
        block = {
            f"  {i}. ": ", ".join(f"{name} {row[name]:g}" for name in d.conditions if name in row),
            "     steps: ": ", ".join(f"{period} {steps}" for period, steps in trials.period_steps(i).items()),
            "     labels of the decision: ": " ".join(map(str, trials.packed_labels[start:end])),
        }
        lines += [fill(text, width(), initial_indent=head, subsequent_indent=7 * " ") for head, text in block.items()]
    return "\n".join(lines)
