"""Networks by name: the options of the reference architectures, and one factory for them and for your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from modcog.checks import check_count
from modcog.errors import ModcogError, shown, unknown
from modcog.models import masks
from modcog.models.causality import sees_later_steps
from modcog.models.cells import GatedRNN, MaskedRNN
from modcog.models.dale import DaleRNN
from modcog.models.masks import Mask
from modcog.models.recurrences import CoRNN, LowRankRNN, StackedRNN
from modcog.seeds import Purpose, Seed
from modcog.settings import Positive
from modcog.user_code import accepted_options, check_trust, failures_as, import_object, is_import_path
from modcog.validation import validated

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class ModelConfig(BaseModel):
    """Options of every architecture; gru and lstm have no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    architecture: str = Field(description="Name of the architecture, or package.module:function.")
    hidden: Count = Field(256, description="Number of units.")
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="Seed of the mask and the initial weights.")
    batch_first: bool = Field(False, description="Order of axes (B, T, …) instead of (T, B, …).")


class MaskedConfig(ModelConfig):
    """Options of all networks with a mask, whose units stand on a sheet."""

    activation: Literal["relu", "tanh", "softplus"] = Field("relu", description="Nonlinearity φ.")
    dt: Positive = Field(100.0, description="Time step in ms.")
    tau: Positive | None = Field(None, description="Time constant in ms, at least dt; default: dt.")
    noise: NotNegative = Field(0.0, description="Standard deviation of the private noise ξ, per unit and step.")
    init: Literal["degree", "identity", "diagonal", "orthogonal"] = Field(
        "degree", description="Initial recurrent weights."
    )
    gain: Positive = Field(1.0, description="Scale of the initial recurrent weights.")
    kernel: str = Field("auto", description="Algorithm of the recurrence; 'auto': the fastest.")
    shape: tuple[Count, Count] | None = Field(None, description="(rows, columns) of the sheet; default: nearly square.")
    torus: bool = Field(True, description="Torus instead of an open sheet: opposite borders meet.")


class DenseConfig(MaskedConfig):
    """Options of dense."""

    self_connections: bool = Field(True, description="Connections of units to themselves.")


class SparseConfig(MaskedConfig):
    """Options of reciprocal, and of all networks that are as sparse as an LM-RNN."""

    density: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the connections that exist; default: 0.1, unless radius is given."
    )
    radius: Positive | None = Field(None, description="Largest distance of connected units, instead of density.")

    @model_validator(mode="before")
    @classmethod
    def _one_of_two(cls, values: Any) -> Any:
        if isinstance(values, dict):
            if values.get("density") is not None and values.get("radius") is not None:
                raise ModcogError(f"density: got {shown(values['density'])}, must not be given together with radius")
            if values.get("density") is None and values.get("radius") is None:
                return {**values, "density": 0.1}
        return values


class LocalityConfig(SparseConfig):
    """Options of lm-rnn and shuffled."""

    self_connections: bool = Field(True, description="Connections of units to themselves.")


class RandomConfig(SparseConfig):
    """Options of random; the defaults make it the twin of lm-rnn."""

    self_connections: Literal["all", "none", "drawn"] = Field("all", description="Units connected to themselves.")
    in_degree: Literal["fixed", "drawn"] = Field(
        "fixed", description="Number of inputs of a unit: as in lm-rnn, or drawn."
    )


class SmallWorldConfig(SparseConfig):
    """Options of small-world."""

    rewired: Annotated[float, Field(ge=0, le=1)] = Field(0.1, description="Share of the connections of lm-rnn rewired.")


class AutapseConfig(MaskedConfig):
    """Options of autapse."""

    init: Literal["degree", "identity", "diagonal"] = Field("identity", description="Initial recurrent weights.")


