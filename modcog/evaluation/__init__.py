"""Scores: how well a network, or anything else that acts, does the tasks, and how well it could."""

from modcog.evaluation.ceilings import Level, levels
from modcog.evaluation.evaluate import evaluate
from modcog.evaluation.observer import IdealObserver
from modcog.evaluation.scores import Score, Scores, format_table, score

__all__ = ["IdealObserver", "Level", "Score", "Scores", "evaluate", "format_table", "levels", "score"]
