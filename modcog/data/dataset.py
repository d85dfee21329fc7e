"""Reading a data set: splits as memory-mapped arrays, as ``Trials``, and as torch data sets."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import check_path
from modcog.data.config import ExportConfig
from modcog.data.formats import get_format
from modcog.data.manifest import ARRAYS, OWN_COLUMNS, Manifest, ShardEntry, find_fault
from modcog.errors import ModcogError, unknown
from modcog.files import look_below
from modcog.tasks.condition import Condition
from modcog.tasks.rule_input import check_rule_input, rule_places
from modcog.trials.arrays import Trials, ranges, span, write_rule_input

if TYPE_CHECKING:
    from modcog.data.torch import ExportedItems


_ADVICE = "modcog verify names everything that is damaged"

_PIECE = 16 << 20  # bytes of observations that are checked at once


def load(path: str | Path, *, rule_input: bool | Literal["one-hot", "compositional"] | None = None) -> DataSet:
    """Open an exported data set; nothing is read before it is asked for.

    Args:
        path: its folder.
        rule_input: append the task to the observations of ``Trials`` and torch data sets, as in ``Battery``; None: as
            the settings say.

    Raises:
        ModcogError: if the folder holds no whole data set, its manifest is damaged, a file is missing, a symbolic link
            or of the wrong size, or the package that reads its format is not installed. Hashes are for ``verify``.
    """
    folder = check_path("path", path).absolute()
    manifest = Manifest.read(folder)
    if lost := manifest.lost(folder):
        raise ModcogError(f"{lost}; {_ADVICE}")
    return DataSet(folder, manifest, rule_input)


class DataSet(Mapping[str, "Split"]):
    """A data set: its splits by name; made by ``load``.

    Attributes:
        path: its folder.
        manifest: its contents.
        layout: ``trials`` or ``stream``.
        format: of its files.
        unit: name of its items, ``trials`` or ``sequences``.
        rule_input: kind of the rule input that ``Trials`` and torch data sets get.
    """

    def __init__(self, path: Path, manifest: Manifest, rule_input: Any = None) -> None:
        self.path, self.manifest = path, manifest
        stored = manifest.stored
        self.layout, self.format = stored.layout, stored.format
        self.unit = "trials" if self.layout == "trials" else "sequences"
        self.rule_input = check_rule_input(stored.rule_input if rule_input is None else rule_input)
        get_format(self.format)  # now rather than in a worker process
        self._splits = {name: Split(self, name, shards) for name, shards in manifest.splits.items()}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names; ``trials.task`` indexes them."""
        return self.manifest.tasks

    @cached_property
    def config(self) -> ExportConfig:
        """The settings it was made with.

        Raises:
            UnknownNameError: if a task is built on a user's own base task that is not known here.
            ModcogError: if one is wrong.
        """
        return self.manifest.config

    @cached_property
    def battery(self) -> Battery:
        """A battery with the data set's settings, for live trials of the same kind.

        Raises:
            UnknownNameError: as ``config``.
        """
        return Battery.from_config(self.config.battery_settings()).replace(rule_input=self.rule_input)

    def __getitem__(self, name: str) -> Split:
        """Return a split.

        Raises:
            UnknownNameError: if there is none of that name.
        """
        if name not in self._splits:
            raise unknown("split", name, self._splits)
        return self._splits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)

    def __repr__(self) -> str:
        amounts = ", ".join(f"{name}: {len(split):,}" for name, split in self.items())
        return f"DataSet({str(self.path)!r}, {len(self.tasks)} tasks, {amounts} {self.unit})"


