"""Speed of making training batches, against neurogym on its own 20 tasks, and against the floor.

Run with ``python tests/benchmarks/generation.py``. The floor is what no generator of the same batch can go below:
writing the observations and labels once, plus drawing the normal numbers of their noise with the same generator.
Prefetching can hide a batch behind a training step where a core is free: the last table says how much of it.
"""

from __future__ import annotations

import argparse
import itertools
import tracemalloc
from collections.abc import Callable

import numpy as np
from timing import medians, print_machine, print_table, seconds  # first: it sets the number of threads

from modcog import Battery
from modcog.trials.stream import Stream

LANES, STEPS = 64, 350


def neurogym_dataset() -> object:
    """neurogym's own way to make such batches from its own collection of the 20 tasks."""
    import gymnasium
    import neurogym
    from neurogym.envs.collections import get_collection
    from neurogym.utils.scheduler import RandomSchedule
    from neurogym.wrappers import ScheduleEnvs

    envs = [gymnasium.make(name, disable_env_checker=True) for name in get_collection("yang19")]
    schedule = ScheduleEnvs(envs, RandomSchedule(len(envs)), env_input=True)
    return neurogym.Dataset(schedule, batch_size=LANES, seq_len=STEPS)


def floor(stream: Stream) -> Callable[[], None]:
    """The least that a batch of ``stream`` costs."""
    rng = np.random.Generator(np.random.SFC64(0))
    normals = [noisy_values(stream, index) for index in range(20)]
    observations = np.empty((STEPS, LANES, stream.tables.n_channels), np.float32)
    labels = np.empty((STEPS, LANES), np.int64)
    turn = itertools.count()

    def run() -> None:
        observations.fill(1.0)
        labels.fill(1)
        rng.standard_normal(normals[next(turn) % len(normals)], dtype=np.float32)

    return run


def noisy_values(stream: Stream, index: int) -> int:
    """Normal numbers that batch ``index`` needs: the values that differ from the same batch without noise."""
    quiet = Battery(list(stream.tables.tasks), rule_input=True, sigma=0).stream(LANES, STEPS, seed=stream.seed)
    return int((stream[index][0] != quiet[index][0]).sum())


def memory(stream: Stream) -> tuple[float, float]:
    """MB of the batch returned, and the peak beyond it while it is made."""
    next(stream)
    tracemalloc.start()
    batch = next(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    returned = sum(array.nbytes for array in batch)
    return returned / 1e6, (peak - returned) / 1e6


def against_the_floor(repeat: int) -> None:
    """Ratio of the stream's time to the floor, set-up and memory, for three collections."""
    rows = []
    for name in ("yang19", "modcog82", "modcog132"):
        streams: list[Stream] = []

        def set_up(name: str = name, streams: list[Stream] = streams) -> None:
            streams.append(Battery(name, rule_input=True).stream(LANES, STEPS, seed=0))

        setup = seconds(set_up)
        stream = streams[0]
        ours, least = medians(lambda stream=stream: next(stream), floor(stream), repeat=repeat)  # type: ignore[misc]
        returned, beyond = memory(stream)
        shape = f"({STEPS}, {LANES}, {stream.tables.n_channels})"
        rows.append(
            [
                name,
                shape,
                f"{ours * 1e3:.2f}",
                f"{least * 1e3:.2f}",
                f"{ours / least:.2f}",
                f"{setup * 1e3:.0f}",
                f"{returned:.1f}",
                f"{beyond:.1f}",
            ]
        )
    header = ["tasks", "batch", "modcog, ms", "floor, ms", "ratio", "set-up, ms", "batch, MB", "memory beyond, MB"]
    print_table("Against the floor", header, rows)


def against_neurogym(repeat: int) -> None:
    """The same-shaped batch of the 20 base tasks, side by side."""
    import neurogym  # noqa: F401  its import is not part of its set-up

    peers: list[object] = []
    peer_setup = seconds(lambda: peers.append(neurogym_dataset()))
    streams: list[Stream] = []
    setup = seconds(lambda: streams.append(Battery("yang19", rule_input=True).stream(LANES, STEPS, seed=0)))
    peer, stream = peers[0], streams[0]
    shapes = {peer()[0].shape, next(stream)[0].shape}  # type: ignore[operator]
    assert shapes == {(STEPS, LANES, 53)}, shapes
    theirs, ours = medians(lambda: peer(), lambda: next(stream), repeat=repeat, warmup=1)  # type: ignore[operator]
    rows = [
        ["neurogym.Dataset", f"{theirs * 1e3:.1f}", f"{peer_setup:.2f}"],
        ["modcog stream", f"{ours * 1e3:.2f}", f"{setup:.3f}"],
        ["ratio", f"{theirs / ours:.0f}", f"{peer_setup / setup:.0f}"],
    ]
    print_table("Against neurogym: (350, 64, 53) batches of the 20 base tasks", ["", "batch, ms", "set-up, s"], rows)


def samples(repeat: int) -> None:
    """Trials per second of ``Battery.sample``."""
    rows = []
    for name in ("yang19", "modcog132"):
        battery = Battery(name)
        (time,) = medians(lambda battery=battery: battery.sample(10_000, seed=0), repeat=repeat)  # type: ignore[misc]
        rows.append([name, f"{10_000 / time:,.0f}", f"{time / 10_000 * 1e6:.1f}"])
    print_table("Battery.sample(10_000)", ["tasks", "trials/s", "µs a trial"], rows)


def behind_a_step(repeat: int) -> None:
    """Time of a training step of a small network whose batch is at hand, made before the step, or made ahead of it."""
    import torch

    from modcog import models

    torch.set_num_threads(1)
    battery = Battery("yang19", rule_input=True)
    sizes = {"n_inputs": battery.n_channels, "n_outputs": battery.n_actions}
    network = models.build("autapse", **sizes, hidden=128)
    streams = [battery.stream(LANES, STEPS, seed=0, prefetch=ahead) for ahead in (0, 1, 2)]
    fixed = next(streams[0])

    def step(batch: tuple[np.ndarray, np.ndarray]) -> None:
        observations, labels = map(torch.from_numpy, batch)
        loss = torch.nn.functional.cross_entropy(network(observations).flatten(0, 1), labels.flatten())
        torch.autograd.grad(loss, list(network.parameters()))

    runs = [lambda: step(fixed), *(lambda stream=stream: step(next(stream)) for stream in streams)]
    times = medians(*runs, repeat=repeat)
    names = ["batch at hand", "made before the step", "prefetch=1", "prefetch=2"]
    rows = [[name, f"{time * 1e3:.2f}"] for name, time in zip(names, times, strict=True)]
    print_table("A training step of 128 autapses", ["", "step, ms"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=100, help="timed batches of each (neurogym: a tenth)")
    arguments = parser.parse_args()
    print_machine()
    against_the_floor(arguments.repeat)
    against_neurogym(max(arguments.repeat // 10, 3))
    samples(max(arguments.repeat // 10, 3))
    behind_a_step(max(arguments.repeat // 5, 3))
