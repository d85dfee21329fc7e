"""The network as plain torch operations: what autograd, transforms and compilers of functions can look into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.utils import _python_dispatch

from modcog.models.masks import Mask


def _softplus(pre: Tensor) -> Tensor:
    """Return log(1 + exp(pre)); torch's own is the identity above 20."""
    return torch.logaddexp(pre, pre.new_zeros(()))


PHI: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh, "softplus": _softplus}
"""Nonlinearities by name."""

_FEW = 32  # a mask with at most a 32nd of the connections in each row is gathered, not multiplied with its zeros


def is_opaque(*tensors: Tensor | None) -> bool:
    """Return True if kernels may take these tensors: ordinary ones, with memory, that no transform looks into.

    A kernel is a black box with a gradient of its own. Function transforms (``torch.func``), forward-mode gradients,
    compilers, exporters and tensors that only pretend to hold numbers (meta, fake) need operations that they know.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    if torch._C._are_functorch_transforms_active() or _python_dispatch._get_current_dispatch_mode() is not None:
        return False
    dual = forward_ad._current_level >= 0
    return all(
        type(t) in (Tensor, nn.Parameter)
        and not (t.is_meta or torch._C._functorch.is_legacy_batchedtensor(t))
        and not (dual and forward_ad.unpack_dual(t).tangent is not None)  # type: ignore[no-untyped-call]
        for t in tensors
        if t is not None
    )


class PlainNetwork:
    """The whole network, from observations to read-out; slower than the kernels, and differentiable to any order.

    Args:
        mask: the connections that exist.
        activation: name of φ.
        alpha: α in (0, 1].
    """

    def __init__(self, mask: Mask, activation: str, alpha: float) -> None:
        self.mask, self.activation, self.alpha = mask, activation, alpha
        self._few = int(mask.degrees.max()) * _FEW <= mask.n
        self._table: NDArray[np.int64] | None = None

    def __call__(self, x: Tensor, h0: Tensor | None, noise: Tensor | None, *weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (T, B, A) and states (T, B, N); the arguments are those of ``MaskedRecurrence``."""
        weight_in, bias, weight, weight_out, bias_out = weights
        drive = functional.linear(x, weight_in) + bias
        drive = drive if noise is None else drive + noise
        add_up = self._product(weight)
        h, states = x.new_zeros(x.shape[1], self.mask.n) if h0 is None else h0, []
        for now in drive.unbind(0):
            rates = PHI[self.activation](now + add_up(h))
            h = rates if self.alpha == 1 else (1 - self.alpha) * h + self.alpha * rates
            states.append(h)
        whole = torch.stack(states)
        return functional.linear(whole, weight_out, bias_out), whole

    def _product(self, weight: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the function from a state (B, N) to the input of each unit from the others (B, N)."""
        n, table = self.mask.n, None if self.mask.synapses == self.mask.n**2 else self.table(weight.device)
        if table is None:
            matrix = weight.view(n, n)
        elif self._few:
            rows, (number, source) = torch.cat([weight, weight.new_zeros(1)]), table.unbind(0)
            rows = rows[number]  # (N, K), with zeros behind the shorter ones
            return lambda h: torch.einsum("bnk,nk->bn", h[:, source], rows)
        else:
            matrix = weight.new_zeros(n * n).index_copy(0, table, weight).view(n, n)
        return lambda h: functional.linear(h, matrix)

    # Compilers call it once and keep the tensor; it is an array here, because a tensor that is made under a compiler
    # or in inference mode could not be used elsewhere.
    @torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
    def table(self, device: torch.device) -> Tensor:
        """Return the places of the weights in the flat matrix (synapses,); with few connections those of ``_gather``.

        Those are (2, N, K): the number of each weight (``synapses`` where a row has no more), and its source.
        """
        if self._table is None:
            self._table = self._gather() if self._few else self.mask.targets().astype(np.int64) * self.mask.n
            if not self._few:
                self._table += self.mask.indices
        with torch.inference_mode(False):
            return torch.from_numpy(self._table).to(device)

    def _gather(self) -> NDArray[np.int64]:
        indptr, degrees = self.mask.indptr, self.mask.degrees
        place = indptr[:-1, None] + np.arange(degrees.max())
        there = place < indptr[1:, None]
        number = np.where(there, place, self.mask.synapses)
        source = np.where(there, self.mask.indices[np.minimum(place, self.mask.synapses - 1)], 0)
        return np.stack([number, source])

    def pull_back(
        self, inputs: Sequence[Tensor | None], needed: Sequence[bool], grads: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """Return the gradients by the inputs that are needed, from those by logits and states; differentiable again.

        Args:
            inputs: the arguments of a call.
            needed: True for the inputs whose gradient is wanted.
            grads: gradients by the logits (T, B, A) and by the states (T, B, N); None for zero.
        """
        deeper = torch.is_grad_enabled()
        with torch.enable_grad():
            # views, because an input may depend on another one, and the search must stop at both
            own: list[Any] = [
                t if t is None else t.view_as(t) if n else t.detach() for t, n in zip(inputs, needed, strict=True)
            ]
            return gradients(self(*own), own, needed, grads, create_graph=deeper)


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor | None],
    needed: Sequence[bool],
    grads: Sequence[Tensor | None],
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Tensor | None]:
    """Return the gradients by the inputs that are needed, and None for the others.

    Args:
        outputs: logits (T, B, A) and states (T, B, N), computed from the inputs.
        inputs: tensors that autograd recorded.
        needed: True for the inputs whose gradient is wanted.
        grads: gradients by the outputs, of their shapes; None for zero.
        create_graph: make the gradients differentiable again.
        retain_graph: allow another call; None: if ``create_graph`` does.
    """
    pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None]
    wanted: list[Any] = [t for t, n in zip(inputs, needed, strict=True) if n]
    if not (pairs and wanted):
        return [None] * len(needed)
    options: dict[str, Any] = {"create_graph": create_graph, "retain_graph": retain_graph, "allow_unused": True}
    found = iter(torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], **options))
    return [next(found) if n else None for n in needed]
