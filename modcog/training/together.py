"""Training of many networks side by side on one device: the same runs as one by one, but for rounding.

A recurrent network of a few hundred units leaves a GPU idle; a hundred of them at once keep it busy.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from modcog.battery import Battery
from modcog.models import ARCHITECTURES
from modcog.models.bank import NAMES, ZERO_AT_ZERO, Bank
from modcog.models.cells import MaskedRNN
from modcog.models.factory import MaskedConfig, ModelConfig
from modcog.progress import ProgressBar
from modcog.training.batches import Batches, held_out, make_batches
from modcog.training.config import MACHINE_SETTINGS, TrainConfig
from modcog.training.learned import Actions, Learned
from modcog.training.loop import is_evaluated, learning_rate
from modcog.training.run import build_model
from modcog.trials.arrays import IGNORE, Trials

OWN = {"arch", "hidden", "density", "model", "learning_rate", "seed", "battery", "out", *MACHINE_SETTINGS}
"""Settings in which networks that are trained together may differ."""

ROUND = 32
"""Updates whose trials travel to the device at once."""

SHARE = 0.4
"""Share of the device's free memory that networks may fill."""

SCORED = 1024
"""Trials that all networks are scored on at once."""

EAGER = 3
"""Updates before the rest are replayed as a graph, so that all libraries have what they set up at first use."""


def can_join(config: TrainConfig) -> bool:
    """Return True if a network can be trained together with others: units with a mask, no noise, plain Adam."""
    kinds = {"optimizer": "adam", "weight_decay": 0, "target_accuracy": None, "devices": 1, "num_nodes": 1}
    kinds |= {"start": None, "trainable": "all", "penalty": "none"}
    fits = all(getattr(config, name) == value for name, value in kinds.items()) and config.precision == "32-true"
    masked = issubclass(ARCHITECTURES.get(config.arch, ModelConfig), MaskedConfig) and config.arch != "dale"
    return fits and masked and config.data is None and not config.model.get("noise")


def groups(configs: Iterable[TrainConfig]) -> list[list[TrainConfig]]:
    """Sort runs into groups that can be trained together: the same settings but for network, rate, seed and rules.

    Sizes within a group differ by less than a factor of 2, since the smaller ones are padded, or not at all.
    """
    found: dict[str, list[TrainConfig]] = {}
    for config in configs:
        battery = config.battery_settings().model_dump(mode="json", exclude={"rules"})
        kept = {name: config.model.get(name) for name in ("activation", "tau", "dt")}
        shared = config.model_dump(mode="json", exclude=OWN)
        pads = config.model.get("activation", "relu") in ZERO_AT_ZERO
        size = max(6, (config.hidden - 1).bit_length()) if pads else config.hidden
        found.setdefault(repr((shared, battery, kept, size)), []).append(config)
    return list(found.values())


def train_together(
    configs: Sequence[TrainConfig],
    device: torch.device,
    score_on: Callable[[Battery], Trials] | None = None,
    *,
    workers: int | None = None,
    progress: bool | None = None,
) -> Iterator[Learned]:
    """Train the networks of a group side by side, and yield what each has learned.

    Args:
        configs: settings that ``groups`` put together.
        device: place to train on.
        score_on: function that makes the trials on which each network is scored in the end; None: none.
        workers: processes that make the trials; 0: this one; None: all cores but two, or 0 without a GPU.
        progress: show a bar; None: if standard error is a terminal.
    """
    workers = default_workers(device) if workers is None else workers
    for part in np.array_split(np.arange(len(configs)), _parts(configs, device)):
        yield from _Group([configs[i] for i in part], device, workers).train(score_on, progress)


def default_workers(device: torch.device) -> int:
    """Return the number of processes that make the trials: all cores but two, or 0 without a GPU."""
    return max(1, (os.cpu_count() or 1) - 2) if device.type == "cuda" else 0


