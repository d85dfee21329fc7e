"""``modcog evaluate`` and ``modcog ceiling``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from modcog.battery import Battery, BatteryConfig, widen
from modcog.cli.options import UNBOUNDED, as_json, fitted, jobs, one_of, seed, settings_options, trust, width
from modcog.errors import ModcogError, shown
from modcog.evaluation import MEASURES, STRATEGIES, Level, Scores
from modcog.evaluation.measures import TOLERANCE
from modcog.evaluation.strategies import FLOORS
from modcog.extras import require
from modcog.user_code import import_object, is_import_path

measure = click.option(
    "--measure", default="decision", help="Measure to show [decision, trial, last_step, directional, …].",
    **one_of("measure", lambda: MEASURES),
)  # fmt: skip

tolerance = click.option(
    "--tolerance", default=TOLERANCE, metavar="DEGREES", help="Tolerance of the directional accuracy."
)


@click.command
@click.argument("network", metavar="RUN|MODULE:NAME", help="Folder of a training run, or a function or torch module.")
@click.option("--n-trials", default=200, metavar="N", help="Number of trials of each task.")
@seed
@click.option("--by", metavar="CONDITION", help="Condition to split the scores by, e.g. coherence; two: a,b.")
@measure
@tolerance
@click.option("--ceiling/--no-ceiling", default=True, help="Chance, ceiling and the share between beside each score.")
@click.option(
    "--floor",
    default="blind",
    help="Level of a share of 0 [blind, no-clock, …; best: the highest of them].",
    **one_of("floor", lambda: FLOORS),
)
@trust
@as_json
@settings_options(BatteryConfig)
def evaluate(
    settings: dict[str, Any],
    network: str,
    n_trials: int,
    seed: int,
    by: str | None,
    measure: str,
    tolerance: float,
    ceiling: bool,
    floor: str,
    trust: bool,
    as_json: bool,
) -> None:
    """Score a network on new trials.

    A run is scored on the battery it was trained on, with the options given changed. With a rule input, --tasks selects
    from the tasks it was trained on; a compositional one can also ask for tasks that were held out. MODULE:NAME is what
    modcog.evaluate takes: a function from observations (n, T, C) to logits (n, T, A) or actions (n, T), or a torch
    module. Accuracies are in percent, with 95 % intervals. Beside chance and ceiling stands the best strategy that
    lacks something a task needs, such as a clock, and is ideal otherwise: a network at this level has not learned it.

    Examples:
      modcog evaluate runs/first
      modcog evaluate runs/first --tasks dm1,dm2 --n-trials 2000 --sigma 0.5
      modcog evaluate runs/first --by coherence --tasks dm1
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
        if selected and trained.rule_input == "compositional":  # which can ask for tasks that were not trained
            trained = widen(trained, selected)
        battery = trained.replace(**settings)
    elif is_import_path(network):
        predict, battery = import_object(network), Battery(**settings)
    else:
        raise ModcogError(f"{network!r} is neither the folder of a run nor a MODULE:NAME")
    scores = score_network(predict, battery, n_trials, seed, selected, tolerance)
    if by is not None:
        _show_by(scores, by.split(","), measure, as_json)
        return
    known = None
    if ceiling:
        try:
            known = _levels(battery.replace(tasks=list(scores.per_task())), tolerance=tolerance)
        except ModcogError as error:  # a task without an ideal observer
            click.echo(f"no ceiling: {error}", err=True)
    table = scores.table(known, floor=floor)
    if as_json:
        click.echo(json.dumps({name: score.as_dict() for name, score in table.items()}, indent=2, ensure_ascii=False))
    else:
        click.echo(format_table(table, width(UNBOUNDED)))


def _show_by(scores: Scores, conditions: list[str], kind: str, as_json: bool) -> None:
    """Print scores split by conditions."""

    def plain(value: Any) -> float | None:
        return None if math.isnan(value) else float(value)

    table = scores.by(*conditions, kind=kind)
    columns = [*conditions, "n", "value", "low", "high"]
    rows = [[row[name] for name in columns] for row in (table if hasattr(table, "dtype") else table.to_records())]
    if as_json:
        click.echo(json.dumps([dict(zip(columns, map(plain, row), strict=True)) for row in rows], indent=2))
        return
    scale = 1 if MEASURES[kind].unit == "°" else 100
    cells = [
        [*(f"{value:.4g}" for value in row[: len(conditions)]), str(row[-4]), *(f"{scale * v:.1f}" for v in row[-3:])]
        for row in rows
    ]
    head = [*conditions, "trials", f"{MEASURES[kind].label} ({MEASURES[kind].unit})", "low", "high"]
    click.echo(fitted([head, *cells], "r", keys=len(conditions)))


def _levels(
    battery: Battery, n_trials: int | None = None, seed: int = 0, jobs: int = 1, tolerance: float = TOLERANCE
) -> dict[str, Level]:
    """Return the levels of a battery, with a progress bar in a terminal."""
    from modcog.evaluation import levels
    from modcog.progress import ProgressBar

    with ProgressBar("ceiling", "tasks", len(battery.tasks)) as bar:
        return levels(battery, n_trials, seed, jobs, lambda task: bar.advance(), tolerance)


@click.command
@click.option("--n-trials", type=int, metavar="N", help="Number of trials of each task to compute the levels from.")
@seed
@jobs()
@measure
@tolerance
@as_json
@settings_options(BatteryConfig, exclude=("rule_input",), tasks="[TASK]...")
def ceiling(
    settings: dict[str, Any], n_trials: int | None, seed: int, jobs: int, measure: str, tolerance: float, as_json: bool
) -> None:
    """Show chance level and ideal-observer ceiling of each task, and levels between.

    The ideal observer weighs everything that the noisy observations could mean. The other players lack one thing and
    are ideal otherwise: blind, who is at chance, sees no stimulus; no-comparison does not compare stimuli; no-memory
    sees the present step only; no-clock does not know the interval; no-sequence stays at its first answer. Accuracies
    are in percent, angles in degrees. They are stored for the default settings. Under other settings, or with
    --n-trials, they are computed, from 20,000 noisy trials of each base task unless --n-trials says otherwise.

    Examples:
      modcog ceiling
      modcog ceiling multidm dm1 --rules published
      modcog ceiling decision --sigma 2 --jobs -1 --json
    """
    battery = Battery(**settings)
    found = _levels(battery, n_trials, seed, jobs, tolerance)
    if as_json:
        shared = battery.settings.model_dump(mode="json")
        content = {"settings": shared, "levels": {task: asdict(level) for task, level in found.items()}}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    scale = 100 if MEASURES[measure].unit == "%" else 1

    def cell(value: float | None) -> str:
        return "–" if value is None else f"{scale * value:.2f}"

    rows = [["", *STRATEGIES]]
    rows += [[task, *(cell(level.values[name][measure]) for name in STRATEGIES)] for task, level in found.items()]
    error = max(level.error for level in found.values())
    click.echo(fitted(rows, "lr"))
    click.echo(
        f"{len(found)} tasks; {MEASURES[measure].label}; standard error of the ceilings at most {100 * error:.2f}"
    )
