"""Write modcog/evaluation/ceilings.json: levels of the 132 tasks under the default settings and both rules.

python tests/benchmarks/store_ceilings.py            # on all cores
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from modcog import TASKS, Battery, collection
from modcog.evaluation import MEASURES, levels
from modcog.evaluation.ceilings import STORED, Level, Progress, as_row, stored
from modcog.files import whole_file
from modcog.settings import RULES, Settings

N_TRIALS = 400_000
"""Noisy trials of each base task behind the stored levels; more where the standard error asks for them."""

MOST_ERROR = 0.0002
"""Largest standard error of a stored ceiling: 0.02 points."""

MARGIN = 0.95
"""Share of it that is aimed at."""

CERTAIN = 20_000
"""Trials of match tasks, whose noise nobody can mistake: their standard error is 0 from far fewer."""

DIGITS = 6
"""Decimals that are stored."""


def store(
    n_trials: int = N_TRIALS, seed: int = 0, jobs: int = -1, progress: Progress | None = None, path: Path = STORED
) -> None:
    """Compute the levels and write them to ``path``."""
    content = {}
    for rules in RULES:
        found = {}
        for family, n in (("go", 1), ("match", min(n_trials, CERTAIN)), ("decision", n_trials)):
            found |= levels(Battery(collection(family), rules=rules), n, seed, jobs, progress)
        if n_trials == N_TRIALS:
            found |= refined(found, rules, n_trials, seed, jobs, progress)
        found = {task: found[task] for task in TASKS}
        content[rules] = {task: as_row(level, DIGITS) for task, level in found.items()}
    settings = Settings().model_dump(mode="json", exclude={"rules"})
    head = {"settings": settings, "n_trials": n_trials, "seed": seed, "columns": list(MEASURES)}
    with whole_file(path) as part:
        part.write_text(as_json({**head, **content}), encoding="utf-8")
    stored.cache_clear()


def refined(
    found: dict[str, Level], rules: str, n_trials: int, seed: int, jobs: int, progress: Progress | None
) -> dict[str, Level]:
    """Return the levels of those tasks whose standard error is too large, from as many trials as they need."""
    errors = {task: round(level.error, DIGITS) for task, level in found.items()}  # as stored, so that anybody gets n
    largest = {task: error for task, error in errors.items() if error > MARGIN * MOST_ERROR}
    if not largest:
        return {}
    n = int(n_trials * (max(largest.values()) / (MARGIN * MOST_ERROR)) ** 2)
    return levels(Battery(list(largest), rules=rules), n, seed, jobs, progress)


def as_json(content: dict[str, Any]) -> str:
    """JSON with a line for each task, so that a change can be read."""
    rows = [
        f'"{name}": {json.dumps(value)}'
        if name not in RULES
        else f'"{name}": {{\n' + ",\n".join(f'  "{task}": {json.dumps(row)}' for task, row in value.items()) + "}"
        for name, value in content.items()
    ]
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n-trials", type=int, default=N_TRIALS)
    parser.add_argument("--jobs", type=int, default=-1)
    arguments = parser.parse_args()
    store(arguments.n_trials, jobs=arguments.jobs, progress=print)
    print(STORED)
