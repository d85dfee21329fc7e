"""The levels between which scores are read: those of the ideal observer and of named strategies, for every task.

For the default settings they are stored with the package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import check_count, check_jobs
from modcog.evaluation.measures import MEASURES, TOLERANCE, check_tolerance
from modcog.evaluation.observer import IdealObserver
from modcog.evaluation.strategies import STRATEGIES, Strategies, averages, standard_error
from modcog.processes import interrupts_blocked
from modcog.seeds import Purpose, Seed
from modcog.settings import RULES, Settings
from modcog.tasks import names
from modcog.trials.source import TrialSource
from modcog.trials.tables import compile_tables
from modcog.validation import validated

STORED = Path(__file__).with_name("ceilings.json")
"""Levels of the 132 tasks under the default settings, written by ``tests/benchmarks/store_ceilings.py``."""

LIVE_TRIALS = 20_000
"""Noisy trials of each base task behind levels that are computed when they are asked for."""

ROUGH_TRIALS = 2_000
"""The same for levels of which about 1 % is close enough."""

BLOCK = 2000
"""Trials drawn at once."""

SMALLEST_RANGE = 1e-6
"""Largest difference between two levels at which they count as equal."""

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Level:
    """The levels of one task.

    Attributes:
        values: of each strategy (``STRATEGIES``), its value of each measure (``MEASURES``): a share from 0 to 1, or
            degrees; None where the measure is undefined for it.
        error: largest standard error of the ideal observer's values that are shares.
    """

    values: Mapping[str, Mapping[str, float | None]]
    error: float = 0.0

    @property
    def decision_chance(self) -> float:
        """Decision accuracy of a player who sees no stimulus."""
        return self.ends("decision")[0]

    @property
    def decision_ceiling(self) -> float:
        """Decision accuracy of the ideal observer."""
        return self.ends("decision")[1]

    def ends(self, kind: str, floor: str = "blind") -> tuple[float, float]:
        """Return the levels of a measure at which a share is 0 and 1; NaN where one is undefined.

        The share is 1 at the ideal observer's level. It is 0 at that of the strategy ``floor``, or, with ``"best"``,
        at the best level below the ideal observer's, that of a player who lacks something the task needs.
        """
        ceiling = _number(self.values["ideal"].get(kind))
        if floor != "best":
            return _number(self.values[floor].get(kind)), ceiling
        better = -1 if kind in ("angular_error", "unanswered") else 1
        others = [_number(self.values[name].get(kind)) for name in self.values if name != "ideal"]
        below = [value for value in others if better * (ceiling - value) > SMALLEST_RANGE]
        return (max(below, key=lambda value: better * value) if below else np.nan), ceiling


def levels(
    battery: Battery,
    n_trials: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    tolerance: float = TOLERANCE,
) -> dict[str, Level]:
    """Return the levels of every task of a battery: of blind players (chance), the ideal observer, and four between.

    See ``modcog.evaluation.strategies`` for the players. Levels are exact where a task has no noise, and for players
    who do not see the noise.

    Args:
        battery: tasks and settings; the rule input makes no difference.
        n_trials: number of noisy trials of each base task to compute the levels from; None: read the stored levels, or
            compute them from ``LIVE_TRIALS`` if none are stored for these settings.
        seed: of the trials.
        jobs: processes; −1: one for each core. Base tasks that a script has added are known in its own process only.
        progress: called with the name of each task whose levels have been computed.
        tolerance: of the directional accuracy, in degrees; the stored levels have 36.

    Raises:
        ModcogError: if a task has no ideal observer; see ``IdealObserver``.
    """
    jobs, key = check_jobs(jobs), battery.settings.model_dump_json()
    tolerance = check_tolerance(tolerance)
    known = stored().get(key, {}) if n_trials is None and tolerance == TOLERANCE else {}
    n = LIVE_TRIALS if n_trials is None else check_count("n_trials", n_trials)
    alike: dict[str, list[str]] = {}  # tasks that show the same stimuli share the beliefs of those who see them
    for task in battery.tasks:
        if task not in known:
            alike.setdefault(names.parse(task).base, []).append(task)
    found = {task: known[task] for task in battery.tasks if task in known}
    if alike:
        from joblib import Parallel, delayed

        calls = [
            delayed(_levels_of)(tuple(tasks), repr(names.parse(base).row), key, n, seed, tolerance)
            for base, tasks in alike.items()
        ]
        in_turn = Parallel(n_jobs=jobs if len(calls) > 1 else 1, return_as="generator")
        with interrupts_blocked():
            parts = in_turn(calls)
        for part in parts:
            found |= part
            for task in part:
                if progress:
                    progress(task)
    return {task: found[task] for task in battery.tasks}


def rough_levels(battery: Battery) -> dict[str, Level]:
    """Return the stored levels of a battery, or, if none are stored for its settings, levels good to about 1 %.

    Raises:
        ModcogError: if a task has no ideal observer; see ``IdealObserver``.
    """
    return levels(battery, None if battery.settings.model_dump_json() in stored() else ROUGH_TRIALS)


@lru_cache(maxsize=256)
def _levels_of(
    tasks: tuple[str, ...], row: str, key: str, n_trials: int, seed: int, tolerance: float
) -> dict[str, Level]:
    """Return the levels of tasks that extend one base task, under the settings that ``key`` is the JSON of.

    ``row`` describes the base task, so that one that a user has removed and added again differently is computed anew.
    """
    settings = Settings.model_validate_json(key)
    sampled: dict[str, NDArray[np.float64] | None] = {}
    found = {}
    for task in tasks:
        seen = _as_seen(task, settings)
        name = seen.model_dump_json()
        if name not in sampled:
            sampled[name] = sample_beliefs(IdealObserver(names.parse(task).base, seen), n_trials, seed)
        found[task] = level_of(task, settings, sampled[name], tolerance)
    return found


def _as_seen(task: str, settings: Settings) -> Settings:
    """Return settings under which the base task shows its stimuli as long as ``task`` does."""
    spec = names.parse(task)
    own, base = (compile_tables([name], settings, rule_input=False) for name in (task, spec.base))
    longer = {
        period: own.timings[0][period]
        for period in own.rows[0].shows
        if own.timings[0][period] != base.timings[0][period]
    }
    return settings.model_copy(update={"timing": {**settings.timing, **longer}}) if longer else settings


def sample_beliefs(observer: IdealObserver, n_trials: int, seed: int = 0) -> NDArray[np.float64] | None:
    """Return the observer's posteriors in ``n_trials`` of its own trials, (n, A); None if nothing is noisy."""
    if not observer.noisy:
        return None
    source = TrialSource(observer.tables, Seed.of(seed, Purpose.CEILING))
    blocks = (source.block(index, n=BLOCK) for index in range(-(-n_trials // BLOCK)))  # smaller ones hold other trials
    return np.concatenate([observer.posterior(block) for block in blocks])[:n_trials]


def level_of(task: str, settings: Settings, beliefs: NDArray[np.float64] | None, tolerance: float = TOLERANCE) -> Level:
    """Return the levels of one task from beliefs, (m, A), that were sampled for its base task; None: no noise.

    ``tolerance`` is that of the directional accuracy, in degrees.
    """
    tables = compile_tables([task], settings, rule_input=False)
    ideal = Strategies(tables, beliefs, tolerance).expected("ideal")
    players = Strategies(tables, None if beliefs is None else beliefs[:LIVE_TRIALS], tolerance)
    values = {name: averages(players.expected(name) if players.lacks(name) else ideal) for name in STRATEGIES}
    shares = ("decision", "trial", "last_step", "directional")
    return Level(values, 0.0 if beliefs is None else max(standard_error(ideal, name) for name in shares))


@lru_cache(maxsize=1)
def stored() -> dict[str, dict[str, Level]]:
    """Return the levels stored with the package: for the JSON of some settings, the levels of each task."""
    content = json.loads(STORED.read_text(encoding="utf-8"))
    return {
        validated(Settings, {**content["settings"], "rules": rules}).model_dump_json(): {
            task: _read(row, content["columns"]) for task, row in content[rules].items()
        }
        for rules in RULES
    }


def _read(row: list[Any], columns: list[str]) -> Level:
    *values, error = row
    return Level(
        {name: dict(zip(columns, part, strict=True)) for name, part in zip(STRATEGIES, values, strict=True)}, error
    )


def as_row(level: Level, digits: int) -> list[Any]:
    """Return the levels of a task as they are stored: the measures of each strategy in turn, and the error."""

    def number(value: float | None) -> float | None:
        return None if value is None else round(value, digits)

    return [*([number(level.values[name][kind]) for kind in MEASURES] for name in STRATEGIES), number(level.error)]


def _number(value: float | None) -> float:
    return np.nan if value is None else value