class Split:
    """One split; an item is a trial or, in layout stream, a sequence of trials.

    Attributes:
        name: of the split.
        dataset: it belongs to.
        n_shards: number of shards.
    """

    def __init__(self, dataset: DataSet, name: str, entries: tuple[ShardEntry, ...]) -> None:
        self.dataset, self.name, self.n_shards = dataset, name, len(entries)
        self._entries = entries
        self._first = np.cumsum([0, *(entry.items for entry in entries)])
        self._columns = [name for name in entries[0].arrays if name not in ARRAYS]

    def __len__(self) -> int:
        """Return the number of items."""
        return int(self._first[-1])

    def arrays(self, shard: int) -> Mapping[str, Any]:
        """Return arrays and columns of one shard as stored, by name: memory maps in ``npy``, else read when indexed."""
        return self._open(range(self.n_shards)[shard]).stored

    def shards(self) -> Iterator[Trials]:
        """Yield the trials of each shard; in ``npy`` as memory maps, unless padded or with rule input."""
        for first, stop in zip(self._first[:-1], self._first[1:], strict=True):
            yield self[int(first) : int(stop)]

    def __getitem__(self, index: int | slice) -> Trials:
        """Return the trials of one item or of a contiguous slice of items; views of memory maps where that can be.

        Raises:
            IndexError: if the index is outside, or the slice has a step.
        """
        return self.take(range(*span(index, len(self), "item", "; take(indices) picks any")))

    def take(self, indices: Iterable[int]) -> Trials:
        """Return the trials of any items, in the order asked for.

        Raises:
            IndexError: if an index is outside.
        """
        return self._trials(self.read(indices, self._columns))

    def read(
        self, indices: Iterable[int], columns: Sequence[str] = ("task", "length"), more_channels: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Read some items, one after the other.

        Args:
            indices: (n,) of the items, in any order.
            columns: names of those that are wanted, with a value for each trial.
            more_channels: channels of zeros to add to the observations.

        Returns:
            dict: ``observations`` (S, C + more_channels) float32, ``labels`` (S,) int64, ``steps`` (n,) of each item,
                and the columns. Copies, but for contiguous items of one shard without more channels.

        Raises:
            IndexError: if an index is outside.
        """
        items = np.fromiter(indices, np.int64)
        if np.any((items < -len(self)) | (items >= len(self))):
            raise IndexError(f"items {items.min()} to {items.max()} of {len(self)}")
        items %= len(self)
        number = np.searchsorted(self._first, items, side="right") - 1
        # Each shard is opened once, and its items go to the places that they have in the result.
        places = {int(k): np.flatnonzero(number == k) for k in np.unique(number)}
        parts = [(place, self._open(k).read(items[place] - self._first[k], columns)) for k, place in places.items()]
        if len(parts) == 1 and not more_channels:
            return {**parts[0][1], "labels": parts[0][1]["labels"].astype(np.int64)}
        steps, trials = np.zeros((2, len(items)), np.int64)
        for place, part in parts:
            steps[place], trials[place] = part["steps"], part["trials"]
        at_step, at_trial = np.cumsum(steps) - steps, np.cumsum(trials) - trials
        stored = self._entries[0].arrays
        observations = np.zeros((int(steps.sum()), stored["observations"].shape[-1] + more_channels), np.float32)
        labels = np.empty(len(observations), np.int64)
        found: dict[str, NDArray[Any]] = {"observations": observations, "labels": labels, "steps": steps}
        found |= {name: np.empty(int(trials.sum()), stored[name].dtype) for name in columns}
        for place, part in parts:
            channels = observations[:, : part["observations"].shape[-1]]
            _put([(part["observations"], channels), (part["labels"], labels)], at_step[place], steps[place])
            _put([(part[name], found[name]) for name in columns], at_trial[place], trials[place])
        return found

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of all trials, e.g. ``"task"`` or ``"direction"``, (n,).

        Raises:
            UnknownNameError: if there is no such column.
        """
        if name not in self._columns:
            raise unknown("column", name, self._columns)
        return np.concatenate([self._open(k).column(name) for k in range(self.n_shards)])

    def torch(
        self, *, rule_input: bool | Literal["one-hot", "compositional"] | None = None, batch_first: bool = False
    ) -> ExportedItems:
        """Return the split as a map-style ``torch.utils.data.Dataset`` of items, with a collate function that pads.

        Args:
            rule_input: append the task to the observations, as in ``Battery``; None: as in ``load``.
            batch_first: the collate function gives (B, T, …) instead of (T, B, …).

        Examples:
            >>> dataset = data["train"].torch(rule_input=True)  # doctest: +SKIP
            >>> loader = DataLoader(dataset, 64, shuffle=True, collate_fn=dataset.collate)  # doctest: +SKIP
        """
        from modcog.data.torch import ExportedItems  # imports torch

        kind = self.dataset.rule_input if rule_input is None else check_rule_input(rule_input)
        rules, one_task = rule_places(self.dataset.tasks, kind), self.dataset.layout == "trials"
        return ExportedItems(self.read, len(self), rules=rules, one_task=one_task, batch_first=batch_first)

    def _trials(self, found: dict[str, NDArray[Any]]) -> Trials:
        manifest, length = self.dataset.manifest, found["length"]
        trials = Trials(
            found["observations"],
            found["labels"],
            np.concatenate([[0], np.cumsum(length, dtype=np.int64)]),
            found["task"].astype(np.int64),
            found["decision_start"].astype(np.int64),
            {name: found[name] for name in self._columns if name not in OWN_COLUMNS},
            manifest.tasks,
            manifest.dt,
            tuple(manifest.periods[task] for task in manifest.tasks),
            manifest.stored.dim_ring,
            tuple(Condition(**dict(declared)) for declared in manifest.conditions),
        )
        if not self.dataset.rule_input:
            return trials
        places, width = rule_places(trials.tasks, self.dataset.rule_input)
        n_steps, channels = trials.packed_observations.shape
        observations = np.zeros((n_steps, channels + width), np.float32)
        observations[:, :channels] = trials.packed_observations
        write_rule_input(observations[:, channels:], places, trials.task, trials.lengths)
        return replace(trials, packed_observations=observations)

    def _open(self, k: int) -> Shard:
        return self._opened(k, os.getpid())  # a forked worker must not share file handles with its parent

    @cached_property
    def _opened(self) -> Callable[[int, int], Shard]:
        most = get_format(self.dataset.format).OPEN_SHARDS
        data = self.dataset
        return lru_cache(most)(lambda k, process: Shard(data.path, data.manifest, self._entries[k]))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the open shards: a worker process opens its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self):,} {self.dataset.unit}, {self.n_shards} shards)"


