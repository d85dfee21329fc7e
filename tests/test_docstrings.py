"""Docstrings say what types do not: shapes, units of time, errors; and the works that they cite are listed.

ruff checks that every public thing has a docstring, and that a list of arguments names those that exist.
"""

from __future__ import annotations

import ast
import re
from calendar import month_name
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "modcog"
ARRAY = re.compile(r"\b(NDArray|ArrayLike|Tensor)\b")
SHAPE = re.compile(r"\(\w[^()]*,[^()]*\)|\bshapes?\b")
TIME = re.compile(r"^(dt|tau|ms|.*_ms)$")
ERROR = re.compile(r"\bRaises:|\brefuse")
NAMED = ast.FunctionDef | ast.ClassDef

SURNAME = r"[A-ZÀ-Þ][\w’-]*[a-zß-ÿ](?![\w-])"
CITATION = re.compile(
    rf"({SURNAME})(?:(?:,\s+{SURNAME})*,?\s+and\s+{SURNAME}|\s+et\s+al\.)?,?\s+\(?((?:19|20)\d\d)(?!\d)"
)
REFERENCE = re.compile(r"^- ([^,\n]+), [^(]*\((\d{4})\)", re.MULTILINE)
"""An entry of the page of sources; its key is the first author and the year, as that of a citation."""

QUESTION = re.compile(r"(What|Whether|Where|Who|How|Why|That which|The same)\b")
"""Beginnings of sentences that name a thing by a question instead of saying what it is or does."""


def modules() -> dict[str, ast.Module]:
    """The package's files but for the commands, whose docstrings are their help."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "cli" not in path.parts]
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


MODULES = modules()
CLASSES = {node.name: node for tree in MODULES.values() for node in tree.body if isinstance(node, ast.ClassDef)}


def documented(owner: ast.ClassDef, name: str) -> str:
    """What is said of a method: by its class, by itself, and by the classes whose method it overrides."""
    own = [part for part in owner.body if isinstance(part, NAMED) and part.name == name]
    texts = [ast.get_docstring(node) or "" for node in (owner, *own)]
    bases = [CLASSES[base] for base in map(ast.unparse, owner.bases) if base in CLASSES]
    return "\n".join([*texts, *(documented(base, name) for base in bases)])


@cache
def public() -> list[tuple[str, ast.FunctionDef, str]]:
    """Every public function and method: where it is, itself, and what is said of it."""
    found = []
    for path, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found.append((f"{path}: {node.name}", node, ast.get_docstring(node) or ""))
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
                found += [(f"{path}: {node.name}.{part.name}", part, documented(node, part.name)) for part in methods]
    return [entry for entry in found if not entry[1].name.startswith("_")]


@cache
def texts() -> dict[str, str]:
    """Every docstring of the package by what has it: a module, a class, a function or a method, private ones too."""
    found = {}
    for path, tree in MODULES.items():
        found[path] = ast.get_docstring(tree) or ""
        for node in ast.walk(tree):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, NAMED):
                    name = f"{node.name}.{part.name}" if isinstance(node, ast.ClassDef) else part.name
                    found[f"{path}: {name}"] = ast.get_docstring(part) or ""
    return found


def cited(text: str) -> set[str]:
    """First author and year of each work that a text cites; a month and its year is a date."""
    return {" ".join(found) for found in CITATION.findall(text) if found[0] not in month_name}


def listed() -> list[str]:
    """First author and year of each entry of the page of sources."""
    return [" ".join(found) for found in REFERENCE.findall((ROOT / "docs/references.md").read_text(encoding="utf-8"))]


def raises(node: ast.AST) -> bool:
    """Whether a function itself, not one within it, raises an error of its making."""
    inner = [part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.FunctionDef | ast.Lambda)]
    return any(isinstance(part, ast.Raise) and part.exc is not None for part in inner) or any(map(raises, inner))


def arguments(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def takes_or_gives_arrays(node: ast.FunctionDef) -> bool:
    types = [part for part in (*(argument.annotation for argument in arguments(node)), node.returns) if part]
    return any(ARRAY.search(ast.unparse(part)) for part in types)


def test_there_are_functions_to_look_at() -> None:
    found = public()
    assert len(found) > 300
    assert sum(takes_or_gives_arrays(node) for _, node, _ in found) > 100
    assert sum(raises(node) for _, node, _ in found) > 50


def test_the_shapes_of_arrays_are_told() -> None:
    assert [name for name, node, text in public() if takes_or_gives_arrays(node) and not SHAPE.search(text)] == []


def test_the_unit_of_a_time_is_told() -> None:
    timed = [(name, text) for name, node, text in public() if any(TIME.match(part.arg) for part in arguments(node))]
    assert [name for name, text in timed if not re.search(r"\bms\b", text)] == []


def test_errors_are_told() -> None:
    assert [name for name, node, text in public() if raises(node) and not ERROR.search(text)] == []


def test_citations_are_found_however_they_are_written() -> None:
    several = "Khona, Chandra, Ma and Fiete (2023), Le et al. 2015; Sussillo and\nBarak (2013, Neural Computation)"
    assert cited(several) == {"Khona 2023", "Le 2015", "Sussillo 2013"}
    assert cited("Bar-Joseph et al. (2001) and (Erdős and Rényi 1959)") == {"Bar-Joseph 2001", "Erdős 1959"}
    assert cited("released in May 2026 and on 7 November 2026") == set()
    assert cited("Neural Computation 35(11), 1850; the first 2048 of 2000 trials; Nature 22, 297") == set()


def test_docstrings_begin_with_what_a_thing_is_or_does() -> None:
    assert [name for name, text in texts().items() if QUESTION.match(text)] == []


def test_the_page_of_sources_has_what_is_cited_and_nothing_else() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    written = [path.read_text(encoding="utf-8") for path in pages if path.name != "references.md"]
    assert len(listed()) == len(set(listed())) > 15
    assert set().union(*map(cited, (*texts().values(), *written))) == set(listed())


def test_the_page_of_sources_is_in_order() -> None:
    page = (ROOT / "docs/references.md").read_text(encoding="utf-8")
    sections = [REFERENCE.findall(section) for section in page.split("\n## ")]
    assert [part for part in sections if part != sorted(part)] == []
