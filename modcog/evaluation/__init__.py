"""Scores: how well a network, or anything else that acts, does the tasks."""

from modcog.evaluation.evaluate import evaluate
from modcog.evaluation.scores import Scores, score

__all__ = ["Scores", "evaluate", "score"]
