"""Kill exports at random moments, and compare what a rerun makes of them with an undisturbed export.

Run with ``python tests/benchmarks/kill_export.py --kills 200``. Formats, layouts, and one or two workers take turns. A
kill is a SIGKILL to the exporting process, to one of its workers, or to all of them at once. After every kill no
file may look complete and not be, and the rerun must keep each finished shard and end with the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
from timing import print_table

import modcog
import modcog.data

FORMATS = ("npy", "hdf5", "zarr", "parquet")
LAYOUTS: dict[str, dict[str, Any]] = {
    "ragged": {"trials_per_task": 40},
    "padded": {"trials_per_task": 30, "padded": True},
    "stream": {"layout": "stream", "sequences": 60, "seq_len": 60},
}
TASKS = ["go", "dlyantiintrseql", "ctxdm1", "multidlydmseqr", "dnmc"]
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["modcog.data.exporter", *(f"modcog.data.formats.{form}" for form in FORMATS)])


def child(settings: dict[str, Any], ready: Event) -> None:
    """An export in a process group of its own."""
    os.setpgid(0, 0)
    said = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())  # joblib is loud about workers that disappear
    ready.set()
    code = 1
    try:
        modcog.data.export(**settings)
        code = 0
    except modcog.ModcogError as error:  # a killed worker is reported so
        print(f"  {error}", file=said, flush=True)
        code = 0
    finally:
        os._exit(code)  # without waiting for joblib's workers, which stay for a while


def start(settings: dict[str, Any]) -> BaseProcess:
    """Begin an export in a process of its own; returns when it is about to write."""
    ready = PROCESSES.Event()
    process = PROCESSES.Process(target=child, args=(settings, ready))
    process.start()
    assert ready.wait(60), process.exitcode
    return process


def run(settings: dict[str, Any]) -> float:
    """Export to the end; returns the seconds it took."""
    process, ready = start(settings), time.monotonic()
    process.join()
    if process.exitcode or not (Path(settings["out"]) / "manifest.json").exists():
        raise SystemExit(f"the export to {settings['out']} failed with exit code {process.exitcode}")
    return time.monotonic() - ready


def tree(folder: Path) -> dict[str, str]:
    """The hash of every file in a folder, by its path; a worker that still lives may be at temporary ones."""
    found = {}
    for where, _, names in os.walk(folder):  # which does not mind folders that disappear
        for path in (Path(where) / name for name in names):
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def looks_complete(folder: Path) -> dict[str, str]:
    """The files that do not say by their name that they are temporary."""
    return {name: found for name, found in tree(folder).items() if not name.startswith(".") and "/." not in name}


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file of the shards that stand under their final names."""
    names = [name for name in looks_complete(folder) if "/" in name]
    stats = {name: (folder / name).stat() for name in names}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def kill(process: BaseProcess, whom: str, rng: random.Random) -> str:
    """Kill the exporter, one of its workers, or all; returns which, or ``late`` if it had ended."""
    assert process.pid is not None
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        workers = psutil.Process(process.pid).children(recursive=True)
        if not process.is_alive():
            return "late"
        if whom == "worker" and workers:
            rng.choice(workers).kill()
        elif whom == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            whom = "exporter"
            process.kill()
        return whom
    return "late"


def one(settings: dict[str, Any], expected: dict[str, str], seconds: float, rng: random.Random) -> str:
    """One kill and one rerun; returns whom it hit.

    Raises:
        AssertionError: if a promise is broken.
    """
    folder = Path(settings["out"])
    process = start(settings)
    time.sleep(rng.uniform(0, seconds))
    hit = kill(process, rng.choice(["exporter", "exporter", "all", "worker"]), rng)
    process.join()
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
        hit = one({**common, "out": str(folder), "jobs": rng.choice([1, 1, 1, 2])}, expected, seconds, rng)
        hits[hit] += 1
        print(f"{done + (hit != 'late')} {form} {layout}: {hit}", file=sys.stderr, flush=True)
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
