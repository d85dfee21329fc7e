"""Reads trials back from their observations and works out the right answer from the rules alone.

The package draws conditions and paints observations and labels from them. This module goes the
other way: from the observations and the task's name to the periods, the stimuli and the labels.
It imports nothing from the package, so an error there cannot hide here.

Everything that is rounded down is computed with fractions: no binary rounding can tip a floor.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Duration = float | tuple[float, float] | list[float]
"""ms: a number, a (low, high) range drawn from uniformly, or a list chosen from."""

PADDING = -100
EXACT = 2e-6
"""Tolerance of a noise-free observation: a few float32 roundings."""
SLACK = Fraction(1, 10**9)
NOMINAL_INTERVALS = {
    "corrected": [100.0 * k for k in range(1, 13)],
    "published": [100.0 * k for k in range(12)],
}
GO = ["go", "rtgo", "dlygo", "anti", "rtanti", "dlyanti"]
DM = ["dm1", "dm2", "ctxdm1", "ctxdm2", "multidm"]
DLYDM = ["dlydm1", "dlydm2", "ctxdlydm1", "ctxdlydm2", "multidlydm"]
MATCH = ["dms", "dnms", "dmc", "dnmc"]
BASES = GO + DM + DLYDM + MATCH
DELAYED = ["dlygo", "dlyanti", *DLYDM, *MATCH]
SHOWN = {"dm1": (0,), "dm2": (1,), "dlydm1": (0,), "dlydm2": (1,)}
"""The modalities a decision task shows, both unless it stands here."""


def _names(bases: Sequence[str], *suffixes: str) -> list[str]:
    return [base + suffix for base in bases for suffix in suffixes]


SEQUENCE_PAIRS = ("intrseqr", "intrseql", "intlseqr", "intlseql")
TASKS82 = tuple(BASES + _names(DELAYED, "intr", "intl") + _names(BASES, "seqr") + _names(BASES, "seql"))
TASKS = (
    *TASKS82,
    *_names(DELAYED, *SEQUENCE_PAIRS),
    *_names(["go"], "intr", "intl", *SEQUENCE_PAIRS),
)


class Misread(AssertionError):
    """The observations are none that this task can show."""


def require(condition: Any, message: str) -> None:
    """Raise Misread unless ``condition`` holds (everywhere, for an array)."""
    if not np.all(condition):
        raise Misread(message)


# --- names and settings -----------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What a task's name says: base, and the signs of interval and sequence (0: without)."""

    name: str
    base: str
    interval: int
    sequence: int

    @property
    def kind(self) -> str:
        """The layout of its periods: go, rt, dlygo, dm, dlydm or match."""
        for kind, bases in (("match", MATCH), ("dm", DM), ("dlydm", DLYDM)):
            if self.base in bases:
                return kind
        stem = self.base.replace("anti", "go")
        return {"go": "go", "rtgo": "rt", "dlygo": "dlygo"}[stem]

    @property
    def family(self) -> str:
        """One of go, decision, match."""
        families = {"dm": "decision", "dlydm": "decision", "match": "match"}
        return families.get(self.kind, "go")


def parse(name: str) -> Task:
    """Take a name apart: ``<base>[int{r|l}][seq{r|l}]``."""
    found = re.fullmatch(rf"({'|'.join(BASES)})(?:int([rl]))?(?:seq([rl]))?", name)
    if found is None:
        raise ValueError(f"{name} is no task")
    sign = {"r": 1, "l": -1, None: 0}
    return Task(name, found[1], sign[found[2]], sign[found[3]])


