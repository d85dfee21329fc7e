"""Scores: how well a network, or anything else that acts, does the tasks, and how well it could."""

from modcog.evaluation.agents import evaluate_agent
from modcog.evaluation.ceilings import Level, levels
from modcog.evaluation.evaluate import evaluate
from modcog.evaluation.measures import MEASURES
from modcog.evaluation.observer import IdealObserver
from modcog.evaluation.report import format_table
from modcog.evaluation.scores import Figure, Score, Scores
from modcog.evaluation.scoring import score
from modcog.evaluation.strategies import STRATEGIES

__all__ = [
    "MEASURES", "STRATEGIES", "Figure", "IdealObserver", "Level", "Score", "Scores", "evaluate", "evaluate_agent",
    "format_table", "levels", "score",
]  # fmt: skip
