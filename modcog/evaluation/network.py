"""Calling any network on trials, and reporting its faults in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.evaluation.scores import numbers
from modcog.trials.arrays import Trials
from modcog.user_code import FAILURES, failures_as, is_batch_first

Predict = Callable[[NDArray[np.float32]], Any]

NOTICEABLE = 1e-4
"""Mean change of an output that rounding does not explain, as a share of the output's range."""


def as_predict(network: Any, n_actions: int) -> Predict:
    """Return a function on arrays from a function or a torch module.

    Raises:
        ModcogError: if it is neither.
    """
    if isinstance(network, type):
        raise ModcogError(f"predict: got the class {network.__name__}, must be a network made from it, or a function")
    if hasattr(network, "state_dict") and hasattr(network, "parameters"):
        return _torch_predict(network, n_actions)
    if not callable(network):
        raise ModcogError(f"predict: got {type(network).__name__}, must be a function or a torch module")
    return network


def _torch_predict(module: Any, n_actions: int) -> Predict:
    import torch

    batch_first = is_batch_first(module)
    order = "(n, T, C)" if batch_first else "time-first (T, n, C), having no true batch_first,"
    tensors = itertools.chain(module.parameters(), module.buffers())
    weight = next((one for one in tensors if one.is_floating_point()), torch.empty(0))

    def predict(observations: NDArray[np.float32]) -> Any:
        x = torch.from_numpy(observations).to(weight.device, weight.dtype)
        x = x if batch_first else x.transpose(0, 1)
        sides = tuple(x.shape[:2])
        wanted = (
            f"predict: of observations of shape {order} = {tuple(x.shape)} the module must make logits of shape "
            f"{(*sides, n_actions)} or actions of shape {sides}, but"
        )
        with _evaluation_mode(module), torch.no_grad(), failures_as(f"{wanted} failed"):
            output = module(x)
        logits = output[0] if isinstance(output, tuple) and output else output
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor | np.ndarray) else None
        if shape not in {(*sides, n_actions), sides}:
            raise ModcogError(f"{wanted} gave {f'a {type(logits).__name__}' if shape is None else f'shape {shape}'}")
        return logits if batch_first else logits.swapaxes(0, 1)

    return predict


@contextmanager
def _evaluation_mode(module: Any) -> Iterator[None]:
    """Set a module to evaluation mode; restore the mode of each of its parts at the end."""
    was_training = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in was_training:
            part.training = training


def output_of(call: Predict, trials: Trials, n_actions: int) -> Any:
    """Return the output of a network on trials.

    Raises:
        ModcogError: if it fails, naming the shapes that it must take and make.
    """
    n, steps, channels = trials.observations.shape
    with failures_as(
        f"predict: failed on observations of shape (n, T, C) = {(n, steps, channels)}, of which it must make logits of "
        f"shape {(n, steps, n_actions)} or actions of shape {(n, steps)}"
    ):
        return call(trials.observations)


def check_independence(call: Predict, trials: Trials, output: Any, name: str = "predict") -> None:
    """Refuse a network whose output for a trial depends on the other trials of the batch.

    It may take trials for steps. Every other trial is reversed in time, and the output for the rest must stay the same.
    A network whose output changes from call to call, because it has noise of its own, cannot be checked and passes.

    Args:
        call: the network.
        trials: at least two, or nothing is checked.
        output: the network's output on them.
        name: of the network in the error.

    Raises:
        ModcogError: naming the order of axes expected.
    """
    if len(trials) < 2:
        return
    given = trials[:].observations  # painted afresh: the network may have written into what it got
    changed = given.copy()
    changed[::2] = given[::2, ::-1]
    before = _every_second(output, trials)
    try:
        depends = not _alike(before, _every_second(call(changed), trials))
        depends = depends and _alike(before, _every_second(call(given), trials))
    except FAILURES:  # a network may well refuse a trial that runs backwards
        return
    if depends:
        n, steps, _ = given.shape
        raise ModcogError(
            f"{name}: the output for a trial depends on the trials beside it, as if batch and time were swapped; "
            f"observations of shape (n, T, C) = {given.shape} are {n} independent trials of {steps} steps (a torch "
            f"module gets (T, n, C), unless it has an attribute batch_first = True)"
        )


def _every_second(output: Any, trials: Trials) -> NDArray[np.float64]:
    """Return the output at the steps of every second trial."""
    values = numbers(output)[1::2, : trials.mask.shape[1]]
    return values[trials.mask[1::2]].astype(np.float64)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).mean() <= NOTICEABLE * np.ptp(a))
