"""Checkpoints: everything a run needs to go on as if it had not stopped. No pickle: safetensors and JSON."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modcog.errors import ModcogError
from modcog.files import whole_folder

KEEP = 2
"""Checkpoints that are kept; the older ones are removed."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: updates made; also the number of the next batch.
        trials: trials learnt from.
        seconds: time spent training, without evaluation.
        loss: running mean of the loss; None before the first update.
        milestones: for a mean decision accuracy in percent, the trials and seconds after which it was first reached.
    """

    step: int = 0
    trials: int = 0
    seconds: float = 0.0
    loss: float | None = None
    milestones: dict[str, dict[str, float]] = field(default_factory=dict)


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> Path:
    """Write a checkpoint under ``folder`` at once, and remove the oldest beyond ``KEEP``."""
    path = folder / f"step-{progress.step:08d}"
    with whole_folder(path) as part:
        save_file(_contiguous(model.state_dict()), part / "model.safetensors")
        save_file(_optimizer_tensors(optimizer) | _random_states(), part / "optimizer.safetensors")
        (part / "progress.json").write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints under ``folder``, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def latest(folder: Path) -> Path:
    """The newest checkpoint.

    Raises:
        ModcogError: if there is none.
    """
    found = checkpoints(folder)
    if not found:
        raise ModcogError(f"{folder} holds no checkpoint")
    return found[-1]


def load(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put model, optimiser and random states back as they were, and return how far the run was."""
    model.load_state_dict(load_file(path / "model.safetensors"))
    tensors = load_file(path / "optimizer.safetensors")
    _restore_random_states(tensors)
    _restore_optimizer(optimizer, tensors)
    return Progress(**json.loads((path / "progress.json").read_text(encoding="utf-8")))


def _contiguous(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of every parameter as ``state.<parameter>.<name>``; the rate follows from the step."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"state.{index}.{name}": torch.as_tensor(value).detach().contiguous().clone()
        for index, values in state.items()
        for name, value in values.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "state":
            index, _, name = rest.partition(".")
            state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _random_states() -> dict[str, Tensor]:
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"random.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _restore_random_states(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["random.cpu"])
    for key, state in tensors.items():
        if key.startswith("random.cuda."):
            torch.cuda.set_rng_state(state, int(key.rsplit(".", 1)[1]))
