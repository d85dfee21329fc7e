"""Speed of writing data sets, beside generating the same trials and writing the same arrays with ``np.save``.

Run with ``python tests/benchmarks/export.py``. Every run is a process of its own, timed after its imports; the kinds
take turns. Ours counts the start of its worker processes, the hashes, the picture, and bringing every file to the disk;
plain ``np.save`` does none of that. The peak of memory is that of the one process that makes all shards.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from timing import print_machine, print_table

from modcog.data import load

FORMATS = ("npy", "hdf5", "zarr", "parquet")
OURS = r"""
import re, sys, time
import joblib, matplotlib.backends.backend_agg, matplotlib.figure
import modcog.data, modcog.data.exporter
from modcog.data.formats import get_format
out, amount, form, jobs = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
get_format(form)
start = time.perf_counter()
modcog.data.export(out, tasks="modcog132", trials_per_task=amount, format=form, jobs=jobs)
print(time.perf_counter() - start, int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) / 1000)
"""
PLAIN = r"""
import re, sys, time
import numpy as np
from modcog.data.config import ExportConfig
from modcog.data.plan import Plan
out, amount, part, parts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
start = time.perf_counter()
plan = Plan(ExportConfig.of(tasks="modcog132", trials_per_task=amount))
for number, shard in list(enumerate(plan.shards))[part::parts]:
    data = plan.data(shard)
    table = np.rec.fromarrays(list(data.columns.values()), names=list(data.columns))
    for name, array in {**data.arrays, "trials": table}.items():
        np.save(f"{out}/{number}-{name}.npy", array)
print(time.perf_counter() - start, int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) / 1000)
"""


def measured(code: str, *commands: list[Any]) -> tuple[float, float]:
    """Run processes side by side; seconds of the slowest, and MB of the largest."""
    running = [
        subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True)
        for args in commands
    ]
    found = [list(map(float, process.communicate()[0].split())) for process in running]
    return max(seconds for seconds, _ in found), max(memory for _, memory in found)


def main(amount: int, repeat: int, folder: Path | None, formats: list[str]) -> None:
    """Take turns, and print medians."""
    root = Path(tempfile.mkdtemp(prefix="modcog-export-", dir=folder))
    kinds = {
        "np.save, 1 process": (PLAIN, [[root / "x", amount, 0, 1]]),
        "np.save, 2 processes": (PLAIN, [[root / "x", amount, 0, 2], [root / "x", amount, 1, 2]]),
        **{f"{form}, {jobs}": (OURS, [[root / "x", amount, form, jobs]]) for form in formats for jobs in (1, 2)},
    }
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    sizes: dict[str, float] = {}
    for _ in range(repeat):
        for kind, (code, commands) in kinds.items():
            (root / "x").mkdir()
            times[kind].append(measured(code, *commands))
            sizes[kind] = sum(path.stat().st_size for path in (root / "x").rglob("*") if path.is_file()) / 1e6
            if code is OURS:
                assert len(load(root / "x")["train"]) == 132 * amount * 8 // 10
            shutil.rmtree(root / "x")
    shutil.rmtree(root)
    trials = 132 * amount
    median = {kind: statistics.median(seconds for seconds, _ in found) for kind, found in times.items()}
    raw = sizes["np.save, 1 process"]  # MB/s: of what is stored before compression
    rows = [
        [
            kind, f"{median[kind]:.2f}", f"{trials / median[kind]:,.0f}", f"{raw / median[kind]:.0f}",
            f"{sizes[kind]:.0f}", f"{max(memory for _, memory in found):.0f}",
        ]
        for kind, found in times.items()
    ]  # fmt: skip
    header = ["format, workers", "s", "trials/s", "MB/s", "MB on disk", "peak MB"]
    print_table(f"Export of 132 tasks × {amount:,} trials, median of {repeat}", header, rows)
    plain = {1: median["np.save, 1 process"], 2: median["np.save, 2 processes"]}
    print(f"\nTwo processes beside one: np.save {plain[1] / plain[2]:.2f}")
    for form in formats:
        rates = ", ".join(f"{n}: {plain[n] / median[f'{form}, {n}']:.2f}" for n in plain)
        print(f"{form}: rate beside np.save with as many processes {rates}", end="; ")
        print(f"two workers beside one {median[form + ', 1'] / median[form + ', 2']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials-per-task", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--folder", type=Path, default=None, help="where to export to; default: the system's own")
    arguments = parser.parse_args()
    print_machine()
    main(arguments.trials_per_task, arguments.repeat, arguments.folder, arguments.formats)
