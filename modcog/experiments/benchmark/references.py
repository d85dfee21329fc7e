"""The reference networks whose results are stored with the package, and which of them a report can show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.experiments.benchmark.report import Reference
from modcog.training.config import TrainConfig

STORED = Path(__file__).with_name("references.json")
"""Results of the reference networks, written by ``tests/benchmarks/store_references.py``."""


@lru_cache(maxsize=1)
def stored() -> tuple[Reference, ...]:
    """Return the reference networks that are stored with the package."""
    return read(STORED)


def read(path: Path) -> tuple[Reference, ...]:
    """Read the reference networks in a file."""
    return tuple(map(Reference.model_validate, json.loads(path.read_text(encoding="utf-8"))))


def comparable(
    references: Iterable[Reference], battery: Battery, settings: dict[str, Any], n_trials: int, score_seed: int
) -> tuple[list[Reference], list[str]]:
    """Return the references that can stand beside a network, with their differences, and a note on those left out.

    Args:
        references: all there are.
        battery: that the network was scored on.
        settings: that it was trained with; empty if unknown.
        n_trials: of each task that it was scored on.
        score_seed: of those trials.
    """
    found, left_out = [], []
    ours: dict[str, Any] = {
        "tasks": len(battery.tasks), "rule_input": battery.rule_input, "n_trials": n_trials, "score_seed": score_seed,
        **{name: settings[name] for name in ("steps", "batch_size", "layout") if name in settings},
    }  # fmt: skip
    for one in _nearest(references, set(battery.tasks)):
        trained_on = TrainConfig.of(**one.settings).battery_settings()
        if other_trials := _differences(dict(trained_on.settings), dict(battery.settings)):
            left_out.append(f"{one.name} ({', '.join(other_trials)})")
            continue
        theirs = {**one.settings, **one.model_dump(), "tasks": len(one.scores), "rule_input": trained_on.rule_input}
        update: dict[str, Any] = {"differs": tuple(_differences(theirs, ours))}
        if one.scores.keys() != set(battery.tasks):  # means over other tasks, which cannot be compared
            update |= {"curve": (), "cost": one.cost.model_copy(update={"reached": {}})}
        found.append(one.model_copy(update=update))
    return found, [f"Not shown, because their trials have other settings: {'; '.join(left_out)}."] if left_out else []


def _nearest(references: Iterable[Reference], tasks: set[str]) -> list[Reference]:
    """Choose the results of each network that have the most of these tasks, and the fewest others of those."""

    def fit(one: Reference) -> tuple[int, int]:
        return len(one.scores.keys() & tasks), -len(one.scores.keys() - tasks)

    nearest: dict[str, Reference] = {}
    for one in references:
        if one.scores.keys() & tasks:
            nearest[one.name] = max(nearest.get(one.name, one), one, key=fit)
    return list(nearest.values())


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Name the settings of ``ours`` that have another value in ``theirs``."""

    def text(value: Any) -> str:
        return f"{value:,g}" if isinstance(value, float) else str(value)

    return [f"{name} {text(theirs[name])}, not {text(value)}" for name, value in ours.items() if theirs[name] != value]
