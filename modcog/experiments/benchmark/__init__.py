"""Benchmark: a report on your own network, beside the reference networks and the ideal observer."""

from modcog.experiments.benchmark.bench import run, score
from modcog.experiments.benchmark.references import stored
from modcog.experiments.benchmark.report import Reference, Report

__all__ = ["Reference", "Report", "run", "score", "stored"]
