"""A run on disk: its folder, its settings, the machine it ran on, and its outcome."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modcog.battery import Battery
from modcog.errors import ModcogError, shown
from modcog.files import locked, write_json
from modcog.models import ARCHITECTURES, build, configure
from modcog.tables import Brief
from modcog.training import checkpoint
from modcog.training.config import MACHINE_SETTINGS, TrainConfig, decisive
from modcog.training.record import RUN, Progress, Record, Status
from modcog.user_code import check_trust, error_text, is_import_path
from modcog.validation import read_record, validated
from modcog.version import __version__

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import

CHECKPOINTS = "checkpoints"
LOCK = ".lock"

MODEST = 4096
"""Number of units whose weights fit into any memory, even if all are connected."""

PATIENCE = 10.0
"""Seconds after which a process that waits for the folder tells the others so; they would give it up in the end."""

CHANGEABLE = {"out", "data", "steps", "target_accuracy", "target", *MACHINE_SETTINGS}
"""Settings that may change when a run is resumed; with other steps a cosine schedule takes another course."""


@dataclass(frozen=True, repr=False)
class Run(Brief):
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
        return validated(TrainConfig, {**self.record["config"], "out": self.folder, "data": None})

    @property
    def decision_accuracy(self) -> float:
        """Mean decision accuracy at the last evaluation, that of ``record["scores"]["step"]``.

        Raises:
            ModcogError: if there was none yet.
        """
        if not (scores := self.record["scores"]):
            raise ModcogError(f"{self.folder} has not been evaluated yet")
        return float(scores["decision_accuracy"])


def build_model(config: TrainConfig, battery: Battery) -> torch.nn.Module:
    """Build the network of a config, initialized from its seed.

    Raises:
        ModcogError: for wrong options, or if it does not fit in memory.
    """
    options, architecture = _options(config), ARCHITECTURES.get(config.arch)
    if architecture and "dt" in architecture.model_fields:
        options.setdefault("dt", battery.settings.dt)
    try:
        return build(config.arch, battery.n_channels, battery.n_actions, **options)
    except (MemoryError, RuntimeError) as error:  # torch's word for a lack of memory
        raise ModcogError(f"hidden: {config.arch} with {config.hidden} units: {error_text(error)}") from None


def _options(config: TrainConfig) -> dict[str, Any]:
    density = {} if config.density is None else {"density": config.density}
    return {**config.model, **density, "hidden": config.hidden, "seed": (*config.earlier, config)[0].seed}


def write_run(config: TrainConfig, status: Status, progress: Progress, scores: dict[str, Any]) -> Run:
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


def read_run(folder: str | Path, trust: bool = False) -> Run:
    """Read a run from its folder; everything that opens a run starts here.

    Args:
        folder: folder of the run.
        trust: allow that it names a network of its own as MODULE:NAME, which is imported when it is built.

    Raises:
        ModcogError: if there is no run, or its record is damaged, of another version, or not trusted, naming the file.
    """
    if not isinstance(folder, str | Path):
        raise ModcogError(f"folder: got {shown(folder)}, must be the path of a run's folder")
    path = Path(folder) / RUN
    if not os.path.lexists(path):
        raise ModcogError(f"{folder} is not the folder of a run: it has no {RUN}")
    record: Record = read_record(path, Record)
    run = Run(Path(folder), record.status, record.model_dump())
    try:
        config = run.config
        configure(config.arch, **_options(config))
    except ModcogError as error:
        theirs = record.versions.get("modcog", __version__)
        note = "" if theirs == __version__ else f" (modcog {theirs} wrote it, this is {__version__})"
        raise ModcogError(f"{path}: {error}{note}") from None
    check_trust(path, config.arch, trust)
    return run


def check_folder(config: TrainConfig, resume: bool) -> None:
    """Check that training would neither overwrite a run nor resume one with other settings.

    Raises:
        ModcogError: if it would.
    """
    written, saved = os.path.lexists(config.out / RUN), checkpoint.checkpoints(config.out / CHECKPOINTS)
    if not resume and (written or saved):
        raise ModcogError(f"out: {config.out} holds a run already; resume it, or name another folder")
    if not written:
        return
    there = read_run(config.out, trust=True).config  # nothing is imported unless this call names it, too
    old, new = ({**c.model_dump(mode="json", exclude=CHANGEABLE), "start": decisive(c.start or {})}
                for c in (there, config))  # fmt: skip
    changed = [f"{name}: {shown(old[name])} there, {shown(new[name])} here" for name in old if old[name] != new[name]]
    if changed:
        raise ModcogError(f"{config.out} holds a run with other settings: {'; '.join(changed)}")
    if saved:
        check_size(config)


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


def load_model(folder: str | Path, trust: bool = False) -> torch.nn.Module:
    """Load the network of a run with the weights of its newest checkpoint, in evaluation mode.

    It reads JSON and tensors, and runs no code that comes with the folder, unless you trust it.

    Args:
        folder: folder of the run.
        trust: allow the run to name its network as MODULE:NAME, which is imported and called with options from the
            same folder. Trust runs that you have trained yourself, or whose code you have read.

    Returns:
        The module; its ``battery`` is the one it was trained on.

    Raises:
        ModcogError: if there is no run or no checkpoint, if a file is damaged (the error names it and the older
            checkpoint that can be used, if there is one), or if the weights do not fit the network that this version
            of modcog builds: a mask drawn by another version differs under the same seed.
    """
    return load_run(folder, trust)[0]


def load_run(folder: str | Path, trust: bool = False) -> tuple[torch.nn.Module, Progress]:
    """Load the network of a run as ``load_model`` does, and the progress that its weights were saved at.

    Raises:
        ModcogError: as ``load_model`` does.
    """
    run = read_run(folder, trust)
    config, battery = run.config, Battery.from_config(run.config.battery_settings())
    check_size(config)
    try:
        model = build_model(config, battery)
    except ModcogError as error:
        raise ModcogError(f"{run.folder / RUN}: {error}") from error

    def read(path: Path) -> Progress:
        checkpoint.load_weights(path, model)
        return checkpoint.read_progress(path)

    progress = checkpoint.read_latest(run.folder / CHECKPOINTS, read)
    model.battery, model.trained = battery, config.all_trained  # type: ignore[assignment]
    return model.eval(), progress


def check_size(config: TrainConfig) -> None:
    """Refuse a run that names more units than its checkpoint has input weights for, before memory is taken for them.

    Raises:
        ModcogError: naming the record.
    """
    weights = checkpoint.latest(config.out / CHECKPOINTS) / checkpoint.WEIGHTS
    least = 2 * config.hidden * config.battery_settings().dim_ring  # bytes, if a weight took one
    large = config.hidden > MODEST and not is_import_path(config.arch)
    if large and weights.is_file() and weights.stat().st_size < least:
        raise ModcogError(f"{config.out / RUN} is damaged: hidden: got {config.hidden}, more units than {weights} has")


def versions() -> dict[str, str]:
    """Return the versions of the software that decides the numbers."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "modcog": __version__}
    for package in ("torch", "numpy", "lightning-fabric"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any] | None:
    """Return the commit of the working directory, and if it has changes; None outside a repository."""

    def git(*words: str) -> str:
        # A repository's own settings may name a program that git is to run; the working directory may be anybody's.
        words = ("-c", "core.fsmonitor=false", *words)
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
