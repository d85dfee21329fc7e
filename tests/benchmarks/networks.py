"""Speed of the reference networks: forward and backward of the whole network, beside torch's own.

Usage: ``python tests/benchmarks/networks.py [section ...]``; without a section, all of them.

Each pair is timed in turn (A B A B …). ``speed`` and ``threads`` set the number of threads themselves, the others take
that of ``--threads``. ``--cpu`` counts processor time instead of wall time: with one thread that is what the work costs
also on a machine that is busy with something else; with more threads it says nothing about speed.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from timing import print_machine, print_table
from torch import Tensor, nn

from modcog.models import MaskedRNN, masks
from modcog.models.kernels import choose, compiled
from modcog.models.masks import Mask

STEPS, INPUTS, INPUTS_WITH_RULE, ACTIONS = 45, 33, 165, 17
LARGEST = 6_000_000  # synapses


class TorchRNN(nn.Module):
    """torch's own recurrence (relu) and a linear read-out."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        self.recurrent = nn.RNN(inputs, hidden, nonlinearity="relu")
        self.read_out = nn.Linear(hidden, ACTIONS)

    def forward(self, x: Tensor) -> Tensor:
        return self.read_out(self.recurrent(x)[0])


def forward_backward(model: nn.Module, x: Tensor, grad: Tensor) -> None:
    """Compute logits from observations, and all gradients from the gradient by the logits: the work that is timed."""
    model.zero_grad(set_to_none=True)
    model(x).backward(grad)


def timed(models: list[nn.Module], batch: int, inputs: int, repeat: int, clock: Callable[[], float]) -> list[float]:
    """Median seconds of each model, in turn."""
    x, grad = torch.randn(STEPS, batch, inputs), torch.randn(STEPS, batch, ACTIONS)
    times: list[list[float]] = [[] for _ in models]
    for round_ in range(repeat + 1):
        for model, found in zip(models, times, strict=True):
            start = clock()
            forward_backward(model, x, grad)
            if round_:  # the first is a warm-up
                found.append(clock() - start)
    return [statistics.median(found) for found in times]


def masked(mask: Mask, inputs: int = INPUTS, kernel: str = "auto") -> MaskedRNN:
    """A network of the library."""
    return MaskedRNN(mask, inputs, ACTIONS, kernel=kernel)


