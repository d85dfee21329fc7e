"""Checkpoints: everything a run needs to resume as if it had not stopped, as safetensors and JSON without pickle."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from modcog.errors import ModcogError
from modcog.files import whole_folder

KEEP = 2
"""Number of checkpoints that are kept; older ones are removed."""

WEIGHTS = "model.safetensors"


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        step: number of updates; also the number of the next minibatch.
        trials: number of trials trained on.
        seconds: time spent on training, without evaluation.
        loss: running mean of the loss; None before the first update.
        milestones: trials and seconds at which a mean decision accuracy, in percent, was first reached.
    """

    step: int = 0
    trials: int = 0
    seconds: float = 0.0
    loss: float | None = None
    milestones: dict[str, dict[str, float]] = field(default_factory=dict)


def save(
    folder: Path, model: nn.Module, optimizer: Optimizer, random: Sequence[dict[str, Tensor]], progress: Progress
) -> Path:
    """Write a checkpoint under ``folder``, whole or not at all, and remove the oldest beyond ``KEEP``.

    ``random`` holds the random states of every process, (bytes,) uint8 each, from ``random_states``.
    """
    path = folder / f"step-{progress.step:08d}"
    if path.exists():  # saved at this step already
        return path
    for left in folder.glob(".step-*.part"):  # by a process that was killed
        shutil.rmtree(left)
    states = {f"{name}.{rank}": state for rank, of_rank in enumerate(random) for name, state in of_rank.items()}
    for index, values in optimizer.state_dict()["state"].items():  # its groups hold the rate, which the step decides
        states |= {f"state.{index}.{name}": torch.as_tensor(value) for name, value in values.items()}
    with whole_folder(path) as part:
        for name, tensors in ((WEIGHTS, model.state_dict()), ("optimizer.safetensors", states)):
            save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, part / name)
        (part / "progress.json").write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints under ``folder``, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def latest(folder: Path) -> Path:
    """Return the newest checkpoint.

    Raises:
        ModcogError: if there is none.
    """
    if not (found := checkpoints(folder)):
        raise ModcogError(f"{folder} holds no checkpoint")
    return found[-1]


def load(path: Path, model: nn.Module, optimizer: Optimizer, rank: int = 0, ranks: int = 1) -> Progress:
    """Restore model, optimizer and random states, and return the progress of the run.

    Raises:
        ModcogError: if the checkpoint is of another number of processes than ``ranks``.
    """
    model.load_state_dict(load_file(path / WEIGHTS))
    tensors = load_file(path / "optimizer.safetensors")
    processes = sum(name.startswith("random.cpu.") for name in tensors)
    if processes != ranks:
        raise ModcogError(f"{path} is of a run on {processes} processes, must be resumed on as many, not on {ranks}")
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for kind, index, name in (key.split(".", 2) for key in tensors):
        if kind == "state":
            state[int(index)][name] = tensors[f"{kind}.{index}.{name}"]
    optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})
    torch.set_rng_state(tensors[f"random.cpu.{rank}"])
    if f"random.cuda.{rank}" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"random.cuda.{rank}"])
    return Progress(**json.loads((path / "progress.json").read_text(encoding="utf-8")))


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators in this process, (bytes,) uint8 each."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states
