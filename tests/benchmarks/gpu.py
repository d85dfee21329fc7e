"""Five minutes on a GPU: networks beside torch.nn.RNN, training batches made there beside those sent there, and a run.

Run with ``python tests/benchmarks/gpu.py``; without a GPU, or with ``--device cpu``, the same tables on the CPU, where
``--quick`` is advisable: small sizes, only to see that it runs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from timing import medians, print_machine, print_table  # isort: skip  (one core, before torch is imported)

import torch
from networks import ACTIONS, INPUTS, TorchRNN, forward_backward, masked, ms

from modcog import Battery
from modcog.models import masks
from modcog.models.kernels import KERNELS, choose
from modcog.training import TrainConfig, train

LANES, STEPS = 64, 350
LONGEST = 180  # seconds for the run of 8,000 updates


def name_of(device: torch.device) -> str:
    """The device as figures quote it."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return device.type


def finished(run: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """``run``, and wait for what it started on the device."""

    def both() -> None:
        run()
        if device.type != "cpu":
            getattr(torch, device.type).synchronize()

    return both


def networks(device: torch.device, repeat: int, quick: bool) -> None:
    """Time forward and backward of whole networks by every kernel that the device has, and of torch's own."""
    rows = []
    steps, batch = (10, 8) if quick else (100, 256)
    x, grad = (torch.randn(steps, batch, width, device=device) for width in (INPUTS, ACTIONS))
    for n in (64, 256) if quick else (1024, 4096):
        mask = masks.locality(n, density=0.04)
        names = ["dense", "rnn", *(name for name in ("csr", "compiled") if KERNELS[name].available(device, x.dtype))]
        models = [TorchRNN(n, INPUTS).to(device), *(masked(mask, kernel=name).to(device) for name in names)]
        runs = [finished(partial(forward_backward, model, x, grad), device) for model in models]
        reference, *times = medians(*runs, repeat=repeat)
        rows.append(["torch.nn.RNN", f"{n}", "", ms(reference), "1", ""])
        with torch.no_grad():
            dense, *others = (model(x) for model in models[1:])
        for name, seconds, logits in zip(names, times, (dense, *others), strict=True):
            chosen = "yes" if name == choose(mask, device, x.dtype, rnn=True) else ""
            apart = float((logits - dense).norm() / dense.norm())
            rows.append([name, f"{n}", chosen, ms(seconds), f"{reference / seconds:.2f}", f"{apart:.0e}"])
    header = ["kernel", "units", "chosen", "ms", "times faster", "difference from dense"]
    print_table(f"LM-RNN 4 %, batch {batch}, {steps} steps, forward and backward on {name_of(device)}", header, rows)


def runs(device: torch.device, quick: bool) -> None:
    """Train the network of the preset lm132: some hundred updates for their rate, and 8,000 where there is time."""
    rows = []

    def add(layout: str, steps: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            more = {"steps": steps, "eval_every": steps, "layout": layout, "accelerator": device.type}
            run = train(TrainConfig.of("lm132", out=Path(folder) / "run", **more), progress_bar=False)
        seconds = run.record["progress"]["seconds"]
        rows.append([layout, f"{steps}", f"{seconds:.1f}", f"{steps / seconds:.1f}", f"{run.decision_accuracy:.1%}"])
        return seconds / steps

    few = 4 if quick else 300
    add("stream", few)
    if add("trials", few) * 8000 < LONGEST and not quick:
        add("trials", 8000)
    header = ["layout", "updates", "seconds", "updates/s", "decision accuracy"]
    print_table(f"Runs of the network of lm132 on {name_of(device)}", header, rows)


def batches(device: torch.device, repeat: int) -> None:
    """Time a batch on the device: made by NumPy and sent, or made there; of that also the host's part."""
    rows = []
    for tasks in ("yang19", "modcog132"):
        for lanes in (LANES, 4 * LANES):
            battery = Battery(tasks, rule_input=True)
            host, there = (battery.stream(lanes, STEPS, seed=0, device=place) for place in (None, device))
            ahead = battery.stream(lanes, STEPS, seed=0, prefetch=2)

            def send(stream: object = host) -> list[torch.Tensor]:
                return [torch.from_numpy(array).to(device) for array in next(stream)]  # type: ignore[call-overload]

            runs = [send, lambda ahead=ahead: send(ahead), lambda there=there: next(there)]
            times = medians(*(finished(run, device) for run in runs), repeat=repeat)
            (launch,) = medians(runs[-1], repeat=repeat)
            shape = f"({STEPS}, {lanes}, {battery.n_channels})"
            rows.append([tasks, shape, *(f"{seconds * 1e3:.2f}" for seconds in (*times, launch))])
    header = ["tasks", "batch", "NumPy and sent", "the same, prefetched", "made there", "of it, the host's part"]
    print_table(f"Training batches on {name_of(device)}, ms", header, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeat", type=int, help="timed runs of each")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    arguments = parser.parse_args()
    place, few = torch.device(arguments.device), arguments.quick
    print_machine()
    print(f"torch {torch.__version__}, cuDNN may use TF32: {torch.backends.cudnn.allow_tf32}")
    networks(place, arguments.repeat or (1 if few else 10), few)
    batches(place, arguments.repeat or (1 if few else 50))
    runs(place, few)
