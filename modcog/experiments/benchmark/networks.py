"""Networks that are trained already: taken as they come, and scored without training."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.experiments.sweeps.cell import score_network, score_run
from modcog.training.config import TrainConfig
from modcog.training.run import Run, read_run
from modcog.user_code import FAILURES, error_text

Record = dict[str, Any]

COMMON = {"hidden": TrainConfig.model_fields["hidden"].default}
"""What a function that must be told, and is not, is told."""


def of_run(folder: Path, n_trials: int, seed: int) -> tuple[Run, Record]:
    """A run of the trainer and its record, scored with its newest checkpoint.

    Raises:
        ModcogError: if there is no run or no checkpoint.
    """
    run = read_run(folder)
    config = {"seed": run.record["seed"]}
    record = {"status": run.status, "error": None, "cell": {"name": str(folder), "config": config}}
    return run, {**record, **score_run(folder, n_trials, seed), "progress": run.record["progress"]}


def of_object(
    network: Any, name: str, battery: Battery, n_trials: int, score_seed: int, seeds: int, options: Mapping[str, Any]
) -> list[Record]:
    """The records of a network, or of one for each seed if ``network`` is a function that makes one from a seed.

    Args:
        network: a torch module; a function from observations to logits or actions; or a function (or class) that makes
            one of these: what it must be given is among n_inputs, n_outputs, hidden, seed and ``options``.
        name: what it is called.
        battery: to score it on.
        n_trials: of each task.
        score_seed: of the trials.
        seeds: how many to make, from 0 on, if it takes a seed.
        options: for the function that makes it.

    Raises:
        ModcogError: if it cannot be made or scored.
    """
    given = {**COMMON, **options, "n_inputs": battery.n_channels, "n_outputs": battery.n_actions, "seed": 0}
    if not makes(network, given):
        return [_record(network, name, None, battery, n_trials, score_seed)]
    taken = _taken(network, given, options)
    if "seed" not in taken:
        return [_record(_make(network, name, taken), name, None, battery, n_trials, score_seed)]
    networks = ((seed, _make(network, name, {**taken, "seed": seed})) for seed in range(seeds))
    return [_record(made, f"{name}, seed {seed}", seed, battery, n_trials, score_seed) for seed, made in networks]


def makes(network: Any, given: Mapping[str, Any]) -> bool:
    """Whether this makes a network, rather than being one: what it must be given is among ``given``.

    What takes any positional argument, as models of other libraries do, is one, unless it names one of ``given``.
    """
    if not callable(network) or (hasattr(network, "state_dict") and not inspect.isclass(network)):
        return False
    try:
        parameters = _parameters(network)
    except (TypeError, ValueError):  # of a function that is not written in Python nothing is known
        return False
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters) and not inspect.isclass(network)
    if takes_any and not any(p.name in given for p in parameters):
        return False
    return {p.name for p in parameters if p.default is p.empty and p.kind not in _REST} <= set(given)


_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _taken(function: Callable[..., Any], given: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``given`` a function is called with; it keeps its own defaults where the user's options say nothing."""
    parameters = {p.name: p for p in _parameters(function)}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    own = {name for name, p in parameters.items() if name in COMMON.keys() - options and p.default is not p.empty}
    return {name: value for name, value in given.items() if (takes_all or name in parameters) and name not in own}


def _make(function: Callable[..., Any], name: str, options: Mapping[str, Any]) -> Any:
    try:
        return function(**options)
    except ModcogError:
        raise
    except FAILURES as error:
        called = f"called with {', '.join(options)}" if options else "called"
        raise ModcogError(f"{name}: {called}, it failed: {error_text(error)}") from error


def _record(network: Any, name: str, seed: int | None, battery: Battery, n_trials: int, score_seed: int) -> Record:
    cell = {"name": name, "config": {"seed": seed}}
    try:
        scored = score_network(network, battery, n_trials, score_seed)
    except ModcogError as error:
        raise ModcogError(f"{name}: {error}") from error
    return {"status": "scored", "error": None, "cell": cell, **scored}