@dataclass(frozen=True)
class Setting:
    """What a battery is made with; ``keywords`` gives it to ``modcog.Battery``."""

    dt: float = 100.0
    n: int = 16
    rules: str = "corrected"
    omega: float = 0.01
    interval: tuple[float, ...] | None = None
    coherences: tuple[float, ...] = (0.08, 0.16, 0.32, 0.64)
    strengths: tuple[float, ...] = (0.3, 0.6, 1.0)
    timing: Mapping[str, Any] = field(default_factory=dict)

    def keywords(self) -> dict[str, Any]:
        """Everything but what is left at its default, so that the defaults are tested too."""
        names = {"n": "dim_ring"}
        defaults = Setting()
        return {names.get(key, key): value for key, value in vars(self).items() if value != getattr(defaults, key)}

    def intervals(self) -> list[float]:
        """The durations in ms that a timed period is drawn from."""
        return list(self.interval or NOMINAL_INTERVALS[self.rules])


@cache
def fraction(value: float) -> Fraction:
    """The decimal number that was written down, not its nearest binary one."""
    return Fraction(str(float(value)))


def floor(value: Fraction) -> int:
    """Round down, with the slack that the rules allow for dt that have no finite decimals."""
    return math.floor(value + SLACK)


# --- periods ----------------------------------------------------------------------------------

PERIODS: dict[str, dict[str, Duration]] = {
    "go": {"fixation": 500, "stimulus": 500, "decision": 500},
    "rt": {"fixation": 500, "decision": 500},
    "dlygo": {"fixation": 500, "stimulus": 500, "delay": 500, "decision": 500},
    "dm": {"fixation": (200, 500), "stimulus": 500, "decision": 200},
    "dlydm": {"fixation": (200, 500), "stim1": 500, "delay": 500, "stim2": 500, "decision": 200},
    "match": {"fixation": 300, "sample": 500, "delay": (200, 1200), "test": 500, "decision": 900},
}
STIMULI = {"dlydm": ("stim1", "stim2"), "match": ("sample", "test"), "rt": ("decision",)}
"""The periods a stimulus is visible in; ("stimulus",) for the others."""


def kind_of(task: Task, setting: Setting) -> str:
    """The layout of the periods; under the published rules go and anti have a delay as well."""
    return "dlygo" if task.kind == "go" and setting.rules == "published" else task.kind


def _override(value: Any) -> Duration:
    """A duration as ``timing`` takes it, in the notation used here."""
    if isinstance(value, tuple) and value[0] == "uniform":
        return (value[1][0], value[1][1])
    if isinstance(value, tuple) and value[0] == "choice":
        return list(value[1])
    return value


def durations(task: Task, setting: Setting) -> dict[str, Duration]:
    """How long each period of the task may last, in ms, in their order."""
    kind = kind_of(task, setting)
    periods = dict(PERIODS[kind])
    published = setting.rules == "published"
    if task.sequence and not (published and kind == "rt"):
        periods["decision"] = 1000
    if task.interval and not (published and kind == "dlydm"):
        periods["stimulus" if kind == "go" else "delay"] = setting.intervals()
    overrides = {name: _override(v) for name, v in setting.timing.items() if name in periods}
    return periods | overrides


@cache
def whole_steps(ms: float, dt: float) -> int:
    """The steps that ``ms`` last."""
    return floor(fraction(ms) / fraction(dt))


@cache
def positions(omega: float, steps: int, dt: float) -> int:
    """Whole positions travelled in so many steps."""
    return floor(fraction(omega) * steps * fraction(dt))


def legal_steps(duration: Duration, dt: float) -> Array:
    """The numbers of steps that a period may last, ascending."""
    ends = list(duration) if isinstance(duration, tuple | list) else [duration]
    steps = sorted({whole_steps(end, dt) for end in ends})
    if isinstance(duration, tuple):
        steps = list(range(steps[0], steps[-1] + 1))
    return np.array(steps)


def _only(steps: Array) -> int:
    """The number of steps of a period that is not drawn."""
    if len(steps) != 1:
        raise ValueError("the oracle finds one period of drawn length per trial, not two")
    return int(steps[0])


