"""Calling anyone's network on trials, and saying in a line what is wrong with it."""

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
from modcog.user_code import FAILURES, error_text, is_batch_first

Predict = Callable[[NDArray[np.float32]], Any]

NOTICEABLE = 1e-4
"""Mean change of an output that rounding does not explain, as a share of the output's range."""


def as_predict(network: Any, n_actions: int) -> Predict:
    """A function on arrays from a function or a torch module.

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
    numbers_of = itertools.chain(module.parameters(), module.buffers())
    weight = next((one for one in numbers_of if one.is_floating_point()), torch.empty(0))

    def predict(observations: NDArray[np.float32]) -> Any:
        x = torch.from_numpy(observations).to(weight.device, weight.dtype)
        x = x if batch_first else x.transpose(0, 1)
        with _evaluation_mode(module), torch.no_grad():
            try:
                output = module(x)
            except FAILURES as error:
                raise _refusal(x, n_actions, batch_first, f"failed: {error_text(error)}") from error
        logits = output[0] if isinstance(output, tuple) and output else output
        if not isinstance(logits, torch.Tensor | np.ndarray):
            raise _refusal(x, n_actions, batch_first, f"gave a {type(logits).__name__}")
        if tuple(logits.shape) not in {(*x.shape[:2], n_actions), tuple(x.shape[:2])}:
            raise _refusal(x, n_actions, batch_first, f"gave shape {tuple(logits.shape)}")
        return logits if batch_first else logits.swapaxes(0, 1)

    return predict


@contextmanager
def _evaluation_mode(module: Any) -> Iterator[None]:
    """Evaluation mode for a time; every part is left in the mode that it was in."""
    was_training = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in was_training:
            part.training = training


def _refusal(x: Any, n_actions: int, batch_first: bool, what: str) -> ModcogError:
    """The error of a torch module that does not do what it must, in the order of axes that the module knows."""
    sides = tuple(x.shape[:2])
    order = "(n, T, C)" if batch_first else "time-first (T, n, C), having no true batch_first,"
    return ModcogError(
        f"predict: of observations of shape {order} = {tuple(x.shape)} the module must make logits of shape "
        f"{(*sides, n_actions)} or actions of shape {sides}, but {what}"
    )


def output_of(call: Predict, trials: Trials, n_actions: int) -> Any:
    """What a network makes of trials.

    Raises:
        ModcogError: if it fails, naming the shapes that it must take and make.
    """
    try:
        return call(trials.observations)
    except ModcogError:
        raise
    except FAILURES as error:
        n, steps, _ = trials.observations.shape
        raise ModcogError(
            f"predict: failed on observations of shape (n, T, C) = {trials.observations.shape}, of which it must make "
            f"logits of shape {(n, steps, n_actions)} or actions of shape {(n, steps)}: {error_text(error)}"
        ) from error


def check_trials_apart(call: Predict, trials: Trials, output: Any, name: str = "predict") -> None:
    """Refuse a network whose output for a trial depends on the trials beside it: it may take trials for steps.

    Every other trial is played backwards, and the rest must come out as before. A network that puts out something else
    whenever it is called, because it has noise of its own, is let pass: there is no telling.

    Args:
        call: the network.
        trials: at least two, or nothing is checked.
        output: what it made of them.
        name: what the error calls it.

    Raises:
        ModcogError: naming the order of axes expected.
    """
    if len(trials) < 2:
        return
    given = trials[:].observations  # painted afresh: the network may have written into what it got
    changed = given.copy()
    changed[::2] = given[::2, ::-1]
    before = _of_others(output, trials)
    try:
        depends = not _alike(before, _of_others(call(changed), trials))
        depends = depends and _alike(before, _of_others(call(given), trials))
    except FAILURES:  # it may well refuse a trial that runs backwards
        return
    if depends:
        n, steps, _ = given.shape
        raise ModcogError(
            f"{name}: what it makes of a trial depends on the trials beside it, as if trials and steps were swapped; "
            f"observations of shape (n, T, C) = {given.shape} are {n} trials of {steps} steps, each for itself "
            f"(a torch module gets (T, n, C), unless it has an attribute batch_first = True)"
        )


def _of_others(output: Any, trials: Trials) -> NDArray[Any]:
    """The output at the steps of every second trial."""
    values = numbers(output)[1::2, : trials.mask.shape[1]]
    return values[trials.mask[1::2]].astype(np.float64)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).mean() <= NOTICEABLE * np.ptp(a))
