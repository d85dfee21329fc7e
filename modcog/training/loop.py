"""The training loop, its loss, learning rate and optimizer."""

from __future__ import annotations

import atexit
import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from copy import deepcopy
from dataclasses import asdict
from typing import Any, NoReturn, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from modcog.battery import Battery
from modcog.errors import ModcogError, shown
from modcog.evaluation.evaluate import evaluate_on
from modcog.evaluation.scores import Scores
from modcog.extras import require
from modcog.models.cells import MaskedRNN
from modcog.progress import ProgressBar
from modcog.seeds import Purpose, Seed
from modcog.signals import stop_signals
from modcog.training import checkpoint
from modcog.training.batches import Microbatch, Minibatch, held_out, make_batches
from modcog.training.config import TrainConfig
from modcog.training.earlier import load_final, train_rules_only
from modcog.training.metrics import PROGRESS, Metrics, draw_run, read_metrics, summarize
from modcog.training.penalty import Penalty
from modcog.training.record import Evaluation, Progress, Reached, Status
from modcog.training.run import CHECKPOINTS, Run, build_model, check_folder, hold_folder, write_run
from modcog.trials.arrays import IGNORE
from modcog.user_code import failures_as, is_import_path

MILESTONES = (50, 75, 90, 95)
"""Mean decision accuracies, in percent, whose first reaching is recorded."""


class DivergedError(ModcogError):
    """The loss, a weight or an output of the network is NaN or infinite."""


def train(
    config: TrainConfig,
    *,
    resume: bool = False,
    progress_bar: bool | None = None,
    wait: float = 0.0,
    on_evaluation: Callable[[Evaluation], object] | None = None,
) -> Run:
    """Train a network.

    Args:
        config: settings of the run; see ``TrainConfig``.
        resume: continue from the newest checkpoint of the run in ``config.out``, if there is one; an undisturbed run
            and a resumed one end with the same weights (same machine, same number of threads).
        progress_bar: show a progress bar; None: if standard error is a terminal.
        wait: seconds to wait for another process that is training in the same folder.
        on_evaluation: function that is called with each ``Evaluation`` of this call, such as one that logs it, after
            its checkpoint was saved; of several processes, only the first calls it.

    Returns:
        Run: its folder, its status and its record. ``"interrupted"`` after SIGINT or SIGTERM.

    Raises:
        ModcogError: if the folder holds a run and ``resume`` is False, or holds another run than ``config``, or
            another process is training in it; if this machine does not have the devices of the config; or if
            ``on_evaluation`` fails: the run can then be resumed.
        DivergedError: if the loss became NaN or infinite; the last good checkpoint stays.
    """
    require("train", "modcog.training")
    if on_evaluation is not None and not callable(on_evaluation):
        raise ModcogError(f"on_evaluation: got {shown(on_evaluation)}, must be a function of one argument, or None")
    if config.threads:
        torch.set_num_threads(config.threads)
    devices = {name: getattr(config, name) for name in ("accelerator", "devices", "num_nodes", "precision")}
    try:
        fabric = Fabric(**devices)
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        asked = ", ".join(f"{name} {value!r}" for name, value in devices.items())
        raise ModcogError(f"{asked}: {error}") from None
    most = max(os.cpu_count() or 1, 2)  # else a stranger's run, resumed, could start a thousand processes
    if fabric.device.type == "cpu" and config.devices != "auto" and config.devices > most:
        raise ModcogError(f"devices: got {config.devices}, must be at most {most} on the CPU of this machine")
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave_group)
    check_folder(config, resume)
    fabric.barrier()  # nobody writes before everybody has looked
    loop = _Loop(config, fabric, on_evaluation)
    with hold_folder(config, fabric, resume, wait):
        return loop.run(resume, progress_bar)


