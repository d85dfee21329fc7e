"""Results as text: one line for each object, tables, and foreign text that stays text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pydantic import BaseModel

import modcog
from modcog.tables import Brief, html_table, literal, markdown_table


@dataclass(repr=False)
class Found(Brief):
    values: Any
    n: int = 3


class Wanted(Brief, BaseModel):
    names: tuple[str, ...] = ("a",)
    n: int = 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Found(np.zeros((300, 2), np.float32)), "Found(values=float32(300, 2), n=3)"),
        (Found(np.zeros(3)), "Found(values=float64(3), n=3)"),
        (Found(tuple(range(99))), "Found(values=<99 items>, n=3)"),
        (Found(dict.fromkeys(range(99))), "Found(values=<99 entries>, n=3)"),
        (Found([1, 2]), "Found(values=[1, 2], n=3)"),
        (Found(Path("a") / "b"), f"Found(values={str(Path('a') / 'b')!r}, n=3)"),
        (Found("\x1b[31m\n"), r"Found(values='\x1b[31m\n', n=3)"),
        (Found("x" * 99), f"Found(values='{'x' * 58}…, n=3)"),
        (Wanted(), "Wanted()"),
        (Wanted(n=4), "Wanted(n=4)"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_an_object_is_one_short_line(given: object, said: str) -> None:
    assert repr(given) == said


def test_large_objects_are_one_short_line(tmp_path: Path) -> None:
    battery = modcog.Battery("modcog132", timing={"delay": ("uniform", (300, 900))})
    data = modcog.data.export(tmp_path, tasks="modcog132", trials_per_task=10)
    parts = (battery.tables, battery.tables.timing, battery.tables.groups[0])
    for large in (battery.config, battery.settings, *parts, data.config, data.manifest):
        assert len(repr(large)) < 700
        assert repr(large).isprintable()
    assert repr(battery.config) == "BatteryConfig(timing={'delay': ('uniform', (300.0, 900.0))}, tasks=<132 items>)"


HOSTILE = [
    "<script>alert(1)</script>", "![x](http://e/x.png)", "[x](http://evil)", "# head", "- item", "1. item", "> quote",
    "`code`", "**bold** _it_ ~~no~~", "a\n\n# head", "<img src=x onerror=y>", "&lt;b&gt;", "\\[x\\](y)", "=====", "---",
    "a | b", "```\ncode", "http://evil", "***", "+ item", "    code", "a_b_c", "\x1b[31mred\x00",
]  # fmt: skip

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def shows_as_text(text: str) -> None:
    """Check that Markdown shows a literal as one paragraph, one heading, or one cell, with no mark-up of its own."""
    plain = " ".join(text.split())
    visible = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in plain)
    (_, inline, _) = MARKDOWN.parse(literal(text))
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children) == visible
    table = MARKDOWN.render(markdown_table([["a", "b"], [literal(text), "end"]]))
    assert table.count("<td") == 2
    assert MARKDOWN.render(f"# {literal(text)}").count("<h1>") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_stays_text(text: str) -> None:
    shows_as_text(text)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text("ab1 <>&*_`[]()!#|\\\n\t-+=.~\x1b\"'", min_size=1, max_size=12).filter(str.strip))
def test_any_text_stays_text(text: str) -> None:
    shows_as_text(text)


def test_a_table_for_a_notebook_is_escaped() -> None:
    made = html_table([["", "n"], ["<b>", "3"]], "a & b")
    assert "<caption>a &amp; b</caption>" in made
    assert "&lt;b&gt;" in made
    assert "<b>" not in made
    assert made.count("<tr>") == 2
