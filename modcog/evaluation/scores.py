"""Scores of trials by several measures, per task and over groups of tasks, with bootstrap intervals.

``modcog.evaluation.measures`` says what the measures are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError, shown, unknown
from modcog.evaluation.ceilings import SMALLEST_RANGE, Level, levels
from modcog.evaluation.measures import MEASURES, TOLERANCE, Measure, values_of
from modcog.evaluation.observer import IdealObserver
from modcog.evaluation.psychometric import Psychometric, fit_psychometric
from modcog.evaluation.strategies import FLOORS, STRATEGIES
from modcog.seeds import Purpose, Seed
from modcog.tables import html_table
from modcog.tasks.names import TaskSpec, parse
from modcog.trials.arrays import is_missing
from modcog.trials.source import TrialSource

BOOTSTRAP = 1000
"""Resamples behind an interval."""

MOST_SHOWN = 24
"""Largest number of single tasks in the table of a notebook."""

MOST_VALUES = 24
"""Values of a condition up to which scores are split by each of them."""

BINS = 8
"""Bins for a condition with more values."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One measure of one task or group.

    Attributes:
        value: a share from 0 to 1, or degrees; NaN where no trial has one.
        interval: 95 % bootstrap interval (low, high) (Efron 1979).
        levels: value of each strategy (``STRATEGIES``), as far as it is defined; empty unless levels were given.
        share: the way from chance (0) to the ceiling (1); a group's is the mean over its tasks. None where it is
            undefined.
        share_interval: 95 % bootstrap interval of the share.
    """

    value: float
    interval: tuple[float, float]
    levels: Mapping[str, float] = field(default_factory=dict)
    share: float | None = None
    share_interval: tuple[float, float] | None = None


class Measured(ABC):
    """Means of all measures, by name."""

    @abstractmethod
    def mean(self, kind: str) -> float:
        """Return the mean of a measure (``MEASURES``); NaN where no trial has a value.

        Raises:
            UnknownNameError: if there is no such measure.
        """

    @property
    def decision_accuracy(self) -> float:
        """Share of decision steps that are right, mean over trials and then over tasks."""
        return self.mean("decision")

    @property
    def trial_accuracy(self) -> float:
        """Share of trials in which every decision step is right and no earlier step responds."""
        return self.mean("trial")

    @property
    def last_step_accuracy(self) -> float:
        """Share of trials whose last step is right."""
        return self.mean("last_step")

    @property
    def directional_accuracy(self) -> float:
        """Share of trials whose last step responds within the tolerance, or holds as asked (Yang et al. 2019)."""
        return self.mean("directional")

    @property
    def angular_error(self) -> float:
        """Circular distance of responses from what they should be, in degrees."""
        return self.mean("angular_error")

    @property
    def unanswered(self) -> float:
        """Share of the steps that ask for a response and get none."""
        return self.mean("unanswered")

    @property
    def pooled_accuracy(self) -> float:
        """Share of all decision steps of all trials that are right."""
        return self.mean("pooled")


@dataclass(frozen=True)
class Score(Measured):
    """The scores of one task or group.

    A group's score is the mean over its tasks, but for the pooled accuracy, in which every decision step counts alike.
    Intervals resample trials within each task.

    Attributes:
        figures: by measure (``MEASURES``).
        n_tasks: number of tasks in the group.
        n_trials: number of their trials.
    """

    figures: Mapping[str, Figure]
    n_tasks: int
    n_trials: int

    def __getitem__(self, kind: str) -> Figure:
        """Return the figure of a measure.

        Raises:
            UnknownNameError: if there is no such measure.
        """
        return self.figures[known_measure(kind)]

    def mean(self, kind: str) -> float:  # noqa: D102
        return self[kind].value

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as plain values for JSON or a table, under names such as ``decision_accuracy``."""
        found: dict[str, Any] = {}
        for kind, figure in self.figures.items():
            found |= {
                MEASURES[kind].column: _plain(figure.value),
                f"{kind}_interval": tuple(map(_plain, figure.interval)),
                f"{kind}_chance": figure.levels.get("blind"),
                f"{kind}_ceiling": figure.levels.get("ideal"),
                f"{kind}_levels": dict(figure.levels),
                f"{kind}_share": figure.share,
                f"{kind}_share_interval": figure.share_interval,
            }
        return {**found, "n_tasks": self.n_tasks, "n_trials": self.n_trials}


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Measured):
    """The scores of every trial.

    Attributes:
        tasks: names of the battery's tasks.
        task: (n,) index of each trial's task.
        values: (n,) values of each measure but the pooled one; NaN in trials for which it is undefined.
        steps: (n,) decision steps of each trial.
        conditions: of the trials, (n,) columns by name, to split scores by.
        tolerance: degrees within which a response counts as directionally accurate.
        battery: that the trials came from, if it is known.
    """

    tasks: tuple[str, ...]
    task: NDArray[np.integer]
    values: Mapping[str, Floats]
    steps: NDArray[np.integer]
    conditions: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tolerance: float = TOLERANCE
    battery: Battery | None = None

    def __repr__(self) -> str:
        return f"Scores({self._title()})"

    def _repr_html_(self) -> str:
        """Return a table for notebooks: the battery, its families and extensions, and single tasks if they are few."""
        groups, tasks = self.groups(), list(self.per_task())
        groups |= {task: (task,) for task in tasks} if len(tasks) <= MOST_SHOWN else {}
        rows = [["", "tasks", *(f"{one.label} ({one.unit})" for one in MEASURES.values())]]
        for name, members in groups.items() if tasks else ():
            means = {kind: self.mean(kind, members) for kind in MEASURES}
            cells = [
                "–" if np.isnan(mean) else f"{(100 if MEASURES[kind].unit == '%' else 1) * mean:.1f}"
                for kind, mean in means.items()
            ]
            rows.append([name, str(len(members)), *cells])
        return html_table(rows, self._title())

    def _title(self) -> str:
        tasks = list(self.per_task())
        of = f"{len(self.task)} trials of {', '.join(tasks) if 0 < len(tasks) <= 4 else f'{len(tasks)} tasks'}"
        if not tasks:
            return of
        return f"{of}: decision accuracy {self.decision_accuracy:.1%}, trial accuracy {self.trial_accuracy:.1%}"

    def per_task(self, kind: str = "decision") -> dict[str, float]:
        """Return the mean of a measure, decision accuracy unless another is named, for each task that has trials."""
        value, count = self.sums(known_measure(kind))
        total, n = (np.bincount(self.task, part, len(self.tasks)) for part in (value, count))
        with np.errstate(invalid="ignore"):
            means = total / n
        some = np.bincount(self.task, minlength=len(self.tasks)) > 0
        return {name: float(means[k]) for k, name in enumerate(self.tasks) if some[k]}

    def trial_accuracy_per_task(self) -> dict[str, float]:
        """Return the trial accuracy of each task that has trials."""
        return self.per_task("trial")

    def mean(self, kind: str, tasks: Sequence[str] | None = None) -> float:
        """Return the mean of a measure over some tasks, or the battery; NaN where no trial has a value."""
        chosen = self.tasks if tasks is None else tasks
        if known_measure(kind) != "pooled":
            return _mean(np.array([value for name, value in self.per_task(kind).items() if name in chosen]))
        value, count = self.sums(kind)
        counts = np.isin(self.task, [self.tasks.index(name) for name in chosen])
        return float(value[counts].sum() / count[counts].sum())

    def measure(self, kind: str) -> Measure:
        """Return label and unit of a measure, or of a condition in place of one, whose values are times if in ms.

        Raises:
            UnknownNameError: if there is neither of this name.
        """
        if kind not in self.conditions:
            return MEASURES[known_measure(kind)]
        time = kind.endswith("_ms")
        return Measure(kind, kind.removesuffix("_ms").replace("_", " "), "ms" if time else "")

    def sums(self, kind: str) -> tuple[Floats, Floats]:
        """Return what each trial adds to the sum of a measure, (n,), and to the number of values behind it, (n,)."""
        if kind == "pooled":
            return self.values["decision"] * self.steps, self.steps.astype(np.float64)
        value = self.values[kind] if kind in self.values else self.conditions[kind]
        defined = ~np.isnan(value)
        return np.where(defined, value, 0.0), defined.astype(np.float64)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the groups that scores are reported for, of tasks that have trials: battery, families, extensions."""
        found: dict[str, list[str]] = {"battery": list(self.per_task())}
        specs = [parse(name) for name in found["battery"]]
        for kind, group in (("family", lambda spec: spec.family), ("extension", extension)):
            for spec in specs:
                found.setdefault(f"{kind}: {group(spec)}", []).append(spec.name)
        return {name: tuple(tasks) for name, tasks in found.items()}

    def table(self, levels: Mapping[str, Level] | None = None, seed: int = 0, floor: str = "blind") -> dict[str, Score]:
        """Return the scores of every task and of every group (``groups``), with bootstrap intervals (Efron 1979).

        Args:
            levels: of the tasks, from ``modcog.evaluation.levels``, to report them and shares too.
            seed: of the bootstrap.
            floor: strategy whose level is a share of 0: ``"blind"``, chance, or another, or ``"best"``, the best on
                each task that is below the ideal observer.

        Raises:
            UnknownNameError: if the levels lack a task, or there is no such strategy.
        """
        tasks = list(self.per_task())
        if levels is not None and (lacking := [name for name in tasks if name not in levels]):
            raise unknown("task of the levels", lacking[0], levels)
        if floor not in FLOORS:
            raise unknown("floor", floor, FLOORS)
        rng = Seed.of(seed, Purpose.BOOTSTRAP).rng()
        trials = {name: np.flatnonzero(self.task == self.tasks.index(name)) for name in tasks}
        resampled = {name: self.resample(trial, rng) for name, trial in trials.items()}
        table = {}
        for group, members in {**{name: (name,) for name in tasks}, **self.groups()}.items():
            sums = [resampled[name] for name in members]
            own = [levels[name] for name in members] if levels is not None else None
            n_trials = sum(len(trials[name]) for name in members)
            table[group] = Score({kind: _figure(kind, sums, own, floor) for kind in MEASURES}, len(members), n_trials)
        return table

    def by(
        self,
        *conditions: str,
        task: str | Sequence[str] | None = None,
        kind: str = "decision",
        bins: int | Sequence[float] | None = None,
        seed: int = 0,
    ) -> Any:
        """Return a measure split by one condition of the trials, or by several at once.

        Trials whose task has no such condition are left out. A value's score is the mean over tasks, as in ``table``,
        and its interval resamples trials within each task.

        Args:
            conditions: names of columns of ``trials.conditions``, such as ``"coherence"`` or ``"interval_ms"``.
            task: the tasks that count; None: all.
            kind: a measure (``MEASURES``), or another condition, such as ``"reaction_time_ms"`` of an agent.
            bins: edges of bins, (k + 1,), that a condition's values are sorted into, the last one closed, or the number
                of bins with equally many trials. None: ``BINS`` such bins for a condition with more than
                ``MOST_VALUES`` values, none for others.
            seed: of the bootstrap.

        Returns:
            A row for each combination of values, in their order: the conditions (of a bin, the mean of its trials),
            ``n`` trials, ``value`` (a share from 0 to 1, degrees, or the mean of the condition), and ``low`` and
            ``high``, its 95 % bootstrap interval. A pandas DataFrame if pandas is installed, otherwise a NumPy
            structured array.

        Raises:
            UnknownNameError: if there is no such condition, task or measure.
            ModcogError: if none is named, the bins are wrong, or no trial is left.
        """
        self.measure(kind)
        if not conditions:
            raise ModcogError(f"by: got no condition, must name at least one of {', '.join(self.conditions)}")
        trial = self._select(conditions, task)
        columns = [self.conditions[name] for name in conditions]
        places = [bin_index(name, column[trial], bins) for name, column in zip(conditions, columns, strict=True)]
        inside = np.all([place >= 0 for place in places], axis=0)
        if not inside.any():
            raise ModcogError(f"bins: got {shown(bins)}, which no trial's {' and '.join(conditions)} is in")
        group = np.unique(np.stack(places)[:, inside], axis=1, return_inverse=True)[1].reshape(-1)
        trial, rng = trial[inside], Seed.of(seed, Purpose.BOOTSTRAP).rng()
        rows = []
        for k in range(group.max() + 1):
            own = trial[group == k]
            sums = [self.resample(own[self.task[own] == index], rng, [kind]) for index in np.unique(self.task[own])]
            figure = _figure(kind, sums, None, "blind")
            rows.append((*(column[own].mean() for column in columns), len(own), figure.value, *figure.interval))
        types = [*((name, float) for name in conditions), ("n", int), ("value", float), ("low", float), ("high", float)]
        table = np.array(rows, types)
        if find_spec("pandas") is None:
            return table
        import pandas as pd

        return pd.DataFrame(table)

    def levels(self, **options: Any) -> dict[str, Level]:
        """Return the levels of the tasks that have trials; ``options`` are those of ``modcog.evaluation.levels``.

        Raises:
            ModcogError: if the battery is not known, or a task has no ideal observer.
        """
        return levels(self._known_battery().replace(tasks=list(self.per_task())), tolerance=self.tolerance, **options)

    def ideal(self, n_trials: int = 2000, seed: int = 0) -> Scores:
        """Return the scores of the ideal observer on ``n_trials`` of each of the tasks, to compare ``by`` with.

        Raises:
            ModcogError: if the battery is not known, or a task has no ideal observer.
        """
        battery, parts = self._known_battery(), []
        for name in self.per_task():
            observer = IdealObserver(name, battery.settings)
            trials = TrialSource(observer.tables, Seed.of(seed, Purpose.CEILING)).block(0, n=n_trials)
            values, steps = values_of(observer.act(trials), trials, self.tolerance)
            task = np.full(n_trials, self.tasks.index(name))
            parts.append(replace(self, task=task, values=values, steps=steps, conditions=trials.conditions))
        return join(parts)

    def psychometric(self, condition: str = "coherence", task: str | Sequence[str] | None = None) -> Psychometric:
        """Return the psychometric function of the choices at the last step, for tasks of two alternatives.

        Args:
            condition: strength of the stimulus.
            task: the tasks that count; None: all that have the condition.

        Raises:
            UnknownNameError: if there is no such condition or task.
            ModcogError: if fewer than three strengths are left.
        """
        trial = self._select((condition,), task)
        return fit_psychometric(np.abs(self.conditions[condition][trial]), self.values["last_step"][trial])

    def tasks_with(self, *conditions: str) -> tuple[str, ...]:
        """Return the tasks that have trials with all of these conditions.

        Raises:
            UnknownNameError: if there is no such condition.
        """
        return tuple(self.tasks[k] for k in np.unique(self.task[self._select(conditions, None)]))

    def _select(self, conditions: Sequence[str], task: str | Sequence[str] | None) -> NDArray[np.intp]:
        """Return the trials of some tasks that have all of some conditions."""
        for name in conditions:
            if name not in self.conditions:
                raise unknown("condition", name, self.conditions)
        chosen = self.tasks if task is None else (task,) if isinstance(task, str) else tuple(task)
        for name in chosen:
            if name not in self.tasks:
                raise unknown("task", name, self.tasks)
        kept = np.isin(self.task, [self.tasks.index(name) for name in chosen])
        lacking = np.any([is_missing(self.conditions[name]) for name in conditions], axis=0)
        if not (kept & ~lacking).any():
            raise ModcogError(f"by: no trial of {', '.join(chosen[:3])} has {' and '.join(conditions)}")
        return np.flatnonzero(kept & ~lacking)

    def _known_battery(self) -> Battery:
        if self.battery is None:
            raise ModcogError("scores: made from trials alone; levels need the battery, which modcog.evaluate keeps")
        return self.battery

    def resample(
        self, trial: NDArray[np.intp], rng: np.random.Generator, kinds: Collection[str] = MEASURES
    ) -> dict[str, Floats]:
        """Return the sums behind measures over some trials and over ``BOOTSTRAP`` resamples of them.

        Returns:
            By measure, (2, 1 + BOOTSTRAP): the sum of the values and their number, first of the trials themselves.
        """
        n = len(trial)
        drawn = rng.integers(0, n, (BOOTSTRAP, n)) + np.arange(BOOTSTRAP)[:, None] * n
        often = np.vstack([np.ones((1, n)), np.bincount(drawn.ravel(), minlength=BOOTSTRAP * n).reshape(BOOTSTRAP, n)])
        every = np.concatenate([np.stack(self.sums(kind)) for kind in kinds])[:, trial]
        return dict(zip(kinds, (every @ often.T).reshape(len(kinds), 2, -1), strict=True))


def join(parts: Sequence[Scores]) -> Scores:
    """Return the scores of all parts, one after the other; conditions that a part lacks are missing in its trials."""
    columns = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    names = dict.fromkeys(name for part in parts for name in part.conditions)
    conditions = {
        name: np.concatenate([part.conditions.get(name, np.full(len(part.task), np.nan)) for part in parts])
        for name in names
    }
    task, steps = (np.concatenate([getattr(part, name) for part in parts]) for name in ("task", "steps"))
    return replace(parts[0], task=task, values=columns, steps=steps, conditions=conditions)


def bin_index(name: str, column: NDArray[Any], bins: int | Sequence[float] | None) -> NDArray[np.int64]:
    """Return the bin, (n,), of each value of a condition; −1: outside. ``bins`` is as in ``Scores.by``.

    Raises:
        ModcogError: if the bins are neither a number of them nor increasing edges.
    """
    distinct, place = np.unique(column.round(9), return_inverse=True)  # 0.66 − 0.34 is not quite 0.32
    if bins is None and len(distinct) <= MOST_VALUES:
        return place.reshape(-1)
    count = BINS if bins is None else bins
    if isinstance(count, int | np.integer) and not isinstance(count, bool) and count >= 1:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, count + 1)))
    else:
        try:
            edges = np.asarray(count, dtype=np.float64)
        except (TypeError, ValueError):
            edges = np.zeros(0)
        if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
            raise ModcogError(f"bins: got {shown(bins)} for {name}, must be their number, or edges that increase")
    if len(edges) == 1:
        return np.zeros(len(column), np.int64)
    found = np.searchsorted(edges, column, side="right") - 1
    found[column == edges[-1]] = len(edges) - 2
    return np.where(found >= len(edges) - 1, -1, found)


def known_measure(kind: str) -> str:
    """Return the name of a measure.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if kind not in MEASURES:
        raise unknown("measure", kind, MEASURES)
    return kind


