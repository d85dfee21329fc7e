"""Scripts that users run, once, to see that they still do; the figures are not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "table"),
    [("generation.py", "A training step of 128 autapses"), ("gpu.py --device cpu", "Training batches on cpu, ms")],
)
def test_a_benchmark_prints_its_last_table(script: str, table: str) -> None:
    pytest.importorskip("neurogym")
    name, *options = script.split()
    words = [sys.executable, str(Path(__file__).parent / name), *options, "--repeat", "1"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.split(f"### {table}")[1].strip().splitlines()[2:]
    assert len(rows) == 4
    assert all(row.count("|") == rows[0].count("|") for row in rows)
