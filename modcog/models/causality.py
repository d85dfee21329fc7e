"""A test that the output of a network at a step depends on no later step."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def sees_later_steps(network: nn.Module, n_inputs: int, n_steps: int = 30, tolerance: float = 1e-4) -> bool:
    """Return True if what a network says at the first steps changes with observations of later ones.

    Bidirectional layers, attention without a causal mask and normalisation over time see the response period before it
    comes: their scores mean nothing. The network is tried on random observations, with torch's generator in the same
    state each time. One that does not repeat itself even so, as it keeps a state or has another source of noise, cannot
    be judged, and counts as one that does not.

    Args:
        network: maps observations (T, B, C) to logits (T, B, A), or, if its ``batch_first`` is true, (B, T, C) to
            (B, T, A).
        n_inputs: number of channels C.
        n_steps: number of steps T.
        tolerance: largest difference of logits that is rounding.
    """
    training, axis = network.training, int(bool(getattr(network, "batch_first", False)))
    weight = next(network.parameters(), torch.zeros(()))
    half = n_steps // 2
    with torch.random.fork_rng(devices=[weight.device] if weight.device.type == "cuda" else []):
        torch.manual_seed(0)
        x = torch.randn(n_steps, 4, n_inputs, device=weight.device, dtype=weight.dtype)
        changed = torch.cat([x[:half], torch.randn_like(x[half:])])
        outputs = list[torch.Tensor]()
        network.eval()
        for observations in (x, x, changed):
            torch.manual_seed(1)
            given = observations.transpose(0, 1) if axis else observations
            outputs.append(network(given).narrow(axis, 0, half))
        network.train(training)
    before, again, after = outputs
    repeats = torch.allclose(before, again, atol=tolerance)
    return repeats and not torch.allclose(before, after, atol=tolerance)