class DaleConfig(MaskedConfig):
    """Options of dale; with density or radius its graph is that of lm-rnn, unless another is named."""

    init: Literal["degree", "identity", "diagonal"] = Field("identity", description="Initial recurrent weights.")

    inhibitory: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="Share of the units that inhibit.")
    graph: Literal["dense", "lm-rnn", "random"] | None = Field(None, description="Connections; default: dense.")
    density: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the connections that exist, of lm-rnn and random."
    )
    radius: Positive | None = Field(None, description="Largest distance of connected units, instead of density.")

    @model_validator(mode="after")
    def _check_graph(self) -> DaleConfig:
        sparse = self.density is not None or self.radius is not None
        if self.graph is None:
            object.__setattr__(self, "graph", "lm-rnn" if sparse else "dense")
        elif sparse == (self.graph == "dense"):
            raise ModcogError(f"graph: got {self.graph!r}, must {'not ' if sparse else ''}be given with a density")
        return self


class AreasConfig(MaskedConfig):
    """Options of multi-area."""

    areas: Count = Field(4, description="Number of areas.")
    between: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Share of the connections from other areas that exist."
    )


class LowRankConfig(ModelConfig):
    """Options of low-rank."""

    rank: Count = Field(8, description="Rank of the recurrent matrix.")
    activation: Literal["relu", "tanh", "softplus"] = Field("tanh", description="Nonlinearity φ.")
    dt: Positive = Field(100.0, description="Time step in ms.")
    tau: Positive | None = Field(None, description="Time constant in ms, at least dt; default: dt.")


class OscillatorConfig(ModelConfig):
    """Options of cornn."""

    step: Positive = Field(0.2, description="Δt of the equations.")
    frequency: Positive = Field(1.0, description="γ, square of the oscillators' own frequency.")
    damping: NotNegative = Field(1.0, description="ε.")


class StackConfig(ModelConfig):
    """Options of lru and mingru."""

    layers: Count = Field(2, description="Number of blocks, which share the units.")


