"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NoReturn

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from torch import Tensor

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation.evaluate import evaluate_on
from modcog.files import locked
from modcog.progress import ProgressBar
from modcog.seeds import Purpose, Seed
from modcog.signals import stop_signals
from modcog.training import checkpoint
from modcog.training.batches import held_out, make_batches
from modcog.training.checkpoint import Progress
from modcog.training.config import MACHINE_SETTINGS, TrainConfig
from modcog.training.figures import draw_run
from modcog.training.metrics import SCORES, Metrics, read_metrics, scores_record
from modcog.training.objective import learning_rate, loss, make_optimizer
from modcog.training.run import CHECKPOINTS, RUN, Run, build_model, read_run, write_run
from modcog.training.tensors import Microbatch, Minibatch
from modcog.user_code import failures_as, is_import_path

LOCK = ".lock"

PATIENCE = 10.0
"""Seconds after which a process that waits for the folder tells the others so; they would give it up in the end."""

MILESTONES = (50, 75, 90, 95)
"""Mean decision accuracies, in percent, whose first reaching is recorded."""

CHANGEABLE = {"out", "data", "steps", "target_accuracy", "target", *MACHINE_SETTINGS}
"""Settings that may change when a run is resumed; with other steps a cosine schedule takes another course."""


class DivergedError(ModcogError):
    """The loss, a weight or an output of the network is NaN or infinite."""


