"""``modcog evaluate`` and ``modcog ceiling``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from modcog.battery import Battery, BatteryConfig
from modcog.cli.options import as_json, jobs, seed, settings_options, trust
from modcog.errors import ModcogError, shown
from modcog.extras import require
from modcog.tables import plain_table
from modcog.user_code import import_object, is_import_path


@click.command
@click.argument("network", metavar="RUN|MODULE:NAME", help="Folder of a training run, or a function or torch module.")
@click.option("--n-trials", default=200, metavar="N", help="Number of trials of each task.")
@seed
@click.option("--ceiling/--no-ceiling", default=True, help="Chance, ceiling and the share between beside each score.")
@trust
@as_json
@settings_options(BatteryConfig)
def evaluate(
    settings: dict[str, Any], network: str, n_trials: int, seed: int, ceiling: bool, trust: bool, as_json: bool
) -> None:
    """Score a network on new trials.

    A run is scored on the battery it was trained on, with the options given changed. With a rule input, --tasks selects
    from the tasks it was trained on. MODULE:NAME is what modcog.evaluate takes: a function from observations (n, T, C)
    to logits (n, T, A) or actions (n, T), or a torch module. Accuracies are in percent, with 95 % intervals.

    Examples:
      modcog evaluate runs/first
      modcog evaluate runs/first --tasks dm1,dm2 --n-trials 2000 --sigma 0.5
      modcog evaluate my_package.my_module:predict --tasks yang19 --json
    """
    from modcog.evaluation import evaluate as score_network
    from modcog.evaluation import format_table

    selected = None  # all tasks of the battery
    if Path(network).is_dir():
        require("train", "the network of a run")
        from modcog.training import load_model

        predict: Any = load_model(network, trust)
        trained = predict.battery
        for name in ("dim_ring", "rule_input"):
            if settings.get(name, before := getattr(trained.config, name)) != before:
                raise ModcogError(f"{name}: got {shown(settings[name])}, but the network was trained with {before}")
        if trained.rule_input:
            selected = settings.pop("tasks", None)
        battery = trained.replace(**settings)
    elif is_import_path(network):
        predict, battery = import_object(network), Battery(**settings)
    else:
        raise ModcogError(f"{network!r} is neither the folder of a run nor a MODULE:NAME")
    scores = score_network(predict, battery, n_trials, seed, selected)
    known = None
    if ceiling:
        try:
            known = _levels(battery.replace(tasks=list(scores.per_task())))
        except ModcogError as error:  # a task without an ideal observer
            click.echo(f"no ceiling: {error}", err=True)
    table = scores.table(known)
    if as_json:
        click.echo(json.dumps({name: asdict(score) for name, score in table.items()}, indent=2, ensure_ascii=False))
    else:
        click.echo(format_table(table))


def _levels(battery: Battery, n_trials: int | None = None, seed: int = 0, jobs: int = 1) -> dict[str, Any]:
    """Return the levels of a battery, with a progress bar in a terminal."""
    from modcog.evaluation import levels
    from modcog.progress import ProgressBar

    with ProgressBar("ceiling", "tasks", len(battery.tasks)) as bar:
        return levels(battery, n_trials, seed, jobs, lambda task: bar.advance())


@click.command
@click.option("--n-trials", type=int, metavar="N", help="Number of trials of each task to compute the levels from.")
@seed
@jobs()
@as_json
@settings_options(BatteryConfig, exclude=("rule_input",), tasks="[TASK]...")
def ceiling(settings: dict[str, Any], n_trials: int | None, seed: int, jobs: int, as_json: bool) -> None:
    """Show chance level and ideal-observer ceiling of each task.

    Chance is the accuracy of the best player who knows the task and the clock but sees no stimulus. The ceiling is that
    of an ideal observer, who weighs everything that the noisy observations could mean. Accuracies are in percent. They
    are stored for the default settings. Under other settings, or with --n-trials, they are computed, from 20,000 trials
    of each task unless --n-trials says otherwise.

    Examples:
      modcog ceiling
      modcog ceiling multidm dm1 --rules published
      modcog ceiling decision --sigma 2 --jobs -1 --json
    """
    battery = Battery(**settings)
    found = _levels(battery, n_trials, seed, jobs)
    if as_json:
        shared = battery.settings.model_dump(mode="json")
        content = {"settings": shared, "levels": {task: asdict(level) for task, level in found.items()}}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    rows: list[tuple[str, ...]] = [("", "chance", "ceiling", "trial chance", "trial ceiling")]
    for task, level in found.items():
        values = (level.decision_chance, level.decision_ceiling, level.trial_chance, level.trial_ceiling)
        rows.append((task, *(f"{100 * value:.2f}" for value in values)))
    error = max(level.error for level in found.values())
    click.echo(plain_table(rows, "lr"))
    click.echo(f"{len(found)} tasks; standard error of the ceilings at most {100 * error:.2f}")
