"""Benchmark: a network of one's own on the battery, beside the reference networks and the ideal observer."""

from __future__ import annotations

from modcog.experiments.benchmark.bench import run, score
from modcog.experiments.benchmark.references import Reference, store, stored
from modcog.experiments.benchmark.report import Report

__all__ = ["Reference", "Report", "run", "score", "store", "stored"]
