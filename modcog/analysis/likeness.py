"""Likeness of networks: how far the states of two networks on the same trials have the same geometry.

States are averaged over the trials of each task that show the same direction, at the same step of each period, so that
a row is a condition at a time and a column a unit. Two measures compare such matrices X (S, N) and Y (S, M), both
centred over rows:

- linear CKA, |XᵀY|² / (|XᵀX| |YᵀY|) with Frobenius norms (Kornblith et al. 2019);
- Procrustes, the sum of the singular values of XᵀY divided by |X| |Y|: the cosine of the angle between the two shapes
  after the best rotation (Williams et al. 2021).

Both are 1 for states that differ by rotation and scale only. Since the trials alone make states alike, the null
shuffles the directions of one of the two networks within each task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.linalg import subspace_angles

from modcog.analysis.states import Floats, HiddenStates, Network, hidden_states, mean_by_direction
from modcog.battery import Battery
from modcog.colours import STYLE
from modcog.errors import ModcogError, unknown
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief


def cka(x: Floats, y: Floats) -> float:
    """Return the linear CKA of two centred matrices with a row for each condition and step."""
    return float(np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def procrustes(x: Floats, y: Floats) -> float:
    """Return the cosine between the shapes of two centred matrices after the best rotation."""
    return float(np.linalg.norm(x.T @ y, "nuc") / (np.linalg.norm(x) * np.linalg.norm(y)))


MEASURES: dict[str, Callable[[Floats, Floats], float]] = {"cka": cka, "procrustes": procrustes}
"""Measures of likeness by name."""


@dataclass(frozen=True, eq=False, repr=False)
class Likeness(Brief):
    """Likeness of each pair of networks.

    Attributes:
        measure: name in ``MEASURES``.
        value: networks by networks, 1 on the diagonal.
        null: the same with shuffled directions: the 95th percentile.
    """

    measure: str
    value: pd.DataFrame
    null: pd.DataFrame


def likeness(
    networks: Mapping[str, Network | HiddenStates],
    battery: Battery | None = None,
    *,
    measure: str = "cka",
    tasks: Sequence[str] | None = None,
    n_trials: int = 100,
    n_shuffles: int = 20,
    seed: int = 0,
    trust: bool = False,
) -> Likeness:
    """Compare the states of networks on the same trials.

    Args:
        networks: folders of runs, modules, functions or hidden states, by name; trained on the same battery.
        battery: None: the one that each network was trained on.
        measure: ``"cka"`` or ``"procrustes"``.
        tasks: some of the battery's tasks; None: all.
        n_trials: number of trials of each task.
        n_shuffles: number of shuffles behind the null.
        seed: seed of the trials and of the shuffles.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        UnknownNameError: for a measure or task that does not exist.
        ModcogError: for fewer than two networks, or networks that did not see the same trials.
    """
    if measure not in MEASURES:
        raise unknown("measure of likeness", measure, MEASURES)
    if len(networks) < 2:
        raise ModcogError(f"networks: got {len(networks)}, must be at least 2 to compare")
    options = {"tasks": tasks, "n_trials": n_trials, "seed": seed, "trust": trust}
    states = {name: hidden_states(one, battery, **options) for name, one in networks.items()}  # type: ignore[arg-type]
    first, *others = states
    for name in others:
        seen, same = states[name].trials, states[first].trials
        if seen.tasks != same.tasks or not np.array_equal(seen.packed_labels, same.packed_labels):
            raise ModcogError(f"networks: {name} did not see the trials of {first}; give them one battery")
    means = {name: condition_means(one) for name, one in states.items()}
    stacked = {name: _stacked(one) for name, one in means.items()}
    rng, compare = Seed.of(seed, Purpose.ANALYSIS).rng(), MEASURES[measure]
    value = pd.DataFrame(1.0, index=list(states), columns=list(states))
    null = value.copy()
    for k, one in enumerate(states):
        for other in list(states)[:k]:
            value.loc[one, other] = value.loc[other, one] = compare(stacked[one], stacked[other])
            drawn = [compare(stacked[one], _stacked(means[other], rng)) for _ in range(n_shuffles)]
            null.loc[one, other] = null.loc[other, one] = np.quantile(drawn, 0.95)
    return Likeness(measure, value, null)


def condition_means(states: HiddenStates, period: str | None = None) -> dict[str, Floats]:
    """Return for each task the mean states of each direction at each step of each period, (D, T, N).

    Steps that some direction's trials do not reach are left out; with ``period``, all others are, too, and tasks
    without it.

    Raises:
        UnknownNameError: if no task has the period.
    """
    found = {}
    for k in np.unique(states.trials.task):
        task, periods = states.trials.tasks[k], [p for p in states.trials.periods[k] if period in (None, p)]
        if periods:
            label = states.directions(task)
            aligned = np.hstack([states.aligned(task, p) for p in periods if (states.steps(task, p) >= 0).any()])
            means = mean_by_direction(aligned, label, np.unique(label))
            found[task] = means[:, np.isfinite(means).all(axis=(0, 2))]
    if not found:
        raise unknown("period", period, dict.fromkeys(p for some in states.trials.periods for p in some))
    return found


def _stacked(means: Mapping[str, Floats], rng: np.random.Generator | None = None) -> Floats:
    """Return the means of all tasks as one centred matrix; with ``rng``, directions in another order in each task."""
    parts = [one if rng is None else one[rng.permutation(len(one))] for one in means.values()]
    rows = np.concatenate([part.reshape(-1, part.shape[2]) for part in parts])
    centred: Floats = rows - rows.mean(axis=0)
    if not centred.any():
        raise ModcogError("networks: the states of one do not vary, so that they are like no others")
    return centred


def dimensions(states: HiddenStates, period: str | None = None) -> pd.Series:
    """Return the participation ratio of the states of each task, and of all together, (Σλ)² / Σλ² (Gao et al. 2017).

    λ are the eigenvalues of the covariance over conditions and steps. It is between 1 and the number of units.

    Args:
        states: states of some tasks.
        period: ``"delay"``, ``"decision"`` …: in this period only, of the tasks that have it; None: in whole trials.

    Raises:
        UnknownNameError: if no task has the period.
    """
    means = condition_means(states, period)
    parts = {**{task: {task: of} for task, of in means.items()}, "all tasks": means}
    return pd.Series({name: participation_ratio(_stacked(part)) for name, part in parts.items()}, name="dimensions")


def participation_ratio(centred: Floats) -> float:
    """Return the participation ratio of the variances along the principal axes of centred rows."""
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    return float(variance.sum() ** 2 / (variance**2).sum())


def angles(states: HiddenStates, n_axes: int = 3) -> pd.DataFrame:
    """Return the mean principal angle between the first ``n_axes`` principal axes of each two tasks, in degrees.

    90°: the tasks use orthogonal axes; 0°: the same.

    Raises:
        ModcogError: if a task has fewer axes.
    """
    axes = {}
    for task, means in condition_means(states).items():
        centred = _stacked({task: means})
        if min(centred.shape) < n_axes:
            raise ModcogError(f"n_axes: got {n_axes}, must be at most {min(centred.shape)} in {task}")
        axes[task] = np.linalg.svd(centred, full_matrices=False)[2][:n_axes].T
    table = pd.DataFrame(0.0, index=list(axes), columns=list(axes))
    for one in axes:
        for other in axes:
            if one != other:
                table.loc[one, other] = np.degrees(subspace_angles(axes[one], axes[other]).mean())
    return table


@rc_context(STYLE)
def plot_likeness(result: Likeness) -> Figure:
    """Draw the matrix of likeness, with the null in brackets."""
    n = len(result.value)
    names = [fill(f"{name} ({k})", 24) for k, name in enumerate(result.value, 1)]
    widest = max(len(line) for name in names for line in name.splitlines())
    figure = Figure(figsize=(1.8 + 0.75 * n + 0.1 * widest, 1.2 + 0.6 * n), layout="compressed")
    axes = figure.subplots()
    axes.spines[:].set_visible(True)
    picture = axes.imshow(result.value, cmap="viridis", vmin=0, vmax=1)
    label = {"cka": "linear CKA", "procrustes": "Procrustes similarity"}[result.measure]
    figure.colorbar(picture, ax=axes)
    for (i, j), value in np.ndenumerate(result.value.to_numpy()):
        text = f"{value:.2f}" if i == j else f"{value:.2f}\n({result.null.iloc[i, j]:.2f})"
        axes.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if value < 0.6 else "black")
    axes.set_xticks(range(n), [str(k) for k in range(1, n + 1)], fontsize=8)
    axes.set_yticks(range(n), names, fontsize=8)
    axes.set_title(f"{label};\nin brackets the null's\n95th percentile")
    return figure
