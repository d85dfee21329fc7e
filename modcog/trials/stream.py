"""Training batches as the field trains: trials back to back in parallel lanes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import check_count
from modcog.seeds import Part, Seed
from modcog.trials import draw, paint
from modcog.trials.backends import NUMPY, TorchBackend
from modcog.trials.draw import Drawn
from modcog.trials.prefetch import Prefetcher
from modcog.trials.source import TrialSource
from modcog.trials.tables import Tables
from modcog.trials.timing import Durations

TOGETHER = 4
"""Batches whose trials are drawn at once: drawing costs nearly the same for many trials as for few."""


class Stream(Iterator[tuple[Any, Any]]):
    """Endless batches of trials; made by ``Battery.stream``.

    Batch i depends on the seed and i alone: ``stream[i]`` gives it at once, and setting ``position`` goes on from
    there. Any number of threads may read one stream: each batch goes to one of them.

    Attributes:
        position: number of the batch that ``next`` gives.
        seed: that repeats the stream.
    """

    def __init__(
        self,
        tables: Tables,
        seed: Seed,
        batch_size: int,
        seq_len: int,
        *,
        batch_first: bool = False,
        device: Any = None,
        prefetch: int = 0,
        shares: NDArray[np.float64] | None = None,
    ) -> None:
        self.tables = tables
        self.batch_size = check_count("batch_size", batch_size)
        self.seq_len = check_count("seq_len", seq_len)
        self.batch_first = batch_first
        self.prefetch = check_count("prefetch", prefetch, at_least=0)
        self.position = 0
        self._on = NUMPY if device is None else TorchBackend(device)
        self._seed = seed
        self._source = TrialSource(tables, seed, shares=shares)
        self._drawn: tuple[int, Drawn, list[int]] | None = None
        self._mean_length = max(float(tables.mean_length.mean()), 1.0)
        self._process: int | None = None
        self._start()

    @property
    def seed(self) -> int:
        """The number that repeats this stream."""
        return self._seed.entropy

    def __next__(self) -> tuple[Any, Any]:
        """Return the next batch: observations (T, B, C) float32, labels (T, B) int64; (B, T, …) if batch-first.

        They are arrays of NumPy's, or with a device tensors there.
        """
        self._start()
        with self._reading:  # two threads that read one stream must not get the same batch
            index = self.position
            self.position += 1
            if self.prefetch:
                coming = self._prefetcher.fetch(self.__getitem__, index)
        return coming.result() if self.prefetch else self[index]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return batch ``index`` (≥ 0), whatever the position."""
        return self.paint(self.draw(index), index)

    def paint(self, drawn: Drawn, index: int) -> tuple[Any, Any]:
        """Paint batch ``index``, whose trials have been drawn."""
        on = self._on
        frame, rng = paint.frame_of_steps(drawn, on), on.rng(self._seed, Part.NOISE, index)
        labels = self._arrange(paint.labels(self.tables, drawn, frame, on))
        lanes = 1 if self.batch_first else self.batch_size
        observations = paint.observations(self.tables, drawn, frame, rng, lanes, on)
        return observations.reshape(*labels.shape, -1), labels

    def spread(self, drawn: Drawn, values: NDArray[Any]) -> Any:
        """Return a value of each period of the trials of a batch, (n, P), at every step, laid out like its labels."""
        (of_steps,) = self._on.spread(drawn.durations.steps.ravel(), values.ravel())
        return self._arrange(of_steps)

    def _arrange(self, of_steps: Any) -> Any:
        """Return what there is of each step, lane after lane, as (T, B), or (B, T) if batch-first."""
        lanes = of_steps.reshape(self.batch_size, self.seq_len)
        return lanes if self.batch_first else lanes.T.ravel().reshape(self.seq_len, self.batch_size)

    def draw(self, index: int) -> Drawn:
        """Draw the trials of batch ``index``, lane after lane; a lane's last trial is cut where the batch ends."""
        number, place = divmod(check_count("index", index, at_least=0), TOGETHER)
        self._start()
        with self._drawing:  # a user's functions need not bear two threads at once
            if self._drawn is None or self._drawn[0] != number:
                self._drawn = (number, *self._draw_together(number))
            _, drawn, offsets = self._drawn
        return drawn.part(offsets[place], offsets[place + 1])

    def _start(self) -> None:
        """Make locks and thread, unless this process has them.

        A forked process has no thread, and the locks as they were at that moment, perhaps held by a thread that it does
        not have.
        """
        if self._process != os.getpid():
            self._reading, self._drawing = threading.Lock(), threading.Lock()
            self._prefetcher: Prefetcher[tuple[Any, Any]] = Prefetcher(self.prefetch)
            self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Return all but locks and thread, which belong to a process."""
        own = ("_reading", "_drawing", "_prefetcher", "_process")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=None)
        self._start()

    def _draw_together(self, number: int) -> tuple[Drawn, list[int]]:
        """Draw the trials of ``TOGETHER`` batches, and return them with the number of each batch's first."""
        tables, lanes, length = self.tables, self.batch_size * TOGETHER, self.seq_len
        # A lane is filled with whole trials, the last of which reaches past the batch and is cut. How many that takes
        # is known only once their durations are drawn, so durations come first, a few more trials than are needed on
        # average, and another round for the rare lane that they do not fill. Conditions, the costly part, are drawn
        # only for the trials that begin within the batch.
        layout = self._seed.rng(Part.LAYOUT, number)
        rounds: list[tuple[NDArray[Any], ...]] = []
        filled = np.zeros(lanes, np.int64)
        while filled.min() < length:
            per_lane = int((length - filled.min()) / self._mean_length * 1.2) + 3  # nearly always enough
            task = self._source.draw_tasks(lanes * per_lane, layout)
            durations = tables.rules.draw_durations(tables.timing, task, layout, self._seed)
            of_lane = np.repeat(np.arange(lanes), per_lane)
            rounds.append((of_lane, task, durations.ms, durations.steps, *durations.presets.values()))
            filled += durations.steps.sum(axis=1).reshape(lanes, per_lane).sum(axis=1)
        lane, task, ms, steps, *presets = (np.concatenate(columns) for columns in zip(*rounds, strict=True))
        order = np.argsort(lane, kind="stable")  # a lane's trials of all rounds, one after the other
        lasts = steps.sum(axis=1)[order].reshape(lanes, -1)
        end = np.cumsum(lasts, axis=1)
        begins = end - lasts < length
        used, trials = order[begins.ravel()], begins.sum(axis=1)
        whole = Durations(ms, steps, dict(zip(durations.presets, presets, strict=True))).part(used)
        drawn = draw.draw_conditions(tables, task[used], whole, self._seed.rng(Part.CONDITIONS, number))
        last = np.cumsum(trials) - 1  # of each lane; cut only now, since the interval extension counts the whole period
        excess = end[np.arange(lanes), trials - 1] - length
        ends = np.cumsum(whole.steps[last], axis=1)
        whole.steps[last] = np.diff(np.minimum(ends, ends[:, -1:] - excess[:, None]), axis=1, prepend=0)
        return drawn, [0, *(1 + last[self.batch_size - 1 :: self.batch_size]).tolist()]
