"""Scores of trials, per task and over groups of tasks, with bootstrap intervals.

*Decision accuracy* is the share of decision steps whose action equals the label, averaged over trials. *Trial
accuracy* is the share of trials in which every step of the decision is right and no earlier step responds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import as_array
from modcog.errors import ModcogError, unknown
from modcog.evaluation.ceilings import Level
from modcog.seeds import Purpose, Seed
from modcog.tables import html_table, markdown_table
from modcog.tasks.names import TaskSpec, parse
from modcog.trials.arrays import Trials

BOOTSTRAP = 1000
"""Resamples behind an interval."""

MOST_SHOWN = 24
"""Largest number of single tasks in the table of a notebook."""

SMALLEST_RANGE = 1e-6
"""Largest difference between ceiling and chance at which a share is undefined."""


@dataclass(frozen=True)
class Score:
    """The accuracies of one task or group, each with a 95 % bootstrap interval (low, high) (Efron 1979).

    A group's accuracy is the mean over its tasks; its interval resamples trials within each task. The *share* is how
    far an accuracy is on the way from chance (0) to the ceiling (1), and a group's the mean over its tasks' shares.
    Chance, ceiling and shares are None unless levels were given, and a share is None where ceiling and chance agree.
    """

    decision_accuracy: float
    decision_interval: tuple[float, float]
    trial_accuracy: float
    trial_interval: tuple[float, float]
    n_tasks: int
    n_trials: int
    decision_chance: float | None = None
    decision_ceiling: float | None = None
    decision_share: float | None = None
    decision_share_interval: tuple[float, float] | None = None
    trial_chance: float | None = None
    trial_ceiling: float | None = None
    trial_share: float | None = None
    trial_share_interval: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """The scores of every trial.

    Attributes:
        tasks: names of the battery's tasks.
        task: (n,) index of each trial's task.
        values: (n,) values from 0 to 1 of each score: ``"decision"``, the share of a trial's decision steps that are
            right, and ``"trial"``, 1 if the whole trial is right.
    """

    tasks: tuple[str, ...]
    task: NDArray[np.integer]
    values: Mapping[str, NDArray[np.float64]]

    def __repr__(self) -> str:
        return f"Scores({self._title()})"

    def _repr_html_(self) -> str:
        """Return a table for notebooks: the battery, its families and extensions, and single tasks if they are few."""
        means, groups = [self.per_task(kind) for kind in ("decision", "trial")], self.groups()
        groups |= {task: (task,) for task in means[0]} if len(means[0]) <= MOST_SHOWN else {}
        rows = [["", "tasks", "decision accuracy (%)", "trial accuracy (%)"]]
        for name, tasks in groups.items() if means[0] else ():
            accuracies = (100 * np.mean([mean[task] for task in tasks]) for mean in means)
            rows.append([name, str(len(tasks)), *(f"{accuracy:.1f}" for accuracy in accuracies)])
        return html_table(rows, self._title())

    def _title(self) -> str:
        tasks = list(self.per_task())
        of = f"{len(self.task)} trials of {', '.join(tasks) if 0 < len(tasks) <= 4 else f'{len(tasks)} tasks'}"
        if not tasks:
            return of
        return f"{of}: decision accuracy {self.decision_accuracy:.1%}, trial accuracy {self.trial_accuracy:.1%}"

    def per_task(self, kind: str = "decision") -> dict[str, float]:
        """Return the mean of a score, decision accuracy unless another is named, for each task that has trials."""
        count = np.bincount(self.task, minlength=len(self.tasks))
        total = np.bincount(self.task, self.values[kind], len(self.tasks))
        return {name: float(total[k] / count[k]) for k, name in enumerate(self.tasks) if count[k]}

    def trial_accuracy_per_task(self) -> dict[str, float]:
        """Return the trial accuracy of each task that has trials."""
        return self.per_task("trial")

    @property
    def decision_accuracy(self) -> float:
        """Decision accuracy over the battery: the mean over tasks."""
        return float(np.mean(list(self.per_task().values())))

    @property
    def trial_accuracy(self) -> float:
        """Trial accuracy over the battery: the mean over tasks."""
        return float(np.mean(list(self.per_task("trial").values())))

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the groups that scores are reported for, of tasks that have trials: battery, families, extensions."""
        found: dict[str, list[str]] = {"battery": list(self.per_task())}
        specs = [parse(name) for name in found["battery"]]
        for kind, group in (("family", lambda spec: spec.family), ("extension", extension)):
            for spec in specs:
                found.setdefault(f"{kind}: {group(spec)}", []).append(spec.name)
        return {name: tuple(tasks) for name, tasks in found.items()}

    def table(self, levels: Mapping[str, Level] | None = None, seed: int = 0) -> dict[str, Score]:
        """Return the scores of every task and of every group (``groups``), with bootstrap intervals (Efron 1979).

        Args:
            levels: chance and ceiling of the tasks, from ``modcog.evaluation.levels``, to report shares too.
            seed: of the bootstrap.

        Raises:
            UnknownNameError: if the levels lack a task.
        """
        tasks = list(self.per_task())
        if levels is not None and (lacking := [name for name in tasks if name not in levels]):
            raise unknown("task of the levels", lacking[0], levels)
        rng = Seed.of(seed, Purpose.BOOTSTRAP).rng()
        trials = {name: np.flatnonzero(self.task == self.tasks.index(name)) for name in tasks}
        means: dict[str, dict[str, NDArray[np.float64]]] = {}
        for name, trial in trials.items():
            drawn = trial[rng.integers(0, len(trial), (BOOTSTRAP, len(trial)))]
            means[name] = {
                kind: np.append(one[trial].mean(), one[drawn].mean(axis=1)) for kind, one in self.values.items()
            }
        table = {}
        for group, members in {**{name: (name,) for name in tasks}, **self.groups()}.items():
            figures: dict[str, Any] = {}
            for kind in self.values:
                ends = [levels[name].ends(kind) for name in members] if levels is not None else None
                figures |= _figures(kind, np.array([means[name][kind] for name in members]), ends)
            table[group] = Score(**figures, n_tasks=len(members), n_trials=sum(len(trials[name]) for name in members))
        return table


