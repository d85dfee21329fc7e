"""``modcog doctor``."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec

import click

from modcog.cli.options import as_json, wrapped
from modcog.extras import EXTRAS, install_command, missing_modules
from modcog.tasks import names
from modcog.user_code import error_text
from modcog.version import __version__

PACKAGES = ("numpy", "gymnasium", "pydantic", "matplotlib", "neurogym", "torch")


@click.command
@as_json
def doctor(as_json: bool) -> int:
    """Describe this installation, and test it in a few seconds.

    The output belongs in bug reports: versions, extras, devices and threads, and a short self-test, in which
    every task is played in its environment and a small network is run by the compiled kernel. It contains no paths
    and no names. The exit code is 1 if a test fails.

    Examples:
      modcog doctor
      modcog doctor --json
    """
    found = {"versions": versions(), "extras": extras(), "machine": machine()}
    tests = {name: attempt(test) for name, test in TESTS.items()}
    failed = [name for name, line in tests.items() if line.startswith("failed")]
    if as_json:
        click.echo(json.dumps({**found, "tests": tests}, indent=2, ensure_ascii=False))
        return bool(failed)
    for part in (*found.values(), tests):
        wide = max(map(len, part))
        for name, value in part.items():
            whole = re.sub("pip install .*", lambda command: command[0].replace(" ", "\N{NO-BREAK SPACE}"), value)
            click.echo(wrapped(f"{name:<{wide}}  {whole}", wide + 2))
        click.echo()
    click.echo(f"{len(failed)} of {len(tests)} tests failed" if failed else "all tests passed")
    return bool(failed)


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package, and of the main packages it stands on."""
    system = f"{platform.python_version()} ({sys.platform}, {platform.machine()})"
    return {"modcog": __version__, "python": system, **{name: version(name) for name in PACKAGES}}


def version(package: str) -> str:
    """Return the installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def extras() -> dict[str, str]:
    """Return for each extra if it is installed, or how to install it."""
    lines = {}
    for extra in EXTRAS:
        missing = missing_modules(extra)
        lines[f"[{extra}]"] = f"without {', '.join(missing)}: {install_command(extra)}" if missing else "installed"
    return lines


def machine() -> dict[str, str]:
    """Return cores, threads and accelerators."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {"cores": f"{usable} of {os.cpu_count()}"}
    if find_spec("torch"):
        import torch

        found["threads of torch"] = str(torch.get_num_threads())
        if torch.cuda.is_available():
            devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
            found["CUDA"] = f"{', '.join(devices)}; CUDA {torch.version.cuda}"
        else:
            found["CUDA"] = "no device"
        if torch.backends.mps.is_available():
            found["MPS"] = "available"
    return found


def attempt(test: Callable[[], str]) -> str:
    """Return the outcome of a test in one line."""
    start = time.perf_counter()
    try:
        outcome = test()
    except Exception as error:
        return f"failed: {error_text(error)}"
    return outcome if outcome.startswith("skipped") else f"{outcome} ({time.perf_counter() - start:.1f} s)"


def play_all_tasks() -> str:
    """Play a trial of every task by its labels, and compare it with the same trial of a sample."""
    import gymnasium as gym
    import numpy as np

    from modcog.battery import Battery
    from modcog.envs.registration import environment_id

    for task in names.TASKS:
        env = gym.make(environment_id(task))
        first, _ = env.reset(seed=0)
        trial = Battery([task]).sample(1, seed=0)
        seen, over = [first], False
        for label in trial.packed_labels:
            if not over:
                observation, _, over, _, info = env.step(int(label))
                seen.append(observation)
        if not np.array_equal(seen[:-1], trial.packed_observations[: len(seen) - 1]):
            raise AssertionError(f"{task}: environment and sample show different trials")
        if info["performance"] != 1:
            raise AssertionError(f"{task}: the labels of a trial do not count as right")
    return f"{len(names.TASKS)} tasks played"


def make_batches() -> str:
    """Make ten training batches of the whole battery."""
    from modcog.battery import Battery

    stream = Battery("modcog132", rule_input=True).stream(64, 350, seed=0)
    next(stream)
    start = time.perf_counter()
    for _ in range(10):
        next(stream)
    return f"10 batches of 64 × 350 steps, {100 * (time.perf_counter() - start):.1f} ms each"


def compare_kernels() -> str:
    """Compare the compiled kernel with plain products, on a small network."""
    if missing_modules("train"):
        return "skipped, [train] is not installed"
    import torch

    from modcog import models
    from modcog.models.kernels.compiled import CompiledKernel

    if not CompiledKernel.available(torch.device("cpu"), torch.float32):
        return "skipped, this processor has no compiled kernel; others are used"
    x, grads = torch.randn(20, 8, 33, generator=torch.Generator().manual_seed(0)), []
    for kernel in ("compiled", "dense"):
        network = models.build("lm-rnn", 33, 17, hidden=64, density=0.2, kernel=kernel)
        network(x).square().mean().backward()
        grads.append(torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]))
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-6)
    return "compiled kernel agrees with plain products"


TESTS = {"environments": play_all_tasks, "batches": make_batches, "kernel": compare_kernels}
