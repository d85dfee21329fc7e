"""Tables and figures of the leaderboard, drawn from the files in docs/leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

from modcog.colours import STYLE
from modcog.experiments.benchmark.board import Board, score_against_parameters, score_against_trials
from modcog.experiments.benchmark.entries import stored_entries
from modcog.experiments.benchmark.protocol import PROTOCOLS
from modcog.tables import literal, markdown_table

MARK = "<!-- board -->"
"""Place of the tables in the page."""

SCORES = 8
"""Columns of a table of networks with its name, its parameters and its main scores."""


def filled(markdown: str) -> str:
    """Return the page with the tables of every protocol that has entries in place of the mark."""
    return markdown.replace(MARK, "\n\n".join(map(_section, _boards())))


def pages() -> dict[str, bytes]:
    """Return the figures by their path within the site."""
    found = {}
    for board in _boards():
        name = board.protocol.name
        found[f"leaderboard/{name}-parameters.png"] = _png(score_against_parameters(board.lines))
        for size, lines in board.classes().items():
            found[f"leaderboard/{_slug(name, size)}-trials.png"] = _png(score_against_trials(lines))
    return found


def _slug(name: str, size: str) -> str:
    """Return the name of a protocol and a size for an address."""
    return f"{name}-{size.replace(' ', '-').replace(',', '')}"


def _boards() -> list[Board]:
    return [board for board in map(Board, PROTOCOLS.values()) if board.lines]


def _section(board: Board) -> str:
    name = board.protocol.name
    parts = [f"## {name}", board.protocol.describe()]
    for size, lines in board.classes().items():
        parts += [f"### {size[0].upper()}{size[1:]} {{#{_slug(name, size)}}}"]
        rows = board.scores(lines)
        parts.append(_table([row[:SCORES] for row in rows]))
        parts += ["By family and extension, with the levels of players who lack something:"]
        parts += [_table(board.groups(lines))]
        parts += ["Further measures, and what it took:", _table([[row[0], *row[SCORES:]] for row in rows])]
        parts.append(f"![Decision accuracy during training](leaderboard/{_slug(name, size)}-trials.png)")
    parts += ["### Accuracy against parameters", "All sizes, with 95 % intervals over seeds."]
    parts.append(f"![Decision accuracy against parameters](leaderboard/{name}-parameters.png)")
    ours = {file: entry.name for file, entry in stored_entries().items() if entry.protocol == name}
    files = ", ".join(f"[{literal(title)}](leaderboard/{file})" for file, title in ours.items())
    return "\n\n".join([*parts, f"Entries: {files}."])


def _table(rows: Sequence[Sequence[str]]) -> str:
    whole = [[cell.replace(" ", "\N{NO-BREAK SPACE}") if "[" in cell else cell for cell in row] for row in rows]
    return f'<div class="sortable" markdown>\n\n{markdown_table(whole, "lr")}\n\n</div>'


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    with rc_context(STYLE):
        figure.savefig(file, format="png", dpi=150)
    return file.getvalue()