def _figures(kind: str, means: NDArray[np.float64], ends: Sequence[tuple[float, float]] | None) -> dict[str, Any]:
    """Return the fields of ``Score`` about one kind of score.

    ``means``, (K, 1 + BOOTSTRAP), are those of each task and of its resamples, ``ends`` its chance and ceiling.
    """
    found: dict[str, Any] = {}
    found[f"{kind}_accuracy"], found[f"{kind}_interval"] = _with_interval(means)
    if ends is None:
        return found
    chance, ceiling = np.array(ends).T[..., None]
    found[f"{kind}_chance"], found[f"{kind}_ceiling"] = float(chance.mean()), float(ceiling.mean())
    defined = (ceiling - chance > SMALLEST_RANGE)[:, 0]
    if defined.any():
        shares = (means - chance)[defined] / (ceiling - chance)[defined]
        found[f"{kind}_share"], found[f"{kind}_share_interval"] = _with_interval(shares)
    return found


def _with_interval(means: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Return the mean over tasks of (K, 1 + BOOTSTRAP) means, and its 95 % interval."""
    over_tasks = means.mean(axis=0)
    low, high = np.percentile(over_tasks[1:], [2.5, 97.5])
    return float(over_tasks[0]), (float(low), float(high))


def format_table(table: Mapping[str, Score]) -> str:
    """Return a table of scores (see ``Scores.table``) as Markdown, in percent; groups come first."""

    def percent(*values: float) -> str:
        return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in values))

    rows = [["", "tasks", "trials", "decision accuracy", "chance", "ceiling", "share", "trial accuracy"]]
    for name in sorted(table, key=lambda name: table[name].n_tasks == 1 and ":" not in name and name != "battery"):
        one = table[name]
        levels = (one.decision_chance, one.decision_ceiling, one.decision_share)
        middle = ["–" if value is None else f"{100 * value:.1f}" for value in levels]
        decision = percent(one.decision_accuracy, *one.decision_interval)
        trial = percent(one.trial_accuracy, *one.trial_interval)
        rows.append([name, str(one.n_tasks), str(one.n_trials), decision, *middle, trial])
    return markdown_table(rows)


def extension(spec: TaskSpec) -> str:
    """Return the extensions of a task as one word: none, interval, sequence or interval-sequence."""
    return "-".join(n for n, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign) or "none"


def score(output: Any, trials: Trials, n_actions: int | None = None) -> Scores:
    """Score a network's output on trials.

    Args:
        output: (n, T, A) logits, or (n, T) actions; T at least the longest trial's length. Anything that
            ``np.asarray`` takes.
        trials: the n trials it was made for.
        n_actions: A, to check that it is right; None: any.

    Raises:
        ModcogError: if the shape does not fit the trials, or a value is not finite or not an action.
    """
    actions = _actions(output, trials, n_actions)
    labels, mask = trials.labels, trials.mask
    decision = mask & (np.arange(mask.shape[1]) >= trials.decision_start[:, None])
    share = ((actions == labels) & decision).sum(axis=1) / decision.sum(axis=1)
    early = ((actions != 0) & mask & ~decision).any(axis=1)
    return Scores(trials.tasks, trials.task, {"decision": share, "trial": ((share == 1) & ~early).astype(np.float64)})


def _actions(output: Any, trials: Trials, n_actions: int | None) -> NDArray[np.int64]:
    """Return the action at each step, (n, T) for T the length of the longest trial."""
    n, length = trials.mask.shape
    wanted = f"must be logits of shape ({n}, {length}, {n_actions or 'A'}) or actions of shape ({n}, {length})"
    values = numbers(output, wanted)
    logits = values.ndim == 3
    fits = values.ndim in (2, 3) and values.shape[0] == n and values.shape[1] >= length
    if not fits or (logits and (values.shape[2] < 2 or values.shape[2] != (n_actions or values.shape[2]))):
        raise ModcogError(
            f"output: got shape {values.shape}, {wanted}; the last axis of logits has an entry for each action"
        )
    values = values[:, :length]
    if values.dtype.kind == "f" and not np.isfinite(values[trials.mask]).all():
        bad = "NaN" if np.isnan(values[trials.mask]).any() else "infinite values"
        raise ModcogError(f"output: holds {bad} at steps of trials; {wanted}, all finite")
    if logits:
        return values.argmax(axis=-1)
    taken = values[trials.mask]
    if (taken != np.floor(taken)).any():
        raise ModcogError(f"output: actions must be whole numbers; {wanted}")
    if n_actions is not None and taken.size and not 0 <= taken.min() <= taken.max() < n_actions:
        given = f"actions from {taken.min():g} to {taken.max():g}"
        raise ModcogError(f"output: holds {given}, must be from 0 to {n_actions - 1}")
    return np.where(trials.mask, values, 0).astype(np.int64)


def numbers(output: Any, wanted: str = "must be an array of numbers") -> NDArray[Any]:
    """Return an output as an array of whole numbers, truth values or floats, of the same shape.

    It may be anything that ``np.asarray`` takes, or a tensor on any device. ``wanted`` ends the error's sentence.

    Raises:
        ModcogError: if it is no array of real numbers.
    """
    try:
        if hasattr(output, "detach"):  # a torch tensor, which may need a gradient or be on a GPU
            output = output.detach().cpu()
            output = output.float() if output.is_floating_point() and output.element_size() < 4 else output
        values = as_array(output, 3)
        if values.dtype.kind in "biuf":
            return values
        if (
            values.dtype.kind == "V" and values.dtype.names is None
        ):  # JAX and TensorFlow have floats of 16 bits that NumPy does not know
            return values.astype(np.float32)
        found = f"an array of {values.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
    except (TypeError, ValueError, RuntimeError):
        found = type(output).__name__
    raise ModcogError(f"output: got {found}, which is no array of real numbers; {wanted}") from None
