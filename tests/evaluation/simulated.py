"""Chance and ceiling of a task from the ideal observer's own trials of it, without stand-ins and enumerated levels."""

from typing import NamedTuple

import numpy as np

from modcog.evaluation import IdealObserver
from modcog.seeds import Purpose, Seed
from modcog.trials.source import TrialSource


class Simulated(NamedTuple):
    decision_chance: float
    trial_chance: float
    decision_ceiling: float
    trial_ceiling: float
    error: float


def simulate(observer: IdealObserver, n_trials: int, seed: int = 0) -> Simulated:
    trials = TrialSource(observer.tables, Seed.of(seed, Purpose.CEILING)).block(0, n=n_trials)
    values = np.stack([
        *observer.expected(trials, observer.prior(trials)), *observer.expected(trials, observer.posterior(trials))
    ])  # fmt: skip
    return Simulated(*values.mean(axis=1).tolist(), float(values[2:].std(axis=1).max() / np.sqrt(n_trials)))


def records(table):
    """Return the rows of a table of scores, which is a data frame where pandas is installed."""
    return table if isinstance(table, np.ndarray) else table.to_records(index=False)
