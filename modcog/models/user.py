"""Your own networks: from ``package.module:function`` to a module that has been tried on a small batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from modcog.errors import ModcogError
from modcog.models.config import UserConfig
from modcog.seeds import Purpose, Seed
from modcog.user_code import accepted_options, failures_as, import_object


def build_user_network(config: UserConfig, n_inputs: int, n_outputs: int) -> nn.Module:
    """Call a user's function with the options it takes, and try its network on a small batch.

    Raises:
        ModcogError: if the function cannot be imported or fails, or returns no network that can be trained.
    """
    name = config.architecture
    function = _import_function(name)
    options = {"n_inputs": n_inputs, "n_outputs": n_outputs, **_options_for(function, config)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seed.of(config.seed, Purpose.WEIGHTS).integer())
        with failures_as(f"{name}: called with {', '.join(options)}, it failed"):
            model = function(**options)
        if not isinstance(model, nn.Module):
            raise ModcogError(f"{name}: returned a value of type {type(model).__name__}, must be a torch.nn.Module")
        _try_out(name, model, n_inputs, n_outputs, config.batch_first)
    return model


def _options_for(function: Callable[..., Any], config: UserConfig) -> dict[str, Any]:
    """Return all options that the user gave, and of those that every network has the ones that the function takes."""
    common = {"hidden": config.hidden, "seed": config.seed, "batch_first": config.batch_first}
    options = {**(config.model_extra or {}), **accepted_options(function, common)}
    if config.batch_first:
        options["batch_first"] = True  # a function without this option must fail, not ignore it
    return options


def _import_function(name: str) -> Callable[..., Any]:
    try:
        found = import_object(name)
    except ModcogError as error:
        raise ModcogError(f"architecture {name!r}: {error}") from None
    if not callable(found):
        raise ModcogError(f"architecture {name!r} is of type {type(found).__name__}, must be a function")
    return found


def _try_out(name: str, model: nn.Module, n_inputs: int, n_outputs: int, batch_first: bool) -> None:
    """Refuse a network that does not map (T, B, C) to (T, B, A), that mixes trials, or that cannot be trained."""
    sides = (2, 3) if batch_first else (3, 2)
    before, after = ("(B, T, C)", "(B, T, A)") if batch_first else ("(T, B, C)", "(T, B, A)")
    must = f"{name}: the network must map {before} to {after} with C = {n_inputs} and A = {n_outputs}"
    training = model.training
    x = torch.rand(*sides, n_inputs)
    other = x.clone()
    (other if batch_first else other.transpose(0, 1))[0] = 0  # another first trial
    try:
        with torch.enable_grad(), failures_as(f"{must}, but failed"):
            logits, again, beside = (model.eval()(observations) for observations in (x, x, other))
    finally:
        model.train(training)
    if not isinstance(logits, torch.Tensor) or logits.shape != (*sides, n_outputs):
        made = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        raise ModcogError(f"{must}; for {(*sides, n_inputs)} it returned {made}")
    if not logits.isfinite().all():
        raise ModcogError(f"{must}; it returned NaN or infinite values before any training")
    if not logits.requires_grad:
        raise ModcogError(f"{must}; its output depends on no trainable parameter (is it detached?)")
    second = 1 if batch_first else (slice(None), 1)
    repeats = torch.equal(logits, again)  # a network with noise, or with a state that it keeps, does not
    if repeats and not torch.allclose(logits[second], beside[second], rtol=1e-4, atol=1e-6):
        raise ModcogError(f"{must}; its output for a trial depends on the others: are batch and time swapped?")
