"""A run on disk: what it was asked for, on what it ran, and how it ended."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.files import write_json
from modcog.training import checkpoint
from modcog.training.config import TrainConfig

RUN = "run.json"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: where it is.
        status: ``"running"``, ``"finished"``, ``"reached"`` (the target accuracy), ``"interrupted"`` or ``"diverged"``.
        record: the whole of ``run.json``: config, versions, seed, git state, progress and scores.
    """

    folder: Path
    status: str
    record: dict[str, Any]

    @property
    def config(self) -> TrainConfig:
        """Its settings."""
        return TrainConfig.of(**{**self.record["config"], "out": self.folder, "data": None})

    @property
    def decision_accuracy(self) -> float:
        """Mean decision accuracy at the last evaluation."""
        return float(self.record["scores"]["decision_accuracy"])


def build_model(config: TrainConfig, battery: Battery) -> torch.nn.Module:
    """The network that a config asks for, initialised from its seed."""
    from modcog import models

    options = dict(config.model)
    if config.density is not None:
        options["density"] = config.density
    architecture = models.ARCHITECTURES.get(config.arch)
    if architecture and "dt" in architecture.config.model_fields:
        options.setdefault("dt", battery.settings.dt)
    return models.build(
        config.arch,
        n_inputs=battery.n_channels,
        n_outputs=battery.n_actions,
        hidden=config.hidden,
        seed=config.seed,
        **options,
    )


def write_run(config: TrainConfig, status: str, progress: checkpoint.Progress, scores: dict[str, Any]) -> Run:
    """Write ``run.json``."""
    record = {
        "status": status,
        "config": json.loads(config.model_dump_json()),
        "seed": config.seed,
        "progress": progress.__dict__,
        "scores": scores,
        "versions": versions(),
        "git": git_state(),
    }
    write_json(config.out / RUN, record)
    return Run(config.out, status, record)


def read_run(folder: str | Path) -> Run:
    """Read a run from its folder.

    Raises:
        ModcogError: if there is no run, or its record cannot be read.
    """
    path = Path(folder) / RUN
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Run(Path(folder), record["status"], record)
    except OSError as error:
        raise ModcogError(f"{folder} is not the folder of a run: {RUN}: {error.strerror}") from None
    except (ValueError, KeyError):
        raise ModcogError(f"{path} is not the record of a run") from None


def load_model(folder: str | Path) -> torch.nn.Module:
    """The network of a run, with the weights of its newest checkpoint, in evaluation mode.

    Args:
        folder: of the run.

    Returns:
        The module; its ``battery`` is the one it was trained on.

    Raises:
        ModcogError: if there is no run or no checkpoint.
    """
    run = read_run(folder)
    config = run.config
    battery = Battery.from_config(config.battery_settings())
    model = build_model(config, battery)
    weights = checkpoint.latest(Path(folder) / CHECKPOINTS) / "model.safetensors"
    model.load_state_dict(load_file(weights))
    model.battery = battery  # type: ignore[assignment]
    return model.eval()


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("modcog", "torch", "numpy", "lightning-fabric"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any] | None:
    """Commit of the working directory and whether it has changes; None outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
