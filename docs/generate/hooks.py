"""Hooks of mkdocs: the pages of the site that are generated from the package, and the navigation.

mkdocs calls the functions named ``on_…`` while it builds. Each generator returns its pages and pictures as a dict from
path within the site to content.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import card
import commands
import controls
import flow
import gallery
import glossary
import leaderboard
import notebook
import reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^( *```\w+)(?: (?:brief|notest|\w+=\S+))+$", re.MULTILINE)
_CODE = re.compile(r"<code>([^<]*)</code>")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
_RETURNED = re.compile(
    r"(Returns:</span></p>\s*<ul>\s*<li[^>]*>\s*)<b><code>(\w+)</code></b> \(\s*(<code>(?:<[^>]+>)*\2\b.*?</code>)\s*\)"
)
_PICTURE = re.compile(r'<p>(<img [^>]*\bsrc="([^"]+)"[^>]*>)</p>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace folders in the navigation by their pages, and remove folders without pages."""
    folders = {
        "gallery/": gallery.navigation(),
        "reference/": reference.navigation(),
        "results/": _found("results/README.md") + _found("results/*/README.md"),
    }
    config.nav = _expanded(config.nav, folders)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and pictures to the files of the site."""
    pages = {
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "commands.md": commands.page(),
        **card.pages(),
        **controls.pages(),
        **flow.pages(),
        **leaderboard.pages(),
        **notebook.pages(),
        **reference.pages(),
        **gallery.pages(drawn=config.extra["pictures"]),
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Fill in the leaderboard, remove the marks of code blocks for the tests, and link terms to the glossary."""
    if leaderboard.MARK in markdown:
        markdown = leaderboard.filled(markdown)
    return glossary.linked(_FENCE.sub(r"\1", markdown), page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Link each picture that is a paragraph to itself, so that a phone can show it in full size.

    An option in code is not broken after its hyphens, and the type of what a function returns is said once.
    """
    html = _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)
    html = _RETURNED.sub(r"\1\3", html)
    return _PICTURE.sub(r'<p class="picture"><a href="\2">\1</a></p>', html)


def on_post_page(output: str, **_: Any) -> str:
    """Name the theme's search for screen readers."""
    for place in ('role="dialog"', 'id="__search"'):
        output = output.replace(place, f'{place} aria-label="Search"', 1)
    return output


def on_post_template(output_content: str, **_: Any) -> str:
    """Name the theme's search on the page for addresses that do not exist."""
    return on_post_page(output_content)


def _found(pattern: str) -> list[str]:
    """Return the sorted paths of stored pages."""
    docs = ROOT / "docs"
    return sorted(str(page.relative_to(docs)) for page in docs.glob(pattern))


def _expanded(entry: Any, folders: dict[str, list[Any]]) -> Any:
    """Return an entry of the navigation with folders replaced by their pages; None if nothing is left of it."""
    if isinstance(entry, list):
        return [found for found in (_expanded(part, folders) for part in entry) if found]
    if isinstance(entry, dict):
        found = {title: _expanded(part, folders) for title, part in entry.items()}
        return {title: part for title, part in found.items() if part}
    return folders.get(entry, entry)
