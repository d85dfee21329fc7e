"""``modcog list``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from modcog.errors import unknown
from modcog.tasks import names
from modcog.tasks.names import summary
from modcog.tasks.table import BASES

EXTENSIONS = ("none", "interval", "sequence", "interval-sequence")
"""Which extensions a task has; ``interval-sequence`` is both."""


def list_tasks(
    collection: Annotated[
        str | None, typer.Option(metavar="NAME", help="yang19, modcog82, modcog126 or modcog132.")
    ] = None,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="go, decision or match.")] = None,
    extension: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Just these extensions: none, interval, sequence or interval-sequence."),
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="NAME", help="A base task: it and its variants.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    r"""List the tasks of the battery; with several filters, those that pass them all.

    \b
    Examples:
      modcog list
      modcog list --family match --extension interval
      modcog list --collection modcog82 --json
    """
    rows = select(collection, family, extension, base)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        typer.echo(table(rows))


def select(
    collection: str | None = None, family: str | None = None, extension: str | None = None, base: str | None = None
) -> list[dict[str, Any]]:
    """The tasks that pass every filter, as rows of index, name, family, base, extension and summary.

    None lets all pass: the 132, and the tasks of base tasks that a user has added (their index is None).

    Raises:
        UnknownNameError: for a collection, family, extension or base task that does not exist.
    """
    wanted = {"family": family, "extension": extension, "base": base}
    allowed = {"family": {row.family: None for row in BASES.values()}, "extension": EXTENSIONS, "base": BASES}
    for column, name in wanted.items():
        if name is not None and name not in allowed[column]:
            raise unknown("base task" if column == "base" else column, name, allowed[column])
    rows = map(_row, names.known_tasks() if collection is None else names.collection(collection))
    return [row for row in rows if all(name in (None, row[column]) for column, name in wanted.items())]


def _row(task: str) -> dict[str, Any]:
    spec = names.parse(task)
    found = "-".join(name for name, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign)
    return {
        "index": names.TASKS.index(task) if task in names.TASKS else None,
        "name": task,
        "family": spec.family,
        "base": spec.base,
        "extension": found or "none",
        "summary": summary(spec),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a table, a header above and their number below; on a terminal no line is wider than it."""
    shown = ("index", "name", "family", "extension", "summary")
    cells = [["" if row[column] is None else str(row[column]) for column in shown] for row in rows]
    lines = aligned([shown, *cells]).splitlines()
    if sys.stdout.isatty():
        wide = shutil.get_terminal_size().columns
        lines = [line if len(line) <= wide else line[: wide - 1] + "…" for line in lines]
    return "\n".join([*lines, f"{len(rows)} task{'' if len(rows) == 1 else 's'}"])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns of equal width, two blanks between."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows)