def find_periods(kind: str, cue: Array, visible: Array, legal: Mapping[str, Array]) -> dict[str, Array]:
    """The steps of each period (m,), from the fixation cue and the visibility of stimuli (m, T)."""
    position = np.arange(cue.shape[1])
    start = cue.sum(1)
    require(cue == (position < start[:, None]), "the fixation cue is not one block")
    decision = np.full_like(start, _only(legal["decision"]))
    require(start + decision <= cue.shape[1], "the decision does not fit")
    if kind == "rt":
        return {"fixation": start, "decision": decision}

    fixation = visible.argmax(1)
    steps = {"fixation": fixation}
    rest = start - fixation
    if "delay" in legal:
        names = STIMULI.get(kind, ("stimulus",))
        known = {name: _only(legal[name]) for name in names}
        rest = rest - sum(known.values())
        steps |= {name: np.full_like(start, count) for name, count in known.items()}
        steps["delay"] = rest
    else:
        steps["stimulus"] = rest
    steps["decision"] = decision
    return {name: steps[name] for name in legal}


def blocks(steps: Mapping[str, Array]) -> dict[str, tuple[Array, Array]]:
    """First and past-the-last step of each period."""
    found, begin = {}, np.zeros_like(steps["fixation"])
    for name, count in steps.items():
        found[name] = (begin, begin + count)
        begin = begin + count
    return found


# --- stimuli ----------------------------------------------------------------------------------


def bump(angle: Array, n: int) -> Array:
    """A stimulus of strength 1 at ``angle`` (...,) on a ring of n channels: (..., n)."""
    channels = 2 * np.pi * np.arange(n) / n
    turn = np.angle(np.exp(1j * (np.asarray(angle)[..., None] - channels)))
    return 0.8 * np.exp(-0.5 * (turn / (np.pi / 8)) ** 2)


def fit_one(ring: Array, shift: Array | float = 0.0) -> tuple[Array, Array]:
    """Direction and strength (m,) of the best single bump on the grid turned by ``shift``."""
    n = ring.shape[1]
    templates = bump(2 * np.pi * np.arange(n) / n + np.reshape(shift, (-1, 1)), n)
    power = (templates**2).sum(2)
    projection = (templates @ ring[:, :, None])[:, :, 0]
    best = (projection**2 / power).argmax(1)
    strength = np.take_along_axis(projection / power, best[:, None], 1)[:, 0]
    return best, strength


def fit_two(ring: Array) -> tuple[Array, Array]:
    """Two directions, ascending, and their strengths (m, 2): least squares over all pairs."""
    m, n = ring.shape
    templates = bump(2 * np.pi * np.arange(n) / n, n)
    gram = templates @ templates.T
    projection = ring @ templates.T
    first, second = np.triu_indices(n, 1)
    p, q = projection[:, first], projection[:, second]
    own, shared = gram[0, 0], gram[first, second]
    determinant = own**2 - shared**2
    explained = (own * (p**2 + q**2) - 2 * shared * p * q) / determinant
    best = explained.argmax(1)
    row = np.arange(m)
    p, q, shared, determinant = p[row, best], q[row, best], shared[best], determinant[best]
    strengths = np.stack([own * p - shared * q, own * q - shared * p], 1) / determinant[:, None]
    return np.stack([first[best], second[best]], 1), strengths


def nearest(values: Array, allowed: Sequence[Fraction]) -> tuple[Array, int]:
    """The allowed strengths nearest to ``values``, as whole multiples of 1/denominator, exactly."""
    denominator = math.lcm(*(value.denominator for value in allowed))
    whole = np.array([int(value * denominator) for value in allowed])
    return whole[np.abs(values[..., None] - whole / denominator).argmin(-1)], denominator


