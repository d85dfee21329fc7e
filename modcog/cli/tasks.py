"""``modcog list``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from modcog.cli.options import as_json, one_of
from modcog.cli.output import width
from modcog.tables import plain_table
from modcog.tasks import names
from modcog.tasks.table import BASES

EXTENSIONS = ("none", "interval", "sequence", "interval-sequence")
"""Extensions of a task; ``interval-sequence`` is both."""

COLUMNS = ("index", "name", "family", "extension", "summary")


@click.command
@click.option("--collection", help="Name of a collection.", **one_of("collection", lambda: names.COLLECTIONS))
@click.option("--family", help="go, decision or match.", **one_of("family", lambda: [b.family for b in BASES.values()]))
@click.option("--extension", help=", ".join(EXTENSIONS) + ".", **one_of("extension", lambda: EXTENSIONS))
@click.option("--base", help="Base task, with its variants.", **one_of("base task", lambda: BASES))
@as_json
def list_tasks(as_json: bool, collection: str | None, **wanted: str | None) -> None:
    """List the tasks of the battery.

    With several filters, these are the tasks that pass all of them. A terminal shows as much of each line as fits.

    Examples:
      modcog list
      modcog list --family match --extension interval
      modcog list --collection modcog82 --json
    """
    tasks = names.known_tasks() if collection is None else names.collection(collection)
    rows = [row for row in map(_row, tasks) if all(name in (None, row[column]) for column, name in wanted.items())]
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _table(rows))


def _row(task: str) -> dict[str, Any]:
    spec = names.parse(task)
    extensions = [name for name, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign]
    return {
        "index": names.TASKS.index(task) if task in names.TASKS else None,
        "name": task,
        "family": spec.family,
        "base": spec.base,
        "extension": "-".join(extensions) or "none",
        "summary": names.summary(spec),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [["" if row[column] is None else str(row[column]) for column in COLUMNS] for row in rows]
    lines = plain_table([COLUMNS, *cells]).splitlines()
    if sys.stdout.isatty():
        lines = [line if len(line) <= width(1000) else line[: width(1000) - 1] + "…" for line in lines]
    return "\n".join([*lines, f"{len(rows)} task{'' if len(rows) == 1 else 's'}"])
