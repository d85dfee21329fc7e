"""Networks that are trained already: score them as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.experiments.sweeps.cell import Record, score_network
from modcog.training.config import TrainConfig
from modcog.user_code import accepted_options, failures_as, is_factory, required_options


def score_object(
    network: Any, name: str, battery: Battery, n_trials: int, score_seed: int, seeds: int, options: Mapping[str, Any]
) -> list[Record]:
    """Return the record of a network, or one for each seed if ``network`` is a function that makes one from a seed.

    Such a function (or class) requires nothing but some of n_inputs, n_outputs, hidden, seed and ``options``, and keeps
    its own default of ``hidden`` unless ``options`` hold another. Any other ``network`` is a torch module or a function
    from observations to logits or actions.

    Raises:
        ModcogError: if it cannot be made or scored.
    """
    records: list[Record] = []
    for label, seed, one in _networks(network, name, battery, seeds, options):
        try:
            scored = score_network(one, battery, n_trials, score_seed)
        except ModcogError as error:
            raise ModcogError(f"{label}: {error}") from error
        records.append({"status": "scored", "error": None, "cell": {"name": label, "config": {"seed": seed}}, **scored})
    return records


def _networks(
    network: Any, name: str, battery: Battery, seeds: int, options: Mapping[str, Any]
) -> Iterator[tuple[str, int | None, Any]]:
    hidden = {"hidden": TrainConfig.model_fields["hidden"].default}
    offered = {**hidden, **options, "n_inputs": battery.n_channels, "n_outputs": battery.n_actions, "seed": 0}
    if not is_factory(network, offered):
        yield name, None, network
        return
    if "hidden" not in {*options, *required_options(network)}:
        del offered["hidden"]
    accepted = accepted_options(network, offered)
    for seed in range(seeds) if "seed" in accepted else [None]:
        given = accepted if seed is None else {**accepted, "seed": seed}
        with failures_as(f"{name}: called with {', '.join(given) or 'nothing'}, it failed"):
            made = network(**given)
        yield name if seed is None else f"{name}, seed {seed}", seed, made
