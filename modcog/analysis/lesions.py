"""Lesions: the scores of a network without some of its units or synapses.

A silenced unit has no effect on other units, itself or the read-out, as if its state were 0. So the matrix of clusters
and tasks of Yang et al. (2019, Nature Neuroscience 22, 297) and of Driscoll, Shenoy and Sussillo (2024, Nature
Neuroscience 27, 1349) comes out of ``lesions`` with no groups given.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray
from torch import nn

from modcog.analysis.states import Network, hidden_states, open_both
from modcog.analysis.variance import task_variance
from modcog.battery import Battery
from modcog.checks import check_count
from modcog.colours import GREY, PALETTE, STYLE
from modcog.errors import ModcogError, shown, unknown
from modcog.evaluation import evaluate
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.models.masks import Sheet
from modcog.seeds import Purpose, Seed
from modcog.tables import Brief
from modcog.training.metrics import levels_to_draw

WAYS = ("random", "weakest", "strongest")
"""Orders in which synapses are cut."""

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the synapses that are cut."""


def silence(network: nn.Module, units: ArrayLike) -> nn.Module:
    """Return a copy of a reference network in which some units have no effect.

    Args:
        network: a ``MaskedRNN`` or ``GatedRNN``.
        units: (m,) indices of units.

    Raises:
        ModcogError: for another network, or a unit that it does not have.
    """
    if not isinstance(network, MaskedRNN | GatedRNN):
        raise ModcogError(f"network: got {type(network).__name__}, must be a reference network, to be lesioned")
    index = np.asarray(units).reshape(-1)
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= network.hidden):
        raise ModcogError(f"units: got {shown(units)}, must be whole numbers from 0 to {network.hidden - 1}")
    index = index.astype(np.intp)
    lesioned, where = copy.deepcopy(network), torch.from_numpy(index)
    with torch.no_grad():
        if isinstance(lesioned, MaskedRNN):
            cut = np.isin(lesioned.mask.indices, index)
            lesioned.weight_recurrent[torch.from_numpy(cut)] = 0
            lesioned.weight_out[:, where] = 0
        else:
            lesioned.recurrent.weight_hh_l0[:, where] = 0  # type: ignore[operator]
            lesioned.read_out.weight[:, where] = 0
    return lesioned


def prune(network: nn.Module, share: float, way: str = "random", seed: int = 0) -> MaskedRNN:
    """Return a copy of a network with masked connections in which a share of the synapses is cut.

    Args:
        network: a ``MaskedRNN``.
        share: from 0 to 1, of its recurrent weights; those cut at a smaller share are among those of a larger one.
        way: ``"random"``, ``"weakest"`` first or ``"strongest"`` first, by absolute weight.
        seed: of the random order.

    Raises:
        ModcogError: for another network or share.
        UnknownNameError: for another way.
    """
    if not isinstance(network, MaskedRNN):
        raise ModcogError(f"network: got {type(network).__name__}, must be a MaskedRNN, to be pruned")
    if not 0 <= share <= 1:
        raise ModcogError(f"share: got {shown(share)}, must be from 0 to 1")
    if way not in WAYS:
        raise unknown("way of pruning", way, WAYS)
    pruned = copy.deepcopy(network)
    strength = pruned.effective_weights()[2].detach().abs().cpu().numpy()
    order = Seed.of(seed, Purpose.ANALYSIS).rng().permutation(strength.size)
    if way != "random":
        order = order[np.argsort(strength[order], kind="stable")]
    order = order[::-1] if way == "strongest" else order
    with torch.no_grad():
        pruned.weight_recurrent[torch.from_numpy(order[: round(share * strength.size)].copy())] = 0
    return pruned


