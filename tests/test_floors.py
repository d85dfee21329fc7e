"""The house: each room imports only from rooms below it, and no import goes in a circle, wherever it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "modcog"

GROUND = ("version", "errors", "checks", "validation", "seeds", "files", "colours", "signals", "user_code",
          "extras", "progress", "tables", "processes")  # fmt: skip

FLOORS: tuple[tuple[str, ...], ...] = (
    GROUND,
    ("settings",),
    ("tasks",),
    ("trials",),
    ("battery", "describe", "plot"),
    ("envs", "mod_cog_tasks"),
    ("own_task",),
    ("data",),
    ("models",),
    ("evaluation",),
    ("play",),
    ("training",),
    ("analysis",),
    ("experiments",),
    ("cli", "__main__"),
)


def modules() -> dict[str, Path]:
    """Return every module of the package by its full name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("modcog", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """Yield the package's modules that a module imports: at its top, in functions, or for annotations only."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                if inside in MODULES:
                    yield inside
                elif node.module in MODULES:
                    yield node.module


GRAPH = {name: sorted(set(imported(name)) - {name}) for name in MODULES}


def floor(name: str) -> int:
    """Return the floor of a module; the package itself, which offers names of all rooms, is above them."""
    if name == "modcog":
        return len(FLOORS)
    room = name.split(".")[1]
    return next(floor for floor, rooms in enumerate(FLOORS) if room in rooms)


def test_every_module_has_a_floor() -> None:
    rooms = {name.split(".")[1] for name in MODULES if name != "modcog"}
    assert rooms <= {room for floor in FLOORS for room in floor}


@pytest.mark.parametrize("name", MODULES)
def test_no_import_goes_up(name: str) -> None:
    assert [other for other in GRAPH[name] if floor(other) > floor(name)] == []


def test_rooms_of_one_floor_do_not_import_each_other_in_circles() -> None:
    rooms: dict[str, set[str]] = {}
    for name, others in GRAPH.items():
        if name.count("."):
            room = name.split(".")[1]
            rooms.setdefault(room, set()).update(other.split(".")[1] for other in others if other.count("."))
            rooms[room].discard(room)
    assert circles({room: sorted(others) for room, others in rooms.items()}) == []


def test_no_import_goes_in_a_circle() -> None:
    assert circles(GRAPH) == []


def circles(graph: dict[str, list[str]]) -> list[list[str]]:
    """Return what is left of a graph once everything that no circle passes through is taken away."""
    left = {name: set(others) for name, others in graph.items()}
    while ends := [name for name, others in left.items() if not others & left.keys()]:
        for name in ends:
            del left[name]
    while starts := [name for name in left if not any(name in others for others in left.values())]:
        for name in starts:
            del left[name]
    return [sorted(left)] if left else []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": []}) == [["b", "c"]]
