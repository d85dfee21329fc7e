"""Benchmark: a network of one's own on the battery, beside the reference networks and the ideal observer."""

from __future__ import annotations

from modcog.benchmark.bench import run, score
from modcog.benchmark.references import Reference, store, stored
from modcog.benchmark.report import Report

__all__ = ["Reference", "Report", "run", "score", "store", "stored"]
