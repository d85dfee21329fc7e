"""Checkpoints: everything a run needs to resume as if it had not stopped, as safetensors and JSON without pickle."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from modcog.errors import ModcogError
from modcog.extras import missing_extra
from modcog.files import remove, whole_folder
from modcog.training.record import Progress
from modcog.user_code import failures_as
from modcog.validation import check_file, read_record

try:  # here, since modcog.load_model comes without the check of modcog.training
    from safetensors.torch import load_file, save_file
except ModuleNotFoundError:
    raise missing_extra("train", "a training run", "safetensors") from None

KEEP = 2
"""Number of checkpoints that are kept; older ones are removed."""

PATH = "path.sum"
"""First part of the names of path integrals among the tensors of the optimizer."""

WEIGHTS, OPTIMIZER, PROGRESS = "model.safetensors", "optimizer.safetensors", "progress.json"

NAME = re.compile(r"step-(\d{8,18})")
"""Name of a checkpoint's folder: the number of updates."""

Result = TypeVar("Result")


def save(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    random: Sequence[dict[str, Tensor]],
    progress: Progress,
    path_sums: Sequence[Tensor] = (),
) -> Path:
    """Write a checkpoint under ``folder``, whole or not at all, and remove the oldest beyond ``KEEP``.

    ``random`` holds the random states of every process, (bytes,) uint8 each, from ``random_states``; ``path_sums`` the
    path integral of each weight, of the weight's shape, if there is one.
    """
    path = folder / f"step-{progress.step:08d}"
    if path.exists():  # saved at this step already
        return path
    for left in folder.glob(".step-*.part"):  # by a process that was killed
        remove(left)
    states = {f"{name}.{rank}": state for rank, of_rank in enumerate(random) for name, state in of_rank.items()}
    for index, values in optimizer.state_dict()["state"].items():  # its groups hold the rate, which the step decides
        states |= {f"state.{index}.{name}": torch.as_tensor(value) for name, value in values.items()}
    states |= {f"{PATH}.{index}": total for index, total in enumerate(path_sums)}
    with whole_folder(path) as part:
        for name, tensors in ((WEIGHTS, model.state_dict()), (OPTIMIZER, states)):
            with failures_as(f"cannot write {path / name}"):  # a full disk is no OSError here
                save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, part / name)
        (part / PROGRESS).write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")
    for old in checkpoints(folder)[:-KEEP]:
        remove(old)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints under ``folder``, oldest first."""
    found = {path: NAME.fullmatch(path.name) for path in folder.glob("step-*") if path.is_dir()}
    steps = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(steps, key=steps.__getitem__)


def latest(folder: Path) -> Path:
    """Return the newest checkpoint.

    Raises:
        ModcogError: if there is none.
    """
    if not (found := checkpoints(folder)):
        raise ModcogError(f"{folder} holds no checkpoint")
    return found[-1]


def read_latest(folder: Path, read: Callable[[Path], Result]) -> Result:
    """Return ``read(newest checkpoint)``.

    An older one is not taken in its place, since the numbers of the run would silently be those of another step.

    Raises:
        ModcogError: if there is none, or ``read`` fails; it names the newest older one that can be read.
    """
    newest = latest(folder)
    try:
        return read(newest)
    except ModcogError as error:
        for older in reversed(checkpoints(folder)[:-1]):
            with suppress(ModcogError):
                read(older)
                break
        else:
            raise
        raise ModcogError(f"{error}; {older} is whole: remove {newest} to use it") from None


def load_weights(path: Path, model: nn.Module) -> None:
    """Load the weights of a checkpoint into a network.

    Raises:
        ModcogError: if they cannot be read, are those of another network, or are not finite.
    """
    file = path / WEIGHTS
    tensors, expected = read_tensors(file), model.state_dict()
    lacking, more = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if lacking or more:
        words = [f"{kind} {', '.join(sorted(names)[:5])}" for kind, names in (("no", lacking), ("also", more)) if names]
        raise ModcogError(f"{file} does not fit the network of the run: it holds {' and '.join(words)}")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise ModcogError(f"{file}: {name} is {tensor.dtype}, must be {expected[name].dtype}")
    with failures_as(f"{file} does not fit the network of the run"):
        try:
            model.load_state_dict(tensors)
        except ModcogError as error:
            raise ModcogError(f"{file}: {error}") from None
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ModcogError(f"{file} is damaged: {name} holds NaN or infinite values")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors of any shape; its header is checked against its size before memory is taken.

    Raises:
        ModcogError: if it cannot be read, naming it.
    """
    check_file(path)
    with failures_as(f"{path} is damaged"):
        return load_file(path)


def read_progress(path: Path) -> Progress:
    """Read the progress that a checkpoint was saved at.

    Raises:
        ModcogError: if it cannot be read, or is that of another checkpoint.
    """
    progress: Progress = read_record(path / PROGRESS, Progress)
    if path.name != f"step-{progress.step:08d}":
        raise ModcogError(f"{path / PROGRESS} is damaged: it is of step {progress.step}")
    return progress


def load(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer,
    rank: int = 0,
    ranks: int = 1,
    path_sums: Sequence[Tensor] = (),
) -> Progress:
    """Restore model, optimizer, random states and ``path_sums``, and return the progress of the run.

    ``path_sums`` are tensors of the shapes of the weights, to be filled.

    Raises:
        ModcogError: if the checkpoint is damaged, or of another number of processes than ``ranks``.
    """
    progress, file = read_progress(path), path / OPTIMIZER
    load_weights(path, model)
    tensors = read_tensors(file)
    for total, there in zip(path_sums, path_sums_of(tensors, file, path_sums), strict=True):
        total.copy_(there)
    processes = sum(name.startswith("random.cpu.") for name in tensors)
    if processes != ranks:
        raise ModcogError(f"{path} is of a run on {processes} processes, must be resumed on as many, not on {ranks}")
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    with failures_as(f"{file} is damaged"):
        for kind, index, name in (key.split(".", 2) for key in tensors):
            if kind == "state":
                state[int(index)][name] = tensors[f"{kind}.{index}.{name}"]
        for number, moments in state.items():  # torch would notice at the next update, or never
            shapes = {"step": (), **dict.fromkeys(("exp_avg", "exp_avg_sq"), tuple(weights[number].shape))}
            if {name: tuple(moment.shape) for name, moment in moments.items()} != shapes:
                raise ModcogError(f"{file} is damaged: the moments of weight {number} do not fit it")
        optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})
        torch.set_rng_state(tensors[f"random.cpu.{rank}"])
        if f"random.cuda.{rank}" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors[f"random.cuda.{rank}"])
    return progress


def path_sums_of(tensors: Mapping[str, Tensor], file: Path, weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the path integrals among the tensors of a file, one of the shape of each weight.

    Raises:
        ModcogError: if they are missing or do not fit, naming the file.
    """
    found = [tensors.get(f"{PATH}.{index}") for index in range(len(weights))]
    if [None if one is None else one.shape for one in found] != [weight.shape for weight in weights]:
        raise ModcogError(f"{file} has no path integral of each weight: the run was not trained with penalty 'si'")
    return cast(list[Tensor], found)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators in this process, (bytes,) uint8 each."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states