@dataclass
class Reading:
    """What the observations of m trials of one task say.

    ``directions`` (m, 1 or 2): of the stimuli in the order shown (ascending in dm tasks).
    ``angles``: the same in radians, as the stimuli stand on the ring.
    ``strengths`` (m, 2 modalities, 1 or 2): whole multiples of 1/denominator, 0 where not shown.
    """

    task: Task
    setting: Setting
    steps: dict[str, Array]
    directions: Array
    angles: Array
    strengths: Array
    denominator: int = 1

    @property
    def modality(self) -> Array:
        """0 or 1 (m,), of a task that shows one."""
        return self.strengths.sum(2).argmax(1)

    @property
    def decision_start(self) -> Array:
        """The first step of the decision (m,)."""
        return sum(count for name, count in self.steps.items() if name != "decision")

    @property
    def lengths(self) -> Array:
        """Steps of the whole trial (m,)."""
        return self.decision_start + self.steps["decision"]

    def part(self, name: str, rows: Array) -> Reading:
        """Some of the trials, as trials of another task of the same look."""
        steps = {period: count[rows] for period, count in self.steps.items()}
        columns = {key: getattr(self, key)[rows] for key in ("directions", "angles", "strengths")}
        return replace(self, task=parse(name), steps=steps, **columns)


def _means(rings: Array, spans: Sequence[tuple[Array, Array]]) -> Array:
    """The mean observation in each stimulus period: (m, 2 modalities, periods, n)."""
    position = np.arange(rings.shape[1])
    means = []
    for begin, end in spans:
        inside = (position >= begin[:, None]) & (position < end[:, None])
        total = np.einsum("mt,mtkn->mkn", inside.astype(float), rings)
        means.append(total / np.maximum(end - begin, 1)[:, None, None])
    return np.stack(means, 2)


def _one_modality(means: Array, shift: Array | float) -> tuple[Array, Array]:
    """Go and match tasks: strength 1 in one modality. Directions and strengths."""
    m, _, count, _ = means.shape
    modality = means.max(3).sum(2).argmax(1)
    shown = means[np.arange(m), modality]
    directions = np.stack([fit_one(shown[:, k], shift)[0] for k in range(count)], 1)
    strengths = np.zeros((m, 2, count), int)
    strengths[np.arange(m), modality] = 1
    return directions, strengths


def _two_directions(task: Task, setting: Setting, means: Array) -> tuple[Array, Array, int]:
    """Decision tasks: directions, strengths in each modality, and their denominator."""
    m = len(means)
    if task.kind == "dm":
        coherences = [fraction(c) for c in setting.coherences]
        allowed = [(1 + sign * c) / 2 for c in coherences for sign in (-1, 1)]
    else:
        allowed = [fraction(s) for s in setting.strengths]
    strengths = np.zeros((m, 2, 2), int)
    directions = np.zeros((m, 2), int)
    for k, modality in enumerate(SHOWN.get(task.base, (0, 1))):
        ring = means[:, modality]
        if task.kind == "dm":
            found, values = fit_two(ring[:, 0])
        else:
            pairs = [fit_one(ring[:, period]) for period in (0, 1)]
            found, values = (np.stack(columns, 1) for columns in zip(*pairs, strict=True))
        require((found == directions) | (k == 0), "the modalities show different directions")
        directions = found
        strengths[:, modality], denominator = nearest(values, allowed)
    require(directions[:, 0] != directions[:, 1], "the two directions are the same")
    return directions, strengths, denominator


def _off_grid(task: Task, setting: Setting, steps: Mapping[str, Array]) -> Array | float:
    """How far the stimulus is turned off the grid: published interval tasks of the go family."""
    if setting.rules == "corrected" or task.family != "go" or not task.interval:
        return 0.0
    nominal = [float(task.interval * fraction(setting.omega) * fraction(ms)) for ms in setting.intervals()]
    return np.array(nominal)[_index_of_interval(setting, steps["delay"])]


def _index_of_interval(setting: Setting, steps: Array) -> Array:
    """Which duration of the interval set was drawn: the only one that lasts so many steps."""
    counts = [whole_steps(ms, setting.dt) for ms in setting.intervals()]
    if len(set(counts)) != len(counts) or counts != sorted(counts):
        raise ValueError("the nominal duration cannot be told from the number of steps")
    return np.searchsorted(counts, steps)


