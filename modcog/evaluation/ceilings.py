"""Chance and ceiling of each task, between which its scores are read.

*Chance* is the accuracy of the best player who knows the task and the clock and sees no stimulus. *Ceiling* is that of
the ideal observer. For the default settings both are stored with the package.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from modcog.battery import Battery
from modcog.checks import check_count, check_jobs
from modcog.evaluation.observer import IdealObserver
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
"""Trials of each task behind levels that are computed when they are asked for."""

BLOCK = 2000
"""Trials drawn at once."""

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Level:
    """Chance and ceiling of one task: accuracies from 0 to 1.

    Attributes:
        decision_chance: decision accuracy of the best player who sees no stimulus.
        decision_ceiling: decision accuracy of the ideal observer.
        trial_chance, trial_ceiling: trial accuracies of the two.
        error: standard error of the ceilings, the larger of the two.
    """

    decision_chance: float
    decision_ceiling: float
    trial_chance: float
    trial_ceiling: float
    error: float

    def ends(self, kind: str) -> tuple[float, float]:
        """Return chance and ceiling of a kind of score, ``"decision"`` or ``"trial"``."""
        return getattr(self, f"{kind}_chance"), getattr(self, f"{kind}_ceiling")


def levels(
    battery: Battery, n_trials: int | None = None, seed: int = 0, jobs: int = 1, progress: Progress | None = None
) -> dict[str, Level]:
    """Return chance and ceiling of every task of a battery.

    Args:
        battery: tasks and settings; the rule input makes no difference.
        n_trials: number of trials of each task to compute the levels from; None: read the stored levels, or compute
            them from ``LIVE_TRIALS`` if none are stored for these settings.
        seed: of the trials.
        jobs: processes; −1: one for each core. Base tasks that a script has added are known in its own process only.
        progress: called with the name of each task whose levels have been computed.

    Raises:
        ModcogError: if a task has no ideal observer; see ``IdealObserver``.
    """
    jobs, key = check_jobs(jobs), battery.settings.model_dump_json()
    known = stored().get(key, {}) if n_trials is None else {}
    n = LIVE_TRIALS if n_trials is None else check_count("n_trials", n_trials)
    stand_in = {task: stand_in_for(battery, task) for task in battery.tasks if task not in known}
    tasks = list(dict.fromkeys(stand_in.values()))
    computed: dict[str, Level] = {}
    if tasks:
        from joblib import Parallel, delayed

        calls = [delayed(level_of)(task, repr(names.parse(task).row), key, n, seed) for task in tasks]
        in_turn = Parallel(n_jobs=jobs if len(tasks) > 1 else 1, return_as="generator")
        with interrupts_blocked():
            results = in_turn(calls)
        for task, level in zip(tasks, results, strict=True):
            computed[task] = level
            if progress:
                progress(task)
    return {task: known[task] if task in known else computed[stand_in[task]] for task in battery.tasks}


def stand_in_for(battery: Battery, task: str) -> str:
    """Return a task that has provably the same levels as ``task``: its base task, or ``task`` itself.

    An extension moves the right action by amounts that the observer knows: the time waited and the steps taken. Where
    each answer has a label of its own, this only renames the actions and takes nothing from what can be known. That is
    so under the corrected rules, and in the decision family, whose trials all respond, under the published ones. It
    must leave the periods that show something as long as they were, and T must be known.
    """
    spec = names.parse(task)
    own = compile_tables([task], battery.settings, rule_input=False)
    base = compile_tables([spec.base], battery.settings, rule_input=False)
    shown_alike = all(own.timings[0][period] == base.timings[0][period] for period in own.rows[0].shows)
    responds = spec.family == "decision" and task in names.TASKS
    timed = own.rows[0].timed
    same_time = timed is None or not spec.interval or isinstance(own.timings[0][timed], float | int)
    renamed = own.rules.name == "corrected" or (responds and same_time)
    return spec.base if shown_alike and renamed else task


@lru_cache(maxsize=4096)
def level_of(task: str, row: str, key: str, n_trials: int, seed: int) -> Level:
    """Return the level of one task under the settings that ``key`` is the JSON of.

    ``row`` describes its base task, so that one that a user has removed and added again differently is computed anew.
    """
    return simulate(IdealObserver(task, Settings.model_validate_json(key)), n_trials, seed)


def simulate(observer: IdealObserver, n_trials: int, seed: int = 0) -> Level:
    """Return chance and ceiling from ``n_trials`` of the observer's own trials."""
    parts = []
    source = TrialSource(observer.tables, Seed.of(seed, Purpose.CEILING))
    for index in range(-(-n_trials // BLOCK)):
        trials = source.block(index, n=BLOCK)[: n_trials - index * BLOCK]  # whole: smaller blocks hold other trials
        chance = observer.expected(trials, observer.prior(trials))
        ceiling = observer.expected(trials, observer.posterior(trials))
        parts.append(np.stack([*chance, *ceiling]))
    values = np.concatenate(parts, axis=1)
    decision_chance, trial_chance, decision_ceiling, trial_ceiling = values.mean(axis=1).tolist()
    error = float(values[2:].std(axis=1).max() / np.sqrt(n_trials))
    return Level(decision_chance, decision_ceiling, trial_chance, trial_ceiling, error)


@lru_cache(maxsize=1)
def stored() -> dict[str, dict[str, Level]]:
    """Return the levels stored with the package: for the JSON of some settings, a level for each task."""
    content = json.loads(STORED.read_text(encoding="utf-8"))
    return {
        validated(Settings, {**content["settings"], "rules": rules}).model_dump_json(): {
            task: Level(*row) for task, row in content[rules].items()
        }
        for rules in RULES
    }