def _figure(kind: str, sums: Sequence[Mapping[str, Floats]], levels: Sequence[Level] | None, floor: str) -> Figure:
    """Return one measure of a group from the sums (``Scores.resample``) and the levels of each of its tasks."""
    value, count = np.stack([one[kind] for one in sums], axis=1)
    with np.errstate(invalid="ignore"):
        means = value / count
        every = (value.sum(axis=0) / count.sum(axis=0))[None] if kind == "pooled" else means
    found = Figure(*_with_interval(every))
    if levels is None:
        return found
    beside = {name: [level.values.get(name, {}).get(kind) for level in levels] for name in STRATEGIES}
    some = {name: [one for one in values if one is not None] for name, values in beside.items()}
    floors, ceiling = np.array([level.ends(kind, floor) for level in levels]).T
    defined = np.abs(ceiling - floors) > SMALLEST_RANGE
    share: tuple[float | None, Any] = (None, None)
    if defined.any() and kind != "unanswered":
        share = _with_interval((means - floors[:, None])[defined] / (ceiling - floors)[defined, None])
    return Figure(found.value, found.interval, {name: float(np.mean(v)) for name, v in some.items() if v}, *share)


def _with_interval(means: Floats) -> tuple[float, tuple[float, float]]:
    """Return the mean over tasks of (K, 1 + BOOTSTRAP) means, where they are defined, and its 95 % interval."""
    over_tasks = np.array([_mean(column) for column in means.T]) if np.isnan(means).any() else means.mean(axis=0)
    low, high = np.nanpercentile(over_tasks[1:], [2.5, 97.5]) if not np.isnan(over_tasks).all() else (np.nan, np.nan)
    return float(over_tasks[0]), (float(low), float(high))


def _mean(values: Floats) -> float:
    """Return the mean of what is not NaN; NaN if nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value


def extension(spec: TaskSpec) -> str:
    """Return the extensions of a task as one word: none, interval, sequence or interval-sequence."""
    return "-".join(n for n, sign in (("interval", spec.interval), ("sequence", spec.sequence)) if sign) or "none"
