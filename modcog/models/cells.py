"""Recurrent networks: a linear read-out of units with masked connections, or of torch's gated units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from modcog.errors import ModcogError, unknown
from modcog.models import kernels
from modcog.models.kernels import (
    ACTIVATIONS,
    Kernel,
    MaskedRecurrence,
    PlainNetwork,
    RnnKernel,
    full_precision,
    is_opaque,
)
from modcog.models.kernels.constant import fold_constant
from modcog.models.masks import Mask
from modcog.seeds import Purpose, Seed

INITS = ("degree", "identity", "diagonal", "orthogonal")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, on the CPU, and leave torch's generator alone."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(Seed.of(seed, Purpose.WEIGHTS).integer())
        yield


class RecurrentNetwork(nn.Module, ABC):
    """A network with one layer of units and a read-out; its subclasses define the recurrence."""

    def __init__(self, n_inputs: int, hidden: int, batch_first: bool) -> None:
        super().__init__()
        self.n_inputs, self.hidden, self.batch_first = n_inputs, hidden, batch_first

    def forward(
        self, x: Tensor, h0: Tensor | None = None, return_states: bool = False, *, generator: Generator | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Run the network over whole sequences.

        Args:
            x: observations (T, B, C); (B, T, C) with ``batch_first``.
            h0: state (B, N) before the first step; None: zeros.
            return_states: return the states, too.
            generator: source of the noise, if the network has any; None: torch's global generator.

        Returns:
            Logits (T, B, A), and, with ``return_states``, the states h(1) … h(T), (T, B, N); batch first if x is.

        Raises:
            ModcogError: if x or h0 has another shape.
        """
        if x.ndim != 3 or x.shape[2] != self.n_inputs or 0 in x.shape:
            must = f"{'(B, T, C)' if self.batch_first else '(T, B, C)'} with C = {self.n_inputs} and no side of 0"
            raise ModcogError(f"x: got shape {tuple(x.shape)}, must be {must}")
        x = (x.transpose(0, 1) if self.batch_first else x).to(self.dtype).contiguous()
        if h0 is not None:
            if h0.shape != (x.shape[1], self.hidden):
                raise ModcogError(f"h0: got shape {tuple(h0.shape)}, must be (B, N) = ({x.shape[1]}, {self.hidden})")
            h0 = h0.to(x.dtype)
        logits, states = self._run(x, h0, generator, return_states)
        logits = logits.transpose(0, 1) if self.batch_first else logits
        if not return_states:
            return logits
        assert states is not None
        return logits, states.transpose(0, 1) if self.batch_first else states

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Type of the weights, and of the logits; parameters() would be empty in a copy made by DataParallel."""

    @abstractmethod
    def _run(
        self, x: Tensor, h0: Tensor | None, generator: Generator | None, return_states: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (T, B, A) and, at least if asked for, states (T, B, N), for observations (T, B, C)."""


