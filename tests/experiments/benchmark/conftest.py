"""A benchmark of three seeds that was really run, one of which fails."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from modcog.cli import main
from modcog.experiments.benchmark import Report

TASKS = ("go", "dm1seqr", "dmsintr")

SETTINGS = (
    "--tasks", "go,dm1seqr,dmsintr", "--hidden", "8", "--steps", "4", "--batch-size", "8", "--eval-every", "2",
    "--eval-trials", "2", "--warmup", "1", "--n-trials", "30",
)  # fmt: skip

OWN = '''
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self, n_inputs, n_outputs, hidden=8):
        super().__init__()
        self.rnn, self.out = torch.nn.RNN(n_inputs, hidden), torch.nn.Linear(hidden, n_outputs)
    def forward(self, x):
        return self.out(self.rnn(x)[0])

def sometimes(n_inputs, n_outputs, hidden, seed):
    if seed == 1:
        raise RuntimeError("no luck <script>alert('today')</script>")
    return Net(n_inputs, n_outputs, hidden)

def never(n_inputs, n_outputs):
    raise RuntimeError("no network")

def narrow(n_inputs, n_outputs):
    return Net(n_inputs, n_outputs - 1)

def holds(observations):
    """Hold fixation, whatever comes."""
    return np.zeros(observations.shape[:2], int)

def trained():
    return holds

def of_seed(n_outputs, seed):
    return lambda observations: np.full(observations.shape[:2], seed)

def nan(observations):
    return np.full((*observations.shape[:2], 17), np.nan)

def wide(observations):
    return np.zeros((*observations.shape[:2], 99))

def broken():
    raise OSError("no weights")

not_a_network = 3
'''


class Done(NamedTuple):
    folder: Path
    code: int
    out: str
    err: str

    @property
    def report(self) -> Report:
        return Report.model_validate_json((self.folder / "out" / "report.json").read_text())


def command(patch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the program with these words on its command line."""
    patch.setattr(sys, "argv", ["modcog", *words])
    return main()


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with user networks in the module ``own_benchmarked``."""
    path = tmp_path_factory.mktemp("benchmark")
    (path / "own_benchmarked.py").write_text(OWN)
    return path


@pytest.fixture(scope="session")
def done(working: Path) -> Done:
    """The report on three seeds, the second of which failed, made by the command."""
    out, err = io.StringIO(), io.StringIO()
    words = ["benchmark", "own_benchmarked:sometimes", "--seeds", "3", "--out", "out", *SETTINGS]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(working)
        code = command(patch, *words)
    return Done(working, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(working: Path):
    """The working directory, for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(working)
        patch.syspath_prepend(str(working))
        yield working
