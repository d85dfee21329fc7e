"""Inputs that keep their value for a whole sequence, as the rule input does: they are a bias of that sequence."""

from __future__ import annotations

from torch import Tensor

FEWEST = 16
"""Number of constant channels from which on it is faster to set them apart."""


def fold_constant(x: Tensor, weight_in: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last channels that are constant over all steps as part of the bias, and the others as inputs.

    The rule input of 82 tasks is most of what an observation has, and all its steps are alike. A product with each of
    them would be most of what a sparse network computes; one product is enough.

    Args:
        x: observations (T, B, C), without gradient: that of a step would go to the first step.
        weight_in: (N, C).
        bias: (N,).

    Returns:
        (T, B, C′), (N, C′) and the bias of each sequence, (B, N); or all as it was, if few channels are constant.
    """
    channels = x.shape[2]
    middle = len(x) // 2
    alike = ((x[0] == x[middle]) & (x[0] == x[-1])).all(0).tolist()  # cheap, and seldom wrong
    first = channels - next((k for k, same in enumerate(reversed(alike)) if not same), channels)
    if channels - first < FEWEST or len(x) < 2 or not bool((x[:, :, first:] == x[0, :, first:]).all()):
        return x, weight_in, bias
    of_sequences = x[0, :, first:] @ weight_in[:, first:].t() + bias
    return x[:, :, :first].contiguous(), weight_in[:, :first], of_sequences
