"""Learning rates of networks, chosen by the runs of ``protocol.search``."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments.claims.protocol import FIRST_SCORE

TIE = 0.01
"""Difference of two mean scores below which one run with each rate cannot tell which is better: that of two seeds."""

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


def best_rates(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, float]:
    """Return the learning rate of each arm whose mean score over seeds is the highest.

    Args:
        table: as ``search_table`` returns it.
        rules: rules of the runs to choose by.
        recipe: recipe of the runs to choose by.

    Raises:
        ModcogError: if the best rate of an arm is the lowest or the highest that was tried, so that one beyond may be
            better, or if an arm was not tried with every rate and seed.
    """
    tried = _tried(table, rules, recipe)
    if beyond := _beyond(tried):
        edges = ", ".join(f"{arm} ({tried[arm].idxmax():g})" for arm in beyond)
        raise ModcogError(f"search: the best learning rate is at the edge of those tried for {edges}")
    return {arm: float(scores.idxmax()) for arm, scores in tried.items()}


def tied_arms(table: pd.DataFrame, rules: str, recipe: str) -> list[str]:
    """Return the arms of which two learning rates are within ``TIE`` of each other at the top.

    Raises:
        ModcogError: if an arm was not tried with every rate and seed.
    """
    tried = _tried(table, rules, recipe)
    return [arm for arm, scores in tried.items() if scores.nlargest(2).diff().abs().iloc[-1] < TIE]


def further_rates(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, float]:
    """Return the next rate to try, half or twice the best one, for each arm whose best rate is at the edge.

    Raises:
        ModcogError: if an arm was not tried with every rate and seed.
    """
    return _beyond(_tried(table, rules, recipe))


def _tried(table: pd.DataFrame, rules: str, recipe: str) -> dict[str, pd.Series]:
    """Return the mean score of each rate, from the lowest to the highest, of each arm."""
    found = {}
    for arm, rows in table[(table["rules"] == rules) & (table["recipe"] == recipe)].groupby("arm", sort=False):
        tried = rows.pivot_table(index="learning_rate", columns="seed", values="score")
        if tried.isna().any(axis=None):
            raise ModcogError(f"search: {arm} lacks a learning rate of a seed; run the search to its end")
        found[str(arm)] = tried.mean(axis=1)
    if not found:
        raise ModcogError(f"search: the table has no run of recipe {recipe} under the rules {rules}")
    return found


def _beyond(tried: dict[str, pd.Series]) -> dict[str, float]:
    found = {arm: rate_beyond(scores.to_dict()) for arm, scores in tried.items()}
    return {arm: rate for arm, rate in found.items() if rate is not None}


def rate_beyond(scores: Mapping[float, float]) -> float | None:
    """Return half or twice the best rate of those tried, if it is the lowest or the highest; else None."""
    best = max(scores, key=scores.__getitem__)
    if best == min(scores):
        return best / 2
    return 2 * best if best == max(scores) else None
