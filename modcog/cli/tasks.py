"""``modcog list``."""

from __future__ import annotations

import json
from textwrap import fill

import click

from modcog.cli.options import UNBOUNDED, as_json, one_of, width
from modcog.tables import plain_table, widest
from modcog.tasks import names
from modcog.tasks.table import BASES

EXTENSIONS = ("none", "interval", "sequence", "interval-sequence")
"""Extensions of a task; ``interval-sequence`` is both."""

COLUMNS = ("index", "name", "family", "extension", "summary")


@click.command
@click.option("--collection", help="Name of a collection.", **one_of("collection", lambda: names.COLLECTIONS))
@click.option("--family", help="go, decision or match.", **one_of("family", lambda: [b.family for b in BASES.values()]))
@click.option("--extension", help=", ".join(EXTENSIONS) + ".", **one_of("extension", lambda: EXTENSIONS))
@click.option("--base", help="Base task, with its variants.", **one_of("base task", lambda: BASES, names.without_id))
@as_json
def list_tasks(as_json: bool, collection: str | None, **wanted: str | None) -> None:
    """List the tasks of the battery.

    With several filters, these are the tasks that pass all of them. In a narrow terminal the summaries stand below.

    Examples:
      modcog list
      modcog list --family match --extension interval
      modcog list --collection modcog82 --json
    """
    rows = []
    for task in names.known_tasks() if collection is None else names.collection(collection):
        spec = names.parse(task)
        extensions = [name for name, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign]
        row = {
            "index": names.TASKS.index(task) if task in names.TASKS else None,
            "name": task,
            "family": spec.family,
            "base": spec.base,
            "extension": "-".join(extensions) or "none",
            "summary": names.summary(spec),
        }
        if all(name in (None, row[column]) for column, name in wanted.items()):
            rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [["" if row[column] is None else str(row[column]) for column in COLUMNS] for row in rows]
    table = plain_table([COLUMNS, *cells])
    if widest(table) > width(UNBOUNDED):
        head, *lines = plain_table([row[:-1] for row in (COLUMNS, *cells)]).splitlines()
        indent = 7 * " "
        below = (fill(row[-1], width(), initial_indent=indent, subsequent_indent=indent) for row in cells)
        table = "\n".join([head, *(f"{line}\n{summary}" for line, summary in zip(lines, below, strict=True))])
    click.echo(table)
    click.echo(f"{len(rows)} task{'' if len(rows) == 1 else 's'}")
