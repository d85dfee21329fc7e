"""Reading a data set: splits as memory-mapped arrays, as ``Trials``, and as torch data sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.data.config import ExportConfig
from modcog.data.formats import get_format
from modcog.data.manifest import ARRAYS, OWN_COLUMNS, Manifest, ShardEntry
from modcog.errors import ModcogError, unknown
from modcog.tasks.condition import Condition
from modcog.trials.arrays import Trials, ranges, span, write_rule_input

if TYPE_CHECKING:
    from modcog.data.torch import ExportedItems


def load(path: str | Path, *, rule_input: bool | None = None) -> DataSet:
    """Open an exported data set; nothing is read before it is asked for.

    Args:
        path: its folder.
        rule_input: append one one-hot column per task to the observations of ``Trials`` and torch data sets; None:
            as the settings say.

    Raises:
        ModcogError: if the folder holds no whole data set, its manifest is damaged, a file is missing or has the
            wrong size, or the package that reads its format is not installed. Hashes are for ``verify``.
    """
    folder = Path(path).absolute()
    manifest = Manifest.read(folder)
    if lost := manifest.lost(folder):
        raise ModcogError(f"{lost}; modcog verify names everything that is damaged")
    return DataSet(folder, manifest, rule_input)


class DataSet(Mapping[str, "Split"]):
    """A data set: its splits by name; made by ``load``.

    Attributes:
        path: its folder.
        manifest: its contents.
        layout: ``trials`` or ``stream``.
        format: of its files.
        unit: name of its items, ``trials`` or ``sequences``.
        rule_input: ``Trials`` and torch data sets get one one-hot column per task.
    """

    def __init__(self, path: Path, manifest: Manifest, rule_input: bool | None = None) -> None:
        self.path, self.manifest = path, manifest
        stored = manifest.identity.config
        self.layout, self.format, self._padded = stored["layout"], stored["format"], stored["padded"]
        self.unit = "trials" if self.layout == "trials" else "sequences"
        self.rule_input = bool(stored["rule_input"] if rule_input is None else rule_input)
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
            _put(part["observations"], observations[:, : part["observations"].shape[-1]], at_step[place], steps[place])
            _put(part["labels"], labels, at_step[place], steps[place])
            for name in columns:
                _put(part[name], found[name], at_trial[place], trials[place])
        return found

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of all trials, e.g. ``"task"`` or ``"direction"``, (n,).

        Raises:
            UnknownNameError: if there is no such column.
        """
        if name not in self._columns:
            raise unknown("column", name, self._columns)
        return np.concatenate([self._open(k).column(name) for k in range(self.n_shards)])

    def torch(self, *, rule_input: bool | None = None, batch_first: bool = False) -> ExportedItems:
        """Return the split as a map-style ``torch.utils.data.Dataset`` of items, with a collate function that pads.

        Args:
            rule_input: append the one-hot columns of the tasks; None: as in ``load``.
            batch_first: the collate function gives (B, T, …) instead of (T, B, …).

        Examples:
            >>> dataset = data["train"].torch(rule_input=True)  # doctest: +SKIP
            >>> loader = DataLoader(dataset, batch_size=64, shuffle=True, collate_fn=dataset.collate)  # doctest: +SKIP
        """
        from modcog.data.torch import ExportedItems  # imports torch

        rules = self.dataset.rule_input if rule_input is None else rule_input
        n_rules, one_task = len(self.dataset.tasks) if rules else 0, self.dataset.layout == "trials"
        return ExportedItems(self.read, len(self), n_rules=n_rules, one_task=one_task, batch_first=batch_first)

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
            manifest.identity.config["dim_ring"],
            tuple(Condition(**declared) for declared in manifest.conditions),
        )
        if not self.dataset.rule_input:
            return trials
        n_steps, channels = trials.packed_observations.shape
        observations = np.zeros((n_steps, channels + len(trials.tasks)), np.float32)
        observations[:, :channels] = trials.packed_observations
        write_rule_input(observations[:, channels:], trials.task, trials.lengths)
        return replace(trials, packed_observations=observations)

    def _open(self, k: int) -> _Shard:
        return self._opened(k, os.getpid())  # a forked worker must not share file handles with its parent

    @cached_property
    def _opened(self) -> Callable[[int, int], _Shard]:
        most = get_format(self.dataset.format).OPEN_SHARDS
        return lru_cache(most)(lambda k, process: _Shard(self.dataset, self._entries[k]))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the open shards: a worker process opens its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self):,} {self.dataset.unit}, {self.n_shards} shards)"


def _put(part: NDArray[Any], out: NDArray[Any], first: NDArray[np.int64], count: NDArray[np.int64]) -> None:
    """Write the rows of items, one after the other in ``part``, to ``out``: count[i] rows from first[i] on."""
    if len(part) < 64 * len(first):  # many short pieces: all at once
        out[ranges(first, count)] = part
        return
    for start, n, stop in zip(first.tolist(), count.tolist(), np.cumsum(count).tolist(), strict=True):
        out[start : start + n] = part[stop - n : stop]


class _Shard:
    """An open shard, whose arrays are read step by step, whatever the layout.

    Packed, item i has the steps from ``start[i]`` on. Padded and in sequences, the arrays have a row of ``width`` steps
    for each item; laid one after the other, item i has the steps from ``i · width`` on.
    """

    def __init__(self, dataset: DataSet, entry: ShardEntry) -> None:
        self.entry, self.stream = entry, dataset.layout == "stream"
        self.width = entry.arrays["labels"].shape[1] if self.stream or dataset._padded else 0
        self.stored = get_format(dataset.format).open_shard(dataset.path / entry.path)
        if missing := [name for name in entry.arrays if name not in self.stored]:
            raise ModcogError(f"{entry.path} does not hold {missing[0]}; modcog verify names all that is damaged")
        self._columns: dict[str, NDArray[Any]] = {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, which is read once."""
        if name not in self._columns:
            self._columns[name] = np.asarray(self.stored[name][:])
        return self._columns[name]

    def read(self, items: NDArray[np.int64], columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return steps and columns of items, and the numbers of ``steps`` and ``trials`` of each."""
        first: NDArray[Any] = items * self.width if self.width else self.column("start")[items]
        steps: NDArray[Any]
        if self.stream:
            steps = np.full(len(items), self.width)
            trial, n_trials = self._first_trial[items], np.diff(self._first_trial)[items]
        else:
            steps = self.column("length")[items].astype(np.int64)
            trial, n_trials = items, np.ones_like(items)
        found = {name: self._steps(name, first, steps) for name in ARRAYS}
        contiguous = np.array_equal(trial[1:], (trial + n_trials)[:-1])
        rows: Any = slice(trial[0], trial[-1] + n_trials[-1]) if contiguous else ranges(trial, n_trials)
        return {**found, **{name: self.column(name)[rows] for name in columns}, "steps": steps, "trials": n_trials}

    def _steps(self, name: str, first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[Any]:
        """Return, for each i, count[i] steps from first[i] on, one after the other; a view if they are adjacent."""
        if np.array_equal(first[1:], (first + count)[:-1]):
            return self._flat(name, int(first[0]), int(first[-1] + count[-1]))
        if isinstance(self.stored[name], np.ndarray) and not self.stream:  # many short pieces: all at once
            total = self.entry.arrays[name].shape[0] * max(self.width, 1)
            return self._flat(name, 0, total)[ranges(first, count)]
        pieces = zip(first.tolist(), (first + count).tolist(), strict=True)
        return np.concatenate([self._flat(name, start, stop) for start, stop in pieces])

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
