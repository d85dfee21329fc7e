"""Kill exports at random moments, and compare what a rerun makes of them with an undisturbed export.

Run with ``python tests/benchmarks/kill_export.py --kills 200``. Formats, layouts, and one or two workers take turns. A
kill is a SIGKILL to the exporting process, to one of its workers, or to all of them at once. After every kill no
file may look complete and not be, and the rerun must keep each finished shard and end with the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from timing import print_table

FORMATS = ("npy", "hdf5", "zarr", "parquet")
LAYOUTS: dict[str, dict[str, Any]] = {
    "ragged": {"trials_per_task": 40},
    "padded": {"trials_per_task": 30, "padded": True},
    "stream": {"layout": "stream", "sequences": 60, "seq_len": 60},
}
TASKS = ["go", "dlyantiintrseql", "ctxdm1", "multidlydmseqr", "dnmc"]
CHILD = """
import json, sys
import modcog.data, modcog.data.exporter
from modcog.data.formats import get_format
settings = json.loads(sys.argv[1])
get_format(settings["format"])
print("ready", flush=True)
modcog.data.export(**settings)
"""


def start(settings: dict[str, Any]) -> subprocess.Popen[str]:
    """Begin an export in a process group of its own; returns when it is about to write."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def run(settings: dict[str, Any]) -> float:
    """Export to the end; returns the seconds it took."""
    begin = time.monotonic()
    process = start(settings)
    ready = time.monotonic()
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the export failed after {ready - begin:.1f} s: {errors[-2000:]}")
    return time.monotonic() - ready


def tree(folder: Path) -> dict[str, str]:
    """The hash of every file in a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def looks_complete(folder: Path) -> dict[str, str]:
    """The files that do not say by their name that they are temporary."""
    return {name: found for name, found in tree(folder).items() if not name.startswith(".") and "/." not in name}


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file of the shards that stand under their final names."""
    names = [name for name in looks_complete(folder) if "/" in name]
    stats = {name: (folder / name).stat() for name in names}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def kill(process: subprocess.Popen[str], whom: str) -> str:
    """Kill the exporter, one of its workers, or all; returns which, or ``late`` if it had ended."""
    if process.poll() is not None:
        return "late"
    workers = children(process.pid)
    try:
        if whom == "worker" and workers:
            os.kill(random.choice(workers), signal.SIGKILL)
        elif whom == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            whom = "exporter"
            process.kill()
    except ProcessLookupError:
        return "late"
    return whom


def one(settings: dict[str, Any], expected: dict[str, str], seconds: float, rng: random.Random) -> str:
    """One kill and one rerun; returns whom it hit.

    Raises:
        AssertionError: if a promise is broken.
    """
    folder = Path(settings["out"])
    process = start(settings)
    time.sleep(rng.uniform(0, seconds))
    hit = kill(process, rng.choice(["exporter", "exporter", "all", "worker"]))
    process.communicate()
    there = looks_complete(folder) if folder.exists() else {}
    wrong = [name for name, found in there.items() if expected.get(name) != found]
    assert not wrong, f"{wrong} look complete and are not"
    assert "manifest.json" not in there or there == expected, "a manifest stands beside an unfinished data set"
    before = finished(folder) if folder.exists() else {}
    run(settings)
    after = finished(folder)
    # A zarr or npy shard is a folder, renamed with all its files, so files of finished shards keep their inode.
    again = [name for name in before if after.get(name) != before[name]]
    assert not again, f"{again} were finished and made again"
    found = tree(folder)
    assert found == expected, f"other bytes: {sorted(set(found.items()) ^ set(expected.items()))[:4]}"
    return hit


def main(kills: int, seed: int, keep: Path | None) -> None:
    """Do the kills, and print how many of which kind."""
    rng, tally = random.Random(seed), Counter[tuple[str, str]]()
    hits = Counter[str]()
    root = Path(tempfile.mkdtemp(prefix="modcog-kills-", dir=keep))
    kinds = [(form, layout) for layout in LAYOUTS for form in FORMATS]
    references: dict[tuple[str, str], tuple[dict[str, str], float]] = {}
    done = 0
    while done < kills:
        form, layout = kinds[(done + hits["late"]) % len(kinds)]
        common = {"tasks": TASKS, "format": form, "shard_mb": 0.04, **LAYOUTS[layout]}
        if (form, layout) not in references:
            reference = root / f"{form}-{layout}"
            seconds = run({**common, "out": str(reference)})
            references[form, layout] = tree(reference), seconds
        folder = root / "killed"
        expected, seconds = references[form, layout]
        hit = one({**common, "out": str(folder), "jobs": rng.choice([1, 1, 2])}, expected, seconds, rng)
        hits[hit] += 1
        if hit != "late":
            done += 1
            tally[form, layout] += 1
        shutil.rmtree(folder)
    shutil.rmtree(root)
    rows = [[form, *(str(tally[form, layout]) for layout in LAYOUTS)] for form in FORMATS]
    print_table(f"{done} kills, every rerun identical", ["format", *LAYOUTS], rows)
    print("\nHit: " + ", ".join(f"{whom} {count}" for whom, count in sorted(hits.items()) if whom != "late"), end="")
    print(f"; {hits['late']} more came after the export had ended and are not counted.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, default=None, help="where to export to; default: the system's own")
    arguments = parser.parse_args()
    main(arguments.kills, arguments.seed, arguments.folder)