def paint(reading: Reading, spans: Sequence[tuple[Array, Array]], shape: tuple[int, int]) -> Array:
    """The noise-free observations (m, T, 1 + 2n) that the reading stands for."""
    n = reading.setting.n
    m, length = shape
    position = np.arange(length)
    painted = np.zeros((m, length, 1 + 2 * n))
    painted[:, :, 0] = position < reading.decision_start[:, None]
    stimuli = reading.strengths[..., None] / reading.denominator * bump(reading.angles, n)[:, None]
    if len(spans) < stimuli.shape[2]:
        stimuli = stimuli.sum(2, keepdims=True)
    for k, (begin, end) in enumerate(spans):
        trial, step = np.nonzero((position >= begin[:, None]) & (position < end[:, None]))
        painted[trial, step, 1:] += stimuli[trial, :, k].reshape(-1, 2 * n)
    return painted


def look(name: str, setting: Setting) -> tuple[Any, ...]:
    """All that ``read`` takes from a task's name: tasks that look alike can be read together."""
    task = parse(name)
    lasting = tuple((period, str(duration)) for period, duration in durations(task, setting).items())
    turned = task.interval if task.family == "go" and setting.rules == "published" else 0
    return task.kind, lasting, SHOWN.get(task.base), turned


def read(name: str, observations: Array, setting: Setting, tolerance: float = EXACT) -> Reading:
    """Decode m trials of one task (m, T, C).

    What was decoded is painted again and must be what was observed, in every step and channel.

    Raises:
        Misread: if no trial of this task looks like this.
    """
    task, n = parse(name), setting.n
    observations = np.asarray(observations)[:, :, : 1 + 2 * n]
    kind = kind_of(task, setting)
    legal = {key: legal_steps(d, setting.dt) for key, d in durations(task, setting).items()}
    cue, visible = observations[:, :, 0] > 0.5, (observations[:, :, 1:] != 0).any(2)
    steps = find_periods(kind, cue, visible, legal)
    longest = int(sum(steps.values()).max())
    require(observations[:, longest:] == 0, "the padding is not zero")
    observations = observations[:, :longest].astype(float)
    rings = observations[:, :, 1:].reshape(*observations.shape[:2], 2, n)
    for period, counts in steps.items():
        found = set(counts.tolist())
        require(found <= set(legal[period].tolist()), f"{period} lasts {sorted(found)}")
    spans = [blocks(steps)[period] for period in STIMULI.get(kind, ("stimulus",))]
    means = _means(rings, spans)

    denominator, shift = 1, _off_grid(task, setting, steps)
    if task.family == "decision":
        directions, strengths, denominator = _two_directions(task, setting, means)
    else:
        directions, strengths = _one_modality(means, shift)
    angles = 2 * np.pi * directions / n + np.reshape(shift, (-1, 1))
    reading = Reading(task, setting, steps, directions, angles, strengths, denominator)
    difference = np.abs(observations - paint(reading, spans, observations.shape[:2]))
    require(difference <= tolerance, f"not as painted: off by {difference.max():.2g}")
    return reading


# --- answers ----------------------------------------------------------------------------------


ATTENDED = {"ctxdm1": 0, "ctxdlydm1": 0, "ctxdm2": 1, "ctxdlydm2": 1}
"""The modality that a decision task compares, the sum of both unless it stands here."""


def evidence_modalities(task: Task) -> tuple[int, ...]:
    """The modalities, 1 and 2, whose strengths a decision task adds up."""
    return (ATTENDED[task.base] + 1,) if task.base in ATTENDED else (1, 2)


def evidence(reading: Reading) -> Array:
    """Strength of the two directions (m, 2) in what the task compares, in 1/denominator."""
    attended, strengths = ATTENDED.get(reading.task.base), reading.strengths
    return strengths.sum(1) if attended is None else strengths[:, attended]


def is_match(reading: Reading) -> Array:
    """Whether sample and test match (m,)."""
    half, published = reading.setting.n // 2, reading.setting.rules == "published"
    sample, test = reading.directions.T
    if reading.task.base in ("dms", "dnms"):
        opposite = (sample + half) % (2 * half) == test
        require((sample == test) | opposite, "the test is neither the sample nor its opposite")
        return sample == test
    category = (sample > half).astype(int) if published else sample // half
    return category == test // half


