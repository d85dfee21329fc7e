"""The network written down once more, in plain PyTorch, with full matrices and torch's own autograd."""

import torch
from torch.nn import functional

PHI = {"relu": torch.relu, "tanh": torch.tanh, "softplus": functional.softplus}


def masked_dense(model, x, h0=None, noise=None, *, phi="relu", alpha=1.0, matrix=None):
    """Logits (T, B, A) and states (T, B, N) of a ``MaskedRNN``'s weights for x (T, B, C).

    h(t) = (1 − α) h(t−1) + α φ((M ⊙ W) h(t−1) + W_in x(t) + b + ξ(t)), logits = W_out h + b_out.
    """
    mask = torch.from_numpy(model.mask.to_dense())
    if matrix is None:
        matrix = torch.zeros(mask.shape, dtype=x.dtype).index_put(mask.nonzero(as_tuple=True), model.weight_recurrent)
    h = torch.zeros(x.shape[1], len(mask), dtype=x.dtype) if h0 is None else h0
    states = []
    for t, now in enumerate(x):
        drive = h @ (mask * matrix).T + now @ model.weight_in.T + model.bias
        drive = drive if noise is None else drive + noise[t]
        h = (1 - alpha) * h + alpha * PHI[phi](drive)
        states.append(h)
    states = torch.stack(states)
    return states @ model.weight_out.T + model.bias_out, states
