"""Train, kill, resume, at random steps: the weights must end up identical, bit for bit.

    python tests/benchmarks/resume.py [--times 10] [--devices 1]

One run goes undisturbed. Then, as often as asked, the same run is started as a process of its own and killed (SIGKILL)
once it has passed a random step, again and again until it is through. Exit code 1 if any weight differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [
    sys.executable, "-m", "modcog", "train", "--resume", "--tasks", "go,dlydm1seqr,dmsintl", "--arch", "lm-rnn",
    "--hidden", "64", "--density", "0.2", "--model", "noise=0.05", "--steps", "400", "--batch-size", "32",
    "--eval-every", "20", "--eval-trials", "5", "--threads", "1", "--accelerator", "cpu", "--no-progress",
]  # fmt: skip
LAST = 400


def main() -> int:
    """Compare the weights of every disturbed run with those of the undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="Disturbed runs.")
    parser.add_argument("--devices", type=int, default=1, help="Processes of each run.")
    parser.add_argument("--seed", type=int, default=0, help="Of the steps at which it is killed.")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    command = [*COMMAND, "--devices", str(args.devices)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run([*command, "--out", root / "whole"], check=True, capture_output=True)
        expected = weights(root / "whole")
        failures = 0
        for time_ in range(args.times):
            killed_at = disturbed(command, root / f"run-{time_}", rng)
            same = weights(root / f"run-{time_}") == expected
            failures += not same
            print(f"{time_ + 1:3d}  killed at {killed_at}: {'identical' if same else 'DIFFERENT'}", flush=True)
    print(f"{args.times - failures} of {args.times} identical")
    return 1 if failures else 0


def disturbed(command: list[str], out: Path, rng: random.Random) -> list[int]:
    """Run to the end with two kills on the way; the newest checkpoints at the kills."""
    killed_at = []
    for target in sorted(rng.sample(range(1, LAST - 40), 2)):
        process = subprocess.Popen([*command, "--out", out], start_new_session=True, stderr=subprocess.DEVNULL)
        while newest(out) < target and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)  # anywhere between two checkpoints, or inside one
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed_at.append(newest(out))
        process.wait()
    subprocess.run([*command, "--out", out], check=True, capture_output=True)
    assert json.loads((out / "run.json").read_text())["status"] == "finished"
    return killed_at


def newest(out: Path) -> int:
    """Step of the newest whole checkpoint; −1 if there is none."""
    return max((int(path.name.split("-")[1]) for path in (out / "checkpoints").glob("step-*")), default=-1)


def weights(out: Path) -> bytes:
    """The final weights as stored."""
    return (out / "checkpoints" / f"step-{LAST:08d}" / "model.safetensors").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