def fine_tune(
    network: MaskedRNN, battery: Battery, updates: int, *, learning_rate: float = 1e-3, seed: int = 0
) -> MaskedRNN:
    """Return a copy of a network that is trained on, while recurrent weights that are 0 stay 0.

    Args:
        network: a ``MaskedRNN``, such as ``prune`` returns.
        battery: the battery to train on.
        updates: number of weight updates, each by Adam on 128 trials, with the losses and clipping of ``TrainConfig``.
        learning_rate: constant learning rate.
        seed: seed of the trials and of the network's noise.

    Raises:
        ModcogError: if ``updates`` is not a whole number.
    """
    from modcog.training.batches import make_batches  # needs the extra ``train``; other lesions do not
    from modcog.training.config import TrainConfig
    from modcog.training.loop import loss, make_optimizer

    settings = {name: value for name, value in battery.config if name != "tasks"}
    config = TrainConfig.of(tasks=battery.tasks, battery=settings, learning_rate=learning_rate, seed=seed)
    tuned = copy.deepcopy(network).train()
    kept = tuned.weight_recurrent.detach() != 0
    optimizer, batches = make_optimizer(config, tuned), make_batches(config, battery)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seed.of(seed, Purpose.NETWORK_NOISE).integer())
        for update in range(check_count("updates", updates, 0)):
            optimizer.zero_grad()
            batch = batches(update)
            for part in batch.parts:
                (loss(tuned(part.observations), part) / batch.weight).backward()  # type: ignore[no-untyped-call]
            assert tuned.weight_recurrent.grad is not None
            tuned.weight_recurrent.grad *= kept
            torch.nn.utils.clip_grad_norm_(tuned.parameters(), config.clip)
            optimizer.step()
    return tuned.eval()


