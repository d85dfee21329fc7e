"""Networks side by side: one batched product does the work of many, which a GPU needs to be busy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from modcog.errors import ModcogError
from modcog.models.cells import MaskedRNN, to_dense_state
from modcog.models.kernels import full_precision
from modcog.models.kernels.plain import PHI
from modcog.trials.arrays import IGNORE

NAMES = ("weight_in", "bias", "weight_recurrent", "weight_out", "bias_out")
"""Parameters of a network, in the order in which a bank keeps them."""

ZERO_AT_ZERO = ("relu", "tanh")
"""Activations under which a unit without connections stays at 0, so that it can pad a network."""


class Bank:
    """Networks with masked connections and their weights in stacks; recurrent ones are 0 off the mask.

    A network with fewer units than the largest is padded with units whose weights are 0. They stay at 0, since such a
    unit has the state φ(0) = 0 and gets no gradient, so it changes nothing.

    Args:
        networks: R networks without private noise, of the same channels, actions, activation and α.
        device: place of the stacks.

    Attributes:
        weights: input weights (R, N, C), biases (R, N), recurrent weights (R, N, N), read-out weights (R, A, N) and
            biases (R, A).
        there: (R, N, N) bool, True for the connections that exist; None if all do.

    Raises:
        ModcogError: for networks that do not go together.
    """

    def __init__(self, networks: Sequence[MaskedRNN], device: torch.device) -> None:
        kinds = {(one.n_inputs, len(one.bias_out), one.activation, one.alpha, bool(one.noise)) for one in networks}
        sizes = {one.hidden for one in networks}
        _, _, activation, self.alpha, noise = next(iter(kinds))
        if (
            any(type(one) is not MaskedRNN for one in networks)
            or len(kinds) > 1
            or noise
            or (len(sizes) > 1 and activation not in ZERO_AT_ZERO)
        ):
            raise ModcogError("networks: must have the same channels, actions, activation, alpha, and no noise")
        self.phi, self.n, self.device = PHI[activation], max(sizes), device
        self._masks = [torch.from_numpy(one.mask.to_dense()) for one in networks]
        more = [self.n - one.hidden for one in networks]
        there = torch.stack([functional.pad(m, (0, n, 0, n)) for m, n in zip(self._masks, more, strict=True)])
        self.there = None if bool(there.all()) else there.to(device)
        padded = [self._pad(to_dense_state(one), n) for one, n in zip(networks, more, strict=True)]
        self.weights = [torch.stack(of_name).to(device) for of_name in zip(*padded, strict=True)]

    def __len__(self) -> int:
        return len(self._masks)

    @staticmethod
    def _pad(state: dict[str, Tensor], n: int) -> list[Tensor]:
        """Return the weights of a network with n more units."""
        sides = {"weight_in": (0, 0, 0, n), "bias": (0, n), "weight_recurrent": (0, n, 0, n), "weight_out": (0, n)}
        return [functional.pad(state[name].detach(), sides.get(name, (0, 0))) for name in NAMES]

    def unstack(self, stacks: Sequence[Tensor], index: int) -> dict[str, Tensor]:
        """Return what stacks like ``weights`` hold of one network, in the form of its parameters, on the CPU."""
        mask = self._masks[index]
        n, own = len(mask), {name: stack[index].cpu() for name, stack in zip(NAMES, stacks, strict=True)}
        cut = {"weight_in": own["weight_in"][:n], "bias": own["bias"][:n], "weight_out": own["weight_out"][:, :n]}
        return own | cut | {"weight_recurrent": own["weight_recurrent"][:n, :n][mask]}

    def gradients(self, x: Tensor, labels: Tensor, weights: Tensor, of: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the loss of each network, (R,), and its gradients by ``weights``.

        That by the recurrent weights is by all N², as if absent connections were weights that happen to be 0.

        Args:
            x: (S, T, B, C) observations of S minibatches.
            labels: (S, T, B) int64, −100 where there is nothing to learn.
            weights: (S, T, B) weights of the steps in the loss, which is their weighted mean.
            of: (R,) int64, the minibatch that each network learns from.
        """
        weight_in, bias, _, *read_out = self.weights
        lanes = x.shape[2]
        share = weights / weights.sum((1, 2), keepdim=True)
        with full_precision(self.device):
            given = x[of].flatten(1, 2)
            drive = torch.baddbmm(bias[:, None], given, weight_in.mT).view(len(of), *x.shape[1:3], self.n)
            leaves = [one.detach().requires_grad_() for one in (drive, *read_out)]
            with torch.enable_grad():
                states = self._states(leaves[0]).flatten(1, 2)
                logits = torch.baddbmm(leaves[2][:, None], states, leaves[1].mT)
                each = functional.cross_entropy(
                    logits.flatten(0, 1), labels[of].flatten(), ignore_index=IGNORE, reduction="none"
                )
                losses = (each.view(len(of), -1) * share[of].flatten(1)).sum(1)
                delta, *by_read_out = torch.autograd.grad(losses.sum(), leaves)
            delta, before = delta.flatten(1, 2), states.detach()[:, :-lanes]  # in the first step all states are 0
            # The gradient by a unit's input is known at each step, so that by the weights is one product for all steps.
            by_weights = [delta.mT @ given, delta.sum(1), delta[:, lanes:].mT @ before]
            return losses.detach(), [*by_weights, *by_read_out]

    def _states(self, drive: Tensor) -> Tensor:
        """Return the states (R, T, B, N) for the input of each unit from outside, of the same shape."""
        h, states = torch.zeros_like(drive[:, 0]), []
        for now in drive.unbind(1):
            h = self._step(now, h)
            states.append(h)
        return torch.stack(states, 1)

    def _step(self, drive: Tensor, h: Tensor) -> Tensor:
        """Return the states (R, B, N) after a step, for the input of each unit from outside, of the same shape."""
        rates = self.phi(torch.baddbmm(drive, h, self.weights[2].mT))
        return rates if self.alpha == 1 else torch.lerp(h, rates, self.alpha)

    @torch.no_grad()
    def actions(self, x: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
        """Return the action of each network at each step, (R, B, T) int16, and if all its logits are finite, (R,).

        Args:
            x: (S, T, B, C) observations.
            of: (R,) int64, those that each network gets.
        """
        weight_in, bias, _, weight_out, bias_out = self.weights
        n_steps, n_trials = x.shape[1:3]
        h = x.new_zeros(len(of), n_trials, self.n)
        taken = torch.zeros(len(of), n_trials, n_steps, dtype=torch.int16, device=x.device)
        finite = torch.ones(len(of), dtype=torch.bool, device=x.device)
        with full_precision(self.device):
            for step in range(n_steps):
                h = self._step(torch.baddbmm(bias[:, None], x[:, step][of], weight_in.mT), h)
                logits = torch.baddbmm(bias_out[:, None], h, weight_out.mT)
                finite &= logits.isfinite().flatten(1).all(1)
                taken[:, :, step] = logits.argmax(-1)
        return taken, finite
