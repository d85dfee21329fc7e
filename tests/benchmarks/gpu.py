"""A few minutes on a GPU: training batches made there, against batches that are sent there.

Run with ``python tests/benchmarks/gpu.py``; without a GPU, or with ``--device cpu``, the same table on the CPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from timing import medians, print_machine, print_table  # isort: skip  (one core, before torch is imported)

import torch

from modcog import Battery

LANES, STEPS = 64, 350


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
    parser.add_argument("--repeat", type=int, default=50, help="timed runs of each")
    arguments = parser.parse_args()
    print_machine()
    batches(torch.device(arguments.device), arguments.repeat)