class UserConfig(ModelConfig):
    """Options of your own function; it receives every further option."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_default=True)


ARCHITECTURES: dict[str, type[ModelConfig]] = {
    "lm-rnn": LocalityConfig,  # units on a sheet, connected with their neighbours
    "dense": DenseConfig,
    "autapse": AutapseConfig,  # every unit connected with itself only
    "shuffled": LocalityConfig,  # the graph of lm-rnn with its units permuted on the sheet
    "reciprocal": SparseConfig,  # as many neighbours as in lm-rnn, drawn at random
    "small-world": SmallWorldConfig,  # lm-rnn with a share of its connections rewired
    "random": RandomConfig,  # itself and as many random others as in lm-rnn
    "multi-area": AreasConfig,  # dense areas, sparse connections between them
    "dale": DaleConfig,  # excitatory and inhibitory units
    "low-rank": LowRankConfig,
    "gru": ModelConfig,
    "lstm": ModelConfig,
    "lru": StackConfig,  # linear recurrent units, a complex autapse each
    "mingru": StackConfig,  # gates that see the input only
    "cornn": OscillatorConfig,  # coupled oscillators
}
"""Options of the reference architectures by name."""

_MASKS: dict[str, Callable[..., Mask]] = {
    "lm-rnn": masks.locality,
    "dense": masks.dense,
    "autapse": masks.identity,
    "shuffled": masks.locality,
    "reciprocal": masks.reciprocal,
    "small-world": masks.small_world,
    "random": masks.random,
    "multi-area": masks.areas,
}

_OTHERS: dict[str, Callable[..., nn.Module]] = {
    "low-rank": LowRankRNN,
    "cornn": CoRNN,
    **{kind: partial(GatedRNN, kind) for kind in ("gru", "lstm")},
    **{kind: partial(StackedRNN, kind) for kind in ("lru", "mingru")},
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
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, [*ARCHITECTURES, "package.module:function"])
    model = ARCHITECTURES[architecture]
    allowed = [name for name in model.model_fields if name != "architecture"]
    for name in options:
        if name not in allowed:
            raise unknown(f"option of {architecture}", name, allowed)
    return validated(model, {"architecture": architecture, **options})


def build(
    architecture: str | ModelConfig | Mapping[str, Any],
    n_inputs: int,
    n_outputs: int,
    *,
    trust: bool = False,
    **options: Any,
) -> nn.Module:
    """Build a network that maps observations (T, B, C) to logits (T, B, A).

    Args:
        architecture: a name in ``ARCHITECTURES``; ``package.module:function`` of your own, also from the working
            directory; or a configuration, as ``configure`` returns it or as a run file holds it. Your function
            receives n_inputs, n_outputs, every option given, and hidden, seed and batch_first if it takes them.
        n_inputs: channels of an observation, C.
        n_outputs: number of actions, A.
        trust: allow a mapping, which may come from a file, to name a function of its own.
        **options: options of the architecture: ``hidden``, ``seed``, ``density`` …; see ``configure``.

    Returns:
        The network; ``config`` of a reference network is its configuration.

    Raises:
        UnknownNameError: for an architecture or an option that does not exist.
        ModcogError: for a value that is out of range, or a function that cannot be imported, fails, or returns no
            such network.
    """
    if isinstance(architecture, ModelConfig):
        architecture, trust = architecture.model_dump(), True
    if isinstance(architecture, Mapping):
        options = {**architecture, **options}
        if "architecture" not in options:
            raise ModcogError("architecture: missing from the configuration, must be a name")
        architecture = str(options.pop("architecture"))
        check_trust("the configuration", architecture, trust)
    config = configure(architecture, **options)
    n_inputs, n_outputs = check_count("n_inputs", n_inputs), check_count("n_outputs", n_outputs)
    if isinstance(config, UserConfig):
        return _build_user_network(config, n_inputs, n_outputs)
    values = config.model_dump(exclude={"architecture"})
    model: nn.Module
    if config.architecture == "dale":
        make = _MASKS[values.pop("graph")]
        mask = make(config.hidden, **accepted_options(make, values))
        model = DaleRNN(
            mask, n_inputs, n_outputs, **accepted_options(MaskedRNN, values), inhibitory=values["inhibitory"]
        )
    elif make := _MASKS.get(config.architecture):  # type: ignore[assignment]
        mask = make(config.hidden, **accepted_options(make, values))
        if config.architecture == "shuffled":
            mask = masks.shuffled(mask, seed=config.seed)
        model = MaskedRNN(mask, n_inputs, n_outputs, **accepted_options(MaskedRNN, values))
    else:
        model = _OTHERS[config.architecture](n_inputs, n_outputs, **values)
    model.config = config  # type: ignore[assignment]
    return model


def _build_user_network(config: UserConfig, n_inputs: int, n_outputs: int) -> nn.Module:
    """Call a user's function with the options it takes, and try its network on a small batch."""
    name = config.architecture
    try:
        function = import_object(name)
    except ModcogError as error:
        raise ModcogError(f"architecture {name!r}: {error}") from None
    if not callable(function):
        raise ModcogError(f"architecture {name!r} is of type {type(function).__name__}, must be a function")
    common = {"hidden": config.hidden, "seed": config.seed, "batch_first": config.batch_first}
    options = {"n_inputs": n_inputs, "n_outputs": n_outputs, **(config.model_extra or {})}
    options |= accepted_options(function, common)
    if config.batch_first:
        options["batch_first"] = True  # a function without this option must fail, not ignore it
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seed.of(config.seed, Purpose.WEIGHTS).integer())
        with failures_as(f"{name}: called with {', '.join(options)}, it failed"):
            model = function(**options)
        if not isinstance(model, nn.Module):
            raise ModcogError(f"{name}: returned a value of type {type(model).__name__}, must be a torch.nn.Module")
        if getattr(model, "batch_first", None) is None:  # or else that of a layer would count, whatever it is fed
            model.batch_first = config.batch_first  # type: ignore[assignment]
        _try_out(name, model, n_inputs, n_outputs, config.batch_first)
        with failures_as(f"{name}: its network failed on longer sequences"):
            ahead = sees_later_steps(model, n_inputs)
        if ahead:
            raise ModcogError(f"{name}: what it says at a step depends on later steps, which no subject has seen then")
    return model


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


@dataclass(frozen=True)
class Measures:
    """Size and wiring of a network.

    Attributes:
        parameters: number of trainable parameters.
        synapses: number of recurrent weights among them; None where there is no matrix between units, and for your own.
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