def speed(repeat: int, clock: Callable[[], float]) -> None:
    """The networks against torch.nn.RNN of the same size, with one thread and with two."""
    local = partial(masks.locality, density=0.04)
    cases = [
        ("LM-RNN 4 %", 256, 64, INPUTS, local, repeat, (5, 4)),
        ("LM-RNN 4 %", 1024, 64, INPUTS, local, repeat, (10, 8)),
        ("LM-RNN 4 %", 4096, 64, INPUTS, local, max(2, repeat // 5), (18, 15)),
        ("LM-RNN 10 %", 256, 128, INPUTS, partial(masks.locality, density=0.1), repeat, (None, None)),
        ("dense", 256, 128, INPUTS, masks.dense, repeat, (None, None)),
        ("autapse", 256, 128, INPUTS, masks.identity, repeat, (4, 4)),
        ("LM-RNN 4 %", 256, 64, INPUTS_WITH_RULE, local, repeat, (None, None)),
    ]
    rows = []
    for name, n, batch, inputs, make, times, bars in cases:
        models = [TorchRNN(n, inputs), masked(make(n), inputs)]
        for threads, bar in zip((1, 2), bars, strict=True):
            torch.set_num_threads(threads)
            reference, own = timed(models, batch, inputs, times, clock)
            faster, goal = f"{reference / own:.1f}", "" if bar is None else f"{bar}"
            rows.append([name, f"{n}", f"{batch}", f"{inputs}", f"{threads}", ms(reference), ms(own), faster, goal])
        del models
        gc.collect()
    header = ["network", "units", "batch", "inputs", "threads", "torch.nn.RNN, ms", "modcog, ms", "times faster", "bar"]
    print_table(f"Whole network, {STEPS} steps, forward and backward", header, rows)


def threads(repeat: int, clock: Callable[[], float]) -> None:
    """Two threads against one over size and density, batch 64: never slower, and faster where there is work."""
    rows = []
    for n in (128, 256, 512, 1024, 2048, 4096, 8192):
        for density in (0.01, 0.04, 0.08, 0.16, 0.32):
            mask = masks.locality(n, density=density)
            if mask.synapses > LARGEST:
                continue
            model = masked(mask)
            x, grad = torch.randn(STEPS, 64, INPUTS), torch.randn(STEPS, 64, ACTIONS)
            found: dict[int, list[float]] = {1: [], 2: []}
            for round_ in range((repeat if mask.synapses < LARGEST / 10 else max(2, repeat // 5)) + 1):
                for count, times in found.items():
                    torch.set_num_threads(count)
                    start = clock()
                    forward_backward(model, x, grad)
                    if round_:
                        times.append(clock() - start)
            one, two = (statistics.median(times) for times in found.values())
            bar = "0.67" if n >= 1024 else "1.02"
            rows.append([f"{n}", f"{density:g}", choice(model), ms(one), ms(two), f"{two / one:.2f}", bar])
    header = ["units", "density", "kernel", "1 thread, ms", "2 threads, ms", "share", "bar"]
    print_table("Two threads against one", header, rows)


def parts(repeat: int, clock: Callable[[], float]) -> None:
    """The whole network beside its loops alone, and beside its multiplications at the rate of a large product."""
    left = torch.randn(1024, 1024)
    rate = 2**30 / min(seconds_of(lambda: left @ left, clock) for _ in range(max(5, repeat)))
    rows = []
    for n, density in ((256, 0.04), (256, 0.08), (1024, 0.04), (4096, 0.04)):
        model = masked(masks.locality(n, density=density))
        x, grad = torch.randn(STEPS, 64, INPUTS), torch.randn(STEPS, 64, ACTIONS)
        loops: list[float] = []
        run = compiled.run_jobs

        def measured(jobs: Any, run: Any = run, loops: list[float] = loops) -> None:
            loops.append(seconds_of(lambda: run(jobs), clock))

        wholes, sums = [], []
        compiled.run_jobs = measured
        try:
            for _ in range(repeat + 1):
                loops.clear()
                wholes.append(seconds_of(lambda m=model, x=x, g=grad: forward_backward(m, x, g), clock))
                sums.append(sum(loops))
        finally:
            compiled.run_jobs = run
        whole, total = statistics.median(wholes[1:]), statistics.median(sums[1:])
        products = STEPS * 64 * (3 * model.mask.synapses + 2 * n * (INPUTS + 1) + 3 * n * ACTIONS)
        floor = products / rate
        rows.append(
            [f"{n}", f"{density:g}", ms(floor), ms(total), ms(whole), f"{whole / total:.2f}", f"{whole / floor:.2f}"]
        )
    header = ["units", "density", "floor, ms", "loops, ms", "whole, ms", "whole / loops, bar 1.15", "whole / floor"]
    print_table(f"Parts, at {2 * rate / 1e9:.0f} GFLOP/s of a large product", header, rows)


def seconds_of(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds of one call."""
    start = clock()
    run()
    return clock() - start


def choice(model: MaskedRNN) -> str:
    """The kernel that a network takes."""
    return choose(model.mask, torch.device("cpu"), torch.float32)


def scaling(repeat: int, clock: Callable[[], float]) -> None:
    """Fixed radius: the time grows as the number of units."""
    rows, before = [], None
    for n in (1024, 2048, 4096, 8192, 16_384, 32_768, 65_536):
        model = masked(masks.locality(n, radius=3))
        (now,) = timed([model], 16, INPUTS, max(3, repeat // 3), clock)
        rows.append([f"{n}", f"{model.mask.synapses}", ms(now), "" if before is None else f"{now / before:.2f}"])
        before = now
    print_table("LM-RNN of radius 3, batch 16", ["units", "synapses", "ms", "by the half, bar 2.2"], rows)


def training(repeat: int, clock: Callable[[], float]) -> None:
    """65,536 units are trained: loss before and after some steps of Adam on one batch, and what it changed."""
    torch.manual_seed(0)
    model = masked(masks.locality(65_536, radius=3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-5)
    x, labels = torch.randn(STEPS, 8, INPUTS), torch.randint(0, ACTIONS, (STEPS * 8,))
    before = model.weight_recurrent.detach().clone()
    losses = []
    start = clock()
    for _ in range(6):
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    changed = float((model.weight_recurrent != before).float().mean())
    row = [f"{losses[0]:.3f}", f"{losses[-1]:.3f}", f"{100 * changed:.1f} %", f"{(clock() - start) / 6:.2f}"]
    print_table("65,536 units, 6 steps of Adam", ["first loss", "last loss", "weights changed", "s per step"], [row])


def memory(repeat: int, clock: Callable[[], float]) -> None:
    """Bytes of the recurrent weights, their gradients and Adam's state; with the tables of connections too."""
    n = 4096
    model = masked(masks.locality(n, density=0.04))
    optimizer = torch.optim.Adam([model.weight_recurrent])
    model(torch.randn(2, 1, INPUTS)).sum().backward()
    optimizer.step()
    weight = model.weight_recurrent
    state = [value for value in optimizer.state[weight].values() if value.numel() > 1]
    own = sum(tensor.nbytes for tensor in (weight, weight.grad, *state))
    (kernel,) = model._kernels.values()
    (wires,) = kernel._wires.values()
    arrays = [model.mask.indices, model.mask.indptr, *wires.rows, *wires.columns, wires.order, wires.back_order]
    tables = sum(array.nbytes for array in arrays)
    dense = 4 * 4 * n * n
    rows = [
        ["torch.nn.RNN", f"{dense / 2**20:.0f}", "1"],
        ["LM-RNN 4 %", f"{own / 2**20:.1f}", f"{own / dense:.3f}"],
        ["… and its tables of connections", f"{(own + tables) / 2**20:.1f}", f"{(own + tables) / dense:.3f}"],
    ]
    print_table(f"Recurrent weights, gradients, Adam's state, N = {n}", ["network", "MiB", "share, bar 0.1"], rows)


def kernels(repeat: int, clock: Callable[[], float]) -> None:
    """Every kernel over size, density and batch: what ``kernels.choose`` is made from."""
    rows = []
    names = ("dense", "compiled", "csr")
    for n in (64, 256, 1024):
        for density in (0.02, 0.04, 0.1, 0.2, 0.3, 0.4):
            for batch in (16, 128):
                models = [masked(masks.locality(n, density=density), kernel=name) for name in names]
                found = timed(models, batch, INPUTS, max(2, repeat // 3), clock)
                chosen = choice(models[0])
                best = names[found.index(min(found))]
                rows.append([f"{n}", f"{density:g}", f"{batch}", *map(ms, found), best, chosen])
    print_table("Kernels, ms", ["units", "density", "batch", *names, "fastest", "chosen"], rows)


def ms(seconds: float) -> str:
    """Milliseconds as a table shows them."""
    return f"{1e3 * seconds:.1f}"


SECTIONS = {run.__name__: run for run in (speed, threads, parts, scaling, training, memory, kernels)}


def main() -> None:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    options = parser.parse_args()
    if wrong := [name for name in options.sections if name not in SECTIONS]:
        parser.error(f"unknown section {wrong[0]!r}; allowed: {', '.join(SECTIONS)}")
    print_machine()
    print(f"torch {torch.__version__}, {'processor' if options.cpu else 'wall'} time")
    for name in options.sections or SECTIONS:
        torch.set_num_threads(options.threads)
        SECTIONS[name](options.repeat, time.process_time if options.cpu else time.perf_counter)


if __name__ == "__main__":
    main()
