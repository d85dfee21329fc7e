"""Recurrent networks from the literature that have no mask: of low rank, of oscillators, and stacks of linear ones.

``hidden`` counts their state variables, so that networks with as many hold as many numbers between two steps.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from modcog.errors import ModcogError
from modcog.models.cells import LinearReadOut, seeded
from modcog.models.kernels.plain import PHI


class _StepByStep(LinearReadOut):
    """A network that is computed step by step, from a linear layer of the observations to one of the states."""

    read_in: nn.Linear

    def _run(
        self, x: Tensor, h0: Tensor | None, generator: Generator | None, return_states: bool
    ) -> tuple[Tensor, Tensor | None]:
        h, states = x.new_zeros(x.shape[1], self.hidden) if h0 is None else h0, []
        for now in self.read_in(x).unbind(0):
            h = self._step(now, h)
            states.append(h)
        whole = torch.stack(states)
        return self.read_out(whole), whole

    @abstractmethod
    def _step(self, drive: Tensor, h: Tensor) -> Tensor:
        """Return the state (B, N) after a step from a state (B, N), for an output of ``read_in`` (B, …)."""


class LowRankRNN(_StepByStep):
    """Units whose recurrent matrix has a low rank.

    h(t) = (1 − α) h(t−1) + α φ(m nᵀ h(t−1) / N + W_in x(t) + b), with m and n of shape (N, rank) (Mastrogiuseppe and
    Ostojic 2018). They start alike, √N times orthonormal vectors, so that the matrix keeps what lies in their span.

    Args:
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        hidden: number of units, N.
        rank: rank of the recurrent matrix.
        activation: φ: ``"relu"``, ``"tanh"`` or ``"softplus"``.
        dt: time step in ms.
        tau: time constant of the units in ms, at least dt; None: dt, so α = 1.
        seed: seed of the initial weights.
        batch_first: order of axes (B, T, …) instead of (T, B, …).
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        hidden: int = 256,
        rank: int = 8,
        activation: str = "tanh",
        dt: float = 100.0,
        tau: float | None = None,
        seed: int = 0,
        batch_first: bool = False,
    ) -> None:
        super().__init__(n_inputs, hidden, batch_first)
        if rank > hidden:
            raise ModcogError(f"rank: got {rank}, must be at most {hidden}, the number of units")
        if tau is not None and tau < dt:
            raise ModcogError(f"tau: got {tau:g}, must be at least dt = {dt:g}")
        self.alpha, self.activation, device = 1.0 if tau is None else dt / tau, activation, torch.empty(0).device
        with seeded(seed):
            self.read_in = nn.Linear(n_inputs, hidden)
            self.read_out = nn.Linear(hidden, n_outputs)
            directions = torch.linalg.qr(torch.randn(hidden, rank))[0] * math.sqrt(hidden)
            self.m, self.n = nn.Parameter(directions.clone()), nn.Parameter(directions)
        self.to(device)

    def _step(self, drive: Tensor, h: Tensor) -> Tensor:
        rates = PHI[self.activation](drive + (h @ self.n) @ self.m.t() / self.hidden)
        return rates if self.alpha == 1 else torch.lerp(h, rates, self.alpha)


