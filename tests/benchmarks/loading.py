"""Supply of a training loop by loaders, and the loading of a stored data set beside ``neurogym.Dataset``.

Run with ``python tests/benchmarks/loading.py``. The loop uses a batch (350, 64, 115) every 20 ms; it sleeps in
between, as it would wait for a GPU. The epochs read the same number of steps of the same 82 tasks with rule input.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timing import medians, print_machine, print_table  # first: it sets the number of threads
from torch.utils.data import DataLoader

import modcog
from modcog.data import LiveDataset, export, load

LANES, STEPS, USE = 64, 350, 0.020


def fed(workers: int, batches: int) -> list[str]:
    """A loop over ``LiveDataset``: how long it waits for batches, from the tenth on."""
    live = LiveDataset(modcog.Battery("modcog82", rule_input=True), LANES, STEPS, seed=0, length=batches)
    waits, start = [], 0.0
    ahead = {"prefetch_factor": 4} if workers else {}
    for i, (observations, _) in enumerate(timed(live.loader(workers, **ahead), waits)):
        assert observations.shape == (STEPS, LANES, 115)
        if i == 9:
            start = time.perf_counter()
        time.sleep(USE)
    total = (time.perf_counter() - start) / (batches - 10)
    late = statistics.mean(wait > 0.002 for wait in waits[10:])
    return [str(workers), f"{total * 1e3:.1f}", f"{statistics.median(waits[10:]) * 1e3:.2f}", f"{late:.0%}"]


def timed(batches: Any, waits: list[float]) -> Iterator[Any]:
    """The same batches; the seconds that each took to come go into ``waits``."""
    iterator = iter(batches)
    while True:
        before = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            return
        waits.append(time.perf_counter() - before)
        yield batch


def neurogym_dataset(own: bool) -> Any:
    """neurogym's loader over our 82 environments, or over its own 20."""
    import gymnasium
    import neurogym
    from neurogym.envs.collections import get_collection
    from neurogym.utils.scheduler import RandomSchedule
    from neurogym.wrappers import ScheduleEnvs

    gymnasium.logger.set_level(gymnasium.logger.ERROR)  # neurogym reaches through wrappers in a way that is warned of
    tasks = get_collection("yang19") if own else [f"modcog/{task}-v0" for task in modcog.collection("modcog82")]
    envs = [gymnasium.make(task, disable_env_checker=True) for task in tasks]
    schedule = ScheduleEnvs(envs, RandomSchedule(len(envs)), env_input=True)
    return neurogym.Dataset(schedule, batch_size=LANES, seq_len=STEPS)


def epoch(folder: Path, shuffle: bool) -> int:
    """Read the split ``all`` once, in batches of 64; returns its steps."""
    dataset = load(folder)["all"].torch(rule_input=True)
    steps = 0
    for batch in DataLoader(dataset, batch_size=LANES, shuffle=shuffle, collate_fn=dataset.collate):
        assert batch["observations"].shape[2] == 115
        steps += int(batch["lengths"].sum())
    return steps


def against_neurogym(repeat: int, folder: Path | None) -> None:
    """Microseconds per step: neurogym's loader, and an epoch over exports of both layouts."""
    theirs, ours = neurogym_dataset(own=True), neurogym_dataset(own=False)
    assert ours()[0].shape == (STEPS, LANES, 115)
    with tempfile.TemporaryDirectory(prefix="modcog-loading-", dir=folder) as root:
        common: dict[str, Any] = {"tasks": "modcog82", "splits": {"all": 1.0}, "seed": 0}
        export(Path(root) / "trials", **common, trials_per_task=200)
        export(Path(root) / "stream", **common, layout="stream", sequences=LANES * 16, seq_len=STEPS)
        folders = [Path(root) / "stream", Path(root) / "trials", Path(root) / "trials"]
        runs = [lambda f=f, s=s: epoch(f, s) for f, s in zip(folders, (True, True, False), strict=True)]
        steps = [run() for run in runs]
        times = medians(lambda: ours(), lambda: theirs(), *runs, repeat=repeat, warmup=1)
    each = [time / count for time, count in zip(times, [LANES * STEPS, LANES * STEPS, *steps], strict=True)]
    names = [
        "neurogym.Dataset, our 82 environments", "neurogym.Dataset, its own 20",
        "export, layout stream, shuffled", "export, layout trials, shuffled", "export, layout trials, in order",
    ]  # fmt: skip
    rows = [
        [name, f"{e * 1e6:.2f}", f"{each[0] / e:.1f}", f"{each[1] / e:.1f}"]
        for name, e in zip(names, each, strict=True)
    ]
    header = ["", "µs a step", "times the first", "times the second"]
    print_table("An epoch of modcog82 with rule input", header, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=300, help="of the training loop")
    parser.add_argument("--repeat", type=int, default=5, help="epochs of each kind")
    parser.add_argument("--folder", type=Path, default=None, help="where to export to; default: the system's own")
    arguments = parser.parse_args()
    print_machine()
    rows = [fed(workers, arguments.batches) for workers in (0, 1, 2)]
    header = ["workers", "ms a step", "median wait, ms", "late by more than 2 ms"]
    print_table("A loop that uses a batch (350, 64, 115) for 20 ms", header, rows)
    against_neurogym(arguments.repeat, arguments.folder)
