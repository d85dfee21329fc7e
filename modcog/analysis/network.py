"""Networks to analyse: a reference network, the folder of a run, or any network that can return its states.

A torch module follows the protocol of the reference networks: ``forward(x, h0=None, return_states=False)`` takes
observations x (T, B, C) and an initial state (B, N), and with ``return_states=True`` returns (logits, states), the
states after each step, (T, B, N). A true ``batch_first``, of the module or else of one of its parts, puts the batch
first in all but h0. Only fixed points need ``h0``, and states that are the whole state: started from one of them, the
network must continue as it did. Anything but a torch module is a function from observations (n, T, C) to states
(n, T, N).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modcog.errors import ModcogError
from modcog.evaluation.scores import numbers
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.user_code import accepted_options, failures_as, is_batch_first

Network = str | Path | nn.Module | Callable[[NDArray[np.float32]], Any]
"""A run's folder, a torch module, or a function from observations (n, T, C) to states (n, T, N)."""

PROTOCOL = "its forward must take return_states=True and then return (logits, states), with states (T, B, N)"


def open_network(network: Network) -> Any:
    """Return the network itself, loaded if it is the folder of a run.

    Raises:
        ModcogError: if there is no such run.
        ImportError: for a run, if the packages of the extra ``train`` are not installed.
    """
    if not isinstance(network, str | Path):
        return network
    from modcog.training import load_model  # needs the extra ``train``; analyses of other networks do not

    return load_model(network)


def states_of(network: Any, observations: NDArray[np.float32]) -> NDArray[Any]:
    """Return the states of a network, (n, T, N), for observations (n, T, C).

    Raises:
        ModcogError: if it returns none, or states of another shape.
    """
    if isinstance(network, nn.Module):
        states = Recurrent(network).states(observations)
    elif callable(network):
        with failures_as(f"network: failed on observations of shape (n, T, C) = {observations.shape}"):
            found = network(observations)
        states = numbers(found, "a network must return states (n, T, N)")
    else:
        raise ModcogError(
            f"network: got {type(network).__name__}, must be a torch module, the folder of a run, or a function from "
            "observations (n, T, C) to states (n, T, N)"
        )
    if states.ndim != 3 or states.shape[:2] != observations.shape[:2] or states.dtype.kind != "f":
        raise ModcogError(
            f"network: returned {states.dtype} states of shape {states.shape}, must be (n, T, N) = "
            f"({observations.shape[0]}, {observations.shape[1]}, N) and real"
        )
    if not np.isfinite(states).all():
        raise ModcogError("network: its states are not finite")
    return states


class Recurrent:
    """A torch module as a dynamical system, h(t) = F(h(t−1), x(t)); the module itself is never changed.

    Args:
        module: a module that follows the protocol above.
        exact: True: without private noise, in double precision on the CPU, an LSTM's cells in its state.

    Raises:
        ModcogError: if its forward does not take ``return_states``.
    """

    def __init__(self, module: nn.Module, exact: bool = False) -> None:
        if not accepted_options(module.forward, {"return_states": True}):
            raise ModcogError(f"network: {type(module).__name__} returns no hidden states; {PROTOCOL}")
        if exact and isinstance(module, GatedRNN) and module.kind == "lstm":
            module = _LSTM(module)
        self.module = copy.deepcopy(module).eval()
        self.batch_first = is_batch_first(module)
        if exact:
            self.module.cpu().double()
            if isinstance(self.module, MaskedRNN):
                self.module.noise = 0.0

    def states(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Return the states (n, T, N) for observations (n, T, C), from the network's own initial state."""
        x = torch.from_numpy(observations).to(next(self.module.parameters(), torch.empty(0)))
        with torch.no_grad():
            return numbers(self._run(x.transpose(0, 1)).transpose(0, 1))

    def step(self, h: Tensor, x: Tensor) -> Tensor:
        """Return F(h, x): the states (B, N) that follow the states h (B, N) under one input x (C,)."""
        return self._run(x.expand(1, len(h), -1), h)[0]

    def jacobian(self, h: Tensor, x: Tensor) -> Tensor:
        """Return ∂F/∂h at a state h (N,) under an input x (C,), (N, N)."""
        # One backward pass over N copies of the state instead of N passes; torch.func cannot do this for nn.GRU.
        rows = h.expand(len(h), -1).clone().requires_grad_()
        return torch.autograd.grad(self.step(rows, x), rows, torch.eye(len(h), dtype=h.dtype))[0]

    def _run(self, x: Tensor, h0: Tensor | None = None) -> Tensor:
        """Return the states (T, B, N) for x (T, B, C)."""
        start = {} if h0 is None else {"h0": h0}
        given = f"{x.dtype} observations of shape (T, B, C) = {tuple(x.shape)}{' and h0 (B, N)' if start else ''}"
        with failures_as(f"network: failed on {given}; {PROTOCOL}"):
            output = self.module(x.transpose(0, 1) if self.batch_first else x, **start, return_states=True)
        states = output[1] if isinstance(output, tuple) and len(output) == 2 else None
        if not isinstance(states, Tensor) or states.ndim != 3:
            raise ModcogError(f"network: returned no hidden states when asked for them; {PROTOCOL}")
        return states.transpose(0, 1) if self.batch_first else states


class _LSTM(nn.Module):
    """An LSTM whose states are hidden and cell states side by side, so that they are its whole state."""

    def __init__(self, model: GatedRNN) -> None:
        super().__init__()
        self.hidden, self.recurrent, self.battery = model.hidden, model.recurrent, getattr(model, "battery", None)

    def forward(self, x: Tensor, h0: Tensor | None = None, return_states: bool = True) -> tuple[None, Tensor]:
        """Return the states (T, B, 2N) for x (T, B, C)."""
        h0 = x.new_zeros(x.shape[1], 2 * self.hidden) if h0 is None else h0
        state = tuple(part.contiguous()[None] for part in (h0[:, : self.hidden], h0[:, self.hidden :]))
        steps = []
        for now in x:
            _, state = self.recurrent(now[None], state)
            steps.append(torch.cat([part[0] for part in state], dim=1))
        return None, torch.stack(steps)
