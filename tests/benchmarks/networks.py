"""How fast the reference networks are: forward and backward of the whole network, beside torch's own.

Usage: ``OMP_NUM_THREADS=2 python tests/benchmarks/networks.py [section ...]``; without a section, all of them.

Each pair is timed in turn (A B A B …). ``--cpu`` counts processor time instead of wall time: with one thread that is
what the work costs also on a machine that is busy with something else.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from timing import print_machine, print_table
from torch import Tensor, nn

from modcog.models import MaskedRNN, masks
from modcog.models.kernels import choose
from modcog.models.masks import Mask

STEPS, INPUTS, INPUTS_WITH_RULE, ACTIONS = 45, 33, 165, 17


class TorchRNN(nn.Module):
    """torch's own recurrence (relu) and a linear read-out."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        self.recurrent = nn.RNN(inputs, hidden, nonlinearity="relu")
        self.read_out = nn.Linear(hidden, ACTIONS)

    def forward(self, x: Tensor) -> Tensor:
        return self.read_out(self.recurrent(x)[0])


def forward_backward(model: nn.Module, x: Tensor, grad: Tensor) -> None:
    """What is timed: logits from observations, and all gradients from the gradient by the logits."""
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
    """The networks against torch.nn.RNN of the same size."""
    cases = [
        ("LM-RNN 4 %", 1024, 64, partial(masks.locality, density=0.04), repeat, 6.0),
        ("LM-RNN 4 %", 4096, 64, partial(masks.locality, density=0.04), max(1, repeat // 6), 6.0),
        ("LM-RNN 10 %", 256, 128, partial(masks.locality, density=0.1), repeat, None),
        ("dense", 256, 128, masks.dense, repeat, 1.2),
        ("autapse", 256, 128, masks.identity, repeat, 5.0),
    ]
    rows = []
    for inputs in (INPUTS, INPUTS_WITH_RULE):
        for name, n, batch, make, times, bar in cases:
            if inputs == INPUTS_WITH_RULE and n > 1024:
                continue
            reference, own = timed([TorchRNN(n, inputs), masked(make(n), inputs)], batch, inputs, times, clock)
            goal = "" if bar is None or inputs != INPUTS else f"{bar:g}"
            rows.append([name, f"{n}", f"{batch}", f"{inputs}", ms(reference), ms(own), f"{reference / own:.1f}", goal])
            gc.collect()
    header = ["network", "units", "batch", "inputs", "torch.nn.RNN, ms", "modcog, ms", "times faster", "bar"]
    print_table(f"Whole network, {STEPS} steps, forward and backward", header, rows)


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
    parts = [model.mask.indices, model.mask.indptr, *kernel._columns, kernel._order]
    tables = sum(part.nbytes for part in parts)
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
                chosen = choose(models[0].mask, torch.device("cpu"), torch.float32)
                best = names[found.index(min(found))]
                rows.append([f"{n}", f"{density:g}", f"{batch}", *map(ms, found), best, chosen])
    print_table("Kernels, ms", ["units", "density", "batch", *names, "fastest", "chosen"], rows)


def ms(seconds: float) -> str:
    """Milliseconds as a table shows them."""
    return f"{1e3 * seconds:.1f}"


SECTIONS = {run.__name__: run for run in (speed, scaling, training, memory, kernels)}


def main() -> None:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    options = parser.parse_args()
    if wrong := [name for name in options.sections if name not in SECTIONS]:
        parser.error(f"unknown section {wrong[0]!r}; allowed: {', '.join(SECTIONS)}")
    print_machine()
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {'processor' if options.cpu else 'wall'} time"
    )
    for name in options.sections or SECTIONS:
        SECTIONS[name](options.repeat, time.process_time if options.cpu else time.perf_counter)


if __name__ == "__main__":
    main()
