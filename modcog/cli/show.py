"""``modcog show``."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import settings_options, tasks_of
from modcog.cli.tasks import aligned
from modcog.describe import Description, describe
from modcog.envs.registration import environment_id
from modcog.trials.arrays import Trials, concatenate


@settings_options(BatteryConfig, leave=("tasks",))
def show(
    tasks: Annotated[list[str], typer.Argument(metavar="TASK", help="Tasks or collections; modcog list has them all.")],
    settings: dict[str, Any],
    trials: Annotated[int, typer.Option(metavar="N", help="Example trials, in words and in the picture.")] = 3,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the example trials.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the example trials: .png, .svg or .pdf.")
    ] = None,
) -> None:
    r"""Say what a task is: what the subject must do, its periods, its conditions, what its extensions do.

    Every setting of the battery can be changed; the numbers follow.

    \b
    Examples:
      modcog show dlygointrseql
      modcog show dms --plot dms.png --trials 4 --seed 7
      modcog show ctxdm1 --rules published --dt 20 --dim-ring 32
    """
    battery = Battery(**{**settings, "tasks": tasks_of(tasks)})
    examples = [battery.sample(check_count("--trials", trials), seed=seed, task=task) for task in battery.tasks]
    if plot is not None:  # first, so that a wrong request says so and nothing else
        from modcog.plot import plot_trials, save

        save(plot_trials(concatenate(examples)), plot)
    for task, example in zip(battery.tasks, examples, strict=True):
        description = describe(task, **{name: value for name, value in settings.items() if name != "tasks"})
        typer.echo(f"{as_text(description)}\n\nExamples (seed {seed})\n{as_examples(example, description)}\n")
    if plot is not None:
        typer.echo(f"Drawn to {plot}")


def as_text(d: Description) -> str:
    """A description as paragraphs and tables."""
    number = "not among the 132" if d.index is None else f"index {d.index} among the 132"
    parts = [f"{d.task}: {d.summary}", f"{d.family} family, base task {d.base}, {number}; {environment_id(d.task)}"]
    for name, text in (("Interval", d.interval), ("Sequence", d.sequence)):
        if text:
            parts.append(f"{name}: {text}")
    rows = [("period", "lasts", "steps", "the subject sees"), *((p.name, p.ms, p.steps, p.shows) for p in d.periods)]
    parts.append(f"Periods\n{aligned(rows)}")
    observation = ", ".join(
        f"{name} {first}" if first == last else f"{name} {first}–{last}" for name, (first, last) in d.channels.items()
    )
    parts.append(f"Observation: channels {observation}")
    parts.append(f"Action: 0 holds fixation, 1 + k responds in direction k: {d.n_actions} in all")
    parts.append(f"Answer at step j of the decision: {d.answer}")
    parts.append(f"Drawn for each trial, besides durations\n{aligned(list(d.conditions.items()))}")
    return "\n\n".join(part if "\n" in part else fill(part, 100) for part in parts)


def as_examples(trials: Trials, d: Description) -> str:
    """A block for each trial: what was drawn, how long its periods last, and the labels of the decision."""
    return "\n".join(
        f"  {i}. {', '.join(f'{name} {row[name]:g}' for name in d.conditions if name in row)}\n"
        f"     steps: {', '.join(f'{period} {steps}' for period, steps in trials.period_steps(i).items())}\n"
        f"     labels of the decision: {' '.join(map(str, _decision(trials, i)))}"
        for i, row in enumerate(trials.rows)
    )


def _decision(trials: Trials, i: int) -> list[int]:
    start, end = trials.offsets[i] + trials.decision_start[i], trials.offsets[i + 1]
    return trials.packed_labels[start:end].tolist()
