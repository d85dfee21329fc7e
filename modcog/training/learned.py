"""Results of a network that was trained together with others, and the folder that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modcog.battery import Battery
from modcog.evaluation.scoring import score
from modcog.seeds import Purpose, Seed
from modcog.training import checkpoint
from modcog.training.batches import held_out
from modcog.training.config import TrainConfig
from modcog.training.loop import make_optimizer, record_scores
from modcog.training.metrics import write_metrics
from modcog.training.record import Evaluation, Progress, Status
from modcog.training.run import CHECKPOINTS, Run, build_model, write_run

Actions = NDArray[np.int16]


@dataclass
class Learned:
    """A network that was trained together with others: what its folder and its scores are made of.

    Attributes:
        config: settings of the run.
        seconds: time that all of them took, divided by their number.
        weights: parameters, and the two moments that Adam keeps of each, by name.
        evaluations: step, loss, and actions (n, T) on the held-out trials, at each evaluation.
        trials: trials that it was trained on until each evaluation.
        actions: actions on the trials to score on, if any were asked for.
        diverged: step at which loss, weights or output were not finite any more; −1: never.
    """

    config: TrainConfig
    seconds: float
    weights: dict[str, tuple[Tensor, Tensor, Tensor]]
    evaluations: list[tuple[int, float | None, Actions]]
    trials: list[int]
    actions: Actions | None
    diverged: int


def write_learned(learned: Learned) -> Run:
    """Write the folder of a run that was trained together with others, as ``train`` leaves it but for pictures.

    It can be resumed with more steps, for example. A run that diverged has status ``"diverged"`` and no checkpoint.
    """
    config = learned.config
    battery = Battery.from_config(config.battery_settings())
    trials = held_out(config, battery)
    progress, records = Progress(), list[Evaluation]()
    scores: dict[str, Any] = {}
    for (step, loss, taken), n in zip(learned.evaluations, learned.trials, strict=True):
        if 0 <= learned.diverged <= step:
            break
        seconds = learned.seconds * step / config.steps
        found = score(taken, trials, battery.n_actions)
        progress.step, progress.trials, progress.seconds, progress.loss = step, n, seconds, loss
        evaluation, scores = record_scores(config, progress, found)
        records.append(evaluation)
    write_metrics(config.out, records)
    if learned.diverged < 0:
        network = build_model(config, battery)
        optimizer = make_optimizer(config, network)
        for name, parameter in network.named_parameters():
            weight, first, second = learned.weights[name]
            with torch.no_grad():
                parameter.copy_(weight)
            state = {"step": torch.tensor(float(config.steps)), "exp_avg": first, "exp_avg_sq": second}
            optimizer.state[parameter] = state
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Seed.of(config.seed, Purpose.NETWORK_NOISE, 0).integer())
            random = [checkpoint.random_states(torch.device("cpu"))]
        checkpoint.save(config.out / CHECKPOINTS, network, optimizer, random, progress)
    status: Status = "diverged" if learned.diverged >= 0 else "finished"
    return write_run(config, status, progress, scores)
