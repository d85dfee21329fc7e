"""A network that solves rtgo and rtanti by construction, each with units of its own."""

import torch

from modcog import Battery
from modcog.models import MaskedRNN, masks

N, STRONG = 16, 5.0
TASKS = ["rtgo", "rtanti"]
GROUPS = {"go": range(2 * N), "anti": range(2 * N, 4 * N)}
CUE = 4 * N
"""Units of each task, and the one that sees the fixation cue."""


def battery() -> Battery:
    return Battery(TASKS, rule_input=True)


def reactions() -> MaskedRNN:
    """Each unit of a task's group sees one direction of one ring while its rule is on, and votes for the answer to it.

    Nothing is remembered: recurrent weights are there, but act on units that are off by their bias.
    """
    network = MaskedRNN(masks.dense(4 * N + 2), 1 + 2 * N + 2, N + 1, activation="relu")
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        for task in range(2):
            for modality in range(2):
                for direction in range(N):
                    unit = task * 2 * N + modality * N + direction
                    answer = (direction + task * N // 2) % N
                    network.weight_in[unit, 1 + modality * N + direction] = 1
                    network.weight_in[unit, 1 + 2 * N + task] = STRONG
                    network.bias[unit] = -STRONG
                    network.weight_out[1 + answer, unit] = 1
        network.weight_in[CUE, 0] = 2 * STRONG
        network.weight_out[0, CUE] = 1
        network.bias[CUE + 1] = -1  # always off
        network.weight_recurrent[(CUE + 1) * network.hidden :] = torch.linspace(0, 0.01, network.hidden)
    return network
