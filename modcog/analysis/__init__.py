"""Inside the networks: what their units do, and by which dynamics; one file per question.

Each question is a function of a network (a module, or the folder of a run) that returns arrays, and a function that
draws them.
"""

from modcog.analysis.autapses import SelfWeights as SelfWeights
from modcog.analysis.autapses import plot_self_weights as plot_self_weights
from modcog.analysis.autapses import self_weights as self_weights
from modcog.analysis.bifurcations import Bifurcations as Bifurcations
from modcog.analysis.bifurcations import bifurcations as bifurcations
from modcog.analysis.bifurcations import plot_bifurcations as plot_bifurcations
from modcog.analysis.composition import Composition as Composition
from modcog.analysis.composition import composition as composition
from modcog.analysis.composition import plot_composition as plot_composition
from modcog.analysis.lesions import Lesions as Lesions
from modcog.analysis.lesions import fine_tune as fine_tune
from modcog.analysis.lesions import lesions as lesions
from modcog.analysis.lesions import patches as patches
from modcog.analysis.lesions import plot_lesions as plot_lesions
from modcog.analysis.lesions import plot_pruning as plot_pruning
from modcog.analysis.lesions import prune as prune
from modcog.analysis.lesions import pruning as pruning
from modcog.analysis.lesions import silence as silence
from modcog.analysis.likeness import Likeness as Likeness
from modcog.analysis.likeness import angles as angles
from modcog.analysis.likeness import dimensions as dimensions
from modcog.analysis.likeness import likeness as likeness
from modcog.analysis.likeness import plot_likeness as plot_likeness
from modcog.analysis.modularity import Modularity as Modularity
from modcog.analysis.modularity import modularity as modularity
from modcog.analysis.modularity import plot_modularity as plot_modularity
from modcog.analysis.pca import Trajectories as Trajectories
from modcog.analysis.pca import plot_trajectories as plot_trajectories
from modcog.analysis.pca import trajectories as trajectories
from modcog.analysis.ring import Ring as Ring
from modcog.analysis.ring import plot_ring as plot_ring
from modcog.analysis.ring import ringness as ringness
from modcog.analysis.shift import Shifted as Shifted
from modcog.analysis.shift import plot_shift as plot_shift
from modcog.analysis.shift import shift as shift
from modcog.analysis.slow_points import FixedPoints as FixedPoints
from modcog.analysis.slow_points import fixed_points as fixed_points
from modcog.analysis.slow_points import plot_fixed_points as plot_fixed_points
from modcog.analysis.states import HiddenStates as HiddenStates
from modcog.analysis.states import hidden_states as hidden_states
from modcog.analysis.variance import TaskVariance as TaskVariance
from modcog.analysis.variance import plot_task_variance as plot_task_variance
from modcog.analysis.variance import task_variance as task_variance
