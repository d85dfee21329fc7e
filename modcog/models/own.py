"""A user's own network: from ``package.module:function`` to a module that has been tried out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from modcog.errors import ModcogError
from modcog.models.config import OwnConfig
from modcog.user_code import FAILURES, object_at, said


def build_own(config: OwnConfig, n_inputs: int, n_outputs: int) -> nn.Module:
    """Call a user's function with what it takes, and try what it gives on a small batch.

    Raises:
        ModcogError: if the function cannot be had or fails, or gives no network that could be trained.
    """
    name = config.architecture
    function = _function(name)
    options = {"n_inputs": n_inputs, "n_outputs": n_outputs, **_options_for(function, config)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        try:
            model = function(**options)
        except FAILURES as error:
            raise ModcogError(f"{name}: called with {', '.join(options)}, it failed: {said(error)}") from error
        if not isinstance(model, nn.Module):
            raise ModcogError(f"{name}: it gave a {type(model).__name__}, must be a torch.nn.Module")
        _try_out(name, model, n_inputs, n_outputs, config.batch_first)
    return model


def _options_for(function: Callable[..., Any], config: OwnConfig) -> dict[str, Any]:
    """The user's options, and of those that every network has the ones that the function takes."""
    taken = inspect.signature(function).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    options = config.model_dump(exclude={"architecture"})
    common = {name for name in ("hidden", "seed", "batch_first") if name not in taken and not takes_all}
    if config.batch_first:
        common.discard("batch_first")  # a function that does not know it must not be taken to honour it
    return {name: value for name, value in options.items() if name not in common}


def _function(name: str) -> Callable[..., Any]:
    try:
        found = object_at(name)
    except ModcogError as error:
        raise ModcogError(f"architecture {name!r}: {error}") from None
    if not callable(found):
        raise ModcogError(f"architecture {name!r} is a {type(found).__name__} and no function")
    return found


def _try_out(name: str, model: nn.Module, n_inputs: int, n_outputs: int, batch_first: bool) -> None:
    """Refuse a network that does not map (T, B, C) to (T, B, A), each trial by itself, or that cannot be trained."""
    sides = (2, 3) if batch_first else (3, 2)
    taken, given = ("(B, T, C)", "(B, T, A)") if batch_first else ("(T, B, C)", "(T, B, A)")
    must = f"{name}: the network must map {taken} to {given} with C = {n_inputs} and A = {n_outputs}"
    training = model.training
    x = torch.rand(*sides, n_inputs)
    other = x.clone()
    (other if batch_first else other.transpose(0, 1))[0] = 0  # another first trial
    try:
        with torch.enable_grad():
            logits, again, beside = (model.eval()(observations) for observations in (x, x, other))
    except FAILURES as error:
        raise ModcogError(f"{must}; it failed with {said(error)}") from error
    finally:
        model.train(training)
    if not isinstance(logits, torch.Tensor) or logits.shape != (*sides, n_outputs):
        made = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        raise ModcogError(f"{must}; for {(*sides, n_inputs)} it gave {made}")
    if not logits.isfinite().all():
        raise ModcogError(f"{must}; it gave NaN or infinite values before any training")
    if not logits.requires_grad:
        raise ModcogError(f"{must}; its output depends on no parameter that can be trained (detached, or none there)")
    second = (slice(None), 1) if not batch_first else 1
    repeats = torch.equal(logits, again)  # not with noise of its own, or with a state that it keeps
    if repeats and not torch.allclose(logits[second], beside[second], rtol=1e-4, atol=1e-6):
        raise ModcogError(
            f"{must}; the output of a trial changed with another trial of the batch: batch_first mistaken?"
        )
