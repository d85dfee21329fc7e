"""Sparse masks on a CPU: loops compiled for this machine run through a whole sequence without returning to Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.errors import ModcogError
from modcog.models.kernels.base import Kernel

_WIDTH = 64  # columns of the batch in one call: their sums fill four of the largest registers
_ROWS = 8  # rows of the weight gradient that are summed together,
_STEPS = 8  # and steps in one call: their states stay in the cache


class CompiledKernel(Kernel):
    """One pass over the connections per step; threads share the batch, or the rows of the weight gradient.

    Floating-point sums depend on their order, so to share the sums themselves among threads would give other numbers
    with every number of threads. Instead each sum belongs to one thread: a unit's input is summed along its row of the
    mask, whatever the width of the batch, and a weight's gradient over fixed pieces of the batch and of the steps.
    """

    name = "compiled"
    unit_rows = True

    def __post_init__(self) -> None:
        indptr, indices, order = self.mask.transpose()
        self._rows, self._columns = (self.mask.indptr, self.mask.indices), (indptr, indices)
        self._order = torch.from_numpy(order)

    @staticmethod
    def available(device: torch.device, dtype: torch.dtype) -> bool:
        """Return True if there is a compiler, and it supports the device and the type."""
        return device.type == "cpu" and dtype in (torch.float32, torch.float64) and _has_compiler()

    def forward(self, states: Tensor, rates: Tensor, weight: Tensor) -> None:
        """Run the recurrence in place.

        Raises:
            ModcogError: for a type or a device that no code can be compiled for, or without a compiler.
        """
        if not self.available(states.device, states.dtype):
            raise ModcogError(
                f"kernel: got 'compiled' for {states.dtype} on {states.device}; "
                "allowed for float32 and float64 on a CPU, with llvmlite installed"
            )
        self._recur("forward", states, rates, weight, *self._rows)

    def backward(self, grad: Tensor, rates: Tensor, weight: Tensor) -> None:  # noqa: D102
        self._recur("backward", grad, rates, weight.index_select(0, self._order), *self._columns)

    def weight_gradient(self, delta: Tensor, before: Tensor) -> Tensor:  # noqa: D102
        steps, batch, units = delta.shape
        pitch, size = delta.stride(2), delta.element_size()
        compiled = partial(_compile, delta.dtype, activation="relu", leaky=False)  # it depends on neither of them
        chunks = [(first, compiled(width=width)["weight_gradient"]) for first, width in _split(batch, 1)]
        out = delta.new_zeros(self.mask.synapses)
        indptr, indices = self._rows
        scratch_size = _ROWS * int(self.mask.degrees.max()) * 64 // size

        def rows(first: int, end: int) -> None:
            scratch = delta.new_empty(scratch_size)
            for start in range(0, steps, _STEPS):
                count = min(_STEPS, steps - start)
                left, right = delta[start].data_ptr(), before[start].data_ptr()
                for column, run in chunks:
                    run(
                        left + column * size, right + column * size, out.data_ptr(),
                        indptr.ctypes.data, indices.ctypes.data,
                        count, units, pitch, first, end, _ROWS, scratch.data_ptr(),
                    )  # fmt: skip

        bounds = np.searchsorted(indptr, np.linspace(0, self.mask.synapses, torch.get_num_threads() + 1))
        _in_threads([partial(rows, *part) for part in zip(bounds.tolist(), bounds[1:].tolist(), strict=False)])
        return out

    def _recur(
        self, name: str, states: Tensor, rates: Tensor, weight: Tensor, indptr: NDArray[Any], indices: NDArray[Any]
    ) -> None:
        steps, batch, units = rates.shape
        pitch, size, weight = rates.stride(2), rates.element_size(), weight.contiguous()
        jobs = []
        for first, width in _split(batch, torch.get_num_threads()):
            run, shift = _compile(states.dtype, width, self.activation, self.alpha != 1)[name], first * size
            jobs.append(partial(
                run, states.data_ptr() + shift, rates.data_ptr() + shift, weight.data_ptr(),
                indptr.ctypes.data, indices.ctypes.data, steps, units, pitch, self.alpha,
            ))  # fmt: skip
        _in_threads(jobs)


def _split(batch: int, threads: int) -> list[tuple[int, int]]:
    """Return (first column, number of columns) of the pieces into which a batch is cut."""
    share = -(-batch // threads)
    width = min(_WIDTH, -(-share // 16) * 16)
    return [(first, min(width, batch - first)) for first in range(0, batch, width)]


def _in_threads(jobs: Sequence[Callable[[], None]]) -> None:
    """Run jobs that release Python's lock, on as many threads as torch uses."""
    count = min(torch.get_num_threads(), len(jobs))
    if count == 1:
        for job in jobs:
            job()
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda job: job(), jobs))


@cache
def _has_compiler() -> bool:
    return find_spec("llvmlite") is not None


@cache
def _compile(dtype: torch.dtype, width: int, activation: str, leaky: bool) -> dict[str, Any]:
    """Compile the functions of ``Columns`` for this machine; about 0.1 s."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    from modcog.models.kernels.codegen import Columns

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(str(Columns(torch.finfo(dtype).bits, width, activation, leaky).module))
    features = llvm.get_host_cpu_features().flatten()
    wide = "-prefer-256-bit" if "+avx512f" in features else ""
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=",".join(filter(None, (features, wide))), opt=3
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    pointer, whole = ctypes.c_void_p, ctypes.c_int64
    number = ctypes.c_float if dtype == torch.float32 else ctypes.c_double
    recur = ctypes.CFUNCTYPE(None, *[pointer] * 5, *[whole] * 3, number)
    gradient = ctypes.CFUNCTYPE(None, *[pointer] * 5, *[whole] * 6, pointer)
    kinds = {"forward": recur, "backward": recur, "weight_gradient": gradient}
    found: dict[str, Any] = {name: kind(engine.get_function_address(name)) for name, kind in kinds.items()}
    return {**found, "engine": engine}  # the code lives as long as its engine
