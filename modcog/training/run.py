"""A run on disk: its folder, its settings, the machine it ran on, and its outcome."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.files import locked, write_json
from modcog.models import ARCHITECTURES, build
from modcog.training import checkpoint
from modcog.training.config import MACHINE_SETTINGS, TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import

RUN = "run.json"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"

PATIENCE = 10.0
"""Seconds after which a process that waits for the folder tells the others so; they would give it up in the end."""

CHANGEABLE = {"out", "data", "steps", "target_accuracy", "target", *MACHINE_SETTINGS}
"""Settings that may change when a run is resumed; with other steps a cosine schedule takes another course."""


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: folder of the run.
        status: ``"running"``, ``"finished"``, ``"reached"`` (the target accuracy), ``"interrupted"`` or ``"diverged"``.
        record: contents of ``run.json``: config, versions, seed, git state, progress, and the scores of the last
            evaluation with its ``step``.
    """

    folder: Path
    status: str
    record: dict[str, Any]

    @property
    def config(self) -> TrainConfig:
        """Settings of the run; the data set, which may have moved, is left out."""
        return TrainConfig.of(**{**self.record["config"], "out": self.folder, "data": None})

    @property
    def decision_accuracy(self) -> float:
        """Mean decision accuracy at the last evaluation."""
        return float(self.record["scores"]["decision_accuracy"])


def build_model(config: TrainConfig, battery: Battery) -> torch.nn.Module:
    """Build the network of a config, initialized from its seed."""
    options = dict(config.model)
    if config.density is not None:
        options["density"] = config.density
    architecture = ARCHITECTURES.get(config.arch)
    if architecture and "dt" in architecture.model_fields:
        options.setdefault("dt", battery.settings.dt)
    sides = {"n_inputs": battery.n_channels, "n_outputs": battery.n_actions}
    return build(config.arch, **sides, hidden=config.hidden, seed=config.seed, **options)


def write_run(config: TrainConfig, status: str, progress: checkpoint.Progress, scores: dict[str, Any]) -> Run:
    """Write ``run.json``."""
    record = {
        "status": status,
        "config": config.model_dump(mode="json"),
        "seed": config.seed,
        "progress": asdict(progress),
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


def check_folder(config: TrainConfig, resume: bool) -> None:
    """Check that training would neither overwrite a run nor resume one with other settings.

    Raises:
        ModcogError: if it would.
    """
    written = (config.out / RUN).exists()
    if not resume and (written or checkpoint.checkpoints(config.out / CHECKPOINTS)):
        raise ModcogError(f"out: {config.out} holds a run already; resume it, or name another folder")
    if not written:
        return
    old, new = (c.model_dump(mode="json", exclude=CHANGEABLE) for c in (read_run(config.out).config, config))
    changed = [f"{name}: {old[name]!r} there, {new[name]!r} here" for name in old if old[name] != new[name]]
    if changed:
        raise ModcogError(f"{config.out} holds a run with other settings: {'; '.join(changed)}")


@contextmanager
def hold_folder(config: TrainConfig, fabric: Fabric, resume: bool, wait: float) -> Iterator[None]:
    """Lock the folder of a run for the processes of this call.

    Only the first process takes the lock, and all must learn the outcome. It cannot simply wait: the others, who wait
    for its message, would take it for lost after a time limit. So it sends a message every ``PATIENCE`` seconds.

    Raises:
        ModcogError: if another process holds the folder for longer than ``wait`` seconds, or has written to it.
    """
    busy = f"another process is training in {config.out}"
    with ExitStack() as held:
        refused: str | None = busy
        while refused == busy:
            if fabric.is_global_zero:
                config.out.mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(locked(config.out / LOCK, busy, min(wait, PATIENCE)))
                    check_folder(config, resume)  # again: another process may have written since
                    refused = None
                except ModcogError as error:
                    refused = str(error)
            refused = fabric.broadcast(refused)
            wait -= PATIENCE
            if refused is not None and (refused != busy or wait <= 0):
                raise ModcogError(refused)
        yield


def load_model(folder: str | Path) -> torch.nn.Module:
    """Load the network of a run with the weights of its newest checkpoint, in evaluation mode.

    Returns:
        The module; its ``battery`` is the one it was trained on.

    Raises:
        ModcogError: if there is no run or no checkpoint, or its weights do not fit the network that this version of
            modcog builds: a mask drawn by another version differs under the same seed.
    """
    config = read_run(folder).config
    battery = Battery.from_config(config.battery_settings())
    model = build_model(config, battery)
    path = checkpoint.latest(Path(folder) / CHECKPOINTS) / checkpoint.WEIGHTS
    try:
        model.load_state_dict(load_file(path))
    except ModcogError as error:
        raise ModcogError(f"{path}: {error}") from None
    model.battery = battery  # type: ignore[assignment]
    return model.eval()


def versions() -> dict[str, str]:
    """Return the versions of the software that decides the numbers."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("modcog", "torch", "numpy", "lightning-fabric"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any] | None:
    """Return the commit of the working directory, and if it has changes; None outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
