"""Learning rates of networks, chosen by the runs of ``protocol.search``.

Every rate is tried with the same seeds. Where more than one comes within ``TIE`` of the best by these, such rates are
tried with more seeds, and the mean over all seeds decides among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments.claims.protocol import FIRST_SCORE, TIE_SEEDS

TIE = 0.01
"""Difference of two mean scores below which a search does not tell which rate is better: that of two seeds."""

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


class Run(NamedTuple):
    """A run that a search still needs: that of an arm, by its name, at a learning rate with a seed."""

    arm: str
    learning_rate: float
    seed: int


def best_rates(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, float]:
    """Return the learning rate of each arm that scored best.

    Args:
        table: as ``search_table`` returns it.
        rules: rules of the runs to choose by.
        recipe: recipe of the runs to choose by.

    Raises:
        ModcogError: if the best rate of an arm is the lowest or the highest that was tried, so that one beyond may be
            better, or if an arm was not tried with every rate and seed.
    """
    tried = _tried(table, rules, recipe)
    best = {arm: float(_leading(scores).idxmax()) for arm, scores in tried.items()}
    if edges := ", ".join(f"{arm} ({rate:g})" for arm, rate in best.items() if _beyond(tried[arm]) is not None):
        raise ModcogError(f"search: the best learning rate is at the edge of those tried for {edges}")
    return best


def tied_arms(table: pd.DataFrame, rules: str, recipe: str) -> list[str]:
    """Return the arms of which two learning rates are within ``TIE`` of each other at the top.

    Raises:
        ModcogError: if an arm was not tried with every rate and seed.
    """
    leading = {arm: _leading(scores).nlargest(2) for arm, scores in _tried(table, rules, recipe).items()}
    return [arm for arm, best in leading.items() if len(best) > 1 and best.iloc[0] - best.iloc[1] < TIE]


def search_seeds(table: pd.DataFrame, rules: str, recipe: str) -> tuple[list[int], list[int]]:
    """Return the seeds that all rates were tried with, and those of rates that tie by these.

    Raises:
        ModcogError: if an arm was not tried with every rate and seed.
    """
    tried = _tried(table, rules, recipe).values()
    every = {int(seed) for scores in tried for seed in scores}
    shared = every.intersection(*(scores.dropna(axis=1).columns for scores in tried))
    return sorted(shared), sorted(every - shared)


def missing_runs(table: pd.DataFrame, rules: str, recipe: str) -> list[Run]:
    """Return the runs that a search has to add before it can choose.

    Of an arm whose best rate is at the edge, those with half or twice that rate; of one of which rates tie by the seeds
    that all rates were tried with, those of these rates with ``TIE_SEEDS``.

    Raises:
        ModcogError: if an arm was not tried with every rate and seed.
    """
    found = []
    for arm, scores in _tried(table, rules, recipe).items():
        leading = scores.loc[_leading(scores).index]
        if (rate := _beyond(scores)) is not None:
            found += [Run(arm, rate, int(seed)) for seed in scores.dropna(axis=1)]
        elif len(leading) > 1:
            runs = leading.reindex(columns=sorted({*leading, *TIE_SEEDS})).stack(future_stack=True)
            found += [Run(arm, float(rate), int(seed)) for rate, seed in runs[runs.isna()].index]
    return found


def _tried(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, pd.DataFrame]:
    """Return the scores of each arm: a row for each rate, from the lowest to the highest, a column for each seed."""
    found = {}
    for arm, rows in table[(table["rules"] == rules) & (table["recipe"] == recipe)].groupby("arm", sort=False):
        scores = rows.pivot_table(index="learning_rate", columns="seed", values="score")
        more = scores.loc[:, scores.isna().any()]
        in_part = more.isna().any(axis=1) & more.notna().any(axis=1)
        if scores.columns[0] in more or in_part.any():
            raise ModcogError(f"search: {arm} lacks a learning rate of a seed; run the search to its end")
        found[str(arm)] = scores
    if not found:
        raise ModcogError(f"search: the table has no run of recipe {recipe} under the rules {rules}")
    return found


def _leading(scores: pd.DataFrame) -> pd.Series:
    """Return the mean score of each rate that ties with the best by the seeds of all rates, over the seeds of these."""
    mean = scores.dropna(axis=1).mean(axis=1)
    return scores[mean > mean.max() - TIE].dropna(axis=1).mean(axis=1)


def _beyond(scores: pd.DataFrame) -> float | None:
    best = _leading(scores).idxmax()
    return rate_beyond({rate: float(rate == best) for rate in scores.index})


def rate_beyond(scores: Mapping[float, float]) -> float | None:
    """Return half or twice the best rate of those tried, if it is the lowest or the highest; else None."""
    best = max(scores, key=scores.__getitem__)
    if best == min(scores):
        return best / 2
    return 2 * best if best == max(scores) else None