class MaskedRNN(RecurrentNetwork):
    """Units with the connections of a mask, and a linear read-out.

    h(t) = (1 − α) h(t−1) + α φ((M ⊙ W) h(t−1) + V x(t) + b + ξ(t)), logits(t) = U h(t) + c, with α = dt/τ
    (Yang et al. 2019). Only the weights on the mask exist: ``weight_recurrent`` is (synapses,), in the order of the
    mask's rows.

    Args:
        mask: the connections that exist.
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        activation: φ: ``"relu"``, ``"tanh"`` or ``"softplus"``.
        dt: time step in ms.
        tau: time constant of the units in ms, at least dt; None: dt, so α = 1.
        noise: standard deviation of ξ, drawn per unit and step, in training and in evaluation; 0 for none.
        init: distribution of the initial recurrent weights, see ``draw_recurrent``.
        gain: scale of the initial recurrent weights.
        seed: seed of the initial weights; torch's global generator is left alone.
        batch_first: order of axes (B, T, …) instead of (T, B, …).
        kernel: name of the kernel, or ``"auto"``: the one expected to be the fastest.

    Attributes:
        alpha: α.
        noise: standard deviation of ξ; may be changed at any time.
    """

    mask_fingerprint: Tensor

    def __init__(
        self,
        mask: Mask,
        n_inputs: int,
        n_outputs: int,
        *,
        activation: str = "relu",
        dt: float = 100.0,
        tau: float | None = None,
        noise: float = 0.0,
        init: str = "degree",
        gain: float = 1.0,
        seed: int = 0,
        batch_first: bool = False,
        kernel: str = "auto",
    ) -> None:
        super().__init__(n_inputs, mask.n, batch_first)
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        if kernel != "auto" and kernel not in kernels.KERNELS:
            raise unknown("kernel", kernel, ["auto", *kernels.KERNELS])
        if not dt > 0:
            raise ModcogError(f"dt: got {dt:g}, must be above 0")
        if tau is not None and not tau >= dt:
            raise ModcogError(f"tau: got {tau:g}, must be at least dt = {dt:g}")
        self.alpha = 1.0 if tau is None else dt / tau
        self.mask, self.activation, self.noise, self.kernel = mask, activation, noise, kernel
        self._check_kernel()
        self._kernels: dict[tuple[str, torch.device], Kernel] = {}
        self._plain = PlainNetwork(mask, activation, self.alpha)
        self._full_gradient: Tensor | None = None
        device = torch.empty(0).device  # torch's default
        with torch.device("cpu"):  # the same weights for a seed, wherever they go
            rng = Generator().manual_seed(Seed.of(seed, Purpose.WEIGHTS).integer())
            self.weight_recurrent = nn.Parameter(draw_recurrent(mask, init, gain, rng))
            self.weight_in = nn.Parameter(_uniform(mask.n, n_inputs, rng))
            self.bias = nn.Parameter(torch.zeros(mask.n))
            self.weight_out = nn.Parameter(_uniform(n_outputs, mask.n, rng))
            self.bias_out = nn.Parameter(torch.zeros(n_outputs))
            self.register_buffer("mask_fingerprint", torch.tensor(mask.fingerprint, dtype=torch.int64))
        self.to(device)
        self.register_load_state_dict_pre_hook(_prepare_state)  # type: ignore[no-untyped-call]

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.bias.dtype

    def _run(
        self, x: Tensor, h0: Tensor | None, generator: Generator | None, return_states: bool
    ) -> tuple[Tensor, Tensor | None]:
        weights = self.effective_weights()
        shape = (*x.shape[:2], self.mask.n)
        with full_precision(x.device):
            noise = None
            if self.noise:
                source: dict[str, Any] = (
                    {} if generator is None else {"generator": generator}
                )  # exporters refuse one that is None
                noise = torch.randn(shape, device=x.device, dtype=x.dtype, **source) * self.noise
            if self._full_gradient is not None:
                noise = (x.new_zeros(shape) if noise is None else noise).requires_grad_()
            if not is_opaque(x, h0, *weights):
                logits, states = self._plain(x, h0, noise, *weights)
            else:
                kernel = self._kernel_for(x)
                if x.device.type == "cpu" and kernel.name != "rnn" and not x.requires_grad:  # a GPU would have to wait
                    x, weight_in, bias = fold_constant(x, *weights[:2])
                    weights = (weight_in, bias, *weights[2:])
                return_states = return_states or self._full_gradient is not None
                logits, states = MaskedRecurrence.apply(kernel, self._plain, return_states, x, h0, noise, *weights)  # type: ignore[no-untyped-call]
            if self._full_gradient is not None:
                assert noise is not None
                _watch(self._full_gradient, h0, noise, states)
            return logits, states

    def effective_weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the weights that the equation above uses: W_in, b, those of M ⊙ W (synapses,), W_out, b_out."""
        return self.weight_in, self.bias, self.weight_recurrent, self.weight_out, self.bias_out

    @contextmanager
    def full_gradient(self) -> Iterator[Tensor]:
        """Add up the gradient by all N² recurrent weights, as if absent connections were weights that happen to be 0.

        A forward pass within this context adds to the tensor that it gives, (N, N) float of the weights' type, when the
        backward pass comes to it. The gradients of the network's own parameters are as ever.
        """
        weight = self.weight_recurrent
        self._full_gradient = weight.new_zeros(self.mask.n, self.mask.n)
        try:
            yield self._full_gradient
        finally:
            self._full_gradient = None

    def _kernel_for(self, x: Tensor) -> Kernel:
        """Return the kernel for a batch."""
        self._check_kernel()  # noise and kernel may have been changed
        name = self.kernel
        if name == "auto":
            rnn = RnnKernel.fits(self.mask, self.activation, self.alpha, self.noise)
            name = kernels.choose(self.mask, x.device, x.dtype, rnn=rnn)
        if name == "rnn" and self._full_gradient is not None:
            name = "dense"  # torch's layer does not tell the gradient by the input of the units
        if (name, x.device) not in self._kernels:
            with torch.inference_mode(False):  # what it keeps is used in training, too
                made = kernels.KERNELS[name](self.mask, self.activation, self.alpha, x.device)
                self._kernels[name, x.device] = made
        return self._kernels[name, x.device]

    def _check_kernel(self) -> None:
        kernel = kernels.KERNELS.get(self.kernel)
        if kernel and not kernel.fits(self.mask, self.activation, self.alpha, self.noise):
            raise ModcogError(
                f"kernel: got {self.kernel!r} for {self.mask}, {self.activation}, alpha = {self.alpha:g}, "
                f"noise = {self.noise:g}; allowed for {kernel.fitting}"
            )

    def extra_repr(self) -> str:
        """Return the options that ``print(model)`` shows."""
        return f"{self.mask}, activation={self.activation}, alpha={self.alpha:g}, kernel={self.kernel}"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and pickles: all but the kernels, which are made again when needed."""
        return {**self.__dict__, "_kernels": {}}


