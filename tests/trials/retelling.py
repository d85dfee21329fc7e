"""Builds trials again from what ``trials.conditions`` says of them, one step at a time and in plain Python.

The oracle reads observations; this goes by the conditions alone, so that it can follow settings under which no trial
could be read back, such as two periods of drawn length. It imports nothing from the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from oracle import Array, Setting, Task, bump, durations, evidence_modalities, floor, fraction, kind_of, parse

Said = Mapping[str, float]
"""The conditions of one trial."""


def retell(name: str, said: Said, setting: Setting) -> tuple[Array, Array]:
    """The noise-free observations (T, 1 + 2n) and the labels (T,) of one trial."""
    task, n = parse(name), setting.n
    shown = stimuli(task, said, setting)
    observations, labels = [], []
    for period in durations(task, setting):
        steps = floor(fraction(said[f"duration_{period}"]) / fraction(setting.dt))
        row = np.zeros(1 + 2 * n)
        row[0] = period != "decision"
        for modality, place, strength in shown.get(period, []):
            first = 1 + (int(modality) - 1) * n
            row[first : first + n] += strength * bump(np.array(2 * np.pi * place / n), n)
        observations += [row] * steps
        labels += [answer(task, said, setting, step) if period == "decision" else 0 for step in range(steps)]
    return np.array(observations).reshape(-1, 1 + 2 * n), np.array(labels, int)


def stimuli(task: Task, said: Said, setting: Setting) -> dict[str, list[tuple[float, float, float]]]:
    """(modality, place on the ring, strength) of what each period shows."""
    if task.family == "go":
        period = "decision" if task.kind == "rt" else "stimulus"
        return {period: [(said["modality"], said["direction"], 1.0)]}
    if task.family == "match":
        return {k: [(said["modality"], said[f"{k}_direction"], 1.0)] for k in ("sample", "test")}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for k in (1, 2):
        period = f"stim{k}" if task.kind == "dlydm" else "stimulus"
        rings = [(m, said[f"direction{k}"], said[f"strength{k}_mod{m}"]) for m in (1, 2)]
        found.setdefault(period, []).extend(rings)
    return found


def answer(task: Task, said: Said, setting: Setting, step: int) -> int:
    """The label at one step of the decision."""
    target, n = base_target(task, said, setting), setting.n
    if target is None:
        return 0
    moved = interval_move(task, said, setting, target)
    moved += task.sequence * floor(fraction(setting.omega) * step * fraction(setting.dt))
    return (1 + target + moved) % n if setting.rules == "published" else 1 + (target + moved) % n


def base_target(task: Task, said: Said, setting: Setting) -> int | None:
    """The direction asked for before any extension, None for holding fixation; from what was drawn."""
    n, published = setting.n, setting.rules == "published"
    if task.family == "go":
        return int(said["target"] if published else said["direction"] + n // 2 * ("anti" in task.base)) % n
    if task.family == "match":
        return int(said["test_direction"]) if matches(task, said, setting) != task.base.startswith("dn") else None
    sums = [sum(fraction(said[f"strength{k}_mod{m}"]) for m in evidence_modalities(task)) for k in (1, 2)]
    difference = float(sums[0] - sums[1])
    tied = abs(difference) < 1e-9
    first = said["coin"] == 1 if tied else difference > 0
    return int(said["direction1" if first else "direction2"])


def matches(task: Task, said: Said, setting: Setting) -> bool:
    """Whether sample and test match; by their directions, and not by what is said of it."""
    sample, test, half = said["sample_direction"], said["test_direction"], setting.n // 2
    if task.base in ("dms", "dnms"):
        return sample == test
    category = sample > half if setting.rules == "published" else sample >= half
    return category == (test >= half)


def interval_move(task: Task, said: Said, setting: Setting, target: int) -> int:
    """Positions that the interval moves the target by."""
    if not task.interval or (setting.rules == "published" and task.family == "go"):
        return 0
    period = "stimulus" if kind_of(task, setting) == "go" else "delay"
    ms, omega = fraction(said[f"duration_{period}"]), fraction(setting.omega)
    if setting.rules == "published":
        return floor(target + task.interval * omega * ms) - target
    return task.interval * floor(omega * floor(ms / fraction(setting.dt)) * fraction(setting.dt))


def difference(name: str, trials: Any, row: int, setting: Setting) -> str:
    """What is otherwise in a trial than its conditions say; "" if nothing."""
    said = {key: column[row].item() for key, column in trials.conditions.items()}
    observations, labels = retell(name, said, setting)
    begin, end = trials.offsets[row : row + 2]
    seen, answers = trials.packed_observations[begin:end, : 1 + 2 * setting.n], trials.packed_labels[begin:end]
    if seen.shape != observations.shape:
        return f"{name}: {len(seen)} steps, not {len(observations)}"
    strongest = max(1.0, float(np.abs(observations).max()))
    if not np.allclose(seen, observations, rtol=0, atol=2e-6 * strongest):
        return f"{name}: observations are off by {np.abs(seen - observations).max():.2g}"
    if not np.array_equal(answers, labels):
        return f"{name}: labels {answers.tolist()}, not {labels.tolist()}"
    return ""
