"""Live generation: batches without end, made while they are used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from modcog.checks import check_count
from modcog.data.slots import Slots
from modcog.data.torch import batch_of
from modcog.errors import ModcogError, unknown
from modcog.seeds import Purpose, Seed, check_seed
from modcog.trials.source import TrialSource
from modcog.trials.stream import Stream

if TYPE_CHECKING:
    from modcog.battery import Battery

LAYOUTS = ("stream", "trials")


class LiveDataset(IterableDataset[Any]):
    """Endless training batches, made while they are used.

    An item is a whole batch: for layout ``stream`` the pair observations (T, B, C) float32 and labels (T, B) int64 of
    ``Battery.stream``, for layout ``trials`` a padded ``Batch``. Batch i of the seed goes to rank i mod ``world_size``
    and there to the worker whose turn it is, so what a rank sees does not depend on the number of workers, and no two
    ranks see the same batch.

    Args:
        battery: whose trials to make.
        batch_size: lanes, or trials, of a batch.
        seq_len: steps of a batch; layout ``stream``.
        seed: of all random numbers; None: from the operating system.
        layout: ``stream`` or ``trials``.
        batch_first: (B, T, …) instead of (T, B, …).
        length: batches of an epoch; None: without end.
        rank: of this process among those that train; None: from torch.distributed or the environment, else 0.
        world_size: their number; likewise, else 1.

    Attributes:
        position: number of the next batch of this rank. ``loader`` keeps it up to date; with a ``DataLoader`` of your
            own, set it before iterating.

    Raises:
        UnknownNameError: for another layout.
        ModcogError: for a size out of range.

    Examples:
        >>> live = LiveDataset(battery, batch_size=64, seq_len=350, seed=0)  # doctest: +SKIP
        >>> for observations, labels in live.loader(num_workers=2):  # doctest: +SKIP
        ...     ...
        >>> state = live.state_dict()  # goes into a checkpoint; load_state_dict goes on from there  # doctest: +SKIP
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
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        self.battery, self.layout, self.batch_first = battery, layout, batch_first
        self.batch_size, self.seq_len = check_count("batch_size", batch_size), check_count("seq_len", seq_len)
        self.length = None if length is None else check_count("length", length)
        here = _distributed()
        self.world_size = check_count("world_size", here[1] if world_size is None else world_size)
        self.rank = check_count("rank", here[0] if rank is None else rank, at_least=0)
        if self.rank >= self.world_size:
            raise ModcogError(f"rank: got {self.rank}, must be less than world_size {self.world_size}")
        self.seed = check_seed(seed)
        self.position = 0
        self._slots: Slots | None = None

    def batch(self, index: int) -> Any:
        """Batch ``index`` of this rank, whatever the position; its tensors share the memory of the arrays."""
        index = self._of_all(index)
        if self.layout == "stream":
            observations, labels = self._stream[index]
            return torch.from_numpy(observations), torch.from_numpy(labels)
        source = TrialSource(self.battery.tables, Seed.of(self.seed, Purpose.LIVE))
        return batch_of(source.block(index, n=self.batch_size), self.batch_first)

    def _of_all(self, index: int) -> int:
        """Number of a batch of this rank among those of all ranks."""
        return index * self.world_size + self.rank

    def _made(self, index: int, worker: int) -> Any:
        """Batch ``index``, made in a worker process: in a slot, if there are slots and one is free."""
        taken = self._slots.take(worker) if self._slots else None
        if taken is None:
            return self.batch(index)
        sent, observations, labels = taken
        index = self._of_all(index)
        flat = observations.reshape(-1, self.battery.n_channels)
        labels[:] = self._stream.paint(self._stream.draw(index), index, flat)[1]
        return sent

    @cached_property
    def _stream(self) -> Stream:
        """Kept, since it draws the trials of several batches at once."""
        return self.battery.stream(self.batch_size, self.seq_len, self.seed, batch_first=self.batch_first)

    def __getstate__(self) -> dict[str, Any]:
        """Without the stream: a worker process makes its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_stream"}

    def __iter__(self) -> Iterator[Any]:
        """The batches from ``position`` on; in a worker process, every n-th of them."""
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        start = self.position  # the loader moves it on
        index = first
        while self.length is None or index < self.length:
            yield self.batch(start + index) if worker is None else self._made(start + index, worker.id)
            index += step

    def loader(self, num_workers: int = 0, **options: Any) -> LiveLoader:
        """A ``DataLoader`` of these batches that keeps ``position`` up to date.

        Args:
            num_workers: processes that make batches; 0: this one.
            **options: of ``DataLoader``; ``pin_memory`` is on where there is a GPU.
        """
        return LiveLoader(self, num_workers, **options)

    def state_dict(self) -> dict[str, Any]:
        """Where the data set is, and what it is, as plain values."""
        return {"position": self.position, **self._what()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises:
            ModcogError: if it belongs to another data set; it names the first difference.
        """
        position = check_count("position", state.get("position"), at_least=0)
        for name, value in self._what().items():
            if state.get(name) != value:
                raise ModcogError(f"{name}: the saved position is of {state.get(name)!r}, this data set has {value!r}")
        self.position = position

    def _what(self) -> dict[str, Any]:
        names = ("seed", "layout", "batch_size", "seq_len", "batch_first", "world_size", "rank")
        settings = self.battery.config.model_dump(mode="json")
        return {**{name: getattr(self, name) for name in names}, "battery": settings}

    def __len__(self) -> int:
        """Batches of an epoch.

        Raises:
            TypeError: if there is no end.
        """
        if self.length is None:
            raise TypeError("a LiveDataset without length has no end")
        return self.length


class LiveLoader(DataLoader[Any]):
    """A ``DataLoader`` of a ``LiveDataset``; each batch that it hands out moves the data set's ``position`` on."""

    def __init__(self, dataset: LiveDataset, num_workers: int = 0, **options: Any) -> None:
        if options.get("persistent_workers"):
            raise ModcogError("persistent_workers: workers start anew with each epoch, to know the position")
        options.setdefault("pin_memory", torch.cuda.is_available())
        self._painted = num_workers > 0 and dataset.layout == "stream" and options.get("collate_fn") is None
        super().__init__(dataset, batch_size=None, num_workers=num_workers, **options)

    def __iter__(self) -> Any:
        """The batches from the data set's position on."""
        dataset: LiveDataset = self.dataset  # type: ignore[assignment]
        dataset._slots = slots = self._make_slots(dataset) if self._painted else None
        try:
            batches = super().__iter__()  # starts the workers
        finally:
            dataset._slots = None
        try:
            for batch in batches:
                dataset.position += 1
                yield batch
        finally:
            del batches  # and with it the workers, before the memory that they paint on
            del slots

    def _make_slots(self, dataset: LiveDataset) -> Slots | None:
        """For what each worker may make ahead, and the two batches that a loop holds while it takes the next."""
        lanes, length = dataset.batch_size, dataset.seq_len
        shape = (lanes, length) if dataset.batch_first else (length, lanes)
        try:
            return Slots((*shape, dataset.battery.n_channels), self.num_workers, 2 + (self.prefetch_factor or 0))
        except RuntimeError:  # a container with little shared memory: batches then go one at a time
            return None


def _distributed() -> tuple[int, int]:
    """Rank and number of the processes that train together."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
