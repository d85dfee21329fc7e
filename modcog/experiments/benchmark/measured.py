"""From the records of a network's seeds to means and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.evaluation import Level
from modcog.evaluation.scores import ROOM
from modcog.experiments.benchmark.report import REACHED, Cost, Interval, Point, Reached
from modcog.experiments.estimate import Estimate

Record = Mapping[str, Any]
Array = NDArray[np.float64]

FIGURES = ("parameters", "synapses", "density", "wiring_mean")
"""Of a network, as ``modcog.models.measure`` names them."""


class Measured:
    """Accuracies of the seeds of a network, task by task.

    Args:
        records: of the seeds that were scored, with ``scores`` as sweeps write them; at least one.
        levels: chance and ceiling of the tasks; None: not known.
    """

    def __init__(self, records: Sequence[Record], levels: Mapping[str, Level] | None) -> None:
        self.tasks = tuple(records[0]["scores"])
        self._accuracy = {kind: _ends(records, self.tasks, kind) for kind in ("decision", "trial")}
        self.levels = levels

    def accuracy(self, kind: str, tasks: Sequence[str]) -> Interval:
        """The mean of ``"decision"`` or ``"trial"`` accuracy over tasks; its interval keeps to 0 … 1."""
        accuracy, low, high = self._accuracy[kind][..., self._at(tasks)]
        return _interval(accuracy, low, high, bounds=(0, 1))

    def level(self, tasks: Sequence[str]) -> tuple[float | None, float | None]:
        """Mean chance and ceiling of tasks."""
        if self.levels is None:
            return None, None
        ends = [(self.levels[task].decision_chance, self.levels[task].decision_ceiling) for task in tasks]
        chance, ceiling = np.mean(ends, axis=0).tolist()
        return chance, ceiling

    def share(self, tasks: Sequence[str]) -> Interval | None:
        """The mean over tasks of the way from chance to the ceiling; None if there is no way, or it is not known.

        Its interval keeps to what accuracies from 0 to 1 allow.
        """
        if self.levels is None:
            return None
        ends = np.array([(self.levels[task].decision_chance, self.levels[task].decision_ceiling) for task in tasks])
        room = ends[:, 1] - ends[:, 0] > ROOM
        if not room.any():
            return None
        chance, ceiling = ends[room].T
        at = self._at(tasks)[room]
        accuracy, low, high = (self._accuracy["decision"][..., at] - chance) / (ceiling - chance)
        none, full = (float(np.mean((end - chance) / (ceiling - chance))) for end in (0, 1))
        return _interval(accuracy, low, high, bounds=(none, full))

    def _at(self, tasks: Sequence[str]) -> NDArray[np.intp]:
        return np.array([self.tasks.index(task) for task in tasks])


def _ends(records: Sequence[Record], tasks: Sequence[str], kind: str) -> Array:
    """Accuracy and its bootstrap interval (low, high), (3, seeds, tasks)."""
    scores = [[record["scores"][task] for task in tasks] for record in records]
    rows = [[(score[f"{kind}_accuracy"], *score[f"{kind}_interval"]) for score in row] for row in scores]
    return np.moveaxis(np.array(rows, float), -1, 0)


def _interval(accuracy: Array, low: Array, high: Array, bounds: tuple[float, float]) -> Interval:
    """Over seeds, that of Student (1908); of a single network, from those of its tasks, which are independent.

    The tasks' intervals are bootstrap ones (Efron 1979).

    Args:
        accuracy: (seeds, tasks).
        low: lower end for each seed and task.
        high: upper end.
        bounds: what the interval is cut to.
    """
    means = accuracy.mean(axis=1)
    if len(means) > 1:
        _, lowest, highest, _ = Estimate.of(means)
    else:
        below, above = (float(np.linalg.norm(end - accuracy)) / accuracy.shape[1] for end in (low, high))
        lowest, highest = means[0] - below, means[0] + above
    lowest, highest = np.clip((lowest, highest), *bounds).tolist()
    return Interval(mean=float(means.mean()), low=lowest, high=highest)


def cost(records: Sequence[Record]) -> Cost:
    """What a network costs, from the records of its seeds that were scored."""
    networks = [record.get("network", {}) for record in records]
    progress = [record["progress"] for record in records if "progress" in record]
    known: dict[str, Any] = {name: _mean(network.get(name) for network in networks) for name in FIGURES}
    known |= {name: _mean(done[name] for done in progress) for name in ("trials", "seconds")}
    return Cost(**known, reached=_reached([done["milestones"] for done in progress]))


def _reached(milestones: Sequence[Record]) -> dict[str, Reached]:
    found = {percent: [seen[percent]["trials"] for seen in milestones if percent in seen] for percent in REACHED}
    return {
        percent: Reached(trials=float(np.mean(trials)), seeds=len(trials), of=len(milestones))
        for percent, trials in found.items()
        if trials
    }


def curve(records: Sequence[Record]) -> tuple[Point, ...]:
    """The learning curve over seeds, at those numbers of trials where all seeds were evaluated."""
    seeds = [
        {point["trials"]: point["decision_accuracy"] for point in record["curve"]}
        for record in records
        if record.get("curve")
    ]
    if not seeds:
        return ()
    shared = [trials for trials in seeds[0] if all(trials in seed for seed in seeds)]
    rows = [(trials, [seed[trials] for seed in seeds]) for trials in shared]
    return tuple(Point(trials=trials, mean=float(np.mean(row)), low=min(row), high=max(row)) for trials, row in rows)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None if a value is missing."""
    found = list(values)
    return None if not found or None in found else float(np.mean(np.array(found, float)))
