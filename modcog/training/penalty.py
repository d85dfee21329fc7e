"""Penalties on changes of the weights that earlier tasks need: elastic weight consolidation and synaptic intelligence.

Both add a quadratic penalty to the loss of a run that starts from another. They differ in how they weigh a weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count

import torch
from torch import Tensor, nn

from modcog.battery import Battery
from modcog.seeds import Purpose, Seed
from modcog.training import checkpoint
from modcog.training.batches import Microbatch, make_batches
from modcog.training.config import TrainConfig
from modcog.training.earlier import load_final
from modcog.training.run import build_model
from modcog.trials.arrays import IGNORE

SEQUENCES = 256
"""Sequences that a Fisher information is estimated from: single trials, or lanes of a stream."""

DAMPING = 1e-3
"""Added to the squared change of a weight, by which its path integral is divided: ξ of Zenke et al. (2017)."""

Loss = Callable[[Tensor, Microbatch], Tensor]


class Penalty:
    """The penalty of a run, whose gradient is ``strength`` · (Aθ − B), and the path integral of its weights θ.

    A sum of quadratic penalties ½ aₖ(θ − θₖ)², one for each earlier run k, has A = Σ aₖ and B = Σ aₖθₖ.

    Attributes:
        weights: of the network, each of any shape.
        pulls: A and B for each of the weights, of its shape; empty without penalty.
        strength: of the penalty.
        path_sums: path integral of each weight, of its shape; empty unless it is kept.
    """

    def __init__(
        self, weights: Sequence[Tensor], pulls: Sequence[tuple[Tensor, Tensor]], strength: float, keep_path: bool
    ) -> None:
        self.weights, self.pulls, self.strength = list(weights), list(pulls), strength
        self.path_sums = [torch.zeros_like(weight) for weight in self.weights] if keep_path else []
        self._before: list[tuple[Tensor, Tensor]] = []

    @classmethod
    def of(cls, config: TrainConfig, network: nn.Module, loss: Loss) -> Penalty:
        """Return the penalty of a run, from the folders of the runs that it descends from.

        Raises:
            ModcogError: if one of them is not there, not finished, or has no path integral that is needed.
        """
        pulls: list[tuple[Tensor, Tensor]] = []
        if config.penalty != "none" and config.earlier:
            copy = deepcopy(network).requires_grad_(True)
            find = {"ewc": _consolidation, "si": _intelligence}[config.penalty]
            pulls = find(config.earlier, copy, loss)
        return cls(list(network.parameters()), pulls, config.strength, config.penalty == "si")

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the penalty's gradient to that of the loss, which is kept for the path integral."""
        if self.path_sums:
            self._before = [(weight.clone(), _gradient(weight).clone()) for weight in self.weights]
        for weight, (a, b) in zip(self.weights, self.pulls, strict=False):
            if weight.grad is not None:
                weight.grad += self.strength * (a * weight - b)

    @torch.no_grad()
    def add_to_path(self) -> None:
        """Add the fall of the loss that an update of each weight brought, −gradient · change, to its path integral."""
        for total, weight, (before, gradient) in zip(self.path_sums, self.weights, self._before, strict=False):
            total -= gradient * (weight - before)


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def _consolidation(earlier: Sequence[TrainConfig], network: nn.Module, loss: Loss) -> list[tuple[Tensor, Tensor]]:
    """Return A and B of elastic weight consolidation: a is the diagonal of the Fisher information of each earlier run.

    The penalty is ½ Σₖ Fₖ(θ − θₖ)² (Kirkpatrick et al. 2017, equation 3), with a term for each run.
    """
    weights = list(network.parameters())
    cuda = [weights[0].device] if weights[0].device.type == "cuda" else []
    a, b = ([torch.zeros_like(weight) for weight in weights] for _ in "ab")
    for config in earlier:
        load_final(config, network)
        batches = make_batches(config, Battery.from_config(config.battery_settings()))
        parts = (part for index in count() for part in batches(index).parts)
        with torch.random.fork_rng(cuda):  # for the noise of the network's units, too
            torch.manual_seed(Seed.of(config.seed, Purpose.FISHER, len(config.earlier)).integer())
            found = fisher_information(network, parts, loss)
        for k, information in enumerate(found):
            a[k] += information
            b[k] += information * weights[k].detach()
    return list(zip(a, b, strict=True))


def fisher_information(network: nn.Module, parts: Iterable[Microbatch], loss: Loss, n: int = SEQUENCES) -> list[Tensor]:
    """Estimate the diagonal of the Fisher information of a network: E[(∂ℓ/∂θ)²] for each weight, of its shape.

    ℓ is the loss of a sequence whose responses are drawn, by torch's global generator, from the network's own
    distribution (and not the correct ones, which would give the empirical Fisher information).

    Args:
        network: of logits (T, B, A).
        parts: sequences; ``n`` of them are used, or all if there are fewer.
        loss: as in training.
        n: number of sequences.
    """
    weights = list(network.parameters())
    total, done = [torch.zeros_like(weight) for weight in weights], 0
    for part in parts:
        for lane in range(min(part.labels.shape[1], n - done)):
            tensors = (part.observations, part.labels, part.weights)
            one = Microbatch(*(tensor[:, lane : lane + 1].to(weights[0].device) for tensor in tensors))
            logits = network(one.observations)
            chances = logits.detach().flatten(0, 1).float().softmax(dim=1)
            drawn = torch.multinomial(chances, 1).view_as(one.labels)
            drawn.masked_fill_(one.labels == IGNORE, IGNORE)
            value = loss(logits, replace(one, labels=drawn)) / one.weights.sum()
            gradients = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
            for sum_, gradient in zip(total, gradients, strict=True):
                sum_ += gradient**2
            done += 1
        if done == n:
            break
    return [one / done for one in total]


@torch.no_grad()
def _intelligence(earlier: Sequence[TrainConfig], network: nn.Module, loss: Loss) -> list[tuple[Tensor, Tensor]]:
    """Return A and B of synaptic intelligence: a = 2Ω, Ω = Σₖ ωₖ / (Δₖ² + ξ) (Zenke et al. 2017, equations 4 and 5).

    ωₖ is the path integral of a weight in run k, 0 if it is negative, and Δₖ its change there. All weights are pulled
    to where the last run left them.
    """
    weights, first = list(network.parameters()), earlier[0]
    battery = Battery.from_config(first.battery_settings())
    network.load_state_dict(build_model(first, battery).state_dict())
    omega = [torch.zeros_like(weight) for weight in weights]
    for config in earlier:
        before = [weight.clone() for weight in weights]
        tensors = load_final(config, network)
        sums = checkpoint.path_sums_of(tensors, config.out, weights)
        for k, total in enumerate(sums):
            omega[k] += total.to(weights[k].device).clamp(min=0) / ((weights[k] - before[k]) ** 2 + DAMPING)
    return [(2 * one, 2 * one * weight) for one, weight in zip(omega, weights, strict=True)]
