"""Scripts that users run, once, to see that they still do; the figures are not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "tables"),
    [
        ("generation.py --repeat 1", {"A training step of 128 autapses": 4}),
        (
            "gpu.py --device cpu --quick",
            {"LM-RNN 4 %": 10, "Training batches on cpu, ms": 4, "Runs of the network of lm132 on cpu": 2},
        ),
    ],
)
def test_a_benchmark_prints_its_tables(script: str, tables: dict[str, int]) -> None:
    pytest.importorskip("neurogym")
    name, *options = script.split()
    words = [sys.executable, str(Path(__file__).parent / name), *options]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for title, count in tables.items():
        rows = done.stdout.split(f"### {title}")[1].split("\n\n")[1].strip().splitlines()[2:]
        assert len(rows) == count
        assert all(row.count("|") == rows[0].count("|") for row in rows)