class CoRNN(_StepByStep):
    """Coupled, driven and damped oscillators.

    Positions y and velocities z follow z(t) = z + Δt (tanh(W y + V z + U x(t) + b) − γ y − ε z) and
    y(t) = y + Δt z(t), where y and z without a time are those of the step before (Rusch and Mishra 2021, with explicit
    damping).

    Args:
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        hidden: number of state variables: as many positions as velocities.
        step: Δt, the time step, in units of the equations' time.
        frequency: γ, square of the oscillators' own frequency.
        damping: ε.
        seed: seed of the initial weights.
        batch_first: order of axes (B, T, …) instead of (T, B, …).
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        hidden: int = 256,
        step: float = 0.2,
        frequency: float = 1.0,
        damping: float = 1.0,
        seed: int = 0,
        batch_first: bool = False,
    ) -> None:
        super().__init__(n_inputs, hidden, batch_first)
        if hidden % 2:
            raise ModcogError(f"hidden: got {hidden}, must be even: as many positions as velocities")
        self.step, self.frequency, self.damping = step, frequency, damping
        device = torch.empty(0).device
        with seeded(seed):
            self.read_in = nn.Linear(n_inputs, hidden // 2)
            self.coupling = nn.Linear(hidden, hidden // 2, bias=False)
            self.read_out = nn.Linear(hidden, n_outputs)
        self.to(device)

    def _step(self, drive: Tensor, h: Tensor) -> Tensor:
        y, z = h.chunk(2, -1)
        z = z + self.step * (torch.tanh(drive + self.coupling(h)) - self.frequency * y - self.damping * z)
        return torch.cat([y + self.step * z, z], -1)


class StackedRNN(LinearReadOut):
    """A stack of blocks whose recurrence is linear in the state.

    A block adds to its input u the gated output of its recurrence: u + GLU(GELU(recurrence(LayerNorm(u)))). The states
    are those of all blocks, side by side.

    Args:
        kind: ``"lru"``, a diagonal complex recurrence (Orvieto et al. 2023), or ``"mingru"``, gates that see the input
            only (Feng et al. 2024).
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        hidden: number of state variables of all blocks; a complex one counts as two.
        layers: number of blocks.
        seed: seed of the initial weights.
        batch_first: order of axes (B, T, …) instead of (T, B, …).
    """

    def __init__(
        self,
        kind: str,
        n_inputs: int,
        n_outputs: int,
        *,
        hidden: int = 256,
        layers: int = 2,
        seed: int = 0,
        batch_first: bool = False,
    ) -> None:
        super().__init__(n_inputs, hidden, batch_first)
        recurrence, each = {"lru": (LinearRecurrentUnit, 2 * layers), "mingru": (MinimalGRU, layers)}[kind]
        if hidden % each:
            raise ModcogError(f"hidden: got {hidden}, must be a multiple of {each} with {layers} layers")
        self.kind, width, device = kind, hidden // layers, torch.empty(0).device
        with seeded(seed):
            self.read_in = nn.Linear(n_inputs, width)
            self.recurrences = nn.ModuleList(recurrence(width) for _ in range(layers))
            self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
            self.gates = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(layers))
            self.read_out = nn.Linear(width, n_outputs)
        self.to(device)

    def _run(
        self, x: Tensor, h0: Tensor | None, generator: Generator | None, return_states: bool
    ) -> tuple[Tensor, Tensor | None]:
        start = x.new_zeros(x.shape[1], self.hidden) if h0 is None else h0
        u, states = self.read_in(x), []
        starts = start.chunk(len(self.recurrences), -1)
        for recurrence, norm, gate, h in zip(self.recurrences, self.norms, self.gates, starts, strict=True):
            out, of_block = recurrence(norm(u), h)
            u = u + functional.glu(gate(functional.gelu(out)))
            states.append(of_block)
        return self.read_out(u), torch.cat(states, -1)


class LinearRecurrentUnit(nn.Module):
    """Complex units, s(t) = λ ⊙ s(t−1) + γ ⊙ B u(t), and y(t) = Re(C s(t)) + D ⊙ u(t) (Orvieto et al. 2023).

    λ = exp(−exp(ν) + i exp(θ)) starts uniform over the ring from |λ| = 0.9 to 0.999, γ = √(1 − |λ|²).

    Args:
        width: channels of input and output, twice the number of units.
    """

    RING = (0.9, 0.999)

    def __init__(self, width: int) -> None:
        super().__init__()
        n, (inner, outer) = width // 2, self.RING
        squared = torch.rand(n) * (outer**2 - inner**2) + inner**2
        self.log_nu = nn.Parameter((-0.5 * squared.log()).log())
        self.log_theta = nn.Parameter((2 * math.pi * torch.rand(n)).log())
        self.log_gamma = nn.Parameter(0.5 * (1 - squared).log())
        self.b = nn.Parameter(torch.randn(2, n, width) / math.sqrt(2 * width))
        self.c = nn.Parameter(torch.randn(2, width, n) / math.sqrt(n))
        self.d = nn.Parameter(torch.randn(width))

    def forward(self, u: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output (T, B, W) and the states (T, B, W), real parts before imaginary ones."""
        wide = torch.promote_types(u.dtype, torch.float32)  # there are no complex numbers of half the precision

        def joined(real: Tensor, imaginary: Tensor) -> Tensor:
            return torch.complex(real.to(wide), imaginary.to(wide))

        decay, gamma = joined(-self.log_nu.exp(), self.log_theta.exp()).exp(), self.log_gamma.exp()
        drive = joined(*(functional.linear(u, part) * gamma for part in self.b.unbind(0)))
        states = Scan.apply(decay.expand(len(u), 1, -1), drive, joined(*start.chunk(2, -1)))  # type: ignore[no-untyped-call]
        real, imaginary = states.real.to(u.dtype), states.imag.to(u.dtype)
        out = functional.linear(real, self.c[0]) - functional.linear(imaginary, self.c[1]) + self.d * u
        return out, torch.cat([real, imaginary], -1)


