"""torch data sets: exported items to be picked at random, and live generation without end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from modcog.data.dataset import set_rule_input
from modcog.data.stream import Stream
from modcog.errors import ModcogError, unknown
from modcog.trials.source import Seed, TrialSource, check_count
from modcog.trials.trials import IGNORE, Trials

if TYPE_CHECKING:
    from modcog.battery import Battery
    from modcog.data.dataset import Split

_LIVE_KEY = 22  # sets trials of a LiveDataset apart from samples with the same seed
LAYOUTS = ("stream", "trials")


class Batch(TypedDict):
    """A padded batch; (B, T, …) with ``batch_first``.

    Attributes:
        observations: (T, B, C) float32, zero-padded.
        labels: (T, B) int64, padded with −100.
        mask: (T, B) bool, False in padding.
        lengths: (B,) int64.
        task: (B,) int64, index into the tasks; −1 for a sequence of several trials.
    """

    observations: Tensor
    labels: Tensor
    mask: Tensor
    lengths: Tensor
    task: Tensor


class Item(TypedDict):
    """One item: a trial, or a sequence of trials.

    Attributes:
        observations: (L, C) float32.
        labels: (L,) int64.
        task: () int64; −1 for a sequence.
    """

    observations: Tensor
    labels: Tensor
    task: Tensor


class ExportedItems(Dataset[Item]):
    """The items of an exported split, map-style; made by ``Split.torch``."""

    def __init__(self, split: Split, *, rule_input: bool = False, batch_first: bool = False) -> None:
        self.split, self.rule_input, self.batch_first = split, rule_input, batch_first

    def __len__(self) -> int:
        """Number of items."""
        return len(self.split)

    def __getitem__(self, index: int) -> Item:
        """One item; its tensors are copies, not views of the files."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Several items at once, which a ``DataLoader`` prefers; they share the memory of one copy."""
        n_tasks = len(self.split.dataset.tasks) if self.rule_input else 0
        found = self.split.gather(indices, room=n_tasks)
        observations, task, steps = found["observations"], found["task"], found["steps"].tolist()
        if self.rule_input:
            set_rule_input(observations[:, -n_tasks:], task, found["length"])
        if self.split.dataset.layout == "stream":
            task = np.full(len(steps), -1)
        parts = [torch.split(torch.from_numpy(array), steps) for array in (observations, found["labels"])]
        tasks = torch.from_numpy(task.astype(np.int64))
        return [{"observations": o, "labels": y, "task": k} for o, y, k in zip(*parts, tasks, strict=True)]

    def collate(self, items: Sequence[Item]) -> Batch:
        """Pad items to a batch; give it to the ``DataLoader`` as ``collate_fn``."""

        def padded(name: Literal["observations", "labels"], value: float) -> Tensor:
            return pad_sequence([item[name] for item in items], batch_first=self.batch_first, padding_value=value)

        lengths = torch.tensor([len(item["labels"]) for item in items])
        task = torch.stack([item["task"] for item in items])
        return _batch(padded("observations", 0.0), padded("labels", IGNORE), lengths, task, self.batch_first)


def _batch(observations: Tensor, labels: Tensor, lengths: Tensor, task: Tensor, batch_first: bool) -> Batch:
    steps = torch.arange(labels.shape[1 if batch_first else 0])
    mask = steps < lengths[:, None] if batch_first else steps[:, None] < lengths
    return {"observations": observations, "labels": labels, "mask": mask, "lengths": lengths, "task": task}


def batch_of(trials: Trials, batch_first: bool = False) -> Batch:
    """Trials as a padded batch."""
    observations, labels = torch.from_numpy(trials.observations), torch.from_numpy(trials.labels)
    if not batch_first:
        observations, labels = observations.transpose(0, 1).contiguous(), labels.T.contiguous()
    return _batch(observations, labels, torch.from_numpy(trials.lengths), torch.from_numpy(trials.task), batch_first)


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

    Example:
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
        self.seed = Seed.of(seed).entropy
        self.position = 0

    def batch(self, index: int) -> Any:
        """Batch ``index`` of this rank, whatever the position; its tensors share the memory of the arrays."""
        index = index * self.world_size + self.rank
        if self.layout == "stream":
            return self._sequences(index)
        source = TrialSource(self.battery.tables, Seed.of(self.seed, _LIVE_KEY))
        return batch_of(source.block(index, n=self.batch_size), self.batch_first)

    def _sequences(self, index: int) -> tuple[Tensor, Tensor]:
        """Batch ``index`` of the stream; in a worker, painted into memory that its process shares with the loader's."""
        stream = self._stream
        if get_worker_info() is None:
            observations, labels = stream[index]
            return torch.from_numpy(observations), torch.from_numpy(labels)
        steps, channels = self.batch_size * self.seq_len, self.battery.n_channels
        storage = torch.UntypedStorage._new_shared(4 * steps * channels)  # type: ignore[no-untyped-call]
        shared = torch.empty(0).set_(storage).view(steps, channels)
        _, labels = stream.paint(stream.draw(index), index, shared.numpy())
        return shared.view(*labels.shape, channels), torch.from_numpy(labels)

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
            yield self.batch(start + index)
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
        settings = self.battery.settings.model_dump(mode="json")
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
        super().__init__(dataset, batch_size=None, num_workers=num_workers, **options)

    def __iter__(self) -> Any:
        """The batches from the data set's position on."""
        for batch in super().__iter__():
            self.dataset.position += 1  # type: ignore[attr-defined]
            yield batch


def _distributed() -> tuple[int, int]:
    """Rank and number of the processes that train together."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
