"""Learning rates of networks, chosen by the runs of ``protocol.search``.

Every rate is tried with ``SEARCH_SEEDS``. Rates that come within ``CLOSE`` of the best by these are tried with
``TIE_SEEDS``, too, and the mean over all seeds decides among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments.claims.protocol import FIRST_SCORE, SEARCH_SEEDS, TIE_SEEDS

CLOSE = 0.02
"""Difference of scores by ``SEARCH_SEEDS`` below which more seeds decide which of two rates is better.

With 256 units the difference of two rates varied by some 1.6 points (standard deviation) from seed to seed.
"""

COLUMNS = ["rules", "recipe", "arm", "learning_rate", "seed", "steps", "score"]
"""Columns of the table of a search."""


def search_table(results: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Return a row for each run of a search: its rules, recipe, arm, learning rate, seed, updates and score.

    The score is the mean of the recipe's first measure over tasks. A run that failed, for example because it diverged,
    has 0.

    Args:
        results: table of results of the search.
        recipe: a name in ``RECIPES``.
    """
    scored = results.assign(recipe=recipe, score=results[MEASURES[FIRST_SCORE[recipe]].column].fillna(0.0))
    return scored.groupby(COLUMNS[:-1], sort=False, as_index=False)["score"].mean()


class LackingRun(NamedTuple):
    """A run that a search still needs: that of an arm, by its name, at a learning rate with a seed."""

    arm: str
    learning_rate: float
    seed: int

    def __str__(self) -> str:
        return f"{self.arm} at {self.learning_rate:g} with seed {self.seed}"


def best_rates(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, float]:
    """Return the learning rate of each arm that scored best.

    Args:
        table: as ``search_table`` returns it.
        rules: rules of the runs to choose by.
        recipe: recipe of the runs to choose by.

    Raises:
        ModcogError: if the search has no such runs or is not finished; see ``missing_runs``.
    """
    if missing := missing_runs(table, rules, recipe):
        more = f", and {len(missing) - 1} more runs" if len(missing) > 1 else ""
        raise ModcogError(f"search: not finished; it lacks {missing[0]}{more}")
    return {arm: float(_leading(scores).idxmax()) for arm, scores in tried(table, rules, recipe).items()}


def missing_runs(table: pd.DataFrame, rules: str, recipe: str) -> list[LackingRun]:
    """Return the runs that a search lacks before it can choose.

    Those of each rate with ``SEARCH_SEEDS``; of an arm whose best rate is the lowest or the highest that was tried, of
    half or twice that rate, which may be better; then those of rates that are ``CLOSE`` with ``TIE_SEEDS``.

    Raises:
        ModcogError: if the table has no runs under these rules with this recipe.
    """
    found = []
    for arm, scores in tried(table, rules, recipe).items():
        wanted = scores.reindex(columns=SEARCH_SEEDS)
        if wanted.notna().all(axis=None):
            leading = _leading(scores)
            beyond = rate_beyond(leading.reindex(scores.index, fill_value=-math.inf).to_dict())
            if beyond is not None:
                wanted = wanted.reindex([beyond])
            elif len(leading) > 1:
                wanted = scores.loc[leading.index].reindex(columns=(*SEARCH_SEEDS, *TIE_SEEDS))
        points = wanted.isna().stack()
        found += [LackingRun(arm, float(rate), int(seed)) for rate, seed in points[points].index]
    return found


def tried(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, pd.DataFrame]:
    """Return the scores of each arm: a row for each rate, from the lowest to the highest, a column for each seed.

    Raises:
        ModcogError: if the table has no runs under these rules with this recipe.
    """
    own = table[(table["rules"] == rules) & (table["recipe"] == recipe)]
    if own.empty:
        raise ModcogError(f"search: the table has no run of recipe {recipe} under the rules {rules}")
    return {
        str(arm): rows.pivot_table(index="learning_rate", columns="seed", values="score")
        for arm, rows in own.groupby("arm", sort=False)
    }


def _leading(scores: pd.DataFrame) -> pd.Series:
    """Return the mean score, over the seeds that these rates share, of each rate that comes ``CLOSE`` to the best."""
    first = scores[list(SEARCH_SEEDS)].mean(axis=1)
    return scores[first > first.max() - CLOSE].dropna(axis=1).mean(axis=1)


def rate_beyond(scores: Mapping[float, float]) -> float | None:
    """Return half or twice the best rate of those tried, if it is the lowest or the highest; else None."""
    best = max(scores, key=scores.__getitem__)
    if best == min(scores):
        return best / 2
    return 2 * best if best == max(scores) else None