def _put(parts: list[tuple[NDArray[Any], NDArray[Any]]], first: NDArray[np.int64], count: NDArray[np.int64]) -> None:
    """Write the rows of items, one after the other in each part, to its target: count[i] rows from first[i] on."""
    if parts and len(parts[0][0]) < 64 * len(first):  # many short pieces: all at once
        rows = ranges(first, count)
        for part, out in parts:
            out[rows] = part
        return
    for start, n, stop in zip(first.tolist(), count.tolist(), np.cumsum(count).tolist(), strict=True):
        for part, out in parts:
            out[start : start + n] = part[stop - n : stop]


class Shard:
    """An open shard, whose arrays are read step by step, whatever the layout.

    Packed, item i has the steps from ``start[i]`` on. Padded and in sequences, the arrays have a row of ``width`` steps
    for each item; laid one after the other, item i has the steps from ``i · width`` on.

    Raises:
        ModcogError: if a file is no regular one or has another size, if arrays or columns are not as the manifest says,
            or if the columns do not fit together.
    """

    def __init__(self, folder: Path, manifest: Manifest, entry: ShardEntry) -> None:
        self.entry, self.path, self.n = entry, folder / entry.path, manifest.stored.dim_ring
        self.stream = manifest.stored.layout == "stream"
        self.width = entry.arrays["labels"].shape[1] if self.stream or manifest.stored.padded else 0
        there = look_below(folder, entry.path)
        for fault in filter(None, (find_fault(file, there) for file in entry.files)):
            raise ModcogError(f"{folder / fault.path}: {fault.detail}; {_ADVICE}")
        self.stored = get_format(manifest.stored.format).open_shard(self.path, entry.form(manifest.tasks))
        self._columns: dict[str, NDArray[Any]] = {}
        if wrong := self._wrong_column():
            raise ModcogError(f"{self.path}: the column {wrong!r} does not fit the others; {_ADVICE}")

    def _wrong_column(self) -> str | None:
        """Return the name of a column that is not as it must be for items to be found, or None."""
        task, length, decision = (self.column(name) for name in ("task", "length", "decision_start"))
        labels, trials, n_tasks = self.entry.arrays["labels"].shape, list(self.entry.trials), len(self.entry.trials)
        if task.min() < 0 or task.max() >= n_tasks or np.bincount(task, minlength=n_tasks).tolist() != trials:
            return "task"
        if length.min() < 0 or length.max() > (self.width or labels[0]):
            return "length"
        first = np.cumsum(length, dtype=np.int64) - length
        if (not self.width or self.stream) and first[-1] + length[-1] != math.prod(labels):
            return "length"
        if decision.min() < 0 or np.any(decision > length):
            return "decision_start"
        sequence, start = np.divmod(first, self.width) if self.stream else (None, first)
        if "start" in self.entry.arrays and not np.array_equal(self.column("start"), start):
            return "start"
        if self.stream and not np.array_equal(self.column("sequence"), sequence):
            return "sequence"
        return "length" if self.stream and np.any(start + length > self.width) else None

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, (n,) of all trials, which is read once."""
        if name not in self._columns:
            self._columns[name] = np.asarray(self.stored[name][:])
        return self._columns[name]

    def read(self, items: NDArray[np.int64], columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return steps (S, …) and columns of items (n,), and the numbers of ``steps`` and ``trials`` of each, (n,)."""
        first, steps = self._rows(items)
        if self.stream:
            trial, n_trials = self._first_trial[items], np.diff(self._first_trial)[items]
        else:
            trial, n_trials = items, np.ones_like(items)
        found = self._steps(ARRAYS, first, steps)
        contiguous = np.array_equal(trial[1:], (trial + n_trials)[:-1])
        rows: Any = slice(trial[0], trial[-1] + n_trials[-1]) if contiguous else ranges(trial, n_trials)
        return {**found, **{name: self.column(name)[rows] for name in columns}, "steps": steps, "trials": n_trials}

    def check(self) -> None:
        """Read everything once.

        Raises:
            ModcogError: if something cannot be read, or a label is out of range.
        """
        labels = self.stored["labels"][:]
        if self.width and not self.stream:
            labels = labels[np.arange(self.width) < self.column("length")[:, None]]
        self._check_labels(labels)
        for name in self.entry.arrays.keys() - ARRAYS.keys():
            self.column(name)
        observations, n = self.stored["observations"], self.entry.arrays["observations"].shape[0]
        rows = max(n * _PIECE // max(self.entry.arrays["observations"].n_bytes, 1), 1)
        for start in range(0, n, rows):
            _ = observations[start : start + rows]

    def _rows(self, items: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return first step and number of steps of each item."""
        if self.stream:
            return items * self.width, np.full(len(items), self.width)
        first = items * self.width if self.width else self.column("start")[items]
        return first, self.column("length")[items].astype(np.int64)

    def _steps(
        self, names: Iterable[str], first: NDArray[np.int64], count: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Return, for each i, count[i] steps from first[i] on, one after the other; views if they are adjacent."""
        if np.array_equal(first[1:], (first + count)[:-1]):
            found = {name: self._flat(name, int(first[0]), int(first[-1] + count[-1])) for name in names}
        elif isinstance(self.stored["labels"], np.ndarray) and not self.stream:  # many short pieces: all at once
            rows, total = ranges(first, count), math.prod(self.entry.arrays["labels"].shape)
            found = {name: self._flat(name, 0, total)[rows] for name in names}
        else:
            pieces = list(zip(first.tolist(), (first + count).tolist(), strict=True))
            found = {name: np.concatenate([self._flat(name, *piece) for piece in pieces]) for name in names}
        self._check_labels(found["labels"])
        return found

    def _check_labels(self, labels: NDArray[Any]) -> None:
        if np.any(labels.view(np.uint16) > self.n):  # a negative one reads as a large one
            raise ModcogError(f"{self.path}: its labels must be from 0 to {self.n}; {_ADVICE}")

    def _flat(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return the steps start … stop − 1 of an array, its rows laid one after the other."""
        if not self.width:
            return np.asarray(self.stored[name][start:stop])
        first = start // self.width
        rows = np.asarray(self.stored[name][first : -(-stop // self.width)])
        return rows.reshape(-1, *rows.shape[2:])[start - first * self.width : stop - first * self.width]

    @cached_property
    def _first_trial(self) -> NDArray[np.integer]:
        """(n + 1,) sequence i holds the trials _first_trial[i] … _first_trial[i + 1] − 1."""
        return np.searchsorted(self.column("sequence"), np.arange(self.entry.items + 1))
