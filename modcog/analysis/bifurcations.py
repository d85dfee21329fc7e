"""Fixed points while the input goes over from one task's to another's (Driscoll, Shenoy and Sussillo 2024).

If two tasks share a structure of the dynamics, its fixed points move smoothly from one input to the other and keep
their stability; where points appear, vanish or change it, a bifurcation separates the tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from modcog.analysis.pca import principal
from modcog.analysis.slow_points import COLOURS, FixedPoints, exact_states, points_under, visited_under
from modcog.analysis.states import Floats, Network, open_both
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import PALE, STYLE
from modcog.errors import ModcogError
from modcog.tables import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Bifurcations(Brief):
    """Fixed and slow points under each of L inputs between those of two tasks.

    Attributes:
        tasks: names of the two.
        period: the period whose inputs are mixed.
        share: (L,) share of the second task's input, from 0 to 1.
        found: L results of the search, from the same starts.
    """

    tasks: tuple[str, str]
    period: str
    share: Floats
    found: tuple[FixedPoints, ...]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each point: ``share``, ``speed``, ``fixed``, ``kind``, ``n_unstable``, ``largest`` |λ|, place.

        ``component1`` is its place along the first principal component of the visited states.
        """
        mean, components, _ = principal(self.found[0].visited)
        columns = {
            "share": np.repeat(self.share, [len(one) for one in self.found]),
            "speed": [speed for one in self.found for speed in one.speed],
            "fixed": [fixed for one in self.found for fixed in one.fixed],
            "kind": [kind for one in self.found for kind in one.kind],
            "n_unstable": [n for one in self.found for n in one.n_unstable],
            "largest": [abs(values[0]) for one in self.found for values in one.eigenvalues],
            "component1": [place for one in self.found for place in (one.points - mean) @ components[0]],
        }
        return pd.DataFrame(columns)


def bifurcations(
    network: Network,
    battery: Battery | None = None,
    *,
    tasks: Sequence[str] | None = None,
    period: str = "delay",
    x: ArrayLike | None = None,
    n_inputs: int = 11,
    slow: float = 0.01,
    apart: float = 0.01,
    far: float = 10.0,
    n_starts: int = 16,
    n_trials: int = 100,
    seed: int = 0,
    trust: bool = False,
) -> Bifurcations:
    """Find fixed and slow points under mixtures of two tasks' inputs, as ``fixed_points`` does.

    Args:
        network: a run's folder or a torch module; see ``fixed_points``.
        battery: None: the one that the network was trained on.
        tasks: two tasks; None: the first two that have the period. Searches start from the states of both.
        period: the period of their trials.
        x: the two inputs (2, C); None: the observations in the period, which must be constant, as in a delay.
        n_inputs: number L of inputs, the tasks' own included.
        slow: speed per step below which points are kept, as a share of the scale of the states.
        apart: smallest distance between distinct points, as a share of the scale.
        far: largest distance of points from the mean of the visited states, as a multiple of their own; see
            ``fixed_points``.
        n_starts: number of searches under each input.
        n_trials: number of trials of each task.
        seed: seed of the trials and the initial states.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: for other than two tasks, two inputs that are the same, or as ``fixed_points``.
        UnknownNameError: if a task or the period does not exist.
    """
    model, battery = open_both(network, battery, trust)
    having = [task for task, periods in zip(battery.tasks, battery.tables.periods, strict=True) if period in periods]
    pair = having[:2] if tasks is None else list(tasks)
    if len(pair) != 2 or (x is not None and len(np.atleast_1d(x)) != 2):
        raise ModcogError(f"tasks: got {len(pair)}, must be two, with an input each: {', '.join(pair) or 'none'}")
    exact, states = exact_states(model, battery, pair, n_trials, seed, trust)
    given = (None, None) if x is None else np.asarray(x)
    ends = [visited_under(states, task, period, one) for task, one in zip(pair, given, strict=True)]
    visited, (start, end) = np.concatenate([states for states, _ in ends]), [constant for _, constant in ends]
    if np.array_equal(start, end):
        raise ModcogError(f"tasks: the inputs in the {period} of {' and '.join(pair)} are the same; give others as x")
    share = np.linspace(0, 1, check_count("n_inputs", n_inputs, at_least=2), dtype=np.float64)
    inputs = start + share[:, None] * (end - start)
    options = {"slow": slow, "apart": apart, "far": far, "n_starts": n_starts, "seed": seed}
    found = points_under(exact, visited, inputs, states.trials.dt, **options)  # type: ignore[arg-type]
    return Bifurcations((pair[0], pair[1]), period, share, tuple(found))


@rc_context(STYLE)
def plot_bifurcations(result: Bifurcations) -> Figure:
    """Draw each point's place along the first principal component, and its largest |λ|, against the input."""
    figure = Figure(figsize=(8.5, 3.4))
    place, largest = figure.subplots(1, 2)
    for (kind, fixed), rows in result.table.groupby(["kind", "fixed"]):
        style = {"color": COLOURS[kind], "markersize": 5, "markerfacecolor": "none"}
        name = f"{'fixed' if fixed else 'slow'}, {kind}"
        place.plot(rows["share"], rows["component1"], "o" if fixed else "x", **style, label=name)
        largest.plot(rows["share"], rows["largest"], "o" if fixed else "x", **style)
    largest.axhline(1, color=PALE, zorder=0)
    one, other = result.tasks
    for axes, label in ((place, "component 1 of the visited states"), (largest, "largest |λ|")):
        axes.set(xlabel=f"input in the {result.period}: 0 {one}, 1 {other}", ylabel=label, xlim=(-0.05, 1.05))
    if place.lines:
        place.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure
