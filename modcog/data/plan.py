"""The plan of a data set: its shards and their data, a pure function of the settings.

Every split has its own random numbers, and so has every block of a split; any worker can make any shard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.data.config import ExportConfig
from modcog.data.formats import ShardData
from modcog.data.manifest import ARRAYS, LARGEST_SHARD, OWN_COLUMNS
from modcog.errors import ModcogError
from modcog.seeds import Part, Purpose, Seed
from modcog.trials.arrays import IGNORE, Trials, concatenate, pad
from modcog.trials.source import TrialSource, pack
from modcog.trials.stream import Stream
from modcog.trials.timing import whole_steps

Columns = dict[str, NDArray[Any]]

_ABSENT = "where the task has no such thing"

LARGEST_ITEM = LARGEST_SHARD // 4
"""Bytes of observations that a trial may have on average, or a sequence; a worker holds several times that."""

BLOCK = {"trials": 1024, "stream": 64}
"""Items that are drawn together, unless they are so long that fewer fill a shard."""


@dataclass(frozen=True)
class Shard:
    """Items ``start`` … ``stop`` − 1 of a split; an item is a trial or, in layout stream, a sequence."""

    name: str  # path in the data set, without the format's ending
    split: str
    split_index: int  # in the settings
    start: int  # a multiple of the plan's block
    stop: int  # the next shard's start, or the number of items in the split

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.stop - self.start


class Plan:
    """The shards of a data set, and the data of any one of them.

    Attributes:
        config: the settings.
        battery: whose trials are stored.
        seq_len: steps of a sequence; 0 in layout trials.
        block: items that are drawn together.
        shards: all of them, split after split.
    """

    def __init__(self, config: ExportConfig) -> None:
        self.config, self.battery = config, Battery.from_config(config.battery_settings())
        self.seq_len = config.seq_len or 0
        item_bytes = 4 * self.battery.n_channels * self._expected_steps()
        if item_bytes > LARGEST_ITEM:
            item = "a trial" if config.layout == "trials" else "seq_len: a sequence"
            raise ModcogError(f"{item} would have {item_bytes / 1e6:,.0f} MB, may have {LARGEST_ITEM / 1e6:,.0f}")
        target = config.shard_mb * 1e6 / item_bytes
        self.block = max(min(BLOCK[config.layout], int(target)), 1)
        per_shard = max(int(target / self.block), 1) * self.block
        self.shards = tuple(
            Shard(f"{split}/{start // per_shard:05d}", split, index, start, min(start + per_shard, items))
            for index, (split, items) in enumerate(config.items().items())
            for start in range(0, items, per_shard)
        )

    def _expected_steps(self) -> float:
        """Return the expected steps of an item, at least 1."""
        if self.config.layout == "stream":
            return self.seq_len
        return self.longest if self.config.padded else max(np.ceil(self.battery.tables.mean_length.mean()), 1)

    @cached_property
    def longest(self) -> int:
        """Steps of the longest trial that the timing allows."""
        table = self.battery.tables.timing
        longest = table.low + table.span
        for task, slot in zip(*np.nonzero(table.count), strict=True):
            first = table.start[task, slot]
            longest[task, slot] = table.values[first : first + table.count[task, slot]].max()
        return int(whole_steps(longest, self.battery.settings.dt).sum(axis=1).max())

    def data(self, shard: Shard) -> ShardData:
        """Draw and paint a shard."""
        trials, seq_len = self.trials(shard), self.seq_len
        columns: Columns = {"task": trials.task, "length": trials.lengths, "decision_start": trials.decision_start}
        columns = {name: column.astype(np.int32) for name, column in columns.items()}
        arrays: Columns = {"observations": trials.packed_observations, "labels": trials.packed_labels.astype(np.int16)}
        array_offsets = column_offsets = None
        if self.config.layout == "stream":
            columns["sequence"], columns["start"] = np.divmod(trials.offsets[:-1], seq_len)
            arrays = {name: array.reshape(-1, seq_len, *array.shape[1:]) for name, array in arrays.items()}
            column_offsets = np.searchsorted(columns["sequence"], np.arange(len(arrays["labels"]) + 1))
        elif self.config.padded:
            fill = {"observations": 0, "labels": IGNORE}
            arrays = {name: pad(array, trials.lengths, fill[name], self.longest) for name, array in arrays.items()}
        else:
            columns["start"], array_offsets = trials.offsets[:-1], trials.offsets
        return ShardData(arrays, columns | trials.conditions, array_offsets, column_offsets, trials.tasks)

    def meanings(self, names: Iterable[str]) -> dict[str, str]:
        """Return the meanings of stored arrays and columns."""
        null = self.config.format == "parquet"
        declared = {
            c.name: f"{c.meaning or c.name}; {'null' if null else '−1' if c.whole else 'NaN'} {_ABSENT}"
            for c in self.battery.tables.conditions
        }
        if null:
            declared["task"] = "name of the task"
        return {name: {**ARRAYS, **OWN_COLUMNS, **declared}[name] for name in names}

    def trials(self, shard: Shard) -> Trials:
        """Draw and paint the trials of a shard; in layout stream those of its sequences, each cut at its end."""
        tables, streams = self.battery.tables, self.config.layout == "stream"
        seed = Seed.of(self.config.seed, Purpose.EXPORT, shard.split_index, int(streams))
        starts = range(shard.start, shard.stop, self.block)
        if not streams:  # the tasks take turns, so that every shard has all of them
            source, n_tasks = TrialSource(tables, seed), len(self.battery.tasks)
            tasks = [np.arange(start, start + self.block) % n_tasks for start in starts]
            # A block is drawn whole and then cut: drawn smaller, it would hold other trials.
            whole = [source.block(start // self.block, block) for start, block in zip(starts, tasks, strict=True)]
            return concatenate([block[: shard.stop - start] for block, start in zip(whole, starts, strict=True)])
        stream = Stream(tables, seed, self.block, self.seq_len)  # whose lanes are the sequences
        numbers = [start // self.block for start in starts]
        trials = concatenate([pack(tables, stream.draw(i), seed.rng(Part.NOISE, i)) for i in numbers])
        return trials[: int(np.searchsorted(trials.offsets, shard.n_items * self.seq_len))]
