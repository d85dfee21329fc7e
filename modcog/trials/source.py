"""The source of trials: numbered blocks that depend on nothing but the seed and their number.

Trial i of a seed is always the same, however many are asked for and by whom: a sample, an environment and a vector
environment cut their trials from the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import as_array
from modcog.errors import ModcogError, shown, unknown
from modcog.seeds import Part, Seed
from modcog.trials import draw, paint
from modcog.trials.arrays import Trials, concatenate, is_missing
from modcog.trials.draw import Drawn
from modcog.trials.tables import Tables

BLOCK = 512
"""Trials in a block of many tasks: enough to make drawing cheap."""

ATTEMPTS = 100
"""Blocks, of 1, 2, 4 … and then all of ``BLOCK`` trials, that are drawn to find one with given derived conditions; of
1,024 directions, a block of ``BLOCK`` has a given one as target with 40 %."""

FIRST_BLOCK_OF_ONE_TASK, LAST_BLOCK_OF_ONE_TASK = 16, 256
"""Trials in the first block of a single task, and in a late one; until then each is twice the block before it.

An environment holds a block, and scripts make thousands of environments that play few trials each, so the first is
small; one that plays many gets them cheaply.
"""

NEIGHBOURS = 16
"""Tasks that are drawn together where as many trials of each task are asked for."""


class TrialSource:
    """The endless sequence of trials of one battery and one seed, by block.

    Args:
        tables: the battery.
        seed: of the sequence.
        task: the one task to draw; None: a task is drawn for each trial, uniformly.
        size: trials in each block, which decides what trials there are; None: the usual number.
        shares: (K,) probability of each task; None: all alike.
    """

    def __init__(
        self,
        tables: Tables,
        seed: Seed,
        task: int | None = None,
        *,
        size: int | None = None,
        shares: NDArray[np.float64] | None = None,
    ) -> None:
        self.tables, self.seed, self.task, self.shares = tables, seed, task, shares
        one = task is not None or len(tables.specs) == 1
        usual = (FIRST_BLOCK_OF_ONE_TASK, LAST_BLOCK_OF_ONE_TASK) if one else (BLOCK, BLOCK)
        self._smallest, self._largest = (size, size) if size else usual

    def block_size(self, index: int) -> int:
        """Return the number of trials in block ``index``."""
        return min(self._smallest << min(index, 32), self._largest)

    def place(self, trial: int) -> tuple[int, int]:
        """Return the block that holds a trial of the sequence, and its place there; the inverse of ``block_size``."""
        small, large = self._smallest, self._largest
        if trial >= large - small:  # the blocks that double hold so many trials
            more, place = divmod(trial - (large - small), large)
            return (large // small).bit_length() - 1 + more, place
        index = (trial // small + 1).bit_length() - 1
        return index, trial - small * ((1 << index) - 1)

    def block(self, index: int, tasks: NDArray[np.integer] | None = None, n: int | None = None) -> Trials:
        """Return block ``index``, of ``n`` trials (None: as many as it has); ``tasks`` (m,) instead of n drawn ones."""
        return pack(self.tables, self.draw(index, tasks, n), self.seed.rng(Part.NOISE, index))

    def draw(self, index: int, tasks: NDArray[np.integer] | None = None, n: int | None = None) -> Drawn:
        """Draw the trials of a block, which ``block`` paints; ``tasks`` (m,) and ``n`` as there."""
        layout = self.seed.rng(Part.LAYOUT, index)
        if tasks is None:
            tasks = self.draw_tasks(self.block_size(index) if n is None else n, layout)
        durations = self.tables.rules.draw_durations(self.tables.timing, tasks, layout, self.seed)
        return draw.draw_conditions(self.tables, tasks, durations, self.seed.rng(Part.CONDITIONS, index))

    def draw_tasks(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw task indices, (n,)."""
        if self.task is not None:
            return np.full(n, self.task, np.int64)
        if self.shares is not None:
            return rng.choice(len(self.tables.specs), n, p=self.shares)
        return rng.integers(0, len(self.tables.specs), n)

    def one(self, index: int, given: Mapping[str, Any]) -> Trials:
        """Return a single trial whose conditions are fixed where ``given`` names them; the rest is drawn.

        Conditions that follow from others (``coherence``, ``target``, ``steps_delay`` …) are met by drawing the others
        until they are so.

        Args:
            index: that the rest is drawn under.
            given: values by name of the condition.

        Raises:
            ModcogError: if a condition does not exist, is out of range or contradicts another, or no trial has these.
        """
        rng = self.seed.rng(Part.SINGLE, index)
        columns = {name: _one_number(name, value) for name, value in given.items()}
        derived = [one for one in self.tables.conditions if one.derived and one.name in given]
        for one in derived:
            one.check(columns[one.name], self.tables.settings.dim_ring)
        sought = {one.name: columns.pop(one.name).astype(float) for one in derived}
        seen: dict[str, set[float]] = {name: set() for name in sought}
        # Draw until a trial has them: right for every task, whatever its conditions follow from.
        for attempt in range(ATTEMPTS):
            n = min(1 << attempt, BLOCK)
            drawn = self._draw_single(n, rng, {name: np.repeat(column, n) for name, column in columns.items()})
            found = draw.columns(self.tables, drawn) if sought else {}
            for name in [name for name in sought if name not in found or is_missing(found[name]).all()]:
                raise unknown("condition", name, [one for one, column in found.items() if not is_missing(column).all()])
            agree = np.ones(n, np.bool_)
            for name, value in sought.items():
                agree &= np.isclose(found[name], value)
            if len(trial := np.flatnonzero(agree)):
                return pack(self.tables, drawn.part(trial[0], trial[0] + 1), rng)
            for name in sought:
                seen[name].update(np.unique(found[name]).tolist())
        wrong = [name for name, value in sought.items() if not np.isclose(list(seen[name]), value).any()]
        if not wrong:
            raise ModcogError(
                f"{', '.join(sought)}: got {', '.join(shown(given[name]) for name in sought)}, never together"
            )
        raise ModcogError(
            "; ".join(
                f"{name}: got {shown(given[name])}, contradicts the other conditions, which make it {_few(seen[name])}"
                for name in wrong
            )
        )

    def _draw_single(self, n: int, rng: np.random.Generator, fixed: Mapping[str, NDArray[Any]]) -> Drawn:
        """Draw n trials with fixed conditions, (n,) columns."""
        tasks = self.draw_tasks(n, rng)
        durations = self.tables.rules.draw_durations(self.tables.timing, tasks, rng, self.seed, fixed)
        draw.fix_durations(self.tables, tasks, durations, fixed)
        return draw.draw_conditions(self.tables, tasks, durations, rng, fixed)

    def take(self, n: int) -> Trials:
        """Return the first n trials."""
        return concatenate(list(self.blocks(n)))

    def blocks(self, n: int) -> Iterator[Trials]:
        """Draw the first n trials, block by block, so that memory stays flat.

        A block is drawn whole and then cut: drawn smaller, it would hold other trials.
        """
        start = index = 0
        while start < n:
            block = self.block(index)
            yield block[: n - start]
            start, index = start + len(block), index + 1


