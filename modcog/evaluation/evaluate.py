"""Scoring anyone's network: a function on arrays, or a torch module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation.scores import Scores, score
from modcog.trials.source import Seed, TrialSource, check_count
from modcog.trials.trials import Trials

CHUNK = 1024
"""Trials that are predicted at once, at most."""

Predict = Callable[[NDArray[np.float32]], Any]


def evaluate(
    predict: Predict | Any,
    battery: Battery,
    n_trials: int = 200,
    seed: int | None = 0,
    tasks: Sequence[str] | None = None,
) -> Scores:
    """Score a network on ``n_trials`` trials of every task of a battery.

    Args:
        predict: maps observations (n, T, C) float32 to logits (n, T, A) or actions (n, T), as anything that
            ``np.asarray`` takes; trials of fewer than T steps are padded with zeros at their end, and what is put out
            there does not count. Or a ``torch.nn.Module``, which is taken to be time-first, (T, n, C) to (T, n, A),
            unless it or one of its parts has a true ``batch_first``; of a tuple, the first is taken.
        battery: with the rule input if the network is to know the task.
        n_trials: of each task.
        seed: of the trials; None: from the operating system.
        tasks: score these of the battery's tasks only, which keep their place in the rule input.

    Returns:
        Scores: per trial; ``.decision_accuracy``, ``.per_task()`` and ``.table()`` sum them up.

    Raises:
        ModcogError: if the network fails, or its output has a wrong shape or is not finite, naming the shape expected.
        UnknownNameError: if one of ``tasks`` is not in the battery.
    """
    if not isinstance(battery, Battery):
        raise ModcogError(f"battery: got {type(battery).__name__}, must be a modcog.Battery")
    index = range(len(battery.tasks)) if tasks is None else [battery.index(task) for task in tasks]
    chosen = np.repeat(index, check_count("n_trials", n_trials))
    if not len(chosen):
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    return _score_all(
        predict, TrialSource(battery.tables, Seed.of(seed)).blocks(len(chosen), chosen), battery.n_actions
    )


def evaluate_on(predict: Predict | Any, trials: Trials, n_actions: int) -> Scores:
    """Score a network on given trials; see ``evaluate``."""
    return _score_all(predict, (trials[i : i + CHUNK] for i in range(0, len(trials), CHUNK)), n_actions)


def _score_all(predict: Predict | Any, parts: Iterable[Trials], n_actions: int) -> Scores:
    call = as_predict(predict)
    found = [score(_output(call, part, n_actions), part, n_actions) for part in parts]
    return Scores(
        found[0].tasks,
        np.concatenate([part.task for part in found]),
        np.concatenate([part.decision for part in found]),
        np.concatenate([part.whole for part in found]),
    )


def _output(call: Predict, trials: Trials, n_actions: int) -> Any:
    try:
        return call(trials.observations)
    except ModcogError:
        raise
    except Exception as error:
        n, steps, _ = trials.observations.shape
        raise ModcogError(
            f"predict: failed on observations of shape (n, T, C) = {trials.observations.shape}, of which it must make "
            f"logits of shape {(n, steps, n_actions)} or actions of shape {(n, steps)}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


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

    batch_first = any(bool(getattr(part, "batch_first", False)) for part in module.modules())
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))

    def predict(observations: NDArray[np.float32]) -> Any:
        x = torch.from_numpy(observations).to(device)
        was_training = [(part, part.training) for part in module.modules()]
        module.eval()
        try:
            with torch.no_grad():
                output = module(x if batch_first else x.transpose(0, 1))
        finally:
            for part, training in was_training:
                part.training = training
        logits = output[0] if isinstance(output, tuple) else output
        if batch_first or getattr(logits, "ndim", 0) < 2:
            return logits
        return logits.transpose(0, 1)

    return predict