def context() -> BaseContext:
    """Return the way to start other processes: not by forking this one, which has a GPU and threads.

    They are forked, where the system can, from a server that has loaded torch once.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__])
    return forking


def _parts(configs: Sequence[TrainConfig], device: torch.device) -> int:
    """Return the number of parts of a group that fit into the device's memory."""
    if device.type != "cuda":
        return 1
    one, n = configs[0], max(config.hidden for config in configs)
    rows = one.batch_size * (one.seq_len if one.layout == "stream" else 64)
    channels = 2 * one.battery_settings().dim_ring + 1 + one.rule_places.width
    of_batch = rows * (9 * n + 2 * channels + 80)
    of_network = 4 * (6 * n * (n + channels) + of_batch + SCORED * (5 * n + channels))
    return -(-of_network * len(configs) // int(SHARE * torch.cuda.mem_get_info(device)[0]))


class Batch(NamedTuple):
    """Minibatches of several updates: (K, T, B, C), (K, T, B), (K, T, B), and the number of trials of each, (K,)."""

    observations: Tensor
    labels: Tensor
    weights: Tensor
    n_trials: Tensor


class _Minibatches(Dataset[Batch]):
    """Minibatches of S streams of trials: item i is round i // S of stream i % S, with as many steps as it needs."""

    def __init__(self, streams: Sequence[TrainConfig]) -> None:
        self.streams, self._made = streams, dict[int, Batches]()

    def __len__(self) -> int:
        return -(-self.streams[0].steps // ROUND) * len(self.streams)

    def __getitem__(self, index: int) -> Batch:
        number, stream = divmod(index, len(self.streams))
        config = self.streams[stream]
        if stream not in self._made:
            self._made[stream] = make_batches(config, Battery.from_config(config.battery_settings()))
        drawn = [self._made[stream](step) for step in range(ROUND * number, ROUND * (number + 1))]
        steps = max(len(part.labels) for batch in drawn for part in batch.parts)
        kinds = (("observations", 0), ("labels", IGNORE), ("weights", 0))
        arrays = [
            torch.stack([
                torch.cat([_lengthened(getattr(part, name), steps, fill) for part in batch.parts], 1)
                for batch in drawn
            ])
            for name, fill in kinds
        ]  # fmt: skip
        n_trials = torch.tensor([batch.n_trials for batch in drawn])
        return Batch(arrays[0], arrays[1], arrays[2], n_trials)


def _lengthened(array: Tensor, steps: int, fill: int) -> Tensor:
    """Return an array whose first axis has this many steps."""
    return pad(array, (*(0, 0) * (array.ndim - 1), 0, steps - len(array)), value=fill)


class _Group:
    """Networks that are trained side by side, from their first update to their last."""

    def __init__(self, configs: Sequence[TrainConfig], device: torch.device, workers: int) -> None:
        self.configs, self.device, self.workers, self.config = configs, device, workers, configs[0]
        self.batteries: dict[str, Battery] = {}
        streams: dict[tuple[str, int], TrainConfig] = {}
        keys = [(_battery_key(config), config.seed) for config in configs]
        for key, config in zip(keys, configs, strict=True):
            streams.setdefault(key, config)
            if key[0] not in self.batteries:
                self.batteries[key[0]] = Battery.from_config(config.battery_settings())
        self.streams, self.of = list(streams.values()), _index(keys, streams, device)
        self.of_battery = _index([battery for battery, _ in keys], self.batteries, device)
        networks = [
            build_model(config, self.batteries[battery]) for config, (battery, _) in zip(configs, keys, strict=True)
        ]
        self.bank = Bank(cast("list[MaskedRNN]", networks), device)
        self.adam = _Adam(self.bank.weights, configs)
        self.loss = torch.zeros(len(configs), device=device)
        self.diverged = torch.full((len(configs),), -1, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)
        self.buffers: list[Tensor] = []
        self.graph: Any = None

    def train(self, score_on: Callable[[Battery], Trials] | None, show: bool | None) -> Iterator[Learned]:
        """Train the networks to the end; see ``train_together``."""
        start, steps = time.perf_counter(), self.config.steps
        trials, counts = np.zeros(len(self.streams), np.int64), []
        held = _observations([held_out(one, self.batteries[_battery_key(one)]) for one in self.streams])
        evaluations: list[tuple[int, Tensor, Actions]] = []

        def evaluate(step: int) -> None:
            evaluations.append((step, self.loss.clone(), self._actions(held, self.of, step)))
            counts.append(trials.copy())

        evaluate(0)
        done = 0
        with ProgressBar(f"training {len(self.configs)} networks", "updates", steps, 0, show) as bar:
            for batches in self._rounds():
                self._fill(batches)
                for place in range(min(ROUND, steps - done)):
                    self._step(done)
                    done += 1
                    trials += [int(batch.n_trials[place]) for batch in batches]
                    bar.advance()
                    if is_evaluated(self.config, done):
                        evaluate(done)
        final = self._final(score_on, done)
        diverged, losses = self.diverged.tolist(), [loss.tolist() for _, loss, _ in evaluations]
        stacks = [self.bank.weights, self.adam.first, self.adam.second]
        seconds = (time.perf_counter() - start) / len(self.configs)
        for i, (config, stream) in enumerate(zip(self.configs, self.of.tolist(), strict=True)):
            parts = [self.bank.unstack(stack, i) for stack in stacks]
            yield Learned(
                config,
                seconds,
                {name: tuple(part[name] for part in parts) for name in NAMES},  # type: ignore[misc]
                [(step, losses[k][i] if step else None, taken[i]) for k, (step, _, taken) in enumerate(evaluations)],
                [int(count[stream]) for count in counts],
                None if final is None else final[i],
                diverged[i],
            )

    def _rounds(self) -> Iterator[list[Batch]]:
        """Yield the minibatches of each round, one item for each stream."""
        options: dict[str, Any] = {}
        if self.workers:
            options = {"multiprocessing_context": context(), "prefetch_factor": 4}
        loader = DataLoader(
            _Minibatches(self.streams),
            batch_size=None,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            **options,
        )
        items = iter(loader)
        while batches := list(islice(items, len(self.streams))):
            yield batches

    def _fill(self, batches: list[Batch]) -> None:
        """Bring the minibatches of a round to the device, at the same places in memory as those of the last round."""
        steps = max(batch.labels.shape[1] for batch in batches)
        if not self.buffers or self.buffers[0].shape[2] < steps:
            self.graph, self.buffers = None, []  # the graph reads from the old ones
            for array in batches[0][:3]:
                shape = (ROUND, len(batches), steps, *array.shape[2:])
                self.buffers.append(torch.empty(shape, dtype=array.dtype, device=self.device))
        for stream, batch in enumerate(batches):
            for buffer, array, fill in zip(self.buffers, batch[:3], (0, IGNORE, 0), strict=True):
                there = array.shape[1]
                buffer[:, stream, :there].copy_(array, non_blocking=True)
                buffer[:, stream, there:] = fill
        self.place.zero_()

    def _step(self, done: int) -> None:
        """Update all networks once."""
        if self.device.type != "cuda":
            self._update()
        elif self.graph is not None:
            self.graph.replay()
        elif done < EAGER:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            with torch.cuda.stream(side):
                side.wait_stream(torch.cuda.default_stream())
                self._update()
            torch.cuda.default_stream().wait_stream(side)
        else:
            torch.cuda.empty_cache()  # the graph has memory of its own
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # another thread pins memory
                self._update()
            self.graph.replay()

    def _update(self) -> None:
        """Update all networks once, without a look at any number, so that the device need not wait."""
        x, labels, weights = (buffer.index_select(0, self.place)[0] for buffer in self.buffers)
        losses, gradients = self.bank.gradients(x, labels, weights, self.of)
        running = torch.where(self.adam.step == 0, losses, 0.98 * self.loss + 0.02 * losses)
        self.diverged.copy_(torch.where(losses.isfinite() | (self.diverged >= 0), self.diverged, self.adam.step))
        self.loss.copy_(running)
        if self.bank.there is not None and not self.config.clip_absent:
            gradients[2] *= self.bank.there
        if self.config.clip:
            squares = sum(gradient.square().flatten(1).sum(1) for gradient in gradients)
            factor = (self.config.clip / (cast(Tensor, squares).sqrt() + 1e-6)).clamp(max=1)
            gradients = [gradient * _beside(factor, gradient) for gradient in gradients]
        if self.bank.there is not None:
            gradients[2] *= self.bank.there
        self.adam.update(gradients)
        self.place += 1

    def _actions(self, observations: Tensor, of: Tensor, step: int) -> Actions:
        """Return the actions of all networks on trials (S, T, n, C), (R, n, T), and note which have diverged."""
        finite = torch.stack([weight.isfinite().flatten(1).all(1) for weight in self.bank.weights]).all(0)
        taken = []
        for part in torch.split(observations, SCORED, 2):
            actions, good = self.bank.actions(part.to(self.device), of)
            finite &= good
            taken.append(actions.cpu().numpy())
        self.diverged.copy_(torch.where(finite | (self.diverged >= 0), self.diverged, step))
        return np.concatenate(taken, 1)

    def _final(self, score_on: Callable[[Battery], Trials] | None, step: int) -> Actions | None:
        if score_on is None:
            return None
        observations = _observations([score_on(battery) for battery in self.batteries.values()])
        return self._actions(observations, self.of_battery, step)


class _Adam:
    """Adam (Kingma and Ba 2015) as torch has it, with a learning rate for each network."""

    def __init__(self, weights: list[Tensor], configs: Sequence[TrainConfig]) -> None:
        (self.beta1, self.beta2), self.eps = (0.9, 0.999), 1e-8
        self.weights, one, device = weights, configs[0], weights[0].device
        self.first, self.second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
        course = [learning_rate(one, step) / one.learning_rate for step in range(one.steps)]
        self.course = torch.tensor(course, dtype=torch.float64, device=device)
        self.rates = torch.tensor([one.learning_rate for one in configs], dtype=torch.float64, device=device)
        self.step = torch.zeros(1, dtype=torch.int64, device=device)

    def update(self, gradients: list[Tensor]) -> None:
        """Update the weights in place."""
        rates = self.rates * self.course.index_select(0, self.step)
        self.step += 1
        taken = self.step.double()
        rates /= 1 - self.beta1**taken
        widen = (1 - self.beta2**taken).sqrt().float()
        for weight, gradient, first, second in zip(self.weights, gradients, self.first, self.second, strict=True):
            first.lerp_(gradient, 1 - self.beta1)
            second.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
            weight.sub_(first / (second.sqrt() / widen + self.eps) * _beside(rates.float(), weight))


def _beside(values: Tensor, array: Tensor) -> Tensor:
    """Return values (R,) in the shape that multiplies an array (R, …)."""
    return values.view(-1, *(1,) * (array.ndim - 1))


def _battery_key(config: TrainConfig) -> str:
    return config.battery_settings().model_dump_json()


def _index(keys: Iterable[Any], known: Iterable[Any], device: torch.device) -> Tensor:
    """Return the place of each key among the known ones, int64."""
    places = {key: place for place, key in enumerate(known)}
    return torch.tensor([places[key] for key in keys], device=device)


def _observations(of_streams: Sequence[Trials]) -> Tensor:
    """Return the observations of as many trials of each stream, (S, T, n, C)."""
    steps = max(int(trials.lengths.max()) for trials in of_streams)
    each = (torch.from_numpy(trials.observations).transpose(0, 1) for trials in of_streams)
    return torch.stack([_lengthened(one, steps, 0) for one in each])