def _one_number(name: str, value: Any) -> NDArray[Any]:
    """Return the value of a condition, (1,)."""
    try:
        column = np.atleast_1d(as_array(value, 1))
    except ValueError:
        column = np.empty(0)
    if column.shape != (1,) or column.dtype.kind not in "biuf":
        raise ModcogError(f"{name}: got {shown(value)}, must be one number")
    return column


def _few(values: set[float]) -> str:
    """Return the values that a condition had, or the first two and the last."""
    found = [f"{value:g}" for value in sorted(values)]
    return " or ".join(found) if len(found) <= 16 else f"{found[0]}, {found[1]}, … or {found[-1]}"


def pack(tables: Tables, drawn: Drawn, noise: np.random.Generator) -> Trials:
    """Paint drawn trials, packed one after the other."""
    steps = drawn.durations.steps
    frame = paint.frame_of_steps(drawn)
    return Trials(
        paint.observations(tables, drawn, frame, noise),
        paint.labels(tables, drawn, frame),
        np.concatenate([[0], np.cumsum(steps.sum(axis=1))]),
        drawn.task,
        (steps * tables.fixation_cue[drawn.task]).sum(axis=1),
        draw.columns(tables, drawn),
        tables.tasks,
        tables.settings.dt,
        tables.periods,
        tables.settings.dim_ring,
        tables.conditions,
    )


def per_task(tables: Tables, seed: Seed, tasks: Iterable[int], n: int) -> Iterator[Trials]:
    """Draw the first n trials of each of some tasks, in parts of one task each, so that memory stays flat.

    Trial i of a task is the same whatever n is and whichever other tasks are asked for. Neighbouring tasks of the
    battery are drawn together, since a block of few trials costs nearly as much as one of many; so the parts of a
    task come in order, and among them those of its neighbours. A battery of one task gives those of ``TrialSource``.
    """
    if len(tables.specs) == 1:
        yield from TrialSource(tables, seed).blocks(n)
        return
    wanted = set(tasks)
    for first in range(0, len(tables.specs), NEIGHBOURS):
        together = range(first, min(first + NEIGHBOURS, len(tables.specs)))
        source = TrialSource(tables, seed.child(0, first))  # below 0, since copies of an environment count from 1
        start = index = 0
        while start < n and not wanted.isdisjoint(together):
            size = min(FIRST_BLOCK_OF_ONE_TASK << index, LAST_BLOCK_OF_ONE_TASK)
            block = source.block(index, np.repeat(together, size))
            for place, task in enumerate(together):
                if task in wanted:
                    yield block[place * size : place * size + min(size, n - start)]
            start, index = start + size, index + 1
