"""Decision accuracy and trial accuracy, per task and over groups of tasks, with bootstrap intervals.

*Decision accuracy* is the share of decision steps whose action equals the label, averaged over trials. *Trial
accuracy* is the share of trials in which every step of the decision is right and no earlier step responds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, unknown
from modcog.seeds import Purpose, Seed
from modcog.tasks.names import TaskSpec, parse
from modcog.trials.arrays import Trials

if TYPE_CHECKING:
    from modcog.evaluation.ceilings import Level

BOOTSTRAP = 1000
"""Resamples behind an interval."""

ROOM = 1e-6
"""Where ceiling and chance are no further apart than this, there is no way between them to have a share of."""

Means = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """The two accuracies of one task or group, each with a 95 % bootstrap interval (low, high) (Efron 1979).

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
    task: NDArray[np.integer]
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
        """The groups that scores are reported for, of the tasks that have trials: battery, families, extensions."""
        specs = [parse(name) for name in self.per_task()]
        found: dict[str, list[str]] = {"battery": [spec.name for spec in specs]}
        for kind, group in (("family", lambda spec: spec.family), ("extension", extension)):
            for spec in specs:
                found.setdefault(f"{kind}: {group(spec)}", []).append(spec.name)
        return {name: tuple(tasks) for name, tasks in found.items()}

    def table(self, levels: Mapping[str, Level] | None = None, seed: int = 0) -> dict[str, Score]:
        """Scores of every task and of every group (``groups``), with bootstrap intervals (Efron 1979).

        Args:
            levels: chance and ceiling of the tasks, from ``modcog.evaluation.levels``, to report shares too.
            seed: of the bootstrap.

        Raises:
            UnknownNameError: if the levels lack a task.
        """
        rng = Seed.of(seed, Purpose.BOOTSTRAP).rng()
        decision, whole = self.per_task(), self.trial_accuracy_per_task()
        measured = {name: _Measured(decision[name], whole[name], *self._resample(name, rng)) for name in decision}
        for name in measured:
            if levels is not None and name not in levels:
                raise unknown("task of the levels", name, levels)
        members = {name: (name,) for name in measured} | self.groups()
        return {name: self._score(tasks, measured, levels) for name, tasks in members.items()}

    def _score(
        self, tasks: tuple[str, ...], measured: dict[str, _Measured], levels: Mapping[str, Level] | None
    ) -> Score:
        present = [measured[name] for name in tasks]
        n_trials = np.isin(self.task, [self.tasks.index(name) for name in tasks]).sum()
        decision = [task.decision_means for task in present]
        whole = [task.trial_means for task in present]
        raw = Score(
            float(np.mean([task.decision for task in present])),
            _interval(decision),
            float(np.mean([task.trial for task in present])),
            _interval(whole),
            len(present),
            int(n_trials),
        )
        if levels is None:
            return raw
        level = [levels[name] for name in tasks]
        decision_ends = [(one.decision_chance, one.decision_ceiling) for one in level]
        trial_ends = [(one.trial_chance, one.trial_ceiling) for one in level]
        return replace(
            raw,
            **_shares("decision", [task.decision for task in present], decision, decision_ends),
            **_shares("trial", [task.trial for task in present], whole, trial_ends),
        )

    def _resample(self, name: str, rng: np.random.Generator) -> tuple[Means, Means]:
        """Bootstrapped means of decision and of trial accuracy of one task, (BOOTSTRAP,) each."""
        trial = np.flatnonzero(self.task == self.tasks.index(name))
        drawn = trial[rng.integers(0, len(trial), (BOOTSTRAP, len(trial)))]
        return self.decision[drawn].mean(axis=1), self.whole[drawn].mean(axis=1)

    def _means(self, values: NDArray[Any]) -> dict[str, float]:
        count = np.bincount(self.task, minlength=len(self.tasks))
        total = np.bincount(self.task, weights=values, minlength=len(self.tasks))
        return {name: float(total[k] / count[k]) for k, name in enumerate(self.tasks) if count[k]}


@dataclass(frozen=True)
class _Measured:
    """The two accuracies of a task, and their bootstrapped means."""

    decision: float
    trial: float
    decision_means: Means
    trial_means: Means


