"""``modcog analyse``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from modcog.cli.options import PATH, listed, mapping, read_by, seed, tasks_of, trust
from modcog.errors import ModcogError, unknown
from modcog.extras import require


@click.command
@click.argument("question", help="One of the questions below.")
@click.argument("runs", nargs=-1, required=True, type=PATH, help="Folders of training runs.")
@click.option("--out", type=PATH, metavar="DIR", help="Folder of table and figure.  [default: RUN/analysis]")
@click.option(
    "--tasks",
    metavar="A,B,…",
    callback=read_by(lambda text: tasks_of(listed(text))),
    help="Some of the tasks, or a collection.  [default: all]",
)
@click.option("--n-trials", type=click.IntRange(1), metavar="N", help="Number of trials of each task.")
@seed
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_by(lambda pairs: mapping("--set", pairs)),
    help="Other argument of the Python function.",
)
@trust
def analyse(
    question: str,
    runs: tuple[Path, ...],
    out: Path | None,
    tasks: list[str] | None,
    n_trials: int | None,
    seed: int,
    values: dict[str, Any] | None,
    trust: bool,
) -> None:
    """Ask a question about trained networks.

    Questions:
      composition  Combinations of base task and extension that were not trained.
      shift        Longer intervals, delays, sequences; other noise, dt …
      lesions      Silenced clusters of units, or patches of the sheet.
      pruning      Shares of the synapses cut, in three orders.
      variance     Task variance of each unit, and clusters of units.
      modularity   Clusters of units against weights and places on the sheet.
      bifurcations Fixed points while the input goes from one task to another.
      likeness     Geometry of the states of several networks on the same trials.

    DIR gets a table, QUESTION.csv, and a figure, QUESTION.png; means are shown. All questions but likeness take one
    run. It takes from seconds to two minutes.

    Examples:
      modcog analyse shift runs/lm
      modcog analyse lesions runs/lm --set groups=patches --tasks yang19
      modcog analyse likeness runs/lm runs/dense runs/gru --out runs/likeness
    """
    require("train", "modcog analyse")
    from modcog.analysis.questions import QUESTIONS
    from modcog.experiments.sweeps.results import write_table
    from modcog.plot import save

    if question not in QUESTIONS:
        raise unknown("question", question, QUESTIONS)
    asked = QUESTIONS[question]
    if asked.several != (len(runs) > 1):
        raise ModcogError(f"{question}: got {len(runs)} runs, takes {'two or more' if asked.several else 'one'}")
    given = {"tasks": tasks, "n_trials": n_trials, "seed": seed, "trust": trust}
    options = {name: value for name, value in given.items() if value is not None}
    options |= _arguments(asked.measure, values or {})
    by_name = len({run.name for run in runs}) == len(runs)
    several = {run.name if by_name else str(run): run for run in runs}
    result = asked.measure(several if asked.several else runs[0], **options)
    table, folder = asked.table(result), out or runs[0] / "analysis"
    folder.mkdir(parents=True, exist_ok=True)
    write_table(table, folder / f"{question}.csv")
    save(asked.draw(result), folder / f"{question}.png")
    click.echo(asked.summary(table).round(3).to_string())
    click.echo(folder / f"{question}.png")


def _arguments(measure: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return values as arguments of a function: a single value as a list where it takes one.

    Raises:
        UnknownNameError: for a name that is none of its arguments.
    """
    known = inspect.signature(measure).parameters
    own = known.keys() - {"network", "networks", "battery", "trust"}
    for name in values:
        if name not in own:
            raise unknown("argument", name, sorted(own))
    several = {name for name in values if "Sequence" in str(known[name].annotation)}
    return {name: [x] if name in several and not isinstance(x, list) else x for name, x in values.items()}
