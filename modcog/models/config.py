"""Options of the networks, as data that a run file can hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modcog.errors import ModcogError
from modcog.settings import Positive

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class ModelConfig(BaseModel):
    """Options of every architecture."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    architecture: str = Field(description="Name of the architecture, or package.module:function.")
    hidden: Count = Field(256, description="Number of units.")
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="Seed of the mask and the initial weights.")
    batch_first: bool = Field(False, description="Order of axes (B, T, …) instead of (T, B, …).")


class GatedConfig(ModelConfig):
    """Options of gru and lstm."""


class CellConfig(ModelConfig):
    """Options of all networks with a mask."""

    activation: Literal["relu", "tanh", "softplus"] = Field("relu", description="Nonlinearity φ.")
    dt: Positive = Field(100.0, description="Time step in ms.")
    tau: Positive | None = Field(None, description="Time constant in ms, at least dt; default: dt.")
    noise: NotNegative = Field(0.0, description="Standard deviation of the private noise ξ, per unit and step.")
    init: Literal["degree", "identity", "orthogonal"] = Field("degree", description="Initial recurrent weights.")
    gain: Positive = Field(1.0, description="Scale of the initial recurrent weights.")
    kernel: str = Field("auto", description="Algorithm of the recurrence; 'auto': the fastest.")


class SheetConfig(CellConfig):
    """Options of units on a sheet."""

    shape: tuple[Count, Count] | None = Field(None, description="(rows, columns) of the sheet; default: nearly square.")
    torus: bool = Field(True, description="Torus instead of an open sheet: opposite borders meet.")


class DenseConfig(SheetConfig):
    """Options of dense."""

    self_connections: bool = Field(True, description="Connections of units to themselves.")


class RandomConfig(DenseConfig):
    """Options of random."""

    density: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="Share of the connections that exist.")


class LocalityConfig(DenseConfig):
    """Options of lm-rnn and shuffled."""

    density: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the connections that exist; default: 0.1, unless radius is given."
    )
    radius: Positive | None = Field(None, description="Largest distance of connected units, instead of density.")

    @model_validator(mode="before")
    @classmethod
    def _one_of_two(cls, values: Any) -> Any:
        if isinstance(values, dict):
            if values.get("density") is not None and values.get("radius") is not None:
                raise ModcogError(f"density: got {values['density']!r}, must not be given together with radius")
            if values.get("density") is None and values.get("radius") is None:
                return {**values, "density": 0.1}
        return values


class AutapseConfig(SheetConfig):
    """Options of autapse."""

    init: Literal["degree", "identity"] = Field("identity", description="Initial recurrent weights.")


class UserConfig(ModelConfig):
    """Options of your own function; it receives every further option."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_default=True)
