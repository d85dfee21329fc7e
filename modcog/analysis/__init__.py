"""Inside the networks: what their units do, and by which dynamics; one file per question.

Each question is a function of a network (a module, or the folder of a run) that returns arrays, and a function that
draws them.
"""

from __future__ import annotations

from modcog.analysis.autapses import SelfWeights, plot_self_weights, self_weights
from modcog.analysis.pca import Trajectories, plot_trajectories, trajectories
from modcog.analysis.ring import Ring, plot_ring, ringness
from modcog.analysis.slow_points import FixedPoints, fixed_points, plot_fixed_points
from modcog.analysis.states import HiddenStates, hidden_states
from modcog.analysis.variance import TaskVariance, plot_task_variance, task_variance

__all__ = [
    "FixedPoints",
    "HiddenStates",
    "Ring",
    "SelfWeights",
    "TaskVariance",
    "Trajectories",
    "fixed_points",
    "hidden_states",
    "plot_fixed_points",
    "plot_ring",
    "plot_self_weights",
    "plot_task_variance",
    "plot_trajectories",
    "ringness",
    "self_weights",
    "task_variance",
    "trajectories",
]
