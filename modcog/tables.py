"""Results as text: tables in Markdown, plain and HTML, and one line for each object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from html import escape
from pathlib import PurePath
from typing import Any

import numpy as np

from modcog.errors import one_line, shown

Rows = Sequence[Sequence[str]]


class Brief:
    """Base of dataclasses and of pydantic's models whose ``repr`` is one line: arrays by their shape, long lists cut.

    Fields of a model that have their default are left out. A dataclass must be made with ``repr=False``.
    """

    def __repr__(self) -> str:
        kind: Any = type(self)
        names = list(kind.__dataclass_fields__ if is_dataclass(kind) else kind.model_fields)
        if not is_dataclass(kind):
            default = {name: kind.model_fields[name].get_default(call_default_factory=True) for name in names}
            names = [name for name in names if getattr(self, name) != default[name]]
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(getattr(self, name))}' for name in names)})"


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}".replace(",)", ")")
    if isinstance(value, tuple | list | Mapping) and len(value) > 4:
        return f"<{len(value)} {'entries' if isinstance(value, Mapping) else 'items'}>"
    return shown(str(value) if isinstance(value, PurePath) else value, 60)


def markdown_table(rows: Rows, align: str = "lr") -> str:
    """Return rows, of which the first is the head, as a Markdown table.

    Args:
        rows: cells; a bar in one is escaped.
        align: ``l`` or ``r`` for each column; the last letter counts for all further columns.
    """
    head, *body = _padded([[cell.replace("|", "\\|") for cell in row] for row in rows], align)
    rule = ["-" * (len(cell) - 1) + ("-" if cell_align == "l" else ":") for cell, cell_align in _pair(head, align)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def plain_table(rows: Rows, align: str = "l", gap: int = 2) -> str:
    """Return rows as columns that are ``gap`` spaces apart; ``align`` as in ``markdown_table``."""
    return "\n".join((gap * " ").join(row).rstrip() for row in _padded(rows, align))


def fitted_table(rows: Rows, width: int, layout: Callable[[Rows], str], keys: int = 1) -> str:
    """Return a table as several, one below the other, none of which is wider than ``width``.

    Args:
        rows: cells; the first row is the head.
        width: characters of a line.
        layout: makes a table of rows.
        keys: number of columns on the left that tell the rows apart; each table has them. Where they leave no room for
            another column, each row becomes a table of two columns.
    """
    groups: list[list[int]] = []

    def table(columns: Sequence[int]) -> str:
        return layout([[*row[:keys], *(row[column] for column in columns)] for row in rows])

    for column in range(keys, len(rows[0])):
        if groups and widest(table([*groups[-1], column])) <= width:
            groups[-1].append(column)
        else:
            groups.append([column])
    tables = [table(columns) for columns in groups]
    if max(map(widest, tables)) > width:
        tables = [plain_table(list(zip(rows[0], row, strict=True))) for row in rows[1:]]
    return "\n\n".join(tables)


def widest(text: str) -> int:
    """Return the length of the longest line."""
    return max(map(len, text.splitlines()), default=0)


def html_table(rows: Rows, title: str) -> str:
    """Return rows, of which the first is the head, as an HTML table; first column to the left, others to the right."""
    lines = []
    for tag, row in zip(("th", *("td",) * (len(rows) - 1)), rows, strict=True):
        cells = (f'<{tag} style="text-align:{"right" if k else "left"}">{escape(c)}</{tag}>' for k, c in enumerate(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def literal(text: str) -> str:
    """Return text as one line of Markdown that shows it as it is: nothing in it is a heading, a link or HTML."""
    line = re.sub(r"[\\`*\[\]~]|(?<!\w)_|_(?!\w)|^[#+=-]", r"\\\g<0>", one_line(text))
    return escape(re.sub(r"^(\d+)([.)])", r"\1\\\2", line), quote=False)


def _padded(rows: Rows, align: str) -> list[list[str]]:
    columns = [
        [cell.ljust(width) if column_align == "l" else cell.rjust(width) for cell in column]
        for column, column_align in _pair(list(zip(*rows, strict=True)), align)
        for width in [max(map(len, column))]
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _pair(columns: Sequence[Sequence[str]], align: str) -> Iterator[tuple[Sequence[str], str]]:
    yield from zip(columns, align.ljust(len(columns), align[-1]), strict=False)
