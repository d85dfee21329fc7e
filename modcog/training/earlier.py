"""Runs that start from the weights of an earlier one, and the training of its rule input alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modcog.errors import ModcogError
from modcog.models.cells import RecurrentNetwork
from modcog.training import checkpoint
from modcog.training.config import TrainConfig, decisive
from modcog.training.run import CHECKPOINTS, read_run

INPUT_WEIGHTS = ("weight_in", "recurrent.weight_ih_l0", "read_in.weight")
"""Names of the weights from the observations in the networks of the package, each (…, C)."""


def load_final(config: TrainConfig, network: nn.Module) -> dict[str, Tensor]:
    """Load the final weights of a run into a network, and return its last checkpoint's other tensors, of any shapes.

    No code is imported that the folder names: the network is there.

    Raises:
        ModcogError: if the folder of the run holds none, one of other settings, or one that is not finished; or if its
            weights do not fit the network.
    """
    run = read_run(config.out, trust=True)
    there, asked = (decisive(one.model_dump(mode="json")) for one in (run.config, config))
    if other := [name for name in asked | there if asked.get(name) != there.get(name)]:
        raise ModcogError(f"start: {config.out} has been trained with another {', '.join(other)} since")
    if run.status not in ("finished", "reached"):
        raise ModcogError(f"start: the run in {config.out} is {run.status}, must be finished")

    def read(path: Path) -> dict[str, Tensor]:
        checkpoint.load_weights(path, network)
        return checkpoint.read_tensors(path / checkpoint.OPTIMIZER)

    return checkpoint.read_latest(config.out / CHECKPOINTS, read)


def train_rules_only(network: nn.Module, n_rules: int) -> None:
    """Fix all weights but those from the last ``n_rules`` channels of the observations.

    Raises:
        ModcogError: for a network of your own, whose input weights are not known.
    """
    known = dict(network.named_parameters()) if isinstance(network, RecurrentNetwork) else {}
    weight: Any = next((known[name] for name in INPUT_WEIGHTS if name in known), None)
    if weight is None:
        raise ModcogError(f"trainable: got 'rules' for {type(network).__name__}, must be a reference network")
    for other in network.parameters():
        other.requires_grad_(other is weight)

    # Adam leaves a weight alone, to the bit, whose gradient has always been 0.
    def of_rules(gradient: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(gradient[:, :-n_rules]), gradient[:, -n_rules:]], dim=1)

    weight.register_hook(of_rules)
