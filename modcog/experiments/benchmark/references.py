"""Reference networks, taken from the leaderboard, and which of them a report can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from modcog.battery import Battery
from modcog.experiments.benchmark.costs import cost, curve
from modcog.experiments.benchmark.entries import Entry, stored_entries
from modcog.experiments.benchmark.protocol import PROTOCOLS, UNITS, find_protocol
from modcog.experiments.benchmark.report import Reference
from modcog.training.config import TrainConfig

REFERENCES = ("dense", "lm-rnn", "random", "autapse", "gru")
"""Architectures of the leaderboard's networks of ``UNITS`` units that reports show."""


@lru_cache(maxsize=1)
def stored() -> tuple[Reference, ...]:
    """Return the networks of the leaderboard that reports show, under the corrected rules."""
    chosen = {
        (entry.protocol, entry.settings["arch"]): entry
        for entry in stored_entries().values()
        if entry.settings["hidden"] == UNITS and PROTOCOLS[entry.protocol].rules == "corrected"
    }
    order = [(protocol, arch) for protocol in PROTOCOLS for arch in REFERENCES]
    return tuple(reference(chosen[key]) for key in order if key in chosen)


def reference(entry: Entry) -> Reference:
    """Return what a report shows of an entry: means over its seeds."""
    records, protocol = entry.records(), find_protocol(entry.protocol)

    def mean(task: str, kind: str) -> float:
        return float(np.mean([getattr(run.scores[task], kind) for run in entry.runs]))

    return Reference(
        name=entry.name,
        settings=entry.settings,
        seeds=tuple(run.seed for run in entry.runs),
        n_trials=protocol.n_trials,
        score_seed=protocol.score_seed,
        scores={task: (mean(task, "decision"), mean(task, "trial")) for task in protocol.battery.tasks},
        cost=cost(records),
        curve=curve(records),
    )


def comparable(
    references: Iterable[Reference], battery: Battery, settings: dict[str, Any], n_trials: int, score_seed: int
) -> tuple[list[Reference], list[str]]:
    """Return the references that can stand beside a network, with their differences, and a note on those left out.

    Of the results of each network, those with the most of the battery's tasks and the fewest others are chosen.
    ``settings`` are those that the network was trained with, empty if unknown.
    """
    tasks = set(battery.tasks)
    nearest: dict[str, Reference] = {}
    for one in references:
        if one.scores.keys() & tasks:
            nearest[one.name] = max(
                nearest.get(one.name, one), one, key=lambda it: (len(it.scores.keys() & tasks), -len(it.scores))
            )
    found, left_out = [], []
    ours: dict[str, Any] = {
        "tasks": len(battery.tasks), "rule_input": battery.rule_input, "n_trials": n_trials, "score_seed": score_seed,
        **{name: settings[name] for name in ("steps", "batch_size", "layout") if name in settings},
    }  # fmt: skip
    for one in nearest.values():
        trained_on = TrainConfig.of(**one.settings).battery_settings()
        if other_trials := _differences(dict(trained_on.settings), dict(battery.settings)):
            left_out.append(f"{one.name} ({', '.join(other_trials)})")
            continue
        theirs = {**one.settings, **one.model_dump(), "tasks": len(one.scores), "rule_input": trained_on.rule_input}
        update: dict[str, Any] = {"differs": tuple(_differences(theirs, ours))}
        if one.scores.keys() != tasks:  # means over other tasks, which cannot be compared
            update |= {"curve": (), "cost": one.cost.model_copy(update={"reached": {}})}
        found.append(one.model_copy(update=update))
    return found, [f"Not shown, because their trials have other settings: {'; '.join(left_out)}."] if left_out else []


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Name the settings of ``ours`` that have another value in ``theirs``."""

    def text(value: Any) -> str:
        return f"{value:,g}" if isinstance(value, float) else str(value)

    return [f"{name} {text(theirs[name])}, not {text(value)}" for name, value in ours.items() if theirs[name] != value]
