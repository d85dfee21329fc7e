"""Docstrings of public functions say what their types do not: shapes, units of time, errors, and sources of formulas.

ruff checks that every public thing has a docstring, and that a list of arguments names those that exist.
"""

from __future__ import annotations

import ast
import re
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

SOURCES = {
    "analysis/pca.py: Trajectories.participation_ratio": {"Gao 2017"},
    "analysis/pca.py: principal": {"Pearson 1901"},
    "analysis/pca.py: trajectories": {"Pearson 1901"},
    "analysis/ring.py: Ring.p_value": {"Phipson 2010"},
    "analysis/ring.py: fit_circle": {"Schönemann 1966"},
    "analysis/ring.py: ringness": {"Schönemann 1966"},
    "analysis/slow_points.py: descend": {"Kingma 2015"},
    "analysis/slow_points.py: fixed_points": {"Sussillo 2013"},
    "analysis/slow_points.py: least_squares": {"Marquardt 1963"},
    "analysis/slow_points.py: search": {"Sussillo 2013"},
    "analysis/variance.py: clusters": {"Ward 1963", "Bar-Joseph 2001"},
    "analysis/variance.py: silhouettes": {"Rousseeuw 1987"},
    "analysis/variance.py: task_variance": {"Yang 2019", "Ward 1963", "Rousseeuw 1987"},
    "analysis/variance.py: variance_in": {"Yang 2019"},
    "claims/estimate.py: Estimate.of": {"Student 1908"},
    "evaluation/observer.py: IdealObserver": {"Green 1966"},
    "evaluation/scores.py: Score": {"Efron 1979"},
    "evaluation/scores.py: Scores.table": {"Efron 1979"},
    "models/cells.py: GatedRNN": {"Cho 2014", "Hochreiter 1997"},
    "models/cells.py: MaskedRNN": {"Yang 2019"},
    "models/initial.py: draw_recurrent": {"Sompolinsky 1988", "Le 2015", "Saxe 2014"},
    "models/masks.py: identity": {"Khona 2023"},
    "models/masks.py: locality": {"Khona 2023"},
    "models/masks.py: random": {"Erdős 1959"},
    "models/sequence.py: Sequence": {"Werbos 1990"},
    "training/objective.py: learning_rate": {"Loshchilov 2017"},
    "training/objective.py: make_optimizer": {"Kingma 2015", "Loshchilov 2019"},
    "trials/extend.py: interval": {"Khona 2023"},
    "trials/extend.py: sequence": {"Khona 2023"},
}
"""What computes a published formula or method, and the works that its docstring must cite."""

OWN = {
    "analysis/autapses.py": {"self_weights"},  # derived at the head of its module
    "analysis/network.py": {"battery_for", "opened", "states_of"},
    "analysis/slow_points.py": {"different"},
    "analysis/states.py": {"hidden_states", "mean_over_trials", "sample"},
    "analysis/style.py": {"panel", "plain"},
    "evaluation/scores.py": {"extension", "format_table", "numbers", "score"},
    "models/cells.py": {"checked_state", "from_dense_state", "time_first", "to_dense_state"},
    "models/masks.py": {"custom", "dense", "shuffled"},
    "claims/estimate.py": {"difference", "ratio"},
    "training/objective.py": {"loss"},
    "trials/extend.py": {"positions"},
}
"""The other functions of the modules that compute such things: their own, or no formula at all."""


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
    """First author and year of each work that a text cites."""
    return {" ".join(found) for found in CITATION.findall(text)}


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
    assert cited("Neural Computation 35(11), 1850; the first 2048 of 2000 trials; Nature 22, 297") == set()


def test_published_formulas_have_their_sources() -> None:
    found = {name: sources - cited(texts()[name]) for name, sources in SOURCES.items()}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_what_computes_is_known_to_have_a_source_or_to_be_our_own() -> None:
    known = {name for name in SOURCES} | {f"{path}: {name}" for path, names in OWN.items() for name in names}
    paths = {name.partition(":")[0] for name in known}
    functions = [f"{path}: {node.name}" for path in paths for node in MODULES[path].body if is_function(node)]
    assert sorted(known - set(texts())) == []
    assert sorted(set(functions) - known) == []
    assert {path for path in MODULES if path.startswith("analysis/")} - paths == {"analysis/__init__.py"}


def is_function(node: ast.stmt) -> bool:
    """Whether it is a public function that does not just draw."""
    return isinstance(node, ast.FunctionDef) and not node.name.startswith(("_", "plot_"))


def test_the_page_of_sources_has_what_is_cited_and_nothing_else() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    written = [path.read_text(encoding="utf-8") for path in pages if path.name != "references.md"]
    assert len(listed()) == len(set(listed())) > 15
    assert set().union(*map(cited, (*texts().values(), *written))) == set(listed())


def test_the_page_of_sources_is_in_order() -> None:
    page = (ROOT / "docs/references.md").read_text(encoding="utf-8")
    sections = [REFERENCE.findall(section) for section in page.split("\n## ")]
    assert [part for part in sections if part != sorted(part)] == []