def patches(sheet: Sheet, across: int = 4) -> dict[str, NDArray[np.intp]]:
    """Return the units (m,) of each patch of a sheet that is cut into ``across`` × ``across`` patches."""
    row, column = np.divmod(np.arange(sheet.rows * sheet.columns), sheet.columns)
    place = (row * across // sheet.rows, column * across // sheet.columns)
    found = {}
    for i, j in np.ndindex(across, across):
        units = np.flatnonzero((place[0] == i) & (place[1] == j))
        if units.size:
            found[f"patch {i + 1}, {j + 1}"] = units
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Lesions(Brief):
    """Decision accuracies of a network without groups of units.

    Attributes:
        table: a row for each group and task: ``group``, number of ``units``, ``task``, ``accuracy``, and ``change``
            against the intact network on the same trials. The group ``intact`` comes first.
    """

    table: pd.DataFrame

    @property
    def change(self) -> pd.DataFrame:
        """Groups by tasks: change of the accuracy."""
        wide = self.table.pivot(index="group", columns="task", values="change")
        return wide.loc[self.table["group"].unique()[1:], self.table["task"].unique()]


def lesions(
    network: Network,
    battery: Battery | None = None,
    *,
    groups: Mapping[str, ArrayLike] | str = "clusters",
    tasks: Sequence[str] | None = None,
    n_trials: int = 50,
    seed: int = 0,
    trust: bool = False,
) -> Lesions:
    """Score a network with each group of units silenced, on the same trials.

    Args:
        network: the folder of a run, or a reference network.
        battery: None: the one that the network was trained on.
        groups: units (m,) by name; or ``"clusters"``, those of the task variance of these tasks; or ``"patches"``,
            4 × 4 patches of the sheet.
        tasks: some of the battery's tasks; None: all.
        n_trials: number of trials of each task.
        seed: seed of the trials.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: for a network that is no reference network, or has no sheet to cut into patches.
        UnknownNameError: if one of ``tasks`` is not in the battery, or for another name of groups.
    """
    model, battery = open_both(network, battery, trust)
    silence(model, [])  # refuse other networks before work starts
    if isinstance(groups, str):
        groups = _groups(model, groups, battery, tasks, seed)
    rows, intact = [], evaluate(model, battery, n_trials, seed, tasks).per_task()
    for name, units in {"intact": np.empty(0, np.intp), **groups}.items():
        lesioned = (
            intact if name == "intact" else evaluate(silence(model, units), battery, n_trials, seed, tasks).per_task()
        )
        rows += [[name, np.size(units), task, value, value - intact[task]] for task, value in lesioned.items()]
    return Lesions(pd.DataFrame(rows, columns=["group", "units", "task", "accuracy", "change"]))


def _groups(
    model: nn.Module, kind: str, battery: Battery, tasks: Sequence[str] | None, seed: int
) -> dict[str, NDArray[np.intp]]:
    if kind == "patches":
        sheet = model.mask.sheet if isinstance(model, MaskedRNN) else None
        if sheet is None:
            raise ModcogError("groups: the units of this network have no places on a sheet, so it has no patches")
        return patches(sheet)
    if kind != "clusters":
        raise unknown("kind of groups", kind, ["clusters", "patches"])
    found = task_variance(hidden_states(model, battery, tasks=tasks, n_trials=50, seed=seed))
    return {f"cluster {k + 1}": found.units[found.cluster == k] for k in range(found.n_clusters)}


def pruning(
    network: Network,
    battery: Battery | None = None,
    *,
    shares: Sequence[float] = SHARES,
    ways: Sequence[str] = WAYS,
    updates: int = 0,
    tasks: Sequence[str] | None = None,
    n_trials: int = 50,
    seed: int = 0,
    trust: bool = False,
) -> pd.DataFrame:
    """Score a network with shares of its synapses cut, with or without fine-tuning the rest.

    Args:
        network: the folder of a run, or a ``MaskedRNN``.
        battery: None: the one that the network was trained on.
        shares: of the synapses, from 0 to 1.
        ways: of ``WAYS``.
        updates: number of updates by which the weights left are trained on before they are scored; see ``fine_tune``.
        tasks: some of the battery's tasks; None: all.
        n_trials: number of trials of each task.
        seed: seed of the trials and of the random order.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Returns:
        A row for each way, share and task, with the decision ``accuracy``, ``chance`` and ``ceiling`` (NaN: unknown).

    Raises:
        ModcogError: for another network or share.
        UnknownNameError: for another way.
    """
    model, battery = open_both(network, battery, trust)
    pruned = {(way, share): prune(model, share, way, seed) for way in ways for share in shares}
    known = levels_to_draw(battery)
    rows = []
    for (way, share), one in pruned.items():
        tuned = fine_tune(one, battery, updates, seed=seed) if updates else one
        for task, accuracy in evaluate(tuned, battery, n_trials, seed, tasks).per_task().items():
            chance, ceiling = known[task].ends("decision") if task in known else (np.nan, np.nan)
            rows.append([way, share, task, accuracy, chance, ceiling])
    return pd.DataFrame(rows, columns=["way", "share", "task", "accuracy", "chance", "ceiling"])


@rc_context(STYLE)
def plot_lesions(result: Lesions) -> Figure:
    """Draw the change of accuracy: groups by tasks."""
    change = result.change
    figure = Figure(figsize=(max(4.5, 1.8 + 0.16 * change.shape[1]), 1.9 + 0.18 * len(change)))
    axes = figure.subplots()
    axes.spines[:].set_visible(True)
    picture = axes.imshow(100 * change, aspect="auto", cmap="RdBu", vmin=-100, vmax=100, interpolation="nearest")
    figure.colorbar(picture, ax=axes, label="points", pad=0.01)
    size = result.table.groupby("group")["units"].first()
    axes.set_yticks(range(len(change)), [f"{name} ({size[name]})" for name in change.index], fontsize=7)
    axes.set_xticks(range(change.shape[1]), change.columns, fontsize=7, rotation=90)
    axes.set_title("Change of accuracy without\nsilenced units (their number)")
    return figure


@rc_context(STYLE)
def plot_pruning(result: pd.DataFrame) -> Figure:
    """Draw the mean accuracy over tasks against the share of synapses that is cut, between chance and ceiling."""
    figure = Figure(figsize=(5.8, 3.2))
    axes = figure.subplots()
    for colour, (way, rows) in zip(PALETTE, result.groupby("way", sort=False), strict=False):
        means = rows.groupby("share")["accuracy"].mean()
        axes.plot(means.index, means, "o-", color=colour, label=f"{way} first" if way != "random" else way)
    for level, style in (("chance", ":"), ("ceiling", "--")):
        if result[level].notna().all():
            axes.axhline(result[level].mean(), color=GREY, linestyle=style, linewidth=1, label=level)
    axes.set(xlabel="share of the synapses that is cut", ylabel="decision accuracy", ylim=(0, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside right upper")
    return figure
