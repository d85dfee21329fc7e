"""The nonlinearities φ: forward in place, and backward from the output of φ, so that its input need not be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """A nonlinearity φ.

    Attributes:
        name: as in a configuration.
        apply_: replace pre-activations by φ of them, in place.
        pull_: multiply a gradient, in place, by φ′ at the inputs that gave these outputs of φ.
    """

    name: str
    apply_: Callable[[Tensor], Tensor]
    pull_: Callable[[Tensor, Tensor], Tensor]


def _relu_pull(grad: Tensor, rate: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(grad, rate, 0, grad_input=grad)


def _tanh_pull(grad: Tensor, rate: Tensor) -> Tensor:
    return torch.ops.aten.tanh_backward.grad_input(grad, rate, grad_input=grad)


def _softplus(pre: Tensor) -> Tensor:
    return torch.logaddexp(pre, pre.new_zeros(()), out=pre)


def _softplus_pull(grad: Tensor, rate: Tensor) -> Tensor:
    return grad.mul_(torch.neg(rate).expm1_().neg_())


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("relu", torch.relu_, _relu_pull),
        Activation("tanh", torch.tanh_, _tanh_pull),
        Activation("softplus", _softplus, _softplus_pull),
    )
}
"""Nonlinearities by name."""
