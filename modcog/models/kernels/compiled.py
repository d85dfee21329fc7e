"""Sparse masks on a CPU: loops compiled for this machine run through a whole sequence without returning to Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.errors import ModcogError
from modcog.models.kernels.base import Kernel
from modcog.models.kernels.memory import Pool
from modcog.models.masks import Mask

_WIDTH = 64  # columns of a piece at most: their sums fill eight of the largest registers
_ROWS = 12  # rows of the weight gradient that are summed together,
_STEPS = 16  # and steps: their states stay in the cache
_SHARE = 1 << 22  # multiplications that are worth a thread of their own
_PARTS = 4  # jobs for each thread where there are many, so that all are done at about the same time


_Job = tuple[int, int, NDArray[np.int64], dict[str, Any]]
"""Multiplications, the address of a function, its arguments, and what they point to."""


class CompiledKernel(Kernel):
    """One pass over the connections per step; threads share the batch, or the rows of the weight gradient.

    States lie as (pieces of the batch, T + 1, rows, columns of a piece): a connection adds one contiguous row to
    another, and what a thread works on lies together. The inputs of a step and a 1, whose weight is the bias, are
    further rows below those of the units; so the input costs no pass of its own. In the pass back the gradients by the
    logits take that place. The batch is filled up with zeros to whole vectors.

    Floating-point sums depend on their order, so to share the sums themselves among threads would give other numbers
    with every number of threads. Instead each sum belongs to one thread: that of a unit's input goes along its row of
    the mask, that of a weight's gradient along the steps and the batch. Threads do not wait for each other on the way.
    """

    name = "compiled"

    def __post_init__(self) -> None:
        self._wires: dict[tuple[int, int], _Wires] = {}
        self._pool = Pool()

    @staticmethod
    def available(device: torch.device, dtype: torch.dtype) -> bool:
        """Return True if there is a compiler, and it supports the device and the type."""
        return device.type == "cpu" and dtype in (torch.float32, torch.float64) and _has_compiler()

    def forward(
        self, x: Tensor, h0: Tensor | None, noise: Tensor | None, weights: Sequence[Tensor], return_states: bool
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        """Run the network.

        Raises:
            ModcogError: for a type or a device that no code can be compiled for, or without a compiler.
        """
        if not self.available(x.device, x.dtype):
            raise ModcogError(
                f"kernel: got 'compiled' for {x.dtype} on {x.device}; "
                "allowed for float32 and float64 on a CPU, with llvmlite installed"
            )
        weight_in, bias, weight, weight_out, bias_out = weights
        (steps, batch, channels), n, actions = x.shape, self.mask.n, len(weight_out)
        wires = self._wires_of(channels, actions)
        work = int(wires.rows[0][-1]) * steps * batch
        pieces, width = _split(batch, _threads(work))
        states = self._pool.empty(x, pieces, steps + 1, n + channels + 1, width)
        states[:, :-1, -1] = 1
        states[-1, :-1, n:, batch - (pieces - 1) * width :] = 0
        _fill(states[:, 0, :n], None if h0 is None else h0.t())
        rates = states[:, 1:] if self.alpha == 1 else self._pool.empty(x, pieces, steps, n, width)
        drive = None if noise is None else rates
        of_lanes, bias = (bias, bias.new_zeros(n)) if bias.ndim == 2 else (None, bias)
        if noise is not None:
            _fill(rates[:, :, :n], (noise if of_lanes is None else noise + of_lanes).transpose(1, 2))
        elif of_lanes is not None:
            row = x.new_empty(pieces, n, width)
            _fill(row, of_lanes.t())
            drive = row[:, None].expand(-1, steps, -1, -1)  # the same at every step
        logits = x.new_zeros(pieces, steps, actions, width)
        starts = range(0, batch, width)
        jobs = [{"piece": k, "x": x[:, start:], "columns": min(width, batch - start)} for k, start in enumerate(starts)]
        run_jobs(self._jobs(
            "forward", width, jobs, work, states=states, rates=rates, logits=logits, x_size=x.stride(0),
            weight=torch.cat([weight, weight_in.flatten(), bias]).index_select(0, wires.order),
            indptr=wires.rows[0], indices=wires.rows[1], read_out=weight_out.contiguous(), steps=steps, units=n,
            actions=actions, alpha=float(self.alpha), size=states.stride(1), rate_size=rates.stride(1),
            channels=channels, **_drive(x, width, drive),
        ))  # fmt: skip
        whole = _joined(logits, batch).add_(bias_out)
        return whole, _joined(states[:, 1:, :n], batch) if return_states else None, (states, rates)

    def backward(  # noqa: D102
        self,
        kept: Sequence[Tensor],
        inputs: Sequence[Tensor],
        needed: Sequence[bool],
        grad_logits: Tensor | None,
        grad_states: Tensor | None,
    ) -> list[Tensor | None]:
        (states, rates), (x, _, _, weight_in, bias, weight, weight_out, _) = kept, inputs
        need_x, need_h0, need_noise, need_in, need_bias, need_weight, need_out, need_bias_out = needed
        (steps, batch, channels), n, actions = x.shape, self.mask.n, len(weight_out)
        pieces, _, _, width = states.shape
        wires = self._wires_of(channels, actions)
        found: list[Tensor | None] = [None] * len(needed)
        grad = self._pool.empty(x, pieces, steps + 1, n + actions, width)
        grad[:, 0, n:] = grad[:, -1, :n] = 0
        _fill(grad[:, 1:, n:], None if grad_logits is None else grad_logits.transpose(1, 2))
        later: list[_Job] = []  # sums over steps, shared out together
        if grad_logits is not None and need_out:
            found[6] = self._correlate_all(later, states[:, 1:], grad[:, 1:, n:], n, actions).t()
        if grad_logits is not None and need_bias_out:
            ones = states[:, :-1, -1:]  # torch's sum would depend on the number of threads
            found[7] = self._correlate_all(later, grad[:, 1:, n:], ones, actions, 1)[:, 0]
        if not any(needed[:6]):
            run_jobs(later)
            return found
        if grad_states is not None:
            _fill(grad[:, :-1, :n], grad_states.transpose(1, 2))
        carry, first_state = x.new_zeros(2, pieces, n, width)
        work = int(wires.columns[0][-1]) * steps * batch
        run_jobs(self._jobs(
            "backward", width, [{"piece": k} for k in range(pieces)], work, grad=grad, rates=rates, carry=carry,
            weight=torch.cat([weight, weight_out.flatten()]).index_select(0, wires.back_order),
            indptr=wires.columns[0], indices=wires.columns[1], first_state=first_state, steps=steps, units=n,
            alpha=float(self.alpha), all_the_way=int(need_h0), size=grad.stride(1), rate_size=rates.stride(1),
            **_drive(x, width, None if grad_states is None else grad),
        ))  # fmt: skip
        if need_x:
            found[0] = _joined(grad[:, :-1, :n], batch) @ weight_in
        if need_h0:
            found[1] = _joined(first_state[:, None], batch)[0].contiguous()
        if need_noise:
            found[2] = _joined(grad[:, :-1, :n], batch)
        if need_in or need_bias:
            of_inputs = self._correlate_all(later, grad, states[:, :-1, n:], n, channels + 1)
            found[3], found[4] = of_inputs[:, :-1], of_inputs[:, -1]
        if need_bias and bias.ndim == 2:
            found[4] = _joined(grad[:, :-1, :n].sum(1, keepdim=True), batch)[0].contiguous()
        if need_weight:
            found[5] = self._correlate(later, grad, states[:, :-1], wires, channels + 1)
        run_jobs(later)
        return found

    def _wires_of(self, channels: int, actions: int) -> _Wires:
        if (channels, actions) not in self._wires:
            self._wires[channels, actions] = _Wires(self.mask, channels, actions)
        return self._wires[channels, actions]

    def _correlate(self, later: list[_Job], left: Tensor, right: Tensor, wires: _Wires, more: int) -> Tensor:
        """Return Σ left (pieces, T, i, width) · right (…, j, width) for the connections of the mask, (synapses,).

        It is there when the jobs that are added to ``later`` are done.
        """
        out, (indptr, indices) = right.new_zeros(self.mask.synapses), wires.rows
        later += self._row_jobs(
            "correlate", left, right, indptr, _ROWS * wires.longest * 64, out=out, indptr=indptr, indices=indices,
            order=wires.order, more=more, rows=_ROWS,
        )  # fmt: skip
        return out

    def _correlate_all(self, later: list[_Job], left: Tensor, right: Tensor, rows: int, columns: int) -> Tensor:
        """Return Σ left (pieces, T, i, width) · right (…, j, width) for the first i and j, (rows, columns)."""
        out, indptr = right.new_zeros(rows, columns), np.arange(rows + 1) * columns
        later += self._row_jobs("correlate_all", left, right, indptr, 0, out=out, columns=columns)
        return out

    def _row_jobs(
        self, name: str, left: Tensor, right: Tensor, rows_end: NDArray[np.int64], scratch: int, /, **values: Any
    ) -> list[_Job]:
        """Share out the rows of a correlation; ``scratch`` are the bytes that each job needs."""
        pieces, steps, _, width = right.shape
        work = int(rows_end[-1]) * steps * pieces * width
        threads = _threads(work)
        parts = 1 if threads == 1 else _PARTS * threads
        inner = np.searchsorted(rows_end, np.arange(1, parts) * rows_end[-1] // parts) if parts > 1 else ()
        bounds = [0, *map(int, inner), len(rows_end) - 1]
        spaces = right.new_empty(parts, scratch // right.element_size())
        jobs = [
            {"top": top, "bottom": bottom, "scratch": own}
            for top, bottom, own in zip(bounds, bounds[1:], spaces, strict=False)
        ]
        return self._jobs(
            name, width, jobs, work, left=left, right=right, steps=steps, pieces=pieces, together=_STEPS,
            left_piece=left.stride(0), left_size=left.stride(1),
            right_piece=right.stride(0), right_size=right.stride(1), **values,
        )  # fmt: skip

    def _jobs(self, name: str, width: int, jobs: Sequence[dict[str, Any]], work: int, /, **values: Any) -> list[_Job]:
        """Return calls of a function of ``Columns``, with the arguments that differ and those that all share."""
        from modcog.models.kernels import codegen  # which needs the compiler

        dtype = next(value.dtype for value in values.values() if isinstance(value, Tensor))
        function = _compile(dtype, width, self.activation, self.alpha != 1)[name]
        made = []
        for own in jobs:
            given = {**values, **own}
            for argument in codegen.PIECES if "piece" in own else ():
                if argument in given and len(given[argument]) > 1:
                    given[argument] = given[argument][own["piece"]]
            packed = np.array([_address(given[argument]) for argument in codegen.ARGUMENTS[name]], np.int64)
            made.append((work // len(jobs), function, packed, given))
        return made


def run_jobs(jobs: Sequence[_Job]) -> None:
    """Run jobs side by side, on as many threads as torch uses; return when all are done."""
    table = np.empty(2 + 2 * len(jobs), np.int64)
    table[:2], table[2::2] = (len(jobs), 0), [function for _, function, _, _ in jobs]
    table[3::2] = [packed.ctypes.data for _, _, packed, _ in jobs]
    parallel, threads = _parallel(), min(len(jobs), _threads(sum(work for work, *_ in jobs)))
    if threads == 1 or parallel is None:
        _team()(table.ctypes.data)
    else:
        parallel(_team(), ctypes.c_void_p(table.ctypes.data), threads, 0)


class _Wires:
    """The tables of all connections: those of the mask, of the inputs and the bias, and of the read-out.

    Args:
        mask: the connections of the units.
        channels: number of inputs.
        actions: number of logits.

    Attributes:
        rows: ``indptr`` and ``indices`` of the units and, behind them, the inputs and the bias.
        order: place of each of their weights among those of the mask, (N, channels) inputs and (N,) biases in a row.
        columns: the transposed mask and, behind the units, the logits.
        back_order: place of each of their weights among those of the mask and of the read-out (actions, N).
    """

    def __init__(self, mask: Mask, channels: int, actions: int) -> None:
        n, synapses = mask.n, mask.synapses
        unit = np.arange(n)[:, None]
        inputs = np.concatenate([synapses + unit * channels + np.arange(channels), synapses + n * channels + unit], 1)
        self.rows, order = _widened(mask.indptr, mask.indices, np.arange(synapses), inputs)
        self.order = torch.from_numpy(order)
        indptr, indices, permuted = mask.transpose()
        self.longest = int(np.diff(self.rows[0]).max())
        self.columns, back = _widened(indptr, indices, permuted, synapses + unit + np.arange(actions) * n)
        self.back_order = torch.from_numpy(back)


def _widened(
    indptr: NDArray[Any], indices: NDArray[Any], order: NDArray[Any], more: NDArray[Any]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int32]], NDArray[np.int32]]:
    """Add the same further connections (n, k) to each row; ``more`` are the places of their weights.

    Every other row of the mask is turned round: it begins where the one before it ended, with what the cache still has.
    """
    n, k = more.shape
    row = np.repeat(np.arange(n), np.diff(indptr))
    straight = np.arange(len(indices))
    place = np.where(row % 2, indptr[row] + indptr[row + 1] - 1 - straight, straight)
    ends = np.repeat(indptr[1:], k)
    wide = np.insert(indices[place], ends, np.tile(n + np.arange(k), n).astype(np.int32))
    return (indptr + k * np.arange(n + 1), wide), np.insert(order[place], ends, more.ravel()).astype(np.int32)


def _fill(place: Tensor, value: Tensor | None) -> None:
    """Write a value (…, batch) into a place (pieces, …, width), and 0 where there is none."""
    width = place.shape[-1]
    for k, piece in enumerate(place):
        part = piece[..., :0] if value is None else value[..., k * width : (k + 1) * width]
        if value is not None:
            piece[..., : part.shape[-1]] = part
        if part.shape[-1] < width:
            piece[..., part.shape[-1] :] = 0


def _joined(pieces: Tensor, batch: int) -> Tensor:
    """Return what lies as (pieces, T, rows, width) as (T, batch, rows); a view if there is one piece."""
    if len(pieces) == 1:
        return pieces[0, :, :, :batch].transpose(1, 2)
    return torch.cat(pieces.transpose(2, 3).unbind(0), dim=1)[:, :batch]


def _drive(like: Tensor, width: int, drive: Tensor | None) -> dict[str, Any]:
    """Return the arguments of a drive (pieces, T, N, width); a single row of zeros serves all if there is none."""
    if drive is None:
        return {"drive": like.new_zeros(1, width), "drive_size": 0, "drive_pitch": 0}
    return {"drive": drive, "drive_size": drive.stride(1), "drive_pitch": width}


def _split(batch: int, threads: int) -> tuple[int, int]:
    """Return the number of pieces into which a batch is cut, and their width: whole vectors, or a power of 2."""
    if batch <= 16:
        return 1, 1 << (batch - 1).bit_length()
    pieces = max(-(-batch // _WIDTH), min(threads, -(-batch // 16)))
    width = -(-batch // pieces // 16) * 16
    return -(-batch // width), width


def _threads(work: int) -> int:
    """Return the number of threads that a number of multiplications is worth, of those that torch may use."""
    return max(1, min(torch.get_num_threads(), int(work) // _SHARE))


def _address(value: Any) -> int:
    """Return an argument as an integer of 64 bits."""
    if isinstance(value, Tensor):
        return value.data_ptr()
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    return int(np.float64(value).view(np.int64)) if isinstance(value, float) else int(value)


@cache
def _has_compiler() -> bool:
    return find_spec("llvmlite") is not None


@cache
def _parallel() -> Any:
    """Return GNU's entry into the library of threads that torch has loaded; None where it has none."""
    try:
        return ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None


@cache
def _team() -> Callable[..., None]:
    """Compile ``TEAM``."""
    from modcog.models.kernels import codegen

    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_machine_code(codegen.TEAM, "team")["team"])


@cache
def _compile(dtype: torch.dtype, width: int, activation: str, leaky: bool) -> dict[str, int]:
    """Return the addresses of the functions of ``Columns``, compiled in about 0.1 s."""
    from modcog.models.kernels import codegen

    columns = codegen.Columns(torch.finfo(dtype).bits, width, activation, leaky)
    return _machine_code(str(columns.module), *codegen.ARGUMENTS)


def _machine_code(assembly: str, *names: str) -> dict[str, int]:
    """Compile LLVM assembly for this machine, and return the addresses of its functions."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(assembly)
    features = llvm.get_host_cpu_features().flatten()
    wide = "-prefer-256-bit" if "+avx512f" in features else ""
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=",".join(filter(None, (features, wide))), opt=3
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _ENGINES.append(engine)
    return {name: engine.get_function_address(name) for name in names}


_ENGINES: list[Any] = []
"""Engines of the compiled code, which stays in memory as long as they do."""
