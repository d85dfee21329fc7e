"""Speed of the environments: a trial, a step, many copies at once, and getting started.

Run with ``python tests/benchmarks/environments.py``. Whatever is compared is timed in turn, and medians are given.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from timing import medians, print_machine, print_table  # first: it sets the number of threads

SAME_TASKS = ("go", "dlygo", "dm1", "ctxdm1", "multidlydm", "dlydm1", "dms", "dmc")
"""Base tasks that neurogym has too, under the same names."""

COPIES = 64


def single(task: str, **keywords: Any) -> Any:
    """Our environment, without gymnasium's wrappers."""
    return gym.make(f"modcog/{task}-v0", trials_per_episode=None, disable_env_checker=True, **keywords).unwrapped


def neurogyms(task: str) -> Any:
    """neurogym's own of the same name, without gymnasium's wrappers."""
    import neurogym  # noqa: F401  registers it

    return gym.make(f"yang19.{task}-v0", disable_env_checker=True).unwrapped


def new_trials(repeat: int) -> None:
    """``new_trial()``: 64 in a row, so that a block of ours is paid for in full."""
    rows = []
    for task in SAME_TASKS:
        ours, theirs = (_calls(env.new_trial, 64) for env in (single(task), neurogyms(task)))
        quick, slow = (1e6 * t / 64 for t in medians(ours, theirs, repeat=repeat))
        rows.append([task, f"{quick:.0f}", f"{slow:.0f}", f"{slow / quick:.1f}"])
    print_table("new_trial() of one environment, µs", ["task", "modcog", "neurogym", "times faster"], rows)


def steps(repeat: int) -> None:
    """``step()``, with the trials that it begins, and without: within one long trial."""
    rows = []
    for task in SAME_TASKS:
        envs = single(task), neurogyms(task)
        for env in envs:
            env.reset()
        times = medians(*(_calls(lambda env=env: env.step(0), 1000) for env in envs), repeat=repeat)
        within = medians(*(_within(env) for env in envs), repeat=20 * repeat)
        per_step = [1e3 * times[0], 1e3 * times[1], *(1e6 * t / 8 for t in within)]
        ratios = [per_step[1] / per_step[0], per_step[3] / per_step[2]]
        rows.append([task, *(f"{t:.1f}" for t in per_step), *(f"{ratio:.1f}" for ratio in ratios)])
    header = ["task", "modcog", "neurogym", "modcog, within a trial", "neurogym, within a trial"]
    print_table("step(), µs", [*header, "times faster", "within a trial"], rows)


def _within(env: Any) -> Callable[[], None]:
    """Eight steps of a trial, fewer than any lasts; going back to its start costs next to nothing."""

    def run() -> None:
        env.t = env.t_ind = 0
        for _ in range(8):
            env.step(0)

    return run


def _calls(call: Callable[[], object], n: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(n):
            call()

    return run


def vectors(repeat: int) -> None:
    """Steps per second of many copies: ours against gymnasium's SyncVectorEnv of single environments of ours.

    The shorter the trials, the more both spend on drawing the next ones, and the less there is to gain.
    """
    long = {"timing": {"fixation": 20_000}, "dim_ring": 8}
    cases: dict[str, tuple[str, dict[str, Any]]] = {task: (task, {}) for task in ("go", "dm1", "dms", "dlygointrseqr")}
    cases["go, trials of 210 steps"] = ("go", long)
    rows = []
    for name, (task, keywords) in cases.items():
        envs = _make_vec(task, **keywords), _sync(task, **keywords)
        steps = 1000, 50  # so that both run about as long
        times = medians(*map(_plays, envs, steps), repeat=repeat)
        per_second = [COPIES * n / t for n, t in zip(steps, times, strict=True)]
        rows.append([name, *(f"{rate:,.0f}" for rate in per_second), f"{per_second[0] / per_second[1]:.0f}"])
    header = ["task", "modcog", "SyncVectorEnv", "times faster"]
    print_table(f"{COPIES} copies that hold fixation, steps per second", header, rows)


def _make_vec(task: str, **keywords: Any) -> Any:
    mode = "custom" if gym.__version__.startswith("0.") else "vector_entry_point"
    return gym.make_vec(f"modcog/{task}-v0", num_envs=COPIES, vectorization_mode=mode, **keywords)


def _sync(task: str, **keywords: Any) -> Any:
    return gym.vector.SyncVectorEnv([lambda: gym.make(f"modcog/{task}-v0", **keywords)] * COPIES)


def _plays(env: Any, steps: int) -> Callable[[], None]:
    env.reset(seed=0)
    return _calls(lambda: env.step(np.zeros(COPIES, np.int64)), steps)


def pictures(repeat: int) -> None:
    """``render()`` to an array."""
    rows = []
    for n in (4, 16, 64):
        env = single("ctxdm1", render_mode="rgb_array", dim_ring=n)
        env.reset(seed=0)
        (seconds,) = medians(_drawn_step(env), repeat=10 * repeat)
        rows.append([str(n), f"{1 / seconds:.0f}"])
        env.close()
    print_table("step() and render() to an array", ["dim_ring", "frames per second"], rows)


def _drawn_step(env: Any) -> Callable[[], None]:
    def run() -> None:
        env.step(0)
        env.render()

    return run


def getting_started(repeat: int) -> None:
    """Making an environment, and importing, each in a new process."""
    single("go"), neurogyms("go")  # imports are paid
    made = medians(lambda: single("go"), lambda: neurogyms("go"), lambda: _make_vec("go"), repeat=5 * repeat)
    names = ("modcog", "neurogym", f"modcog, {COPIES} copies")
    print_table("make, ms", names, [[f"{1e3 * t:.1f}" for t in made]])
    kinds = ("import modcog", "import gymnasium", "import gymnasium, without the plugin")
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(21):
        for kind in kinds:
            times[kind].append(_import_seconds(kind))
    middle = [1e3 * statistics.median(times[kind]) for kind in kinds]
    rows = [[f"{t:.0f}" for t in (*middle, middle[1] - middle[2])]]
    print_table("imports, ms of the processor, median of 21 processes each", [*kinds, "the plugin"], rows)


_IMPORT = """
import importlib.metadata as metadata, sys, time
find = metadata.entry_points
metadata.entry_points = lambda **k: [p for p in find(**k) if {keep} or not p.value.startswith("modcog")]
start = time.process_time()
import {module}
print(time.process_time() - start)
"""


def _import_seconds(kind: str) -> float:
    code = _IMPORT.format(keep="without" not in kind, module=kind.split(",")[0].removeprefix("import "))
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def main() -> None:
    """Run all, or the named parts."""
    parts = {part.__name__: part for part in (new_trials, steps, vectors, pictures, getting_started)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(parts), help=f"of {', '.join(parts)}")
    parser.add_argument("--repeat", type=int, default=11, help="times that each is timed")
    arguments = parser.parse_args()
    print_machine()
    for name in arguments.parts:
        parts[name](arguments.repeat)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main()
