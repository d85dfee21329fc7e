"""``modcog evaluate`` and ``modcog ceiling``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modcog.battery import BatteryConfig
from modcog.cli.options import settings_options, tasks_of
from modcog.errors import ModcogError, shown
from modcog.user_code import is_place, object_at

if TYPE_CHECKING:
    from modcog.battery import Battery
    from modcog.evaluation import Level

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the trials.")]


@settings_options(BatteryConfig)
def evaluate(
    settings: dict[str, Any],
    network: Annotated[
        str,
        typer.Argument(metavar="RUN|MODULE:NAME", help="Folder of a training run, or a function or torch module."),
    ],
    n_trials: Annotated[int, typer.Option(metavar="N", help="Trials of each task.")] = 200,
    seed: Seed = 0,
    ceiling: Annotated[bool, typer.Option(help="Beside each score chance, ceiling, and the share between.")] = True,
    as_json: Json = False,
) -> None:
    r"""Score a network on trials it has not seen.

    A run is scored on the battery it was trained on; options that are given change it. With a rule input, --tasks picks
    from the tasks it was trained on. MODULE:NAME is what modcog.evaluate takes: a function from observations (n, T, C)
    to logits (n, T, A) or actions (n, T), or a torch module. Accuracies are in percent, with 95 % intervals.

    \b
    Examples:
      modcog evaluate runs/first
      modcog evaluate runs/first --tasks dm1,dm2 --n-trials 2000 --sigma 0.5
      modcog evaluate my_package.my_module:predict --tasks yang19 --json
    """
    from modcog.evaluation import evaluate as score_network
    from modcog.evaluation import format_table

    predict, battery, tasks = _from_run(network, settings) if _is_run(network) else _from_module(network, settings)
    scores = score_network(predict, battery, n_trials, seed, tasks)
    levels = _levels(battery, scores.per_task()) if ceiling else None
    table = scores.table(levels)
    if as_json:
        typer.echo(json.dumps({name: asdict(score) for name, score in table.items()}, indent=2, ensure_ascii=False))
    else:
        typer.echo(format_table(table))


def _levels(battery: Battery, tasks: dict[str, float]) -> dict[str, Level] | None:
    """Levels of the tasks that were scored; None, and a word on standard error, if there is no ideal observer."""
    from modcog.evaluation import levels

    scored = battery.replace(tasks=tuple(tasks))
    try:
        with _bar("ceiling", len(tasks)) as advance:
            return levels(scored, progress=advance)
    except ModcogError as error:
        typer.echo(f"no ceiling: {error}", err=True)
        return None


def _is_run(network: str) -> bool:
    if is_place(network) and not Path(network).exists():
        return False
    if not Path(network).is_dir():
        raise ModcogError(f"{network!r} is neither the folder of a run nor a MODULE:NAME")
    return True


def _from_run(folder: str, settings: dict[str, Any]) -> tuple[Any, Battery, tuple[str, ...] | None]:
    """The network of a run, the battery it is scored on, and which of its tasks (None: all)."""
    from modcog.battery import Battery
    from modcog.training import load_model

    model = load_model(folder)
    trained: BatteryConfig = model.battery.config  # type: ignore[union-attr, assignment]
    given = dict(settings)
    chosen = Battery(given.pop("tasks")).tasks if trained.rule_input and "tasks" in given else None
    fixed = {name: value for name in ("dim_ring", "rule_input") if (value := given.get(name)) is not None}
    for name, value in fixed.items():
        if value != getattr(trained, name):
            raise ModcogError(f"{name}: got {shown(value)}, but the network was trained with {getattr(trained, name)}")
    return model, Battery(**{**trained.model_dump(), **given}), chosen


def _from_module(place: str, settings: dict[str, Any]) -> tuple[Any, Battery, None]:
    """What ``MODULE:NAME`` stands for, and the battery it is scored on."""
    from modcog.battery import Battery

    return object_at(place), Battery(**settings), None


@settings_options(BatteryConfig, leave=("tasks", "rule_input"))
def ceiling(
    settings: dict[str, Any],
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASKS]...", help="Tasks or collections; modcog132 if there are none."),
    ] = None,
    n_trials: Annotated[
        int | None, typer.Option(metavar="N", help="Compute now, from so many trials of each task.")
    ] = None,
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Processes; -1: one for each core.")] = 1,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compute and store the levels of the package.")] = False,
    as_json: Json = False,
) -> None:
    r"""Show what blindness gets and what the noise allows on each task.

    Chance is the accuracy of the best player who knows the task and the clock and sees no stimulus; ceiling that of an
    ideal observer, who weighs all that the noisy observations could mean. Accuracies are in percent. For the default
    settings they are stored; under other settings they are computed from 20,000 trials of each task.

    \b
    Examples:
      modcog ceiling
      modcog ceiling multidm dm1 --rules published
      modcog ceiling decision --sigma 2 --jobs -1 --json
      modcog ceiling --rebuild --jobs -1
    """
    from modcog.battery import Battery
    from modcog.evaluation import levels

    if rebuild:
        return _rebuild(settings, tasks, n_trials, seed, jobs)
    battery = Battery(**{**settings, **({"tasks": tasks_of(tasks)} if tasks else {})})
    with _bar("ceiling", len(battery.tasks)) as advance:
        found = levels(battery, n_trials, seed, jobs, advance)
    if as_json:
        content = {
            "settings": battery.settings.model_dump(mode="json"),
            "levels": {task: asdict(level) for task, level in found.items()},
        }
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        typer.echo(_level_table(found))
    return None


def _rebuild(settings: dict[str, Any], tasks: list[str] | None, n_trials: int | None, seed: int, jobs: int) -> None:
    from modcog.evaluation.ceilings import STORED_TRIALS, rebuild

    if settings or tasks:
        raise ModcogError("--rebuild stores the levels of all tasks under the default settings; it takes no others")
    with _bar("ceiling", None) as advance:
        path = rebuild(STORED_TRIALS if n_trials is None else n_trials, seed, jobs, advance)
    typer.echo(path)


@contextmanager
def _bar(name: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """A progress bar in a terminal, gone when it is done; yields what to call for each task."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.advance(task)


def _level_table(levels: dict[str, Level]) -> str:
    """Levels as aligned columns, in percent, the error below."""
    head = ("", "chance", "ceiling", "trial chance", "trial ceiling")
    rows = [(task, *_percents(level)) for task, level in levels.items()]
    wide = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join([row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])]) for row in (head, *rows)]
    error = max(level.error for level in levels.values())
    return "\n".join([*lines, f"{len(rows)} tasks; standard error of the ceilings at most {100 * error:.2f}"])


def _percents(level: Level) -> list[str]:
    values = (level.decision_chance, level.decision_ceiling, level.trial_chance, level.trial_ceiling)
    return [f"{100 * value:.2f}" for value in values]