def targets(reading: Reading) -> tuple[Array, Array]:
    """Target before the extensions (m, 2), and whether to respond (m,).

    The two columns differ where two targets are acceptable: a tie, under the published rules.
    """
    task, n = reading.task, reading.setting.n
    first = reading.directions[:, 0]
    respond = np.ones(len(first), bool)
    if task.family == "go":
        target = (first + n // 2 * ("anti" in task.base)) % n
        return np.stack([target, target], 1), respond
    if task.family == "match":
        test = reading.directions[:, 1]
        return np.stack([test, test], 1), is_match(reading) ^ (task.base in ("dnms", "dnmc"))
    sums = evidence(reading)
    tied = sums[:, 0] == sums[:, 1]
    may_tie = reading.setting.rules == "published" and task.base.startswith("multi")
    require(~tied | may_tie, "the compared strengths tie")
    winner = reading.directions[np.arange(len(first)), sums.argmax(1)]
    either = np.where(tied[:, None], reading.directions, winner[:, None])
    return either, respond


def interval_shift(reading: Reading) -> Array | int:
    """Positions that the interval moves the target by (m,)."""
    task, setting = reading.task, reading.setting
    speed = task.interval * fraction(setting.omega)
    if not task.interval:
        return 0
    if setting.rules == "published":
        if task.family == "go":
            return 0
        if task.family == "decision":
            return floor(speed * 500)
        by_interval = [floor(speed * fraction(ms)) for ms in setting.intervals()]
        return np.array(by_interval)[_index_of_interval(setting, reading.steps["delay"])]
    steps = reading.steps["stimulus" if task.kind == "go" else "delay"]
    by_steps = [positions(setting.omega, k, setting.dt) for k in range(steps.max() + 1)]
    return task.interval * np.array(by_steps)[steps]


def sequence_shift(reading: Reading) -> Array:
    """Positions that the sequence moves the target by at each step of the decision (D,)."""
    setting = reading.setting
    count = int(reading.steps["decision"][0]) if reading.task.sequence else 1
    return reading.task.sequence * np.array([positions(setting.omega, j, setting.dt) for j in range(count)], int)


def labels(reading: Reading, length: int) -> Array:
    """The right labels, padded to ``length``: (2, m, length); both alike but for ties."""
    target, respond = targets(reading)
    n, published = reading.setting.n, reading.setting.rules == "published"
    place = (target.T + interval_shift(reading))[:, :, None] + sequence_shift(reading)
    answer = (1 + place) % n if published else 1 + place % n
    answer = np.where(respond[:, None], answer, 0)
    begin, end = reading.decision_start[:, None], reading.lengths[:, None]
    position = np.arange(length)
    expected = np.broadcast_to(np.where(position < end, 0, PADDING), (2, len(begin), length)).copy()
    if answer.shape[2]:
        step = np.clip(position - begin, 0, answer.shape[2] - 1)
        deciding = (position >= begin) & (position < end)
        chosen = np.take_along_axis(answer, np.broadcast_to(step, expected.shape), 2)
        expected = np.where(deciding, chosen, expected)
    return expected


# --- comparing with a batch -------------------------------------------------------------------


def compare(name: str, batch: Any, rows: Array, setting: Setting, tolerance: float) -> str:
    """What is wrong with these rows of a batch, all of one task; "" if nothing."""
    try:
        reading = read(name, batch.observations[rows], setting, tolerance)
    except Misread as error:
        return str(error)
    return judge(reading, batch, rows)


def judge(reading: Reading, batch: Any, rows: Array) -> str:
    """What is wrong with the answers in these rows, which have been read; "" if nothing."""
    try:
        expected = labels(reading, batch.labels.shape[1])
    except Misread as error:
        return str(error)
    right = (batch.labels[rows] == expected).all(2).any(0)
    if not right.all():
        worst = int(np.flatnonzero(~right)[0])
        found = batch.labels[rows][worst][reading.decision_start[worst] :]
        wanted = expected[0, worst, reading.decision_start[worst] :]
        return f"trial {rows[worst]}: decision labels {found.tolist()}, not {wanted.tolist()}"
    if (batch.decision_start[rows] != reading.decision_start).any():
        return "decision_start is not where the fixation cue goes off"
    if (batch.lengths[rows] != reading.lengths).any():
        return "lengths are not the sum of the periods"
    return ""


def disagreements(tasks: Sequence[str], batch: Any, setting: Setting, tolerance: float = EXACT) -> dict[str, str]:
    """What the oracle finds wrong with a batch, by task; empty if nothing."""
    task = np.asarray(batch.task)
    alike: dict[Any, list[int]] = {}
    for index in np.unique(task).tolist():
        alike.setdefault(look(tasks[index], setting), []).append(index)
    complaints = {}
    for indices in alike.values():
        rows = np.flatnonzero(np.isin(task, indices))
        try:
            reading = read(tasks[indices[0]], batch.observations[rows], setting, tolerance)
        except Misread:  # one of them at least; which, is seen one by one
            for index in indices:
                complaints[tasks[index]] = compare(tasks[index], batch, rows[task[rows] == index], setting, tolerance)
            continue
        for index in indices:
            own = np.flatnonzero(task[rows] == index)
            complaints[tasks[index]] = judge(reading.part(tasks[index], own), batch, rows[own])
    return {name: complaint for name, complaint in complaints.items() if complaint}


# --- statistics -------------------------------------------------------------------------------


def chi_square_bound(cells: int, z: float) -> float:
    """The chi-square quantile at z standard deviations (Wilson and Hilferty 1931)."""
    freedom = cells - 1
    root = 1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))
    return freedom * max(root, 0.0) ** 3


