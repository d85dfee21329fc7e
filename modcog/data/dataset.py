"""Reading a data set: splits as memory-mapped arrays, as ``Trials``, and as torch data sets."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.data.columns import ARRAYS, OWN_COLUMNS
from modcog.data.config import ExportConfig
from modcog.data.formats import Format, get_format
from modcog.data.manifest import Manifest, ShardEntry
from modcog.errors import ModcogError, unknown
from modcog.trials.arrays import Trials

if TYPE_CHECKING:
    from modcog.battery import Battery
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
    for file in manifest.all_files():
        try:
            size = (folder / file.path).stat().st_size
        except OSError:
            raise ModcogError(f"{folder / file.path} is missing; modcog verify tells all that is") from None
        if size != file.bytes:
            raise ModcogError(f"{folder / file.path} has {size} bytes instead of {file.bytes}; verify tells more")
    return DataSet(folder, manifest, rule_input)


class DataSet(Mapping[str, "Split"]):
    """A data set: its splits by name; made by ``load``.

    Attributes:
        path: its folder.
        manifest: all that is known of it.
        layout: ``trials`` or ``stream``.
        format: of its files.
        rule_input: whether ``Trials`` and torch data sets get one one-hot column per task.
    """

    def __init__(self, path: Path, manifest: Manifest, rule_input: bool | None = None) -> None:
        self.path, self.manifest = path, manifest
        stored = manifest.identity.config
        self.layout, self.format, self._padded = stored["layout"], stored["format"], stored["padded"]
        self.rule_input = bool(stored["rule_input"] if rule_input is None else rule_input)
        get_format(self.format)  # now rather than in a worker process
        self._splits = {name: Split(self, name, shards) for name, shards in manifest.splits.items()}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names; ``trials.task`` indexes them."""
        return self.manifest.tasks

    @property
    def splits(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._splits)

    @cached_property
    def config(self) -> ExportConfig:
        """The settings it was made with.

        Raises:
            UnknownNameError: if one of its tasks is built on a base task of a user's own that is not known here.
        """
        return self.manifest.config

    @cached_property
    def battery(self) -> Battery:
        """A battery with the data set's settings, for live trials of the same kind.

        Raises:
            UnknownNameError: as ``config``.
        """
        from modcog.battery import Battery

        return Battery.from_config(self.config.battery_settings()).replace(rule_input=self.rule_input)

    def torch(
        self, split: str = "train", *, rule_input: bool | None = None, batch_first: bool = False
    ) -> ExportedItems:
        """A split as a torch data set; see ``Split.torch``."""
        return self[split].torch(rule_input=rule_input, batch_first=batch_first)

    def __getitem__(self, name: str) -> Split:
        """A split.

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
        return f"DataSet({str(self.path)!r}, {len(self.tasks)} tasks, {amounts} {self._items})"

    @property
    def _items(self) -> str:
        return "trials" if self.layout == "trials" else "sequences"


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
        self._forget()

    def __len__(self) -> int:
        """Number of items."""
        return int(self._first[-1])

    def arrays(self, shard: int) -> Mapping[str, Any]:
        """Arrays and columns of one shard as they are stored, by name: memory maps for ``npy``, read when indexed."""
        return self._open(range(self.n_shards)[shard]).stored

    def shards(self) -> Iterator[Trials]:
        """The trials of each shard; for ``npy`` their observations are memory maps, unless the rule input is added."""
        for first, stop in zip(self._first[:-1], self._first[1:], strict=True):
            yield self[int(first) : int(stop)]

    def __getitem__(self, index: int | slice) -> Trials:
        """The trials of one item or of a contiguous slice of items; views of memory maps where that can be.

        Raises:
            IndexError: if the index is outside, or the slice has a step.
        """
        start, stop, step = _bounds(index, len(self))
        if step != 1:
            raise IndexError("items can be sliced contiguously only; take(indices) picks any")
        parts = [self._open(k).read(a, b, self._columns) for k, a, b in self._pieces(start, stop)]
        return self._trials(_joined(parts)) if parts else self[0:1][0:0]

    def take(self, indices: Iterable[int]) -> Trials:
        """The trials of any items, in the order asked for.

        Raises:
            IndexError: if an index is outside.
        """
        return self._trials(self.gather(indices, self._columns))

    def gather(
        self, indices: Iterable[int], columns: Sequence[str] = ("task", "length"), room: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Copies of what some items hold, one item after the other.

        Args:
            indices: (n,) of the items, in any order.
            columns: those that are wanted, a value for each trial.
            room: channels of zeros to add to the observations.

        Returns:
            dict: ``observations`` (S, C + room) float32, ``labels`` (S,) int64, ``steps`` (n,) of each item, and the
                columns.

        Raises:
            IndexError: if an index is outside.
        """
        wanted = np.fromiter(indices, np.int64)
        if np.any((wanted < -len(self)) | (wanted >= len(self))):
            raise IndexError(f"items {wanted.min()} to {wanted.max()} of {len(self)}")
        wanted %= len(self)
        shard = np.searchsorted(self._first, wanted, side="right") - 1
        item = wanted - self._first[shard]
        groups = [(int(k), np.flatnonzero(shard == k)) for k in np.unique(shard)]  # every shard is opened once
        steps, trials = np.zeros((2, len(wanted)), np.int64)
        for k, place in groups:
            steps[place], trials[place] = self._open(k).sizes(item[place])
        n_steps, n_trials, entries = int(steps.sum()), int(trials.sum()), self._entries[0].arrays
        found: dict[str, NDArray[Any]] = {
            "observations": np.zeros((n_steps, entries["observations"].shape[-1] + room), np.float32),
            "labels": np.empty(n_steps, np.int64),
            **{name: np.empty(n_trials, entries[name].dtype) for name in columns},
        }
        first_step, first_trial = np.cumsum(steps) - steps, np.cumsum(trials) - trials
        for k, place in groups:
            self._open(k).copy(item[place], found, first_step[place], first_trial[place])
        return {**found, "steps": steps}

    def column(self, name: str) -> NDArray[Any]:
        """A column of all trials, e.g. ``"task"`` or ``"direction"``, (n,).

        Raises:
            UnknownNameError: if there is no such column.
        """
        if name not in self._columns:
            raise unknown("column", name, self._columns)
        return np.concatenate([self._open(k).column(name) for k in range(self.n_shards)])

    def torch(self, *, rule_input: bool | None = None, batch_first: bool = False) -> ExportedItems:
        """The split as a map-style ``torch.utils.data.Dataset`` of items, with a collate function that pads.

        Args:
            rule_input: append the one-hot columns of the tasks; None: as ``load`` was told.
            batch_first: the collate function gives (B, T, …) instead of (T, B, …).

        Examples:
            >>> dataset = data["train"].torch(rule_input=True)  # doctest: +SKIP
            >>> loader = DataLoader(dataset, batch_size=64, shuffle=True, collate_fn=dataset.collate)  # doctest: +SKIP
        """
        from modcog.data.torch import ExportedItems

        wanted = self.dataset.rule_input if rule_input is None else rule_input
        return ExportedItems(self, rule_input=wanted, batch_first=batch_first)

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Shard, first and last + 1 item in it, of every shard that items start … stop − 1 touch."""
        for k in range(self.n_shards):
            a, b = max(start, int(self._first[k])), min(stop, int(self._first[k + 1]))
            if a < b:
                yield k, a - int(self._first[k]), b - int(self._first[k])

    @property
    def _columns(self) -> list[str]:
        return [name for name in self._entries[0].arrays if name not in ARRAYS]

    def _trials(self, found: dict[str, NDArray[Any]]) -> Trials:
        manifest, length = self.dataset.manifest, found["length"]
        trials = Trials(
            found["observations"],
            found["labels"].astype(np.int64, copy=False),
            np.concatenate([[0], np.cumsum(length, dtype=np.int64)]),
            found["task"].astype(np.int64),
            found["decision_start"].astype(np.int64),
            {name: found[name] for name in self._columns if name not in OWN_COLUMNS},
            manifest.tasks,
            manifest.dt,
            tuple(manifest.periods[task] for task in manifest.tasks),
            manifest.identity.config["dim_ring"],
            (),
        )
        return with_rule_input(trials) if self.dataset.rule_input else trials

    def _open(self, k: int) -> _Shard:
        if self._process != os.getpid():  # a forked worker must not share file handles with its parent
            self._forget()
        if k not in self._shards:
            fmt = get_format(self.dataset.format)
            while len(self._shards) >= fmt.OPEN_SHARDS:
                self._shards.popitem(last=False)
            self._shards[k] = _Shard(self.dataset, self._entries[k], fmt)
        self._shards.move_to_end(k)
        return self._shards[k]

    def _forget(self) -> None:
        self._process = os.getpid()
        self._shards: OrderedDict[int, _Shard] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Without the open shards: a worker process opens its own."""
        return {**self.__dict__, "_shards": OrderedDict()}

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self):,} {self.dataset._items}, {self.n_shards} shards)"


