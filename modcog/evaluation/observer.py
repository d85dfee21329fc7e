"""The ideal observer: the best that any system could do on a task, given its noise.

The observer knows the rules and how trials are made, and sees the noisy observations. The time course carries no noise,
so it knows every duration; what is hidden from it are the trial's conditions, of which there are finitely many. It
weighs them by their exact posterior and at every step of the decision takes the action that is most likely right.

The hypotheses are painted by the generator itself, from conditions that are enumerated instead of drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.names import parse
from modcog.spec import BatterySettings
from modcog.trials import decision, paint
from modcog.trials.batch import Drawn, draw_conditions
from modcog.trials.compiled import Tables
from modcog.trials.source import Seed
from modcog.trials.timing import Durations, whole_steps

CHUNK = 2000
"""Trials weighed at once; bounds the memory of the posterior."""


@dataclass(frozen=True)
class Hypotheses:
    """Every trial that a base task can show, all equally likely before anything is seen.

    Attributes:
        mean: (H, S · 2n) noise-free rings in the S periods that show something, one after the other.
        action: (H,) right action at the first step of the decision.
        steps: (S,) steps that each of these periods lasts.
    """

    mean: NDArray[np.float64]
    action: NDArray[np.int64]
    steps: NDArray[np.int64]


def ceiling(task: str, settings: BatterySettings | None = None, n_trials: int = 20_000, seed: int = 0) -> float:
    """Decision accuracy of the ideal observer on a task.

    The extensions move the right action by what the observer knows, the time waited and the steps taken, so a task's
    ceiling is that of its base.

    Args:
        task: a task's name.
        settings: of the battery; its ``tasks`` are not looked at.
        n_trials: simulated; the standard error is at most 0.5 / sqrt(n_trials).
        seed: of the simulation.

    Returns:
        A number from 0 to 1.

    Raises:
        ModcogError: if the conditions of the base task cannot be enumerated (a user's own family).
    """
    settings = settings or BatterySettings()
    return base_ceiling(parse(task).base, settings.model_copy(update={"tasks": (parse(task).base,)}), n_trials, seed)


@lru_cache(maxsize=256)
def _cached(base: str, key: str, n_trials: int, seed: int) -> float:
    settings = BatterySettings.model_validate_json(key)
    known = hypotheses(Battery.from_settings(settings).tables)
    sd = settings.sigma / np.sqrt(settings.dt)
    rng = Seed.of(seed).rng(0)
    right = sum(_right(known, sd, n, rng) for n in _chunks(n_trials))
    return right / n_trials


def base_ceiling(base: str, settings: BatterySettings, n_trials: int, seed: int) -> float:
    """Decision accuracy of the ideal observer on a base task; see ``ceiling``."""
    return _cached(base, settings.model_dump_json(), n_trials, seed)


def _chunks(n: int) -> Iterator[int]:
    for start in range(0, n, CHUNK):
        yield min(CHUNK, n - start)


def _right(known: Hypotheses, sd: float, n: int, rng: np.random.Generator) -> float:
    """Of n simulated trials, those whose most probable action is right; a coin decides between equals."""
    truth = rng.integers(0, len(known.mean), n)
    if sd == 0:
        return float(n)
    per_value = sd / np.sqrt(np.repeat(known.steps, known.mean.shape[1] // len(known.steps)))
    seen = (known.mean[truth] + per_value * rng.standard_normal((n, known.mean.shape[1]))) / per_value
    mean = known.mean / per_value
    log = seen @ mean.T - 0.5 * (mean**2).sum(axis=1)
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    actions = np.unique(known.action)
    of_action = np.stack([weight[:, known.action == action].sum(axis=1) for action in actions], axis=1)
    chosen = actions[of_action.argmax(axis=1)]
    return float((chosen == known.action[truth]).sum())


def hypotheses(tables: Tables) -> Hypotheses:
    """Paint every trial that the one task of ``tables`` can show."""
    columns = enumerate_conditions(tables)
    n = len(next(iter(columns.values())))
    task = np.zeros(n, np.int64)
    ms = np.array([[_longest(duration) for duration in tables.timings[0].values()]])
    ms = np.repeat(ms, n, axis=0)
    durations = Durations(ms, whole_steps(ms, tables.settings.dt))
    drawn = draw_conditions(tables, task, durations, np.random.default_rng(0), columns)
    return _painted(tables, drawn)


def _painted(tables: Tables, drawn: Drawn) -> Hypotheses:
    n, slots, ring = len(drawn.task), tables.n_slots, tables.settings.dim_ring
    frames = paint.frames(tables, drawn)
    rings = frames.values[1:].reshape(n, slots, -1)[:, :, 1 : 1 + 2 * ring].astype(np.float64)
    shown = np.unique(tables.show_slot[0])
    action = np.where(drawn.respond, tables.rules.label(drawn.target, 0, ring), 0)
    return Hypotheses(rings[:, shown].reshape(n, -1), action, drawn.durations.steps[0, shown])


def enumerate_conditions(tables: Tables) -> dict[str, NDArray[np.float64]]:
    """All combinations of what a base task draws, as columns.

    Raises:
        ModcogError: for a family that is not one of the three.
    """
    row, n = tables.rows[0], tables.settings.dim_ring
    ring = range(n)
    if row.family == "go":
        name = "direction" if tables.rules.name == "corrected" else "target"
        return _grid({name: ring, "modality": (1, 2)})
    if row.family == "decision" and row.alternatives is not None:
        return _decisions(tables, row.alternatives(tables.settings, row.params))
    if row.family == "match":
        return _matches(tables)
    raise ModcogError(f"the conditions of {row.name!r} cannot be enumerated: family {row.family!r} is not known here")


def _grid(values: dict[str, range | tuple[int, ...]]) -> dict[str, NDArray[np.float64]]:
    grid = np.array(list(product(*values.values())))
    return {name: grid[:, i] for i, name in enumerate(values)}


def _decisions(tables: Tables, rows: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    ring = range(tables.settings.dim_ring)
    pairs = [(a, b) for a, b in product(ring, ring) if a != b]
    coins = (1, 2) if tables.rules.name == "published" else (1,)
    picked = np.array([(a, b, r, c) for (a, b), r, c in product(pairs, range(len(rows)), coins)])
    columns = {"direction1": picked[:, 0], "direction2": picked[:, 1]}
    columns |= {name: rows[picked[:, 2], i] for i, name in enumerate(decision.STRENGTHS)}
    return columns | ({"coin": picked[:, 3]} if len(coins) > 1 else {})


def _matches(tables: Tables) -> dict[str, NDArray[np.float64]]:
    """Sample, test and match that go together: found by asking the generator's own draw, trial after trial."""
    n = tables.settings.dim_ring
    grid = _grid({"match": (0, 1), "modality": (1, 2), "sample_direction": range(n), "test_direction": range(n)})
    rng = np.random.default_rng(0)
    repeats = np.repeat(np.arange(2 * n), 40 * n)
    task = np.zeros(len(repeats), np.int64)
    given = {"match": repeats % 2, "modality": np.ones(len(repeats), np.int64), "sample_direction": repeats // 2}
    ms = np.zeros((len(repeats), tables.n_slots))
    drawn = draw_conditions(tables, task, Durations(ms, ms.astype(np.int64)), rng, given)
    conditions = drawn.groups[0].conditions
    possible = set(
        zip(*(conditions[name].tolist() for name in ("match", "sample_direction", "test_direction")), strict=True)
    )
    rows = zip(*(grid[name].tolist() for name in ("match", "sample_direction", "test_direction")), strict=True)
    keep = np.array([row in possible for row in rows])
    return {name: column[keep] for name, column in grid.items()}


def _longest(duration: object) -> float:
    from modcog.trials.timing import normal_form

    return max(normal_form(duration)[1])  # type: ignore[arg-type]
