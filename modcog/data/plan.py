"""The plan of a data set: its shards, and what is in each. A pure function of the settings.

Every split has random numbers of its own, and every block of a split, so any worker can make any shard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.data.columns import ARRAYS, OWN_COLUMNS
from modcog.data.config import ExportConfig
from modcog.data.formats import ShardData
from modcog.errors import ModcogError
from modcog.seeds import Purpose, Seed
from modcog.trials import draw
from modcog.trials.arrays import IGNORE, Trials, concatenate, pad
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream
from modcog.trials.tables import Tables
from modcog.trials.timing import whole_steps

Columns = dict[str, NDArray[Any]]

BLOCK = 1024
"""Trials that are drawn together, unless they are so long that fewer fill a shard."""

LANES = 64
"""The same for sequences of layout stream."""


@dataclass(frozen=True)
class Shard:
    """Items ``start`` … ``stop`` − 1 of a split; an item is a trial or, in layout stream, a sequence.

    Attributes:
        name: path of the shard in the data set, without the format's ending.
        split: name of its split.
        split_index: index of the split in the settings.
        start: a multiple of the plan's block.
        stop: the next shard's start, or the number of items in the split.
    """

    name: str
    split: str
    split_index: int
    start: int
    stop: int


class Plan:
    """The shards of a data set, and the data of any one of them.

    Attributes:
        config: the settings.
        battery: whose trials are stored.
        block: items that are drawn together.
        shards: all of them, split after split.
    """

    def __init__(self, config: ExportConfig) -> None:
        self.config = config
        self.battery = Battery.from_config(config.battery_settings())
        target = config.shard_mb * 1e6 / self._item_bytes()
        self.block = max(min(LANES if config.layout == "stream" else BLOCK, int(target)), 1)
        per_shard = max(int(target / self.block), 1) * self.block
        self.shards = tuple(
            Shard(f"{split}/{start // per_shard:05d}", split, index, start, min(start + per_shard, items))
            for index, (split, items) in enumerate(config.items().items())
            for start in range(0, items, per_shard)
        )

    @cached_property
    def longest(self) -> int:
        """Steps of the longest trial that can occur."""
        return longest_trial(self.battery.tables)

    def data(self, shard: Shard) -> ShardData:
        """Draw and paint a shard."""
        if self.config.layout == "stream":
            return self._sequences(shard)
        trials = self.trials(shard)
        columns = _columns(trials.task, trials.lengths, trials.decision_start)
        arrays: Columns = {"observations": trials.packed_observations, "labels": trials.packed_labels.astype(np.int16)}
        if self.config.padded:
            fill = {"observations": 0, "labels": IGNORE}
            arrays = {name: pad(array, trials.lengths, fill[name], self.longest) for name, array in arrays.items()}
            return ShardData(arrays, _with_conditions(columns, trials.conditions))
        columns["start"] = trials.offsets[:-1]
        return ShardData(arrays, _with_conditions(columns, trials.conditions), trials.offsets)

    def trials(self, shard: Shard) -> Trials:
        """The trials of a shard, layout trials; the tasks take turns, so that every shard has all of them."""
        source = TrialSource(self.battery.tables, self._seed(shard))
        starts = range(shard.start, shard.stop, self.block)
        n_tasks = len(self.battery.tasks)
        blocks = [(start, np.arange(start, min(start + self.block, shard.stop)) % n_tasks) for start in starts]
        return concatenate([source.block(start // self.block, tasks) for start, tasks in blocks])

    def _sequences(self, shard: Shard) -> ShardData:
        """Layout stream: the batches of a stream, a lane a sequence."""
        assert self.config.seq_len is not None  # filled in by the config
        tables, lanes, steps = self.battery.tables, self.block, self.config.seq_len
        stream = Stream(tables, self._seed(shard), lanes, steps, batch_first=True)
        parts = []
        for start in range(shard.start, shard.stop, self.block):
            parts.append(_lanes(stream, start // self.block, min(shard.stop - start, self.block), start - shard.start))
        arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        items = np.arange(len(arrays["labels"]) + 1)
        return ShardData(arrays, columns, column_offsets=np.searchsorted(columns["sequence"], items))

    def _seed(self, shard: Shard) -> Seed:
        """Return the seed of a shard's split."""
        return Seed.of(self.config.seed, Purpose.EXPORT, shard.split_index)

    def _item_bytes(self) -> float:
        """Expected size of an item's observations."""
        if self.config.layout == "stream":
            steps = self.config.seq_len or 0
        elif self.config.padded:
            steps = self.longest
        else:
            steps = math.ceil(math.fsum(self.battery.tables.mean_length) / len(self.battery.tasks))
        return max(steps, 1) * self.battery.n_channels * 4.0


def _lanes(stream: Stream, index: int, lanes: int, first: int) -> ShardData:
    """The first ``lanes`` lanes of a batch, as the shard's sequences from ``first`` on."""
    tables = stream.tables
    drawn = stream.draw(index)
    observations, labels = stream.paint(drawn, index)
    steps = drawn.durations.steps
    length = steps.sum(axis=1)
    lane, start = np.divmod(np.cumsum(length) - length, stream.seq_len)
    used = slice(int(np.searchsorted(lane, lanes)))
    before = np.arange(tables.n_slots) < tables.decision_slot[drawn.task][:, None]
    columns = _columns(drawn.task, length, (steps * before).sum(axis=1))
    columns |= {"start": start, "sequence": first + lane}
    columns = {name: column[used] for name, column in columns.items()}
    conditions = {name: column[used] for name, column in draw.columns(tables, drawn).items()}
    arrays: Columns = {"observations": observations[:lanes], "labels": labels[:lanes].astype(np.int16)}
    return ShardData(arrays, _with_conditions(columns, conditions))


def _columns(task: NDArray[Any], length: NDArray[Any], decision_start: NDArray[Any]) -> Columns:
    columns = {"task": task, "length": length, "decision_start": decision_start}
    return {name: column.astype(np.int32) for name, column in columns.items()}


def _with_conditions(columns: Columns, conditions: Columns) -> Columns:
    for name in conditions:
        if name in OWN_COLUMNS or name in ARRAYS:
            raise ModcogError(f"a condition is called {name!r}, which is the name of a column; name it otherwise")
    return {**columns, **conditions}


def longest_trial(tables: Tables) -> int:
    """Steps of the longest trial that the timing allows."""
    table = tables.timing
    longest = table.low + table.span
    for task, slot in zip(*np.nonzero(table.count), strict=True):
        first = table.start[task, slot]
        longest[task, slot] = table.values[first : first + table.count[task, slot]].max()
    return int(whole_steps(longest, tables.settings.dt).sum(axis=1).max())
