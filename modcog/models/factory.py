"""Networks by name: one factory for the reference architectures and for a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

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
from modcog.user_code import is_import_path
from modcog.validation import validated


def _locality(config: Any) -> Mask:
    return masks.locality(
        config.hidden,
        density=config.density,
        radius=config.radius,
        shape=config.shape,
        torus=config.torus,
        self_connections=config.self_connections,
    )


def _shuffled(config: Any) -> Mask:
    return masks.shuffled(_locality(config), seed=config.seed)


def _random(config: Any) -> Mask:
    return masks.random(
        config.hidden,
        density=config.density,
        seed=config.seed,
        shape=config.shape,
        torus=config.torus,
        self_connections=config.self_connections,
    )


def _dense(config: Any) -> Mask:
    return masks.dense(config.hidden, shape=config.shape, torus=config.torus, self_connections=config.self_connections)


def _identity(config: Any) -> Mask:
    return masks.identity(config.hidden, shape=config.shape, torus=config.torus)


@dataclass(frozen=True)
class Architecture:
    """A reference architecture.

    Attributes:
        config: the options it takes.
        mask: makes its mask; None for torch's gated units.
        about: one line.
    """

    config: type[ModelConfig]
    mask: Callable[[Any], Mask] | None
    about: str


ARCHITECTURES: dict[str, Architecture] = {
    "lm-rnn": Architecture(LocalityConfig, _locality, "units on a sheet, connected with their neighbours"),
    "dense": Architecture(DenseConfig, _dense, "every unit connected with every unit"),
    "random": Architecture(RandomConfig, _random, "random connections"),
    "autapse": Architecture(AutapseConfig, _identity, "every unit connected with itself only"),
    "shuffled": Architecture(LocalityConfig, _shuffled, "lm-rnn's graph with its units permuted on the sheet"),
    "gru": Architecture(GatedConfig, None, "torch's GRU"),
    "lstm": Architecture(GatedConfig, None, "torch's LSTM"),
}
"""Reference architectures by name."""


def configure(architecture: str, **options: Any) -> ModelConfig:
    """The checked options of an architecture, with its defaults filled in.

    Args:
        architecture: a name in ``ARCHITECTURES``, or ``package.module:function``.
        **options: what the architecture takes.

    Raises:
        UnknownNameError: for an architecture or an option that does not exist.
        ModcogError: for a value that is out of range.
    """
    if is_import_path(architecture):
        return UserConfig(architecture=architecture, **options)
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, [*ARCHITECTURES, "package.module:function"])
    model = ARCHITECTURES[architecture].config
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
        architecture: a name in ``ARCHITECTURES``; ``package.module:function`` of the user's own, looked for in the
            working directory too; or a configuration, as ``configure`` gives it or as a run file holds it. The user's
            function gets n_inputs, n_outputs, every option given, and hidden, seed and batch_first if it takes them.
        n_inputs: channels of an observation, C.
        n_outputs: number of actions, A.
        **options: what the architecture takes: ``hidden``, ``seed``, ``density`` …; see ``configure``.

    Returns:
        The network; ``config`` of a reference network is its configuration.

    Raises:
        UnknownNameError: for an architecture or an option that does not exist.
        ModcogError: for a value that is out of range, or a function that cannot be had or gives no such network.
    """
    config = _merged(architecture, options)
    for field, value in (("n_inputs", n_inputs), ("n_outputs", n_outputs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModcogError(f"{field}: got {value!r}, must be a whole number, at least 1")
    if isinstance(config, UserConfig):
        return build_user_network(config, n_inputs, n_outputs)
    model = _build_reference(config, n_inputs, n_outputs)
    model.config = config  # type: ignore[assignment]
    return model


def _merged(architecture: str | ModelConfig | Mapping[str, Any], options: dict[str, Any]) -> ModelConfig:
    if isinstance(architecture, ModelConfig):
        architecture = architecture.model_dump()
    if isinstance(architecture, Mapping):
        values = {**architecture, **options}
        if "architecture" not in values:
            raise ModcogError("architecture: missing from the configuration, must be a name")
        return configure(values.pop("architecture"), **values)
    return configure(architecture, **options)


def _build_reference(config: ModelConfig, n_inputs: int, n_outputs: int) -> nn.Module:
    mask = ARCHITECTURES[config.architecture].mask
    if mask is None:
        return GatedRNN(
            config.architecture, n_inputs, n_outputs, config.hidden, seed=config.seed, batch_first=config.batch_first
        )
    fields = ("activation", "dt", "tau", "noise", "init", "gain", "seed", "batch_first", "kernel")
    return MaskedRNN(mask(config), n_inputs, n_outputs, **{field: getattr(config, field) for field in fields})


@dataclass(frozen=True)
class Description:
    """Figures of a network.

    Attributes:
        parameters: trainable numbers.
        synapses: recurrent weights among them; None for a user's own network.
        density: synapses as a share of what full connections would be; None as above.
        wiring_mean: mean length of a connection, in units of the sheet's spacing; None without a sheet.
        wiring_total: sum of the lengths.
    """

    parameters: int
    synapses: int | None = None
    density: float | None = None
    wiring_mean: float | None = None
    wiring_total: float | None = None


def describe(model: nn.Module) -> Description:
    """Count a network's parameters and synapses, and measure its wiring."""
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if isinstance(model, MaskedRNN):
        mask = model.mask
        return Description(parameters, mask.synapses, mask.density, mask.wiring_mean, mask.wiring_total)
    if isinstance(model, GatedRNN):
        return Description(parameters, model.recurrent.get_parameter("weight_hh_l0").numel(), 1.0)
    return Description(parameters)
