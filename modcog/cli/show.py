"""``modcog show``."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import click

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import PATH, seed, settings_options, width
from modcog.describe import Description, describe
from modcog.envs.registration import environment_id
from modcog.tables import plain_table
from modcog.trials.arrays import concatenate


@click.command
@click.option("--trials", default=3, metavar="N", help="Number of example trials of each task.")
@seed
@click.option("--plot", type=PATH, metavar="FILE", help="Picture of the example trials: .png, .svg or .pdf.")
@settings_options(BatteryConfig, tasks="TASK...")
def show(settings: dict[str, Any], trials: int, seed: int, plot: Path | None) -> None:
    """Describe tasks, with example trials and a picture.

    The description says what the subject must do, which periods and conditions there are and what the extensions do,
    with the numbers of the settings given.

    Examples:
      modcog show dlygointrseql
      modcog show dms --plot dms.png --trials 4 --seed 7
      modcog show ctxdm1 --rules published --dt 20 --dim-ring 32
    """
    battery = Battery(settings.pop("tasks"), **settings)
    examples = [battery.sample(check_count("--trials", trials), seed=seed, task=task) for task in battery.tasks]
    if plot is not None:  # first, so that a wrong request prints its error alone
        from modcog.plot import plot_trials, save

        save(plot_trials(concatenate(examples)), plot)
    for task, example in zip(battery.tasks, examples, strict=True):
        description = describe(task, **settings)
        click.echo(f"{as_text(description)}\n\nExamples (seed {seed})")
        for i, row in enumerate(example.rows):
            start, end = example.offsets[i] + example.decision_start[i], example.offsets[i + 1]
            block = {
                f"  {i}. ": ", ".join(f"{name} {row[name]:g}" for name in description.conditions if name in row),
                "     steps: ": ", ".join(f"{period} {steps}" for period, steps in example.period_steps(i).items()),
                "     labels of the decision: ": " ".join(map(str, example.packed_labels[start:end])),
            }
            for head, text in block.items():
                click.echo(fill(text, width(), initial_indent=head, subsequent_indent=7 * " "))
        click.echo()
    if plot is not None:
        click.echo(f"Drawn to {plot}")


def as_text(d: Description) -> str:
    """Return a description as paragraphs and tables."""
    number = "not among the 132" if d.index is None else f"index {d.index} among the 132"
    periods = [("period", "lasts", "steps", "the subject sees"), *((p.name, p.ms, p.steps, p.shows) for p in d.periods)]
    spans = (f"{name} {first}" + (f"–{last}" if last > first else "") for name, (first, last) in d.channels.items())
    parts = [
        f"{d.task}: {d.summary}",
        f"{d.family} family, base task {d.base}, {number}; {environment_id(d.task)}",
        *(f"{name}: {text}" for name, text in (("Interval", d.interval), ("Sequence", d.sequence)) if text),
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
