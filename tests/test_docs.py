"""Every code block of the README and the documentation runs, in the order of its page."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GENERATED = re.compile(r"(\.\./)*(gallery/|reference/|commands\.md|flow\.png)")
"""Links to what is made while the site is built; ``test_site.py`` follows them there."""


def blocks(page: Path) -> list[tuple[str, int, str]]:
    """Fence info, line number and text of each code block of a page."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [(t.info.strip(), t.map[0] + 1, t.content) for t in tokens if t.type == "fence" and t.map]


def commands(text: str) -> list[list[str]]:
    """The calls of ``modcog`` in a shell block; installing is what the continuous integration does."""
    lines = text.replace("\\\n", " ").splitlines()
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [shlex.split(part, comments=True) for part in parts if part.startswith("modcog ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__page__"}
    for info, line, text in blocks(page):
        if info == "python":
            exec(compile("\n" * line + text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, tmp_path: Path) -> None:
    for info, line, text in blocks(page):
        for words in commands(text) if info == "sh" else ():
            done = subprocess.run(
                [sys.executable, "-m", "modcog", *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{page.name}:{line}: {shlex.join(words)}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    stored = [target for target in local if not GENERATED.match(target)]
    assert [target for target in stored if not (page.parent / target).exists()] == []
