"""Sweeps: many training runs from one description, each resumable, their results in one table."""

from __future__ import annotations

from modcog.sweeps.grid import Cell, Grid
from modcog.sweeps.results import curves, results
from modcog.sweeps.runner import Sweep, sweep

__all__ = ["Cell", "Grid", "Sweep", "curves", "results", "sweep"]
