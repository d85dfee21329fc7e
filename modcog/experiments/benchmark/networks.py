"""Networks that are trained already: score them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.experiments.sweeps.cell import Record, score_network, score_run
from modcog.training.config import TrainConfig
from modcog.training.run import Run, read_run
from modcog.user_code import accepted_options, failures_as, is_factory, required_options


def score_saved(folder: Path, n_trials: int, seed: int) -> tuple[Run, Record]:
    """Return a run of the trainer, and its record, scored with its newest checkpoint.

    Raises:
        ModcogError: if there is no run or no checkpoint.
    """
    run = read_run(folder)
    config = {"seed": run.record["seed"]}
    record = {"status": run.status, "error": None, "cell": {"name": str(folder), "config": config}}
    return run, {**record, **score_run(folder, n_trials, seed), "progress": run.record["progress"]}


def score_object(
    network: Any, name: str, battery: Battery, n_trials: int, score_seed: int, seeds: int, options: Mapping[str, Any]
) -> list[Record]:
    """Return the record of a network, or one for each seed if ``network`` is a function that makes one from a seed.

    Args:
        network: a torch module; a function from observations to logits or actions; or a function (or class) that makes
            one of these and requires nothing but some of n_inputs, n_outputs, hidden, seed and ``options``. It keeps
            its own default of ``hidden`` unless ``options`` hold another.
        name: of the network.
        battery: to score it on.
        n_trials: of each task.
        score_seed: of the trials.
        seeds: number of networks to make, from seed 0 on, if it takes a seed.
        options: for the function that makes it.

    Raises:
        ModcogError: if it cannot be made or scored.
    """
    hidden = {"hidden": TrainConfig.model_fields["hidden"].default}
    offered = {**hidden, **options, "n_inputs": battery.n_channels, "n_outputs": battery.n_actions, "seed": 0}
    if not is_factory(network, offered):
        return [_record(network, name, None, battery, n_trials, score_seed)]
    if "hidden" not in {*options, *required_options(network)}:
        del offered["hidden"]
    accepted = accepted_options(network, offered)
    records = []
    for seed in range(seeds) if "seed" in accepted else [None]:
        given = accepted if seed is None else {**accepted, "seed": seed}
        with failures_as(f"{name}: called with {', '.join(given) or 'nothing'}, it failed"):
            made = network(**given)
        label = name if seed is None else f"{name}, seed {seed}"
        records.append(_record(made, label, seed, battery, n_trials, score_seed))
    return records


def _record(network: Any, name: str, seed: int | None, battery: Battery, n_trials: int, score_seed: int) -> Record:
    try:
        scored = score_network(network, battery, n_trials, score_seed)
    except ModcogError as error:
        raise ModcogError(f"{name}: {error}") from error
    return {"status": "scored", "error": None, "cell": {"name": name, "config": {"seed": seed}}, **scored}