class _Shard:
    """An open shard: from what is stored to trials, whatever the layout."""

    def __init__(self, dataset: DataSet, entry: ShardEntry, fmt: Format) -> None:
        self.dataset, self.entry = dataset, entry
        self.stream, self.padded = dataset.layout == "stream", dataset._padded
        self.stored = fmt.open_shard(dataset.path / entry.path)
        if missing := [name for name in entry.arrays if name not in self.stored]:
            raise ModcogError(f"{entry.path} does not hold {missing[0]}; modcog verify tells what is damaged")
        self._columns: dict[str, NDArray[Any]] = {}

    def column(self, name: str) -> NDArray[Any]:
        if name not in self._columns:
            self._columns[name] = np.asarray(self.stored[name][:])
        return self._columns[name]

    def read(self, start: int, stop: int, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Steps and columns of items start … stop − 1, one after the other; views where that can be."""
        rows = slice(start, stop)
        if self.stream:
            rows = slice(int(self._first_trial[start]), int(self._first_trial[stop]))
        found = {name: self._steps(name, start, stop) for name in ARRAYS}
        return found | {name: self.column(name)[rows] for name in columns}

    def sizes(self, items: NDArray[np.int64]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Steps and trials of each of some items, (n,)."""
        if self.stream:
            return np.full(len(items), self.entry.arrays["labels"].shape[1]), np.diff(self._first_trial)[items]
        return self.column("length")[items], np.ones(len(items), np.int64)

    def copy(
        self,
        items: NDArray[np.int64],
        out: Mapping[str, NDArray[Any]],
        first_step: NDArray[np.int64],
        first_trial: NDArray[np.int64],
    ) -> None:
        """Copy some items to ``out``, item i to the steps from first_step[i] on, its trials from first_trial[i] on."""
        steps, trials = self.sizes(items)
        channels = self.entry.arrays["observations"].shape[-1]
        self._copy_steps("observations", items, steps, out["observations"][:, :channels], first_step)
        self._copy_steps("labels", items, steps, out["labels"], first_step)
        rows = ranges(self._first_trial[items], trials) if self.stream else items
        places = ranges(first_trial, trials) if self.stream else first_trial
        for name in out.keys() - ARRAYS.keys():
            out[name][places] = self.column(name)[rows]

    def _copy_steps(
        self,
        name: str,
        items: NDArray[np.int64],
        steps: NDArray[np.integer],
        out: NDArray[Any],
        first: NDArray[np.int64],
    ) -> None:
        stored, packed = self.stored[name], not (self.stream or self.padded)
        if isinstance(stored, np.ndarray) and not self.stream:  # many short pieces: all at once
            start = self.column("start")[items] if packed else items * stored.shape[1]
            flat = stored if packed else stored.reshape(-1, *stored.shape[2:])
            out[ranges(first, steps)] = flat[ranges(start, steps)]
            return
        for item, count, place in zip(items.tolist(), steps.tolist(), first.tolist(), strict=True):
            if packed:
                start = int(self.column("start")[item])
                out[place : place + count] = stored[start : start + count]
            else:
                out[place : place + count] = stored[item, :count]

    @cached_property
    def _first_trial(self) -> NDArray[np.integer]:
        """(n + 1,) sequence i holds the trials _first_trial[i] … _first_trial[i + 1] − 1."""
        return np.searchsorted(self.column("sequence"), np.arange(self.entry.items + 1))

    def _steps(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """The steps of items start … stop − 1 of an array, one after the other."""
        stored = self.stored[name]
        if self.stream:
            found = np.asarray(stored[start:stop])
            return found.reshape(-1, *found.shape[2:])
        length = self.column("length")
        if self.padded:
            found = np.asarray(stored[start:stop])
            return found[np.arange(found.shape[1]) < length[start:stop, None]]
        first = self.column("start")
        return np.asarray(stored[int(first[start]) : int(first[stop - 1]) + int(length[stop - 1])])


def ranges(start: NDArray[np.integer], count: NDArray[np.integer]) -> NDArray[np.int64]:
    """The whole numbers start[i] … start[i] + count[i] − 1 for each i, one after the other; both (n,)."""
    before = np.cumsum(count) - count
    return np.repeat(start - before, count) + np.arange(int(count.sum()))


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def with_rule_input(trials: Trials) -> Trials:
    """The same trials with one one-hot column per task after their observations."""
    from dataclasses import replace

    n, channels = trials.packed_observations.shape
    observations = np.zeros((n, channels + len(trials.tasks)), np.float32)
    observations[:, :channels] = trials.packed_observations
    set_rule_input(observations[:, channels:], trials.task, trials.lengths)
    return replace(trials, packed_observations=observations)


def set_rule_input(rule: NDArray[np.float32], task: NDArray[np.integer], length: NDArray[np.integer]) -> None:
    """Write the rule input of trials that follow one another into zeros, (S, n_tasks)."""
    rule[np.arange(len(rule)), np.repeat(task, length)] = 1


def _bounds(index: int | slice, n: int) -> tuple[int, int, int]:
    if isinstance(index, slice):
        start, stop, step = index.indices(n)
        return start, max(start, stop), step
    if not -n <= index < n:
        raise IndexError(f"item {index} of {n}")
    return index % n, index % n + 1, 1
