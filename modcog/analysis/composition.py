"""Compositional generalisation: scores on combinations of base task and extension that a network was not trained on.

The network is trained on the training tasks of a named split (``modcog.split``) with the compositional rule input, and
asked for the tasks that were held out (after Riveland and Pouget 2024, Nature Neuroscience 27, 988).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from modcog.analysis.states import Network, open_both
from modcog.battery import Battery, widen
from modcog.colours import STYLE, VERMILLION
from modcog.evaluation import evaluate, levels
from modcog.tables import Brief
from modcog.tasks.names import parse

COLUMNS = ["task", "base", "extension", "held_out", "accuracy", "low", "high", "chance", "ceiling", "share"]


@dataclass(frozen=True, eq=False, repr=False)
class Composition(Brief):
    """Scores on trained and held-out tasks.

    Attributes:
        table: a row for each task: ``base``, ``extension`` (with its signs, as in the name; ``plain`` without),
            ``held_out``, decision ``accuracy`` with its 95 % bootstrap interval, ``chance``, ``ceiling``, and ``share``
            of the way from chance to the ceiling.
    """

    table: pd.DataFrame

    def means(self) -> pd.DataFrame:
        """Return the mean accuracy and share of the trained and of the held-out tasks, by kind of extension."""
        kind = self.table["extension"].str.replace("(int|seq)[rl]", r"\1", regex=True).rename("kind")
        which = self.table["held_out"].map({False: "trained", True: "held out"}).rename("tasks")
        return self.table.groupby([kind, which], sort=False)[["accuracy", "share"]].mean()


def composition(
    network: Network,
    battery: Battery | None = None,
    *,
    tasks: Iterable[str] | None = None,
    n_trials: int = 100,
    seed: int = 0,
    trust: bool = False,
) -> Composition:
    """Score a network on the tasks that it was trained on, and on combinations that it was not.

    Args:
        network: the folder of a run, a torch module, or a function as ``modcog.evaluate`` takes it.
        battery: that the network was trained on, with the compositional rule input; None: that of the run.
        tasks: tasks to ask for; None: all of the 132 whose base tasks were trained.
        n_trials: number of trials of each task.
        seed: seed of the trials.
        trust: allow a run to name its network as MODULE:NAME; see ``modcog.load_model``.

    Raises:
        ModcogError: unless the rule input is compositional and has the base tasks.
        UnknownNameError: for a task that does not exist.
    """
    model, battery = open_both(network, battery, trust)
    trained = getattr(model, "trained", battery.tasks)  # a run may have trained some of its battery's tasks
    if tasks is None:
        bases = {parse(task).base for task in battery.tasks}
        tasks = [task for task in Battery().tasks if parse(task).base in bases]
    asked = list(tasks)
    wider = widen(battery, asked)
    known = levels(wider.replace(tasks=asked))
    scores = evaluate(model, wider, n_trials, seed, asked).table(known)
    rows = []
    for task in asked:
        spec, figure = parse(task), scores[task]["decision"]
        share = np.nan if figure.share is None else figure.share
        rows.append(
            [task, spec.base, task.removeprefix(spec.base) or "plain", task not in trained, figure.value,
             *figure.interval, *known[task].ends("decision"), share]
        )  # fmt: skip
    return Composition(pd.DataFrame(rows, columns=COLUMNS))


@rc_context(STYLE)
def plot_composition(result: Composition) -> Figure:
    """Draw the matrix of base tasks and extensions: the share of the way to the ceiling, held-out tasks in a frame."""
    table = result.table
    wide = table.pivot(index="base", columns="extension", values="share")
    wide = wide.loc[table["base"].unique(), table["extension"].unique()]
    held_out = table.pivot(index="base", columns="extension", values="held_out").reindex_like(wide)
    figure = Figure(figsize=(1.9 + 0.55 * wide.shape[1], 1.6 + 0.24 * len(wide)))
    axes = figure.subplots()
    axes.spines[:].set_visible(True)
    picture = axes.imshow(100 * wide, aspect="auto", cmap="viridis", vmin=0, vmax=100)
    for (i, j), value in np.ndenumerate(wide.to_numpy(float)):
        if np.isfinite(value):
            colour = "white" if value < 0.6 else "black"
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=colour)
        if held_out.iloc[i, j] is True or held_out.iloc[i, j] == 1:
            axes.add_patch(Rectangle((j - 0.46, i - 0.44), 0.92, 0.88, fill=False, color=VERMILLION, linewidth=1.8))
    figure.colorbar(picture, ax=axes, label="% of the way from chance to the ceiling", pad=0.02)
    axes.set_yticks(range(len(wide)), wide.index, fontsize=7)
    axes.set_xticks(range(wide.shape[1]), wide.columns, rotation=45, ha="right", fontsize=7)
    axes.set_title("In a frame: not trained")
    return figure
