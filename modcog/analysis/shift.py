"""Scores beyond the training distribution: longer intervals, delays and sequences, other noise, coherences and dt.

Each score stands beside the level of the ideal observer *of the shifted trials*, and that of the best player who lacks
something the task needs (``modcog.evaluation.strategies``), so that trials which are only harder do not count against
the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from modcog.analysis.states import Network, open_both
from modcog.battery import Battery
from modcog.colours import BLUE, GREY, PALE, STYLE
from modcog.errors import ModcogError, unknown
from modcog.evaluation import evaluate
from modcog.evaluation.ceilings import rough_levels
from modcog.models.cells import MaskedRNN
from modcog.tables import Brief
from modcog.tasks.names import TaskSpec
from modcog.trials.tables import Tables

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Shift:
    """A way to leave the training distribution.

    Attributes:
        title: what changes.
        concerns: if a task's trials change, given the task and its place in the battery's tables.
        points: from the battery to the changes of its settings, by label; the trained settings come first.
    """

    title: str
    concerns: Callable[[Tables, int], bool]
    points: Callable[[Battery], Mapping[str, Changes]]


def _spec(test: Callable[[TaskSpec], bool]) -> Callable[[Tables, int], bool]:
    return lambda tables, task: test(tables.specs[task])


def _at_once(tables: Tables, task: int) -> bool:
    """Return True if a task shows two stimuli at once, whose strengths the coherence decides."""
    row = tables.rows[task]
    return any("coherence" in one.names for one in row.conditions) and not row.params.get("sequential")


def _fixed_delay(tables: Tables, task: int) -> bool:
    return "delay" in tables.periods[task] and not tables.specs[task].interval


def _periods(period: str, **points: Any) -> Callable[[Battery], Mapping[str, Changes]]:
    return lambda battery: {
        "trained": {},
        **{label: {"timing": {**battery.settings.timing, period: ms}} for label, ms in points.items()},
    }


SHIFTS: dict[str, Shift] = {
    "interval": Shift(
        "interval, ms",
        _spec(lambda spec: spec.interval != 0),
        lambda battery: {
            "trained": {},
            "1300–1800": {"interval": tuple(range(1300, 1801, 100))},
            "1900–2400": {"interval": tuple(range(1900, 2401, 100))},
        },
    ),
    "delay": Shift(
        "delay, ms",
        _fixed_delay,
        _periods("delay", **{"1300–1800": ("uniform", (1300, 1800)), "1900–2400": ("uniform", (1900, 2400))}),
    ),
    "sequence": Shift(
        "decision of sequences, ms",
        _spec(lambda spec: spec.sequence != 0),
        _periods("decision", **{"2000": 2000, "3000": 3000, "4000": 4000}),
    ),
    "noise": Shift(
        "noise × trained",
        lambda tables, task: tables.rows[task].noise != "none",
        lambda battery: {
            "trained": {},
            **{f"× {factor:g}": {"sigma": battery.settings.sigma * factor} for factor in (0.5, 2, 4)},
        },
    ),
    "coherence": Shift(
        "coherence",
        _at_once,
        lambda battery: {
            "trained": {},
            **{f"{value:g}": {"coherences": (value,)} for value in (0.02, 0.04, 0.12, 0.24, 0.48)},
        },
    ),
    "dt": Shift(
        "time step × trained",
        lambda tables, task: True,
        lambda battery: {
            "trained": {},
            **{f"× {factor:g}": {"dt": battery.settings.dt * factor} for factor in (0.25, 0.5, 2)},
        },
    ),
}
"""The shifts by name."""

COLUMNS = ["shift", "point", "task", "accuracy", "low", "high", "chance", "best_strategy", "ceiling", "share"]


@dataclass(frozen=True, eq=False, repr=False)
class Shifted(Brief):
    """Scores on shifted trials.

    Attributes:
        table: a row for each shift, point and task: decision ``accuracy`` with its 95 % bootstrap interval; the levels
            of ``chance``, of the ``best_strategy`` that lacks something, and of the ``ceiling``; ``share`` of the way
            from chance to the ceiling, NaN where they are the same.
    """

    table: pd.DataFrame


def shift(
    network: Network,
    battery: Battery | None = None,
    *,
    shifts: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    n_trials: int = 50,
    seed: int = 0,
    trust: bool = False,
) -> Shifted:
    """Score a network on trials that it was not trained on.

    Args:
        network: the folder of a run, a torch module, or a function as ``modcog.evaluate`` takes it.
        battery: None: the one that the network was trained on.
        shifts: names in ``SHIFTS``; None: all. ``"dt"`` is for a ``MaskedRNN`` with α below 1, whose α changes with
            the time step; none makes α greater than 1.
        tasks: some of the battery's tasks; None: all that the network was trained on. Each shift is measured on those
            whose trials it changes.
        n_trials: number of trials of each task at each point.
        seed: seed of the trials.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        UnknownNameError: for a shift or task that does not exist.
        ModcogError: if no shift changes any of the tasks, the network has no other time step, a task has no ideal
            observer, or as ``modcog.evaluate``.
    """
    model, battery = open_both(network, battery, trust)
    chosen = list(getattr(model, "trained", battery.tasks) if tasks is None else tasks)
    places = [battery.index(task) for task in chosen]
    rows: list[list[Any]] = []
    for name in SHIFTS if shifts is None else shifts:
        if name not in SHIFTS:
            raise unknown("shift", name, SHIFTS)
        if name == "dt" and not (isinstance(model, MaskedRNN) and model.alpha < 1):
            if shifts is None:
                continue
            raise ModcogError("shifts: got 'dt', which needs a MaskedRNN with tau above dt, so that α is below 1")
        own = [task for task, k in zip(chosen, places, strict=True) if SHIFTS[name].concerns(battery.tables, k)]
        if not own:
            continue
        for label, changes in SHIFTS[name].points(battery).items():
            shifted, player = battery.replace(**changes), model
            if "dt" in changes:
                factor = changes["dt"] / battery.settings.dt
                if model.alpha * factor > 1:
                    continue
                player = change_dt(model, factor)
            known = rough_levels(shifted.replace(tasks=own))
            table = evaluate(player, shifted, n_trials, seed, own).table(known)
            for task in own:
                figure = table[task]["decision"]
                below, ceiling = known[task].ends("decision", "best")
                chance = known[task].decision_chance
                low, high = figure.interval
                share = figure.share if figure.share is not None else np.nan
                best = chance if np.isnan(below) else below
                rows.append([name, label, task, figure.value, low, high, chance, best, ceiling, share])
    if not rows:
        raise ModcogError(f"shifts: none changes the trials of {', '.join(chosen[:4])}")
    return Shifted(pd.DataFrame(rows, columns=COLUMNS))


def change_dt(network: MaskedRNN, factor: float) -> MaskedRNN:
    """Return a network with the same weights and time constant, whose time step is ``factor`` times as long.

    α = dt / τ changes with the step, and its private noise ξ by 1 / √factor, as white noise does.
    """
    changed = MaskedRNN(
        network.mask,
        network.n_inputs,
        len(network.bias_out),
        activation=network.activation,
        dt=network.alpha * factor,
        tau=1.0,
        noise=network.noise / factor**0.5,
        batch_first=network.batch_first,
    )
    changed.load_state_dict(network.state_dict())
    return changed.to(network.bias).eval()


@rc_context(STYLE)
def plot_shift(result: Shifted) -> Figure:
    """Draw for each shift the mean accuracy over its tasks, beside the ceiling, the best strategy below, and chance."""
    names = list(result.table["shift"].unique())
    figure = Figure(figsize=(2.6 * len(names) + 1.4, 3.2))
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        rows = result.table[result.table["shift"] == name]
        means = rows.groupby("point", sort=False)[["accuracy", "ceiling", "best_strategy", "chance"]].mean()
        for column, style in (
            ("ceiling", {"color": "black", "linestyle": ":", "label": "ideal observer"}),
            ("best_strategy", {"color": GREY, "linestyle": "--", "label": "best strategy that lacks something"}),
            ("chance", {"color": PALE, "linestyle": "-", "label": "chance"}),
            ("accuracy", {"color": BLUE, "marker": "o", "label": "network"}),
        ):
            axes.plot(range(len(means)), means[column], **style)
        axes.set_xticks(range(len(means)), means.index, fontsize=7, rotation=30, ha="right")
        axes.set(title=f"{SHIFTS[name].title} ({rows['task'].nunique()} tasks)", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.axes[0].set_ylabel("decision accuracy")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