def _leave_group() -> None:
    """End the threads of the group of processes; a process that exits before them can abort."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class _Loop:
    """One run, from its first or its next step to its end."""

    def __init__(
        self, config: TrainConfig, fabric: Fabric, on_evaluation: Callable[[Evaluation], object] | None = None
    ) -> None:
        self.config, self.fabric, self.on_evaluation = config, fabric, on_evaluation
        self.battery = Battery.from_config(config.battery_settings())
        self.network = build_model(config, self.battery)
        self.plain_optimizer = make_optimizer(config, self.network)
        if config.trainable == "rules":
            train_rules_only(self.network, config.rule_places.width)
        self.model, self.optimizer = fabric.setup(self.network, self.plain_optimizer)
        self.absent = absent_connections(self.network) if config.clip_absent and config.trainable == "all" else None
        self.penalty = Penalty.of(config, self.network, loss)
        device = fabric.device if fabric.device.type == "cuda" else None
        self.batches = make_batches(config, self.battery, fabric.global_rank, fabric.world_size, device)
        self.held_out = held_out(config, self.battery)
        self.checkpoints = config.out / CHECKPOINTS
        self.progress, self.scores = Progress(), dict[str, Any]()
        self.metrics: Metrics | None = None

    def run(self, resume: bool, progress_bar: bool | None) -> Run:
        """Train to the end, the target, a signal, or divergence; with ``resume`` from the newest checkpoint."""
        config = self.config
        torch.manual_seed(Seed.of(config.seed, Purpose.NETWORK_NOISE, self.fabric.global_rank).integer())
        resumed = resume and bool(checkpoint.checkpoints(self.checkpoints))
        if resumed:
            parts = (self.network, self.plain_optimizer, self.fabric.global_rank, self.fabric.world_size)
            sums = self.penalty.path_sums
            self.progress = checkpoint.read_latest(self.checkpoints, lambda path: checkpoint.load(path, *parts, sums))
            for record in read_metrics(config.out):
                if record["step"] <= self.progress.step:
                    self.scores = {"step": record["step"], **{k: v for k, v in record.items() if k not in PROGRESS}}
        elif config.start is not None:
            load_final(config.earlier[-1], self.network)
        progress = self.progress
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
                if is_evaluated(config, progress.step):
                    self._evaluate()
                last = {f"accuracy at {self.scores['step']}": self.scores["decision_accuracy"]} if self.scores else {}
                bar.advance(loss=progress.loss, **last)
                if stop:
                    self._check_weights()
                    self._save()
                    return self._write("interrupted")
        if self.fabric.is_global_zero:
            draw_run(config.out, self.battery)
        return self._write("reached" if self._reached() else "finished")

    def _update(self, asked_to_stop: bool) -> bool:
        """Update the weights once; return True if any process was asked to stop."""
        config, progress = self.config, self.progress
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, progress.step)
        batch = self.batches(progress.step)
        self.optimizer.zero_grad()
        network = self.network if isinstance(self.network, MaskedRNN) and self.absent is not None else None
        with network.full_gradient() if network else nullcontext() as full_gradient:
            value = self._backward(batch)
        shared = torch.stack([value, torch.full_like(value, asked_to_stop)])  # if any process is to stop, all are
        mean_loss, stop = self.fabric.all_reduce(shared, reduce_op="mean").tolist()  # type: ignore[union-attr]
        if not math.isfinite(mean_loss):
            self._raise_diverged(f"the loss became {mean_loss}")
        self.penalty.add_gradient()
        if config.clip:
            self._clip(full_gradient)
        self.optimizer.step()
        self.penalty.add_to_path()
        progress.step += 1
        progress.trials += batch.n_trials * self.fabric.world_size
        progress.seconds += time.perf_counter() - start
        progress.loss = mean_loss if progress.loss is None else 0.98 * progress.loss + 0.02 * mean_loss
        return stop > 0

    def _clip(self, full_gradient: Tensor | None) -> None:
        """Scale the gradients so that their norm is at most ``clip``; that of absent connections counts if it is there.

        A mask that is applied to the weights after each update leaves absent connections without effect, but for this.
        """
        if full_gradient is None or self.absent is None:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.config.clip, error_if_nonfinite=False)
            return
        gradient = cast(Tensor, self.fabric.all_reduce(full_gradient, reduce_op="mean"))
        counted = torch.empty_like(gradient)
        counted.grad = gradient * self.absent
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), counted], self.config.clip)

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

    def _evaluate(self) -> None:
        """Score the held-out trials, record the scores, save a checkpoint, and pass the evaluation to the user."""
        self._check_weights()
        evaluation = None
        if self.metrics:
            scores = evaluate_on(self._predict, self.held_out, self.battery.n_actions)
            evaluation, self.scores = record_scores(self.config, self.progress, scores)
            self.metrics.write(evaluation)
        self.scores = self.fabric.broadcast(self.scores)
        self._save()
        if evaluation and self.on_evaluation:
            # After the checkpoint, since a run that was killed before that makes this evaluation again when resumed.
            # What the function writes into its copy, or draws from torch's generator, changes nothing here.
            cuda = [self.fabric.device] if self.fabric.device.type == "cuda" else []
            with torch.random.fork_rng(cuda), failures_as(f"on_evaluation: failed at step {evaluation.step}"):
                self.on_evaluation(deepcopy(evaluation))

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
        config, scores = self.config, self.scores
        if config.target_accuracy is None or not scores:
            return False
        per_task = [scores["decision_accuracy_per_task"][task] for task in config.trained]
        accuracy = sum(per_task) / len(per_task) if config.target == "mean" else min(per_task)
        return bool(accuracy >= config.target_accuracy)

    def _save(self) -> None:
        random = [checkpoint.random_states(self.fabric.device)]
        if self.fabric.world_size > 1:
            of_all: list[Any] = [None] * self.fabric.world_size
            torch.distributed.all_gather_object(of_all, random[0])
            random = of_all
        if self.fabric.is_global_zero:
            kept = (self.network, self.plain_optimizer, random, self.progress, self.penalty.path_sums)
            checkpoint.save(self.checkpoints, *kept)

    def _check_weights(self) -> None:
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            self._raise_diverged("a weight became NaN or infinite")

    def _raise_diverged(self, what: str) -> NoReturn:
        self._write("diverged")
        kept = checkpoint.checkpoints(self.checkpoints)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        raise DivergedError(
            f"{what} at step {self.progress.step}; {last}; "
            f"try a learning_rate below {self.config.learning_rate:g}, or a smaller clip"
        )

    def _write(self, status: Status) -> Run:
        if not self.fabric.is_global_zero:
            return Run(self.config.out, status, {"scores": self.scores, "progress": asdict(self.progress)})
        return write_run(self.config, status, self.progress, self.scores)


def record_scores(config: TrainConfig, progress: Progress, scores: Scores) -> tuple[Evaluation, dict[str, Any]]:
    """Note the milestones that scores reach in the progress, and return the evaluation and what ``run.json`` gets."""
    for percent in MILESTONES:
        if scores.decision_accuracy * 100 >= percent:
            progress.milestones.setdefault(str(percent), Reached(progress.trials, progress.seconds))
    rate, kept = learning_rate(config, progress.step), summarize(scores)
    done = {name: getattr(progress, name) for name in ("step", "trials", "seconds", "loss")}
    return Evaluation(**done, learning_rate=rate, **kept), {"step": progress.step, **kept}


def loss(logits: Tensor, part: Microbatch) -> Tensor:
    """Return the sum of the cross-entropy of every step times the weight of the step.

    Args:
        logits: (T, B, A).
        part: the sequences that the logits belong to.

    Returns:
        A scalar; divided by the weight of the minibatch it is a mean.
    """
    each = functional.cross_entropy(logits.flatten(0, 1), part.labels.flatten(), ignore_index=IGNORE, reduction="none")
    return torch.dot(each.float(), part.weights.flatten())


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the rate of update ``step`` (from 0): a linear warm-up, then constant or half a cosine.

    The cosine is that of Loshchilov and Hutter (2017), without restarts.
    """
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.learning_rate * rise
    done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def is_evaluated(config: TrainConfig, step: int) -> bool:
    """Return True if a run is scored after update ``step`` (from 1)."""
    early = config.eval_early and step < config.eval_every and step.bit_count() == 1
    return early or step % config.eval_every == 0 or step == config.steps


def absent_connections(network: torch.nn.Module) -> Tensor | None:
    """Return the connections that the mask of a network leaves out, (N, N) bool; None if it is full.

    Raises:
        ModcogError: if the network has no mask.
    """
    if not isinstance(network, MaskedRNN):
        raise ModcogError(f"clip_absent: got True for {type(network).__name__}, must be a network with a mask")
    mask, device = network.mask, network.weight_recurrent.device
    return None if mask.synapses == mask.n**2 else torch.from_numpy(~mask.to_dense()).to(device)


def make_optimizer(config: TrainConfig, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Make Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) for the parameters of a model."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
