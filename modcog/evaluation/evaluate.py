"""Scoring anyone's network: a function on arrays, or a torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation.scores import Scores, score
from modcog.trials.source import Seed, TrialSource, check_count, repeat_tasks
from modcog.trials.trials import Trials

CHUNK = 1024
"""Trials that are predicted at once."""

Predict = Callable[[NDArray[np.float32]], Any]


def evaluate(predict: Predict | Any, battery: Battery, n_trials: int = 200, seed: int | None = 0) -> Scores:
    """Score a network on ``n_trials`` trials of every task of a battery.

    Args:
        predict: maps observations (n, T, C) float32 to logits (n, T, A) or actions (n, T); or a ``torch.nn.Module``,
            which is taken to be time-first, (T, n, C) to (T, n, A), unless it has a true ``batch_first``.
        battery: with the rule input if the network is to know the task.
        n_trials: of each task.
        seed: of the trials.

    Returns:
        Scores: per trial; ``.decision_accuracy``, ``.per_task()`` and ``.table()`` sum them up.

    Raises:
        ModcogError: if the output has the wrong shape or is not finite, naming the shape expected.
    """
    tasks = repeat_tasks(len(battery.tasks), check_count("n_trials", n_trials))
    trials = TrialSource(battery.tables, Seed.of(seed)).take(len(tasks), tasks)
    return evaluate_on(predict, trials, battery.n_actions)


def evaluate_on(predict: Predict | Any, trials: Trials, n_actions: int) -> Scores:
    """Score a network on given trials; see ``evaluate``."""
    call = as_predict(predict)
    parts = [_score_part(call, trials[i : i + CHUNK], n_actions) for i in range(0, len(trials), CHUNK)]
    return Scores(
        trials.tasks,
        trials.task,
        np.concatenate([part.decision for part in parts]),
        np.concatenate([part.whole for part in parts]),
    )


def _score_part(predict: Predict, trials: Trials, n_actions: int) -> Scores:
    output = np.asarray(predict(trials.observations))
    if output.ndim == 3 and output.shape[2] != n_actions:
        raise ModcogError(f"output: got shape {output.shape}, the last axis must hold {n_actions} actions")
    return score(output, trials)


def as_predict(network: Any) -> Predict:
    """A function on arrays from a function or a torch module.

    Raises:
        ModcogError: if it is neither.
    """
    if hasattr(network, "state_dict") and hasattr(network, "parameters"):
        return _torch_predict(network)
    if not callable(network):
        raise ModcogError(f"predict: got {type(network).__name__}, must be a function or a torch module")
    return network


def _torch_predict(module: Any) -> Predict:
    import torch

    batch_first = bool(getattr(module, "batch_first", False))
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))

    def predict(observations: NDArray[np.float32]) -> NDArray[Any]:
        x = torch.from_numpy(observations).to(device)
        was_training = module.training
        module.eval()
        try:
            with torch.no_grad():
                output = module(x if batch_first else x.transpose(0, 1))
        finally:
            module.train(was_training)
        logits = output[0] if isinstance(output, tuple) else output
        return (logits if batch_first else logits.transpose(0, 1)).cpu().numpy()

    return predict
