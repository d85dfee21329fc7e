"""Live generation: batches without end, made while they are used."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from modcog.battery import Battery
from modcog.checks import check_count
from modcog.data.torch import padded_batch
from modcog.errors import ModcogError, unknown
from modcog.seeds import Purpose, Seed, check_seed
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream

_ENDLESS = 2**63 - 1
_MOST_WORKERS = 1024


class LiveDataset(IterableDataset[Any]):
    """Endless training batches, made while they are used.

    An item is a whole batch: for layout ``stream`` the pair observations (T, B, C) float32 and labels (T, B) int64 of
    ``Battery.stream``, for layout ``trials`` a ``PaddedBatch``. Batch i of the seed goes to rank i mod
    ``world_size``, so a rank sees the same whatever the number of workers, and no two ranks see the same batch.

    However it is read, reading goes on where it was. Iteration and ``loader`` move ``position``, the number of the next
    batch. The worker processes of any other ``DataLoader`` start there too, but nothing tells how many of their batches
    were used, so after that the position is not known, and reading on is an error until it is set.
    ``StatefulDataLoader`` of torchdata saves and restores the places of its workers.

    Args:
        battery: whose trials to make.
        batch_size: lanes, or trials, of a batch.
        seq_len: steps of a batch; layout ``stream``.
        seed: of all random numbers; None: from the operating system.
        layout: ``stream`` or ``trials``.
        batch_first: (B, T, …) instead of (T, B, …).
        length: batches of an epoch; None: without end. Epoch e has the batches e · length … (e + 1) · length − 1; one
            that was left early is finished by the next iteration.
        rank: of this process among those that train; None: from torch.distributed or the environment, else 0.
        world_size: their number; likewise, else 1.

    Raises:
        UnknownNameError: for another layout.
        ModcogError: for a size out of range.

    Examples:
        >>> live = LiveDataset(battery, batch_size=64, seq_len=350, seed=0)  # doctest: +SKIP
        >>> for observations, labels in live.loader(num_workers=2):  # doctest: +SKIP
        ...     ...
        >>> state = live.state_dict()  # for a checkpoint; load_state_dict goes on from there  # doctest: +SKIP
    """

    def __init__(
        self,
        battery: Battery,
        batch_size: int = 64,
        seq_len: int = 350,
        seed: int | None = None,
        *,
        layout: Literal["stream", "trials"] = "stream",
        batch_first: bool = False,
        length: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        if layout not in ("stream", "trials"):
            raise unknown("layout", layout, ("stream", "trials"))
        self.battery, self.layout, self.batch_first = battery, layout, batch_first
        self.batch_size, self.seq_len = check_count("batch_size", batch_size), check_count("seq_len", seq_len)
        self.length = None if length is None else check_count("length", length)
        here = _distributed()
        self.world_size = check_count("world_size", here[1] if world_size is None else world_size)
        self.rank = check_count("rank", here[0] if rank is None else rank, at_least=0)
        if self.rank >= self.world_size:
            raise ModcogError(f"rank: got {self.rank}, must be less than world_size {self.world_size}")
        self.seed = check_seed(seed)
        self._lock, self._process = threading.Lock(), os.getpid()
        # Shared with worker processes: the position, how often it was set, and which setting each has started from.
        self._shared = torch.zeros(2 + _MOST_WORKERS, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self._setting = 0
        self.position = 0
        self._place: tuple[int, int] | None = None  # in a worker process: its next batch, and the end of the epoch
        self._saved: tuple[int, int] | None = None  # the same, as loaded and not yet used

    @property
    def position(self) -> int:
        """Number of the next batch of this rank.

        Raises:
            ModcogError: when read, if it is not known.
        """
        self._part_from_parent()
        if (self._shared[2:] == self._setting).any():
            raise _unknown_position(self._position)
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        self._position = check_count("position", value, at_least=0)
        self._part_from_parent()
        self._setting += 1
        self._shared[0], self._shared[1] = self._position, self._setting

    def _part_from_parent(self) -> None:
        """Go on alone in a process that was forked or got the data set from another, and is no worker of a loader."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
            self._shared = self._shared.clone().share_memory_()

    def batch(self, index: int) -> Any:
        """Return batch ``index`` of this rank, whatever the position; its tensors share the memory of the arrays."""
        index = index * self.world_size + self.rank
        if self.layout == "stream":
            observations, labels = self._stream[index]
            return torch.from_numpy(observations), torch.from_numpy(labels)
        trials = TrialSource(self.battery.tables, Seed.of(self.seed, Purpose.LIVE)).block(index, n=self.batch_size)
        packed = (trials.packed_observations, trials.packed_labels, trials.task, trials.lengths)
        return padded_batch(*packed, batch_first=self.batch_first)

    @cached_property
    def _stream(self) -> Stream:
        """The stream, kept since it draws the trials of several batches at once."""
        return self.battery.stream(self.batch_size, self.seq_len, self.seed, batch_first=self.batch_first)

    def rest(self, start: int) -> range:
        """Return the numbers of the batches from ``start`` to the end of its epoch."""
        return range(start, _ENDLESS if self.length is None else (start // self.length + 1) * self.length)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the batches from ``position`` to the end of the epoch; in a worker process, its share of them.

        Raises:
            ModcogError: if the position is not known.
        """
        worker = get_worker_info()
        if worker is None:
            return self._from_position()
        # A process that starts late, when its loader is gone, has its own copy of the setting that it was started at.
        start, setting = int(self._shared[0]), self._setting or int(self._shared[1])
        again, self._setting, self._shared[2 + worker.id] = bool(self._shared[2 + worker.id] == setting), 0, setting
        known = self._saved is not None or not again
        self._place, self._saved = self._saved or (start + worker.id, self.rest(start).stop), None
        return self._share(worker.num_workers, None if known else _unknown_position(start))

    def _from_position(self) -> Iterator[Any]:
        stop = self.rest(self.position).stop
        while (index := self._take(stop)) is not None:
            yield self.batch(index)

    def _take(self, stop: int, expected: int | None = None) -> int | None:
        """Return the next batch's number and move the position on, before the batch is handed out; None from stop on.

        Raises:
            ModcogError: if it is not the expected one.
        """
        self._part_from_parent()
        with self._lock:  # two threads that read one data set must not get the same batch
            index = self.position
            if expected not in (None, index):
                raise ModcogError(
                    f"position: a loader that was to hand out batch {expected} finds the position at {index}: it was "
                    "set, or somebody else has read; read with one loader at a time, and start a new loop after setting"
                )
            if index >= stop:
                return None
            self.position = index + 1
            return index

    def _share(self, workers: int, error: ModcogError | None) -> Iterator[Any]:
        """Yield the batches of this worker process, one of several; raise ``error`` where torch reports it."""
        if error is not None:
            raise error
        while self._place is not None and self._place[0] < self._place[1]:
            index, stop = self._place
            self._place = index + workers, stop
            yield self.batch(index)

    def loader(self, num_workers: int = 0, **options: Any) -> LiveLoader:
        """Return a ``DataLoader`` of these batches that keeps ``position`` up to date.

        Args:
            num_workers: processes that make batches; 0: this one.
            **options: of ``DataLoader``; ``pin_memory`` is on where there is a GPU.
        """
        return LiveLoader(self, num_workers, **options)

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the settings of the data set, as plain values; in a worker process, its place.

        Raises:
            ModcogError: if the position is not known.
        """
        return {**({"position": self.position} if get_worker_info() is None else {"place": self._place}), **self._what}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            ModcogError: if it belongs to another data set; it names the first difference.
        """
        here = get_worker_info() is None
        position = check_count("position", state.get("position") if here else 0, at_least=0)
        if not here and "place" not in state:
            raise ModcogError("place: this position was not saved by a worker process")
        for name, value in self._what.items():
            if state.get(name) != value:
                raise ModcogError(f"{name}: the saved position is of {state.get(name)!r}, this data set has {value!r}")
        if here:
            self.position = position
        else:
            self._saved = state["place"]

    @property
    def _what(self) -> dict[str, Any]:
        names = ("seed", "layout", "batch_size", "seq_len", "batch_first", "world_size", "rank")
        return {**{name: getattr(self, name) for name in names}, "battery": self.battery.config.model_dump(mode="json")}

    def __len__(self) -> int:
        """Return the batches of an epoch.

        Raises:
            TypeError: if there is no end.
        """
        if self.length is None:
            raise TypeError("a LiveDataset without length has no end")
        return self.length

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the lock and the stream: a process makes its own."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_stream", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Share memory with worker processes again, if this is a copy."""
        self.__dict__.update(state, _lock=threading.Lock())
        self._shared.share_memory_()

    def __copy__(self) -> LiveDataset:
        """Return a copy whose position is its own."""
        twin = object.__new__(type(self))
        twin.__setstate__({**self.__getstate__(), "_shared": self._shared.clone()})
        return twin


class LiveLoader(DataLoader[Any]):
    """A ``DataLoader`` of a ``LiveDataset``; each batch that it hands out moves the data set's ``position`` on.

    This process gives its workers the numbers of the batches, so they need not know the position.
    """

    def __init__(self, live: LiveDataset, num_workers: int = 0, **options: Any) -> None:
        options.setdefault("pin_memory", torch.cuda.is_available())
        batches = _ByNumber(live)
        super().__init__(batches, batch_size=None, sampler=batches, num_workers=num_workers, **options)
        self.live = live

    def __iter__(self) -> Any:
        """Yield the batches from the data set's position on.

        Raises:
            ModcogError: if somebody else moves the position meanwhile.
        """
        numbers = self.live.rest(self.live.position)
        for index, batch in zip(numbers, super().__iter__(), strict=False):
            self.live._take(numbers.stop, index)
            yield batch


class _ByNumber(Dataset[Any]):
    """Batches by number, and as the sampler of a loader, the numbers from the position to the end of the epoch."""

    def __init__(self, live: LiveDataset) -> None:
        self.live = live

    def __getitem__(self, index: int) -> Any:
        return self.live.batch(index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.live.rest(self.live.position))

    def __len__(self) -> int:
        return len(self.live)


def _unknown_position(start: int) -> ModcogError:
    return ModcogError(
        f"position: worker processes of a DataLoader have read on from batch {start}, and it is not known how many "
        "batches were used; set position, or read with live.loader(num_workers=…)"
    )


def _distributed() -> tuple[int, int]:
    """Return rank and number of the processes that train together."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
