"""About how long training takes, to be said before it begins."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from modcog.settings import Settings
from modcog.training.config import TrainConfig
from modcog.trials.tables import compile_tables
from modcog.user_code import is_import_path

SECONDS: dict[str, dict[int, tuple[float, float]]] = {
    "stream": {64: (0.003, 0.004), 256: (0.008, 0.010), 512: (0.015, 0.024), 1024: (0.036, 0.08)},
    "trials": {64: (0.003, 0.004), 256: (0.007, 0.017), 512: (0.015, 0.053), 1024: (0.042, 0.2)},
}
"""Seconds of an update on one core of an AMD EPYC for networks of some sizes, sparse ones and dense ones, by layout:
4 × 100 steps of stream, or 64 trials of the longest task of 30 steps on average."""

STEPS, LANES = {"stream": 100, "trials": 30}, {"stream": 4, "trials": 64}
"""Steps and lanes of these updates."""

OVERHEAD = 16
"""Lanes that would take as long as what a step costs besides its lanes."""

GATED = {"gru": 3.5, "lstm": 3.5, "lru": 3.5, "mingru": 3.5}
"""Time of an update of networks without a mask, as a multiple of a dense network's of that size."""

DENSITY = {"autapse": 0.0, "multi-area": 0.3} | dict.fromkeys(
    ("dense", "low-rank", "cornn", "gru", "lstm", "lru", "mingru"), 1.0
)
"""Density of architectures that have no choice, or as if they had one; of others 0.1 unless it is given."""

EVALUATION = 0.4
"""Seconds of an evaluation on 20 trials of each of 82 tasks, network aside; a run is scored on ten times as many."""


def training_seconds(config: TrainConfig) -> float:
    """Return about how long a run takes on one core that does nothing else, in seconds.

    Other machines may differ twofold, and busy ones more. A network of your own is taken for a dense one.
    """
    sizes = np.log(list(SECONDS[config.layout]))
    measured = np.log(list(SECONDS[config.layout].values())).T
    sparse, dense = (float(np.exp(np.interp(np.log(config.hidden), sizes, kind))) for kind in measured)
    usual = 1.0 if config.arch == "dale" else 0.1
    share = DENSITY.get(config.arch, usual if config.density is None else config.density)
    share = 1.0 if is_import_path(config.arch) else share
    update = (sparse + share * (dense - sparse)) * GATED.get(config.arch, 1)
    settings = config.battery_settings().settings.model_dump_json()
    steps = config.seq_len if config.layout == "stream" else _longest(config.trained, settings)
    scale = steps * (OVERHEAD + config.batch_size) / STEPS[config.layout] / (OVERHEAD + LANES[config.layout])
    evaluations = config.steps / config.eval_every + config.eval_early * np.log2(config.eval_every) + 10
    tasks = len(config.tasks) / 82 * config.eval_trials / 20
    return float(config.steps * update * scale + evaluations * EVALUATION * tasks)


@lru_cache(maxsize=64)  # the runs of a sweep share their trials
def _longest(tasks: tuple[str, ...], settings: str) -> float:
    """Return the mean steps of the task with the longest trials; ``settings`` is the JSON of the settings."""
    return float(compile_tables(tasks, Settings.model_validate_json(settings), rule_input=False).mean_length.max())


def about(seconds: float, arch: str = "") -> str:
    """Return a duration on one core in words, with no more digits than an estimate has; of which network, if any."""
    amount, unit = next(
        ((seconds / size, unit) for size, unit in ((3600, "h"), (60, "min")) if seconds >= 1.5 * size), (seconds, "s")
    )
    digits = f"{amount:.1f}".removesuffix(".0") if amount < 10 and unit == "h" else f"{max(1, amount):.0f}"
    supposed = " if it is as fast as a dense network" if is_import_path(arch) else ""
    return f"about {digits} {unit} on one core{supposed}"
