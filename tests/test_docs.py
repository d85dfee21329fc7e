"""Every code block of the README and the documentation runs, in the order of its page."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import modcog
from modcog.tasks import names
from tests.gymnasiums import portable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
RESULTS = ROOT / "docs/results"
BRIEFLY = ROOT / "tests/briefly.py"
WIDEST = 88
"""Columns of code that the page has room for on a screen of 1280 pixels."""

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GENERATED = re.compile(r"(\.\./)*(gallery/|reference/|commands\.md|controls\.md|flow\.png)")
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


def marks(info: str) -> tuple[str, dict[str, str]]:
    """Language and marks of a code block: ``file=NAME``, ``needs=PACKAGES``, ``brief`` or ``notest``."""
    language, *rest = info.split() or [""]
    return language, dict(mark.split("=") if "=" in mark else (mark, "") for mark in rest)


def append(text: str, marked: dict[str, str]) -> None:
    """Write a block with ``file=NAME`` to the end of that file."""
    if "file" in marked:
        with Path(marked["file"]).open("a", encoding="utf-8") as file:
            file.write(text)


def run(place: str, *arguments: str) -> None:
    """Run Python, which must not fail."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{place}: {shlex.join(arguments)}: {done.stderr}"


def run_commands(text: str, place: str, brief: bool) -> None:
    for words in commands(text):
        run(place, *([str(BRIEFLY)] if brief else ["-m", "modcog"]), *words[1:])


@pytest.fixture(autouse=True)
def _no_tasks_stay() -> Iterator[None]:
    """Remove the base tasks of a page that ended before it did so itself, for want of a package."""
    yield
    for task in {*names.known_tasks()} - {*names.TASKS}:
        if task in names.known_tasks():
            modcog.remove_base(names.parse(task).base)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules = set(sys.modules)
    defined: dict[str, object] = {"__name__": "__page__"}
    for info, line, text in blocks(page):
        language, marked = marks(info)
        if "needs" in marked:
            continue
        append(text, marked)
        if language == "python" and "notest" not in marked:
            with monkeypatch.context() as patch:
                if "brief" in marked:  # a training that is there at once
                    patch.setattr("modcog.training.loop._Loop._reached", lambda loop: True)
                exec(compile("\n" * line + portable(text), str(page), "exec"), defined)
        if language == "sh" and "notest" not in marked:
            run_commands(text, f"{page.name}:{line}", brief="brief" in marked or RESULTS in page.parents)
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and Path(sys.modules[name].__file__).parent == tmp_path:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("page", "packages"),
    dict.fromkeys(
        (page, one["needs"]) for page in PAGES for info, *_ in blocks(page) if "needs" in (one := marks(info)[1])
    ),
    ids=lambda value: value.name if isinstance(value, Path) else None,
)
def test_blocks_of_other_libraries_run(
    page: Path, packages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, each by itself, beside the files that the page writes for all."""
    for package in packages.split(","):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    for info, line, text in blocks(page):
        language, marked = marks(info)
        if marked.get("needs", packages) == packages:
            append(text, marked)
        if marked.get("needs") == packages and "file" not in marked:
            if language == "python":
                run(f"{page.name}:{line}", "-c", text)
            run_commands(text if language == "sh" else "", f"{page.name}:{line}", brief="brief" in marked)


def test_what_is_not_run_needs_a_cluster() -> None:
    left = [text for page in PAGES for info, _, text in blocks(page) if "notest" in marks(info)[1]]
    assert [text for text in left if "--dask" not in text] == []


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: str(page.relative_to(ROOT)))  # the site has no README
def test_code_fits_a_page_without_scrolling(page: Path) -> None:
    assert [line for _, _, text in blocks(page) for line in text.splitlines() if len(line) > WIDEST] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_code_of_notebooks_fits_a_page_without_scrolling(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = [line.rstrip() for cell in cells if cell["cell_type"] == "code" for line in cell["source"]]
    assert [line for line in lines if len(line) > WIDEST] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    stored = [target for target in local if not GENERATED.match(target)]
    assert [target for target in stored if not (page.parent / target).exists()] == []


def test_the_readme_has_no_dead_path_on_the_package_index() -> None:
    """The index shows it without the repository around it."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for change in tools["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert [target for target in LINK.findall(text) if "://" not in target and not target.startswith("#")] == []
    assert not re.search(r"\b(src|href)=", text)
    assert len(text) > 5000
