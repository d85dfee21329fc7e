"""The training loop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation.evaluate import evaluate_on
from modcog.evaluation.scores import Scores
from modcog.training import checkpoint
from modcog.training.batches import Batch, held_out, make_batches
from modcog.training.checkpoint import Progress
from modcog.training.config import TrainConfig
from modcog.training.metrics import Metrics
from modcog.training.objective import learning_rate, loss, make_optimizer
from modcog.training.report import Bar, draw_run
from modcog.training.run import CHECKPOINTS, RUN, Run, build_model, read_run, write_run

MILESTONES = (50, 75, 90, 95)
"""Mean decision accuracies, in percent, whose first reaching is recorded."""


class DivergedError(ModcogError):
    """The loss was no longer a number."""


def train(config: TrainConfig, *, resume: bool = False, progress_bar: bool | None = None) -> Run:
    """Train a network.

    Args:
        config: what to do; see ``TrainConfig``.
        resume: go on from the newest checkpoint of the run in ``config.out``; an undisturbed run and a resumed one
            end with the same weights (same machine, same number of threads).
        progress_bar: show one; None: if the terminal can.

    Returns:
        Run: its folder, its status and its record. ``"interrupted"`` after SIGINT or SIGTERM.

    Raises:
        ModcogError: if the folder holds a run and ``resume`` is not asked for, or holds another run than ``config``.
        DivergedError: if the loss became NaN or infinite; the last good checkpoint stays.
    """
    _check_folder(config, resume)
    if config.threads:
        torch.set_num_threads(config.threads)
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=config.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return _Loop(config, fabric, resume).run(progress_bar)


class _Loop:
    """One run, from its first or its next step to its end."""

    def __init__(self, config: TrainConfig, fabric: Fabric, resume: bool) -> None:
        self.config, self.fabric = config, fabric
        self.battery = Battery.from_settings(config.battery_settings())
        torch.manual_seed(config.seed)
        network = build_model(config, self.battery)
        self.plain_optimizer = make_optimizer(config, network)
        self.network = network
        self.progress = Progress()
        self.checkpoints = config.out / CHECKPOINTS
        if resume and checkpoint.checkpoints(self.checkpoints):
            self.progress = checkpoint.load(checkpoint.latest(self.checkpoints), network, self.plain_optimizer)
        self.model, self.optimizer = fabric.setup(network, self.plain_optimizer)
        self.batches = make_batches(config, self.battery)
        self.held_out = held_out(config, self.battery)
        self.scores: Scores | None = None

    def run(self, progress_bar: bool | None) -> Run:
        """Train to the end, the target, a signal, or divergence."""
        config, leads = self.config, self.fabric.is_global_zero
        if leads:
            self._write("running")
        step = self.progress.step
        bar_of_run = Bar(config.steps, step, show=progress_bar if leads else False)
        with _stop_signals() as stopped, Metrics(config.out, step) as metrics, bar_of_run as bar:
            if self.progress.step == 0:
                self._evaluate(metrics, bar)
            while self.progress.step < config.steps:
                self._update(bar)
                if self.progress.step % config.eval_every == 0 or self.progress.step == config.steps:
                    self._evaluate(metrics, bar)
                    if self._reached():
                        return self._end("reached")
                if stopped():
                    self._save()
                    return self._write("interrupted")
        return self._end("finished")

    def _update(self, bar: Bar) -> None:
        """One update of the weights."""
        config, progress = self.config, self.progress
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, progress.step)
        batch = self._batch(progress.step)
        logits = self.model(batch.observations)
        value = loss(logits, batch.observations, batch.labels, config.decision_weight)
        self.optimizer.zero_grad()
        self.fabric.backward(value)
        if config.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        now = value.item()
        if not torch.isfinite(value):
            self._diverged(now)
        self.optimizer.step()
        progress.step += 1
        progress.trials += batch.n_trials * self.fabric.world_size
        progress.seconds += time.perf_counter() - start
        progress.loss = now if progress.loss is None else 0.98 * progress.loss + 0.02 * now
        bar.update(progress)

    def _batch(self, step: int) -> Batch:
        """This process's batch of an update; processes take turns in the numbered batches."""
        batch = self.batches(step * self.fabric.world_size + self.fabric.global_rank)
        observations, labels = self.fabric.to_device((batch.observations, batch.labels))
        return Batch(observations, labels, batch.n_trials)

    def _evaluate(self, metrics: Metrics, bar: Bar) -> None:
        """Score the held-out trials, record them, and save a checkpoint."""
        self.scores = scores = evaluate_on(self.network, self.held_out, self.battery.n_actions)
        progress = self.progress
        if not self.fabric.is_global_zero:
            return
        for percent in MILESTONES:
            if scores.decision_accuracy * 100 >= percent and str(percent) not in progress.milestones:
                progress.milestones[str(percent)] = {"trials": progress.trials, "seconds": progress.seconds}
        record = {
            "step": progress.step,
            "trials": progress.trials,
            "seconds": progress.seconds,
            "loss": progress.loss,
            "learning_rate": learning_rate(self.config, progress.step),
            "decision_accuracy": scores.decision_accuracy,
            "trial_accuracy": scores.trial_accuracy,
        }
        metrics.write(record, scores)
        bar.scored(scores)
        self._save()

    def _reached(self) -> bool:
        config, scores = self.config, self.scores
        if config.target_accuracy is None or scores is None:
            return False
        least = scores.decision_accuracy if config.target == "mean" else min(scores.per_task().values())
        return least >= config.target_accuracy

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            checkpoint.save(self.checkpoints, self.network, self.plain_optimizer, self.progress)

    def _diverged(self, value: float) -> None:
        run = self._write("diverged")
        last = checkpoint.latest(self.checkpoints)
        raise DivergedError(
            f"the loss became {value} at step {self.progress.step}; the last good checkpoint is {last}. "
            f"Try a learning_rate below {self.config.learning_rate:g} ({run.folder})"
        )

    def _end(self, status: str) -> Run:
        run = self._write(status)
        if self.fabric.is_global_zero:
            draw_run(self.config.out)
        return run

    def _write(self, status: str) -> Run:
        scores: dict[str, Any] = {}
        if self.scores is not None:
            scores = {
                "decision_accuracy": self.scores.decision_accuracy,
                "trial_accuracy": self.scores.trial_accuracy,
                "decision_accuracy_per_task": self.scores.per_task(),
                "trial_accuracy_per_task": self.scores.trial_accuracy_per_task(),
            }
        return write_run(self.config, status, self.progress, scores)


def _check_folder(config: TrainConfig, resume: bool) -> None:
    """Refuse to write over a run, or to go on with another run's settings."""
    if not (config.out / RUN).exists():
        return
    if not resume:
        raise ModcogError(f"out: {config.out} holds a run already; resume it, or name another folder")
    before = TrainConfig(**{**read_run(config.out).record["config"], "out": config.out})
    free = {"out", "steps", "threads", "target_accuracy", "target"}
    old, new = (c.model_dump(exclude=free) for c in (before, config))
    changed = [f"{name}: {old[name]!r} there, {new[name]!r} here" for name in old if old[name] != new[name]]
    if changed:
        raise ModcogError(f"{config.out} holds a run with other settings: {'; '.join(changed)}")


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM has come, instead of what they do otherwise; a second SIGINT does that again."""
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handle)
    except ValueError:  # not in the main thread: whoever runs it there handles signals
        pass
    try:
        yield lambda: bool(came)
    finally:
        for number, old in before.items():
            signal.signal(number, old)