class MinimalGRU(nn.Module):
    """h(t) = (1 − z) ⊙ h(t−1) + z ⊙ (W u(t) + b), with gates z = σ(V u(t) + c) (Feng et al. 2024).

    Args:
        width: channels of input and output, and number of units.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.both = nn.Linear(width, 2 * width)

    def forward(self, u: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states (T, B, W), twice: they are the output."""
        candidate, gate = self.both(u).chunk(2, -1)
        z = gate.sigmoid()
        states = Scan.apply(1 - z, z * candidate, start)  # type: ignore[no-untyped-call]
        return states, states


class Scan(Function):
    """h(t) = decay(t) ⊙ h(t−1) + drive(t) for all t, and its gradient, which is such a recurrence backwards in time.

    Written out, since the graph of a loop of products costs more than they do. ``Scan.apply`` takes decay, (T, B, N) or
    (T, 1, N), drive, (T, B, N), and start, (B, N), h before the first step; it returns h, (T, B, N).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
        """Return the states (T, B, N)."""
        return _recur(decay, drive, start)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        """Keep what the gradient needs."""
        decay, _, start = inputs
        ctx.save_for_backward(decay, start, output)
        ctx.save_for_forward(decay, start, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients by decay, drive and start."""
        decay, start, states = ctx.saved_tensors
        back = decay.conj().flip(0)
        later = torch.cat([torch.zeros_like(back[:1]), back[:-1]])  # nothing comes after the last step
        by_drive = _recur(later, gradient.flip(0), torch.zeros_like(start)).flip(0)
        before = torch.cat([start[None], states[:-1]])
        return (by_drive * before.conj()).sum_to_size(decay.shape), by_drive, back[-1] * by_drive[0]

    @staticmethod
    def jvp(ctx: Any, of_decay: Tensor | None, of_drive: Tensor | None, of_start: Tensor | None) -> Tensor:
        """Return the tangent of the states."""
        decay, start, states = ctx.saved_tensors
        drive = torch.zeros_like(states) if of_drive is None else of_drive
        if of_decay is not None:
            drive = drive + of_decay * torch.cat([start[None], states[:-1]])
        return _recur(decay, drive, torch.zeros_like(start) if of_start is None else of_start)


def _recur(decay: Tensor, drive: Tensor, h: Tensor) -> Tensor:
    """Return the states (T, B, N) from h, (B, N), step by step."""
    states = []
    for factor, now in zip(decay.unbind(0), drive.unbind(0), strict=True):
        h = torch.addcmul(now, factor, h)
        states.append(h)
    return torch.stack(states)