def evenness(values: Array, cells: int) -> str:
    """Whether whole numbers in 0..cells-1 look drawn uniformly and independently; "" if so.

    Counts that are too even are refused as well: they are dealt out, not drawn.
    """
    counts = np.bincount(np.asarray(values).ravel(), minlength=cells)
    if len(counts) > cells:
        return f"{len(counts)} values where {cells} are possible"
    mean = counts.sum() / cells
    if mean < 5:
        raise ValueError("too few draws for a chi-square test")
    statistic = float(((counts - mean) ** 2).sum() / mean)
    low, high = chi_square_bound(cells, -4), chi_square_bound(cells, 4)
    return "" if low <= statistic <= high else f"chi-square {statistic:.1f} not in {low, high}"


def combined(*columns: Array) -> Array:
    """One whole number for each different row of the columns, for counting combinations."""
    return np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].ravel()


# --- telling tasks apart ----------------------------------------------------------------------


def indistinguishable(tasks: Sequence[str], batch: Any, setting: Setting) -> set[tuple[str, str]]:
    """Pairs of tasks of which each could have made all trials of the other in this batch."""
    task = np.asarray(batch.task)
    rows = [np.flatnonzero(task == index) for index in range(len(tasks))]
    spans = np.stack([batch.decision_start, batch.lengths], 1)
    sizes = [set(map(tuple, spans[own].tolist())) for own in rows]

    looks = [look(name, setting) for name in tasks]

    @cache
    def seen_as(i: int, other: tuple[Any, ...]) -> Reading | None:
        """The trials of task i, read as trials of a task with that look."""
        try:
            return read(tasks[looks.index(other)], batch.observations[rows[i]], setting)
        except Misread:
            return None

    def passes(i: int, j: int) -> bool:
        reading = seen_as(i, looks[j])
        return reading is not None and not judge(replace(reading, task=parse(tasks[j])), batch, rows[i])

    return {
        (tasks[i], tasks[j])
        for i in range(len(tasks))
        for j in range(i + 1, len(tasks))
        if sizes[i] & sizes[j] and passes(i, j) and passes(j, i)
    }
