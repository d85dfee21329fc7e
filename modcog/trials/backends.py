"""Backends of the painter: the few operations in which NumPy's arrays and a device's tensors differ.

Everything else that painting needs, arithmetic and indexing, is written once and runs on both.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError, shown
from modcog.extras import missing_extra
from modcog.seeds import Seed


class NumpyBackend:
    """Arrays in this machine's memory; those of the host are used as they are."""

    def put(self, *arrays: NDArray[Any]) -> Any:
        """Return arrays of the host's where this backend computes; several are of one kind, and (n,) or ()."""
        return arrays

    def keep(self, array: NDArray[Any]) -> Any:
        """Return an array of the host's, (R, …), that never changes where this backend computes."""
        return array

    def take(self, table: Any, rows: Any) -> Any:
        """Return rows, (m,), of a table as (m, …)."""
        return table.take(rows, axis=0)

    def spread(self, counts: NDArray[np.integer], *arrays: NDArray[Any]) -> Any:
        """Return arrays of the host's, (n,), each element repeated as often as ``counts``, (n,), says."""
        return [array.repeat(counts) for array in arrays]

    def arange(self, n: int) -> Any:
        """Return 0 … n − 1."""
        return np.arange(n)

    def columns(self, array: Any, span: slice, parts: int = 1) -> Any:
        """Return a view of columns of a contiguous float32 array (R, C), to be read and written by the row.

        It takes an index (m,), or with several ``parts``, side by side, the pair of an index and a part, (m,) each.
        """
        return _Items(array, span, parts)

    def rng(self, seed: Seed, part: int, block: int) -> Any:
        """Return the source of the random numbers of one part of one block."""
        return seed.rng(part, block)

    def normal(self, rng: Any, shape: tuple[int, int]) -> Any:
        """Draw standard normal numbers, float32."""
        return rng.standard_normal(shape, dtype=np.float32)


class TorchBackend(NumpyBackend):
    """Tensors on a device of torch's, to which the host sends what was drawn, a few numbers a trial.

    All sizes are known on the host, so that it need not wait for the device.

    Raises:
        MissingExtraError: if torch is not installed.
        ModcogError: if it cannot use the device.
    """

    def __init__(self, device: Any) -> None:
        if find_spec("torch") is None:
            raise missing_extra("train", "a stream with a device", "torch")
        import torch

        self.torch = torch
        try:
            self.device = torch.empty(0, device=device).device
            torch.Generator(self.device)
        except (RuntimeError, AssertionError, TypeError, ImportError) as error:
            reason = str(error).strip().split("\n")[0].split(". ")[0]
            raise ModcogError(f"device: got {shown(device)}, which torch cannot use: {reason}") from None
        self._kept: dict[int, tuple[NDArray[Any], Any]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the device alone."""
        return TorchBackend, (str(self.device),)

    def put(self, *arrays: NDArray[Any]) -> Any:
        """Send arrays, (n,) or (), together."""
        whole = np.stack(np.broadcast_arrays(*arrays)) if len(arrays) > 1 else arrays[0][None]
        # CUDA has copied what it sends before it returns; unless told not to block, it would wait for the training step
        on_host = self.torch.from_numpy(np.ascontiguousarray(whole))
        return on_host.to(self.device, non_blocking=self.device.type == "cuda")

    def keep(self, array: NDArray[Any]) -> Any:
        """Send an array, (R, …), when it is first asked for."""
        if id(array) not in self._kept:
            self._kept[id(array)] = array, self.put(array)[0]  # with the array, so that its id stays its own
        return self._kept[id(array)][1]

    def take(self, table: Any, rows: Any) -> Any:
        """Return rows, (m,), of a table as (m, …)."""
        return table.index_select(0, rows)

    def spread(self, counts: NDArray[np.integer], *arrays: NDArray[Any]) -> Any:
        """Send arrays, (n,), together and repeat their elements there."""
        spread = partial(self.torch.repeat_interleave, repeats=self.put(counts)[0], output_size=int(counts.sum()))
        return [spread(array) for array in self.put(*arrays)]

    def arange(self, n: int) -> Any:
        """Return 0 … n − 1."""
        return self.torch.arange(n, device=self.device)

    def columns(self, array: Any, span: slice, parts: int = 1) -> Any:
        """Return a view, which torch indexes as ``NumpyBackend.columns`` says."""
        return array[:, span] if parts == 1 else array[:, span].unflatten(1, (parts, -1))

    def rng(self, seed: Seed, part: int, block: int) -> Any:
        """Return the source of the random numbers of one part of one block."""
        return seed.torch_rng(self.device, part, block)

    def normal(self, rng: Any, shape: tuple[int, int]) -> Any:
        """Draw standard normal numbers, float32."""
        return self.torch.randn(shape, generator=rng, device=self.device)


class _Items:
    """Columns of a contiguous float32 array (R, C) as opaque items, a row's ``span``, or each of its ``parts``, one.

    Indexing copies an item at once instead of number by number: the same result in a third of the time.
    """

    def __init__(self, array: NDArray[np.float32], span: slice, parts: int) -> None:
        self.width = (span.stop - span.start) // parts
        shape, strides = (len(array), parts), (array.strides[0], 4 * self.width)
        items: NDArray[np.void] = np.ndarray(shape, f"V{4 * self.width}", array, 4 * span.start, strides)
        self.items = items if parts > 1 else items[:, 0]

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        return self.items[index].view(np.float32).reshape(-1, self.width)

    def __setitem__(self, index: Any, rows: NDArray[np.float32]) -> None:
        self.items[index] = rows.view(f"V{rows.strides[0]}")[:, 0]


NUMPY = NumpyBackend()