class LinearReadOut(RecurrentNetwork):
    """A network whose logits are a linear layer of what it computes; a subclass makes ``read_out`` from its seed."""

    read_out: nn.Linear

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.read_out.weight.dtype


class GatedRNN(LinearReadOut):
    """torch's GRU (Cho et al. 2014) or LSTM (Hochreiter and Schmidhuber 1997) with a linear read-out.

    The interface is that of ``MaskedRNN``. The states are the hidden states; the LSTM's cells start at 0, also where
    ``h0`` is given.

    Args:
        kind: ``"gru"`` or ``"lstm"``.
        n_inputs: channels of an observation.
        n_outputs: number of actions.
        hidden: number of units.
        seed: seed of the initial weights.
        batch_first: order of axes (B, T, …) instead of (T, B, …).
    """

    def __init__(
        self, kind: str, n_inputs: int, n_outputs: int, hidden: int, *, seed: int = 0, batch_first: bool = False
    ) -> None:
        super().__init__(n_inputs, hidden, batch_first)
        self.kind = kind
        device = torch.empty(0).device
        with seeded(seed):
            self.recurrent = (nn.GRU if kind == "gru" else nn.LSTM)(n_inputs, hidden)
            self.read_out = nn.Linear(hidden, n_outputs)
        self.to(device)

    def _run(
        self, x: Tensor, h0: Tensor | None, generator: Generator | None, return_states: bool
    ) -> tuple[Tensor, Tensor | None]:
        start: Any = None if h0 is None else h0[None]
        if start is not None and self.kind == "lstm":
            start = (start, torch.zeros_like(start))
        states, _ = self.recurrent(x, start)
        return self.read_out(states), states


def to_dense_state(model: MaskedRNN) -> dict[str, Tensor]:
    """Return the state dict with the recurrent weights as a matrix (N, N), 0 off the mask.

    ``model.load_state_dict`` accepts both forms.
    """
    state = dict(model.state_dict())
    weight = state["weight_recurrent"]
    there = torch.from_numpy(model.mask.to_dense()).to(weight.device)
    return {**state, "weight_recurrent": weight.new_zeros(there.shape).masked_scatter_(there, weight)}


