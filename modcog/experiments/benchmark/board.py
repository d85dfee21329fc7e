"""The leaderboard: entries of a protocol beside each other, as tables and as figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from modcog.colours import PALETTE
from modcog.evaluation import STRATEGIES, Level, levels
from modcog.experiments.benchmark.entries import Entry, stored_entries
from modcog.experiments.benchmark.figures import MARKERS
from modcog.experiments.benchmark.measure import mean_interval, mean_levels, score_table
from modcog.experiments.benchmark.page import DASH, interval, number, percent
from modcog.experiments.benchmark.protocol import PARAMETERS, UNITS, Protocol, find_protocol
from modcog.experiments.claims.figures import light_frame
from modcog.tables import Rows

NEAR = 0.05
"""Share by which the parameters of a network may be off ``PARAMETERS`` to count as that many."""

CLASSES: dict[str, Callable[[Entry], bool]] = {
    f"{UNITS} units": lambda entry: entry.settings.get("hidden") == UNITS,
    f"about {PARAMETERS:,} parameters": lambda entry: abs(entry.parameters / PARAMETERS - 1) <= NEAR,
}
"""Tables of a protocol by size; a network may be in more than one."""

OTHER = "other sizes"
"""Table of the networks that are in no other."""


class Line(NamedTuple):
    """An entry, and its scores on each task: columns as ``score_table`` has them."""

    entry: Entry
    scores: pd.DataFrame

    @property
    def kind(self) -> str:
        """Name of the network without its number of units."""
        return self.entry.name.removesuffix(f" {self.entry.settings.get('hidden')}")

    @property
    def decision(self) -> float:
        """Mean decision accuracy."""
        return float(self.scores["decision"].mean())


class Board:
    """The entries of a protocol, the best first, and the levels of its tasks.

    Args:
        protocol: whose entries to show.
        entries: to choose from; None: those that come with the package.

    Attributes:
        protocol: the protocol.
        lines: its entries.
        levels: levels of its tasks.
    """

    def __init__(self, protocol: Protocol | None = None, entries: Iterable[Entry] | None = None) -> None:
        self.protocol = protocol or find_protocol()
        self.levels: dict[str, Level] = levels(self.protocol.battery)
        chosen = [one for one in (stored_entries().values() if entries is None else entries) if self._is_ours(one)]
        lines = [Line(one, score_table(one.records(), self.levels)) for one in chosen]
        self.lines = sorted(lines, key=lambda line: -line.decision)

    def _is_ours(self, entry: Entry) -> bool:
        return (entry.protocol, entry.protocol_digest) == (self.protocol.name, self.protocol.digest)

    def classes(self) -> dict[str, list[Line]]:
        """Return the entries of each size in ``CLASSES``, and ``OTHER``; sizes without entries are left out."""
        found = {name: [line for line in self.lines if belongs(line.entry)] for name, belongs in CLASSES.items()}
        found[OTHER] = [line for line in self.lines if not any(belongs(line.entry) for belongs in CLASSES.values())]
        return {name: lines for name, lines in found.items() if lines}

    @property
    def ceiling(self) -> float:
        """Mean decision accuracy of the ideal observer over the tasks."""
        return float(np.mean([level.decision_ceiling for level in self.levels.values()]))

    def scores(self, lines: Sequence[Line]) -> Rows:
        """Return a table of networks: size, accuracies in percent with intervals over seeds, and cost."""
        head = ["network", "units", "parameters", "decision accuracy", "share", "trial", "last step", "directional",
                "error (°)", "unanswered", "synapses", "learning rate", "seeds", "minutes"]  # fmt: skip
        rows = []
        for entry, table in lines:
            kinds = ("share", "trial", "last_step", "directional", "angular_error", "unanswered")
            found = {kind: one.mean for kind in kinds if (one := mean_interval(table, kind))}
            minutes = float(np.mean([run.seconds for run in entry.runs])) / 60
            rows.append(
                [entry.name, str(entry.settings.get("hidden", DASH)), f"{entry.parameters:,}",
                 interval(mean_interval(table, "decision")),
                 *(percent(found.get(kind), 1 if kind == "angular_error" else 100) for kind in kinds),
                 f"{entry.synapses:,}" if entry.synapses else DASH,
                 f"{entry.settings['learning_rate']:g}", str(len(entry.runs)), number(minutes)]
            )  # fmt: skip
        return [head, *rows]

    def groups(self, lines: Sequence[Line]) -> Rows:
        """Return a table of decision accuracies in percent by family and extension; last come the levels."""
        head, rows = ["network", "all"], [[line.entry.name, percent(line.decision)] for line in lines]
        tasks = {"all": list(self.levels)}
        for kind in ("family", "extension"):
            for group in lines[0].scores[kind].unique():
                head.append("no extension" if group == "none" else group)
                tasks[head[-1]] = lines[0].scores.query(f"{kind} == @group")["task"].unique().tolist()
                for row, line in zip(rows, lines, strict=True):
                    row.append(percent(line.scores.loc[line.scores[kind] == group, "decision"].mean()))
        of_groups = [mean_levels([self.levels[task] for task in names]) for names in tasks.values()]
        for name in reversed(STRATEGIES):
            rows.append([LEVEL_NAMES.get(name, name.replace("-", " ")), *(percent(one[name]) for one in of_groups)])
        return [head, *rows]


LEVEL_NAMES = {"ideal": "ceiling (ideal observer)", "blind": "chance (sees no stimulus)"}
"""Names in print of strategies."""


def score_against_parameters(lines: Sequence[Line]) -> Figure:
    """Draw decision accuracy against the number of parameters, with the interval over seeds."""
    figure, axes = _frame("parameters")
    looks, named = _looks(lines), set[str]()
    for line in sorted(lines, key=lambda line: line.kind):
        found = mean_interval(line.scores, "decision")
        assert found is not None  # it is defined for every task
        ends = [[found.mean - found.low], [found.high - found.mean]]
        label = "_" if line.kind in named else line.kind  # one line of the legend for all its sizes
        named.add(line.kind)
        place = [line.entry.parameters]
        axes.errorbar(place, [found.mean], yerr=ends, capsize=3, linestyle="", label=label, **looks[line.kind])
    axes.set_xscale("log")
    for set_formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        set_formatter(EngFormatter(sep=""))
    return _with_legend(figure, axes)


def score_against_trials(lines: Sequence[Line]) -> Figure:
    """Draw the learning curves, means over seeds."""
    figure, axes = _frame("trials of training")
    looks = _looks(lines)
    for line in lines:
        curves = pd.DataFrame([dict(run.curve) for run in line.entry.runs]).dropna(axis=1)
        look = looks[line.kind] | {"markevery": 0.25, "linewidth": 1.2, "markersize": 5}
        axes.plot(curves.columns, curves.mean(), label=line.entry.name, **look)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    return _with_legend(figure, axes)


def _looks(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Return a colour and a marker for each kind of network."""
    kinds = sorted({line.kind for line in lines})
    pairs = zip(cycle(PALETTE), cycle(MARKERS), strict=False)  # no common factor: no two alike for long
    return {kind: {"color": colour, "marker": marker} for kind, (colour, marker) in zip(kinds, pairs, strict=False)}


def _frame(label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(label)
    axes.set_ylabel("decision accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    light_frame(axes)
    return figure, axes


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False)
    return figure