def _interval(means: Sequence[Means]) -> tuple[float, float]:
    """95 % interval of the mean over tasks."""
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    return float(low), float(high)


def _shares(
    kind: str, values: Sequence[float], means: Sequence[Means], ends: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """Chance, ceiling, share and the share's interval: the fields of ``Score`` that begin with ``kind``."""
    chance, ceiling = np.mean(ends, axis=0).tolist()
    found: dict[str, Any] = {f"{kind}_chance": chance, f"{kind}_ceiling": ceiling}
    scalable = [(v, m, low, high) for v, m, (low, high) in zip(values, means, ends, strict=True) if high - low > ROOM]
    if scalable:
        found[f"{kind}_share"] = float(np.mean([(v - low) / (high - low) for v, _, low, high in scalable]))
        found[f"{kind}_share_interval"] = _interval([(m - low) / (high - low) for _, m, low, high in scalable])
    return found


def format_table(table: Mapping[str, Score]) -> str:
    """A table of scores (see ``Scores.table``) as Markdown, in percent; groups come first."""
    head = ["", "tasks", "trials", "decision accuracy", "chance", "ceiling", "share", "trial accuracy"]
    ordered = sorted(table, key=lambda name: table[name].n_tasks == 1 and ":" not in name and name != "battery")
    rows = [head, *(_cells(name, table[name]) for name in ordered)]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * wide[0], *("-" * (w - 1) + ":" for w in wide[1:])])
    aligned = ([row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True))] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in aligned)


def _cells(name: str, score: Score) -> list[str]:
    levels = (score.decision_chance, score.decision_ceiling, score.decision_share)
    return [
        name,
        str(score.n_tasks),
        str(score.n_trials),
        _percent(score.decision_accuracy, score.decision_interval),
        *("–" if value is None else f"{100 * value:.1f}" for value in levels),
        _percent(score.trial_accuracy, score.trial_interval),
    ]


def _percent(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def extension(spec: TaskSpec) -> str:
    """The extensions of a task in a word: none, interval, sequence or interval-sequence."""
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
    right = (actions == labels) & decision
    share = right.sum(axis=1) / decision.sum(axis=1)
    early = (actions != 0) & mask & ~decision
    return Scores(trials.tasks, trials.task, share, (share == 1) & ~early.any(axis=1))


def _actions(output: Any, trials: Trials, n_actions: int | None) -> NDArray[np.int64]:
    """The action at each step, (n, T) for T the length of the longest trial."""
    n, length = trials.mask.shape
    a = n_actions or "A"
    wanted = f"must be logits of shape ({n}, {length}, {a}) or actions of shape ({n}, {length})"
    values = numbers(output, wanted)
    logits = values.ndim == 3
    if values.ndim not in (2, 3) or values.shape[0] != n or values.shape[1] < length:
        raise ModcogError(f"output: got shape {values.shape}, {wanted}")
    if logits and (values.shape[2] < 2 or (n_actions is not None and values.shape[2] != n_actions)):
        raise ModcogError(f"output: got shape {values.shape}, {wanted}; the last axis holds an entry for each action")
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
        raise ModcogError(
            f"output: holds actions from {taken.min():g} to {taken.max():g}, must be from 0 to {n_actions - 1}"
        )
    return np.where(trials.mask, values, 0).astype(np.int64)


def numbers(output: Any, wanted: str = "must be an array of numbers") -> NDArray[Any]:
    """``output`` as an array of whole numbers, truth values or floats, of the same shape.

    Args:
        output: anything that ``np.asarray`` takes, or a tensor on any device.
        wanted: the rest of the sentence if it is no such thing.

    Raises:
        ModcogError: if it is none.
    """
    try:
        if hasattr(output, "detach"):  # a torch tensor, which may need a gradient or be on a GPU
            output = output.detach().cpu()
            output = output.float() if output.is_floating_point() and output.element_size() < 4 else output
        values = np.asarray(output)
        if values.dtype.kind in "biuf":
            return values
        if values.dtype.kind == "V":  # JAX and TensorFlow have floats of 16 bits that NumPy does not know
            return values.astype(np.float32)
        found = f"an array of {values.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
    except (TypeError, ValueError, RuntimeError):
        found = type(output).__name__
    raise ModcogError(f"output: got {found}, which is no array of real numbers; {wanted}") from None