def from_dense_state(mask: Mask, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict with the recurrent weights of the mask's connections only, (synapses,).

    Raises:
        ModcogError: if the matrix is of another size or has weights off the mask.
    """
    matrix = state["weight_recurrent"]
    if matrix.shape != (mask.n, mask.n):
        raise ModcogError(f"weight_recurrent: got shape {tuple(matrix.shape)}, must be ({mask.n}, {mask.n})")
    weight = matrix[torch.from_numpy(mask.to_dense()).to(matrix.device)]
    lost = int(matrix.count_nonzero() - weight.count_nonzero())
    if lost:
        raise ModcogError(f"weight_recurrent: {lost} weights are not 0 off the mask; allowed: those of {mask} only")
    return {**state, "weight_recurrent": weight}


def _prepare_state(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before loading, refuse the weights of another mask, and bring the dense form to the sparse one."""
    assert isinstance(model, MaskedRNN)
    name = prefix + "weight_recurrent"
    saved = state.get(prefix + "mask_fingerprint")
    if saved is not None and int(saved) != model.mask.fingerprint:
        raise ModcogError(
            f"state dict: its weights belong to another mask than {model.mask} (fingerprint {int(saved)}, not "
            f"{model.mask.fingerprint}); a mask drawn by another version of modcog differs under the same seed"
        )
    if name in state and state[name].ndim == 2:
        state[name] = from_dense_state(model.mask, {"weight_recurrent": state[name]})["weight_recurrent"]


def draw_recurrent(mask: Mask, init: str, gain: float, rng: Generator) -> Tensor:
    """Draw initial recurrent weights (synapses,) float32, in the mask's order.

    ``"degree"``: normal with variance gain² / (number of inputs of the unit), so that activity keeps its size at every
    density (Sompolinsky et al. 1988). ``"identity"``: gain on self-connections and a tenth of ``"degree"`` elsewhere,
    so that units hold their activity (Le et al. 2015). ``"diagonal"``: gain on self-connections and 0 elsewhere.
    ``"orthogonal"``: gain times a random orthogonal matrix, for dense masks only (Saxe et al. 2014).

    Raises:
        UnknownNameError: if there is no such init.
        ModcogError: for an orthogonal matrix on a mask that is not dense.
    """
    if init not in INITS:
        raise unknown("init", init, INITS)
    if init == "orthogonal":
        if mask.synapses != mask.n**2:
            raise ModcogError(f"init: got 'orthogonal' for {mask}; allowed for dense masks only")
        q, r = torch.linalg.qr(torch.randn(mask.n, mask.n, generator=rng))
        return (q * r.diagonal().sign()).mul_(gain).flatten()
    own = torch.from_numpy(mask.targets() == mask.indices)
    if init == "diagonal":
        return own * gain
    inputs = torch.from_numpy(np.repeat(mask.degrees, mask.degrees)).float()
    weight = torch.randn(mask.synapses, generator=rng).mul_(gain).div_(inputs.sqrt_())
    if init == "identity":
        weight.mul_(0.1).masked_fill_(own, gain)
    return weight


def _watch(total: Tensor, h0: Tensor | None, noise: Tensor, states: Tensor) -> None:
    """Have the backward pass add the gradient by a full recurrent matrix to ``total`` (N, N).

    The gradient by the noise is that by the input of the units, which is a sum of weights times earlier states.
    """
    start = torch.zeros_like(states[0]) if h0 is None else h0
    before = torch.cat([start[None], states[:-1]]).detach().flatten(0, 1)

    def add(delta: Tensor) -> None:
        total.addmm_(delta.flatten(0, 1).t(), before)

    noise.register_hook(add)  # type: ignore[no-untyped-call]


def _uniform(rows: int, columns: int, rng: Generator) -> Tensor:
    """Draw weights (rows, columns), uniform between ± 1/√columns as in ``torch.nn.Linear``."""
    return torch.rand(rows, columns, generator=rng).mul_(2).sub_(1).mul_(columns**-0.5)
