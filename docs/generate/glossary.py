"""Links from a page to the glossary, where the page first uses one of its terms."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = "glossary.md"

_NO_PROSE = (
    r"^(?:```|~~~)[\s\S]*?^(?:```|~~~)", r"`[^`\n]*`", r"^#.*$", r"^:::.*$",
    r"!?\[(?:(?!\n\n)[^\]])*\](?:\([^)]*\)|\[[^\]]*\])", r"<!--[\s\S]*?-->", r"</?[a-zA-Z][^>]*>",
)  # fmt: skip
"""Parts of a page without links: code, links and pictures, headings, directives, comments and tags."""


def linked(markdown: str, path: str) -> str:
    """Return a page with the first use of each term linked to its entry, which says it in a sentence on hovering.

    Args:
        markdown: text of the page.
        path: path of the page within the site.
    """
    if path == PAGE:
        return markdown
    seen, up = set[str](), "../" * path.count("/")

    def link(found: re.Match[str]) -> str:
        term = next((term for term, words in zip(terms(), found.groups(), strict=True) if words), None)
        if term is None or term in seen:
            return found[0]
        seen.add(term)
        return f'[{found[0]}]({up}{PAGE}#{term.lower().replace(" ", "-")} "{terms()[term]}")'

    return _pattern().sub(link, markdown)


@cache
def terms() -> dict[str, str]:
    """Return the first sentence on each term of the glossary."""
    text = (Path(__file__).parents[1] / PAGE).read_text(encoding="utf-8")
    text = text.partition("\n## Terms\n")[2].partition("\n## ")[0]
    found = re.findall(r"^### (.+)\n\n((?:.+\n)+)", text, re.MULTILINE)
    plain = {term: re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", words.replace("\n", " ")) for term, words in found}
    return {term: re.split(r"(?<=[.?]) ", words)[0].strip().replace('"', "'") for term, words in plain.items()}


@cache
def _pattern() -> re.Pattern[str]:
    """Match what is no prose, or a term in singular or plural, as the group of its number."""
    return re.compile("|".join((*_NO_PROSE, *(rf"(?<![\w/-])({_forms(term)})(?![\w/-])" for term in terms()))), re.M)


def _forms(term: str) -> str:
    """Return a pattern for a term, also in plural, at the start of a sentence, and across the end of a line."""
    stem = re.sub("s$", "", term)
    forms = rf"{stem[:-1]}(?:y|ies)" if stem.endswith("y") else f"{stem}s?"
    first = f"[{term[0].upper()}{term[0]}]" if term.islower() else term[0]
    return (first + forms[1:]).replace(" ", r"\s")
