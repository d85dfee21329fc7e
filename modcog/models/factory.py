"""Networks by name: one factory for the reference architectures and for your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from modcog.checks import check_count
from modcog.errors import ModcogError, unknown
from modcog.models import masks
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.models.config import (
    AutapseConfig,
    DenseConfig,
    GatedConfig,
    LocalityConfig,
    ModelConfig,
    RandomConfig,
    UserConfig,
)
from modcog.models.masks import Mask
from modcog.models.user import build_user_network
from modcog.user_code import accepted_options, is_import_path
from modcog.validation import validated

ARCHITECTURES: dict[str, type[ModelConfig]] = {
    "lm-rnn": LocalityConfig,  # units on a sheet, connected with their neighbours
    "dense": DenseConfig,
    "random": RandomConfig,
    "autapse": AutapseConfig,  # every unit connected with itself only
    "shuffled": LocalityConfig,  # the graph of lm-rnn with its units permuted on the sheet
    "gru": GatedConfig,
    "lstm": GatedConfig,
}
"""Options of the reference architectures by name."""

_MASKS: dict[str, Callable[..., Mask]] = {
    "lm-rnn": masks.locality,
    "dense": masks.dense,
    "random": masks.random,
    "autapse": masks.identity,
    "shuffled": masks.locality,
}


def configure(architecture: str, **options: Any) -> ModelConfig:
    """Check the options of an architecture and fill in its defaults.

    Args:
        architecture: a name in ``ARCHITECTURES``, or ``package.module:function``.
        **options: options of the architecture.

    Raises:
        UnknownNameError: for an architecture or an option that does not exist.
        ModcogError: for a value that is out of range.
    """
    if is_import_path(architecture):
        return UserConfig(architecture=architecture, **options)
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, [*ARCHITECTURES, "package.module:function"])
    model = ARCHITECTURES[architecture]
    allowed = [name for name in model.model_fields if name != "architecture"]
    for name in options:
        if name not in allowed:
            raise unknown(f"option of {architecture}", name, allowed)
    return validated(model, {"architecture": architecture, **options})


def build(
    architecture: str | ModelConfig | Mapping[str, Any], n_inputs: int, n_outputs: int, **options: Any
) -> nn.Module:
    """Build a network that maps observations (T, B, C) to logits (T, B, A).

    Args:
        architecture: a name in ``ARCHITECTURES``; ``package.module:function`` of your own, also from the working
            directory; or a configuration, as ``configure`` returns it or as a run file holds it. Your function
            receives n_inputs, n_outputs, every option given, and hidden, seed and batch_first if it takes them.
        n_inputs: channels of an observation, C.
        n_outputs: number of actions, A.
        **options: options of the architecture: ``hidden``, ``seed``, ``density`` …; see ``configure``.

    Returns:
        The network; ``config`` of a reference network is its configuration.

    Raises:
        UnknownNameError: for an architecture or an option that does not exist.
        ModcogError: for a value that is out of range, or a function that cannot be imported, fails, or returns no
            such network.
    """
    if isinstance(architecture, ModelConfig):
        architecture = architecture.model_dump()
    if isinstance(architecture, Mapping):
        options = {**architecture, **options}
        if "architecture" not in options:
            raise ModcogError("architecture: missing from the configuration, must be a name")
        architecture = str(options.pop("architecture"))
    config = configure(architecture, **options)
    n_inputs, n_outputs = check_count("n_inputs", n_inputs), check_count("n_outputs", n_outputs)
    if isinstance(config, UserConfig):
        return build_user_network(config, n_inputs, n_outputs)
    values = config.model_dump(exclude={"architecture"})
    model: nn.Module
    if config.architecture in _MASKS:
        model = MaskedRNN(_make_mask(config), n_inputs, n_outputs, **accepted_options(MaskedRNN, values))
    else:
        model = GatedRNN(config.architecture, n_inputs, n_outputs, **values)
    model.config = config  # type: ignore[assignment]
    return model


def _make_mask(config: ModelConfig) -> Mask:
    make = _MASKS[config.architecture]
    mask = make(config.hidden, **accepted_options(make, config.model_dump()))
    return masks.shuffled(mask, seed=config.seed) if config.architecture == "shuffled" else mask


@dataclass(frozen=True)
class Measures:
    """Size and wiring of a network.

    Attributes:
        parameters: number of trainable parameters.
        synapses: number of recurrent weights among them; None for your own network.
        density: synapses as a share of full connectivity; None as above.
        wiring_mean: mean length of a connection, in units of the sheet's spacing; None without a sheet.
        wiring_total: sum of the lengths.
    """

    parameters: int
    synapses: int | None = None
    density: float | None = None
    wiring_mean: float | None = None
    wiring_total: float | None = None


def measure(model: nn.Module) -> Measures:
    """Count the parameters and synapses of a network, and measure its wiring."""
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if isinstance(model, MaskedRNN):
        mask = model.mask
        return Measures(parameters, mask.synapses, mask.density, mask.wiring_mean, mask.wiring_total)
    if isinstance(model, GatedRNN):
        return Measures(parameters, model.recurrent.get_parameter("weight_hh_l0").numel(), 1.0)
    return Measures(parameters)
