"""Decision accuracy and trial accuracy, per task and over groups of tasks, with bootstrap intervals.

*Decision accuracy* is the share of decision steps whose action equals the label, averaged over trials. *Trial
accuracy* is the share of trials in which every step of the decision is right and no earlier step responds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.names import TaskSpec, parse
from modcog.trials.trials import Trials

BOOTSTRAP = 1000
"""Resamples behind an interval."""


@dataclass(frozen=True)
class Score:
    """The two accuracies of one task or group, each with a 95 % bootstrap interval (low, high).

    A group's accuracy is the mean over its tasks; its interval resamples trials within each task.
    """

    decision_accuracy: float
    decision_interval: tuple[float, float]
    trial_accuracy: float
    trial_interval: tuple[float, float]
    n_tasks: int
    n_trials: int


@dataclass(frozen=True, eq=False)
class Scores:
    """What every trial scored.

    Attributes:
        tasks: names of the battery's tasks.
        task: (n,) index of each trial's task.
        decision: (n,) share of its decision steps that are right.
        whole: (n,) bool, whether the whole trial is right.
    """

    tasks: tuple[str, ...]
    task: NDArray[np.int64]
    decision: NDArray[np.float64]
    whole: NDArray[np.bool_]

    def per_task(self) -> dict[str, float]:
        """Decision accuracy by task, for the tasks that have trials."""
        return self._means(self.decision)

    def trial_accuracy_per_task(self) -> dict[str, float]:
        """Trial accuracy by task, for the tasks that have trials."""
        return self._means(self.whole)

    @property
    def decision_accuracy(self) -> float:
        """Decision accuracy over the battery: the mean over tasks."""
        return float(np.mean(list(self.per_task().values())))

    @property
    def trial_accuracy(self) -> float:
        """Trial accuracy over the battery: the mean over tasks."""
        return float(np.mean(list(self.trial_accuracy_per_task().values())))

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The groups that scores are reported for, those with tasks: battery, families, extensions."""
        specs = [parse(name) for name in self.tasks]
        found: dict[str, list[str]] = {"battery": list(self.tasks)}
        for spec in specs:
            found.setdefault(f"family: {spec.family}", []).append(spec.name)
            found.setdefault(f"extension: {extension(spec)}", []).append(spec.name)
        return {name: tuple(tasks) for name, tasks in found.items()}

    def table(self, seed: int = 0) -> dict[str, Score]:
        """Scores of every task and of every group (``groups``), with intervals; ``seed`` is the bootstrap's."""
        rng = np.random.default_rng(seed)
        resampled = {name: self._resample(index, rng) for index, name in enumerate(self.tasks) if self._has(index)}
        members = {name: (name,) for name in resampled} | self.groups()
        return {name: self._score(tasks, resampled) for name, tasks in members.items()}

    def _score(self, tasks: tuple[str, ...], resampled: dict[str, NDArray[np.float64]]) -> Score:
        present = [name for name in tasks if name in resampled]
        trial = np.isin(self.task, [self.tasks.index(name) for name in present])
        means = np.mean([resampled[name] for name in present], axis=0)
        low, high = np.percentile(means, [2.5, 97.5], axis=1)
        decision, whole = self.per_task(), self.trial_accuracy_per_task()
        return Score(
            float(np.mean([decision[name] for name in present])),
            (float(low[0]), float(high[0])),
            float(np.mean([whole[name] for name in present])),
            (float(low[1]), float(high[1])),
            len(present),
            int(trial.sum()),
        )

    def _resample(self, index: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Bootstrapped means of decision and trial accuracy of one task, (2, BOOTSTRAP)."""
        trial = np.flatnonzero(self.task == index)
        drawn = trial[rng.integers(0, len(trial), (BOOTSTRAP, len(trial)))]
        return np.stack([self.decision[drawn].mean(axis=1), self.whole[drawn].mean(axis=1)])

    def _has(self, index: int) -> bool:
        return bool(np.any(self.task == index))

    def _means(self, values: NDArray[Any]) -> dict[str, float]:
        count = np.bincount(self.task, minlength=len(self.tasks))
        total = np.bincount(self.task, weights=values, minlength=len(self.tasks))
        return {name: float(total[k] / count[k]) for k, name in enumerate(self.tasks) if count[k]}


def extension(spec: TaskSpec) -> str:
    """The extensions of a task in a word: none, interval, sequence or interval-sequence."""
    return "-".join(n for n, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign) or "none"


def score(output: NDArray[Any], trials: Trials) -> Scores:
    """Score a network's output on trials.

    Args:
        output: (n, T, A) logits, or (n, T) actions; T at least the longest trial's length.
        trials: the n trials it was made for.

    Raises:
        ModcogError: if the shape does not fit the trials, or a value is not finite.
    """
    actions = _actions(np.asarray(output), trials)
    labels, mask = trials.labels, trials.mask
    actions = actions[:, : mask.shape[1]]
    decision = mask & (np.arange(mask.shape[1]) >= trials.decision_start[:, None])
    right = (actions == labels) & decision
    share = right.sum(axis=1) / decision.sum(axis=1)
    early = (actions != 0) & mask & ~decision
    return Scores(trials.tasks, trials.task, share, (share == 1) & ~early.any(axis=1))


def _actions(output: NDArray[Any], trials: Trials) -> NDArray[np.int64]:
    n, length = trials.mask.shape
    wanted = f"must be logits (n, T, A) or actions (n, T) with n = {n} and T ≥ {length}"
    if output.ndim not in (2, 3) or output.shape[0] != n or output.shape[1] < length:
        raise ModcogError(f"output: got shape {output.shape}, {wanted}")
    if output.dtype.kind == "f" and not np.isfinite(output[:, :length][trials.mask]).all():
        raise ModcogError("output: holds NaN or infinite values at steps of trials, must be finite")
    if output.ndim == 3:
        if output.shape[2] < 2:
            raise ModcogError(f"output: got shape {output.shape}, {wanted} and A > 1")
        return output.argmax(axis=-1)
    if output.dtype.kind not in "iub" and not np.equal(np.mod(output, 1), 0).all():
        raise ModcogError("output: actions must be whole numbers")
    return output.astype(np.int64)
