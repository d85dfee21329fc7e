"""Sweeps: many training runs from one description, each resumable, with their results in one table."""

from modcog.experiments.sweeps.grid import Cell, Grid
from modcog.experiments.sweeps.results import curves, results
from modcog.experiments.sweeps.runner import Sweep, sweep

__all__ = ["Cell", "Grid", "Sweep", "curves", "results", "sweep"]