def train(config: TrainConfig, *, resume: bool = False, progress_bar: bool | None = None, wait: float = 0.0) -> Run:
    """Train a network.

    Args:
        config: settings of the run; see ``TrainConfig``.
        resume: continue from the newest checkpoint of the run in ``config.out``, if there is one; an undisturbed run
            and a resumed one end with the same weights (same machine, same number of threads).
        progress_bar: show a progress bar; None: if standard error is a terminal.
        wait: seconds to wait for another process that is training in the same folder.

    Returns:
        Run: its folder, its status and its record. ``"interrupted"`` after SIGINT or SIGTERM.

    Raises:
        ModcogError: if the folder holds a run and ``resume`` is False, or holds another run than ``config``, or
            another process is training in it.
        DivergedError: if the loss became NaN or infinite; the last good checkpoint stays.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    fabric = _make_fabric(config)
    fabric.launch()
    _check_folder(config, resume)
    fabric.barrier()  # nobody writes before everybody has looked
    loop = _Loop(config, fabric)
    with _hold_folder(config, fabric, resume, wait):
        return loop.run(resume, progress_bar)


def _make_fabric(config: TrainConfig) -> Fabric:
    """Set up the devices of the config.

    Raises:
        ModcogError: if this machine does not have them.
    """
    asked = {name: getattr(config, name) for name in ("accelerator", "devices", "num_nodes", "precision")}
    try:
        return Fabric(**asked)
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise ModcogError(f"{', '.join(f'{name} {value!r}' for name, value in asked.items())}: {error}") from None


def _check_folder(config: TrainConfig, resume: bool) -> None:
    """Refuse to overwrite a run, or to resume one with other settings."""
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
def _hold_folder(config: TrainConfig, fabric: Fabric, resume: bool, wait: float) -> Iterator[None]:
    """Lock the folder of a run for the processes of this call.

    Only the first process takes the lock, and all must learn the outcome. It cannot simply wait: the others, who wait
    for its message, would take it for lost after a time limit. So it sends a message every ``PATIENCE`` seconds.
    """
    busy = f"another process is training in {config.out}"
    with ExitStack() as held:
        refused: str | None = busy
        while refused == busy:
            if fabric.is_global_zero:
                config.out.mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(locked(config.out / LOCK, busy, min(wait, PATIENCE)))
                    _check_folder(config, resume)  # again: another process may have written since
                    refused = None
                except ModcogError as error:
                    refused = str(error)
            refused = fabric.broadcast(refused)
            wait -= PATIENCE
            if refused is not None and (refused != busy or wait <= 0):
                raise ModcogError(refused)
        yield


class _Loop:
    """One run, from its first or its next step to its end."""

    def __init__(self, config: TrainConfig, fabric: Fabric) -> None:
        self.config, self.fabric = config, fabric
        self.battery = Battery.from_config(config.battery_settings())
        self.network = build_model(config, self.battery)
        self.plain_optimizer = make_optimizer(config, self.network)
        self.model, self.optimizer = fabric.setup(self.network, self.plain_optimizer)
        self.batches = make_batches(config, self.battery, fabric.global_rank, fabric.world_size)
        self.held_out = held_out(config, self.battery)
        self.checkpoints = config.out / CHECKPOINTS
        self.progress, self.scores = Progress(), dict[str, Any]()
        self.metrics: Metrics | None = None

    def run(self, resume: bool, progress_bar: bool | None) -> Run:
        """Train to the end, the target, a signal, or divergence; with ``resume`` from the newest checkpoint."""
        config, progress = self.config, self.progress
        torch.manual_seed(Seed.of(config.seed, Purpose.NETWORK_NOISE, self.fabric.global_rank).integer())
        resumed = resume and bool(checkpoint.checkpoints(self.checkpoints))
        if resumed:
            progress = self._load()
        self._write("running")
        with ExitStack() as stack:
            asked_to_stop = stack.enter_context(stop_signals())
            if self.fabric.is_global_zero:
                self.metrics = stack.enter_context(closing(Metrics(config.out, progress.step if resumed else -1)))
            show = progress_bar if self.fabric.is_global_zero else False
            bar = stack.enter_context(ProgressBar("training", "updates", config.steps, progress.step, show))
            if not resumed:
                self._evaluate()
            while not self._reached() and progress.step < config.steps:
                stop = self._update(asked_to_stop())
                if progress.step % config.eval_every == 0 or progress.step == config.steps:
                    self._evaluate()
                bar.advance(loss=progress.loss, accuracy=self.scores.get("decision_accuracy", math.nan))
                if stop:
                    self._check_weights()
                    self._save()
                    return self._write("interrupted")
        if self.fabric.is_global_zero:
            draw_run(config.out)
        return self._write("reached" if self._reached() else "finished")

    def _update(self, asked_to_stop: bool) -> bool:
        """Update the weights once; return True if any process was asked to stop."""
        config, progress = self.config, self.progress
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, progress.step)
        batch = self.batches(progress.step)
        self.optimizer.zero_grad()
        mean_loss, stop = self._share(self._backward(batch), asked_to_stop)
        if not math.isfinite(mean_loss):
            self._raise_diverged(f"the loss became {mean_loss}")
        if config.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        self.optimizer.step()
        progress.step += 1
        progress.trials += batch.n_trials * self.fabric.world_size
        progress.seconds += time.perf_counter() - start
        progress.loss = mean_loss if progress.loss is None else 0.98 * progress.loss + 0.02 * mean_loss
        return stop

    def _backward(self, batch: Minibatch) -> Tensor:
        """Add up the gradients of a minibatch's parts, and return its loss."""
        total = torch.zeros((), device=self.fabric.device)
        for part in batch.parts:
            # the gradients of all parts are added up here; the last part shares the sum with the other processes
            alone = part is not batch.parts[-1] and self.fabric.world_size > 1
            with self.fabric.no_backward_sync(self.model, enabled=alone):
                part = Microbatch(*self.fabric.to_device((part.observations, part.labels, part.weights)))
                value = loss(self._call(self.model, part.observations), part) / batch.weight
                self.fabric.backward(value)
            total += value.detach()
        return total

    def _share(self, value: Tensor, asked_to_stop: bool) -> tuple[float, bool]:
        """Return the mean loss of all processes, and True if any of them was asked to stop."""
        if self.fabric.world_size == 1:
            return value.item(), asked_to_stop
        both = torch.stack([value, torch.full_like(value, asked_to_stop)])
        mean, stop = self.fabric.all_reduce(both, reduce_op="mean").tolist()  # type: ignore[union-attr]
        return mean, stop > 0

    def _evaluate(self) -> None:
        """Score the held-out trials, record the scores, and save a checkpoint."""
        self._check_weights()
        if self.metrics:
            scores = evaluate_on(self._predict, self.held_out, self.battery.n_actions)
            self.scores = {"step": self.progress.step, **scores_record(scores)}
            for percent in MILESTONES:
                if scores.decision_accuracy * 100 >= percent:
                    reached = {"trials": self.progress.trials, "seconds": self.progress.seconds}
                    self.progress.milestones.setdefault(str(percent), reached)
            self.metrics.write(self.progress, learning_rate(self.config, self.progress.step), self.scores)
        self.scores = self.fabric.broadcast(self.scores)
        self._save()

    def _predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (n, T, A) for observations (n, T, C)."""
        x = torch.from_numpy(observations).transpose(0, 1)
        self.network.eval()
        with torch.no_grad(), self.fabric.autocast():
            weight = next(self.network.parameters())
            logits = self._call(self.network, x.to(weight.device, weight.dtype))
        self.network.train()
        if not logits.isfinite().all():
            self._raise_diverged("the network's output became NaN or infinite")
        return logits.float().transpose(0, 1).cpu().numpy()

    def _call(self, network: Callable[[Tensor], Tensor], observations: Tensor) -> Tensor:
        """Return logits (T, B, A) for observations (T, B, C).

        Raises:
            ModcogError: if a user's network fails, though it did not before training.
        """
        if not is_import_path(self.config.arch):
            return network(observations)
        with failures_as(f"{self.config.arch}: failed after {self.progress.step} updates"):
            return network(observations)

    def _reached(self) -> bool:
        target = self.config.target_accuracy
        if target is None or not self.scores:
            return False
        if self.config.target == "mean":
            return bool(self.scores["decision_accuracy"] >= target)
        return bool(min(self.scores["decision_accuracy_per_task"].values()) >= target)

    def _save(self) -> None:
        random = [checkpoint.random_states(self.fabric.device)]
        if self.fabric.world_size > 1:
            of_all: list[Any] = [None] * self.fabric.world_size
            torch.distributed.all_gather_object(of_all, random[0])
            random = of_all
        if self.fabric.is_global_zero:
            checkpoint.save(self.checkpoints, self.network, self.plain_optimizer, random, self.progress)

    def _load(self) -> Progress:
        path, ranks = checkpoint.latest(self.checkpoints), (self.fabric.global_rank, self.fabric.world_size)
        self.progress = checkpoint.load(path, self.network, self.plain_optimizer, *ranks)
        known = [record for record in read_metrics(self.config.out) if record["step"] <= self.progress.step]
        if known:
            self.scores = {name: known[-1][name] for name in ("step", *SCORES)}
        return self.progress

    def _check_weights(self) -> None:
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            self._raise_diverged("a weight became NaN or infinite")

    def _raise_diverged(self, what: str) -> NoReturn:
        self._write("diverged")
        last = checkpoint.latest(self.checkpoints)
        raise DivergedError(
            f"{what} at step {self.progress.step}; the last good checkpoint is {last}; "
            f"try a learning_rate below {self.config.learning_rate:g}, or a smaller clip"
        )

    def _write(self, status: str) -> Run:
        if not self.fabric.is_global_zero:
            return Run(self.config.out, status, {"scores": self.scores, "progress": self.progress.__dict__})
        return write_run(self.config, status, self.progress, self.scores)
