"""Checkpoints: everything a run needs to go on as if it had not stopped. No pickle: safetensors and JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
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


def save(
    folder: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    random: Sequence[dict[str, Tensor]],
    progress: Progress,
) -> Path:
    """Write a checkpoint under ``folder`` at once, and remove the oldest beyond ``KEEP``.

    Args:
        folder: of the checkpoints.
        model: whose weights to keep.
        optimizer: whose state to keep.
        random: the random states of every process, of the shapes that ``random_states`` gives.
        progress: how far the run is.
    """
    path = folder / f"step-{progress.step:08d}"
    if path.exists():  # saved at this step already
        return path
    for left in folder.glob(".step-*.part"):  # by a process that was killed
        shutil.rmtree(left)
    with whole_folder(path) as part:
        save_file(_contiguous(model.state_dict()), part / "model.safetensors")
        states = {f"{name}.{rank}": state for rank, states in enumerate(random) for name, state in states.items()}
        save_file(_optimizer_tensors(optimizer) | states, part / "optimizer.safetensors")
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


def load(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, rank: int = 0, ranks: int = 1
) -> Progress:
    """Put model, optimiser and random states back as they were, and return how far the run was.

    Raises:
        ModcogError: if the checkpoint is of another number of processes than ``ranks``.
    """
    model.load_state_dict(load_file(path / "model.safetensors"))
    tensors = load_file(path / "optimizer.safetensors")
    _restore_optimizer(optimizer, tensors)
    processes = sum(name.startswith("random.cpu.") for name in tensors)
    if processes != ranks:
        raise ModcogError(f"{path} is of a run on {processes} processes, must be resumed on as many, not on {ranks}")
    torch.set_rng_state(tensors[f"random.cpu.{rank}"])
    if f"random.cuda.{rank}" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"random.cuda.{rank}"])
    return Progress(**json.loads((path / "progress.json").read_text(encoding="utf-8")))


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's generators in this process, (bytes,) uint8 each."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


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
