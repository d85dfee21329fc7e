"""What a network is made of, as data that a run file can hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from modcog.errors import ModcogError, unknown
from modcog.settings import Positive

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class ModelConfig(BaseModel):
    """What all architectures have."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    architecture: str = Field(description="Name of the architecture, or package.module:function.")
    hidden: Count = Field(256, description="Number of units.")
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="Of the mask and of the initial weights.")
    batch_first: bool = Field(False, description="Take and give (B, T, …) instead of (T, B, …).")


class GatedConfig(ModelConfig):
    """gru and lstm."""


class CellConfig(ModelConfig):
    """Units of one kind with a mask."""

    activation: Literal["relu", "tanh", "softplus"] = Field("relu", description="The nonlinearity φ.")
    dt: Positive = Field(100.0, description="Time step in ms.")
    tau: Positive | None = Field(None, description="Time constant in ms, at least dt; None: dt.")
    noise: NotNegative = Field(0.0, description="Standard deviation of the private noise ξ, per unit and step.")
    init: Literal["degree", "identity", "orthogonal"] = Field("degree", description="Initial recurrent weights.")
    gain: Positive = Field(1.0, description="Scale of the initial recurrent weights.")
    kernel: str = Field("auto", description="How the recurrence is computed; 'auto': the fastest.")

    @field_validator("kernel")
    @classmethod
    def _known(cls, value: str) -> str:
        from modcog.models.kernels import KERNELS

        if value not in (allowed := ["auto", *KERNELS]):
            raise unknown("kernel", value, allowed)
        return value

    @model_validator(mode="after")
    def _slow_enough(self) -> CellConfig:
        if self.tau is not None and self.tau < self.dt:
            raise ModcogError(f"tau: got {self.tau:g}, must be at least dt = {self.dt:g}")
        return self


class SheetConfig(CellConfig):
    """Units on a sheet."""

    shape: tuple[Count, Count] | None = Field(None, description="(rows, columns) of the sheet; None: near to square.")
    torus: bool = Field(True, description="Whether opposite borders of the sheet meet.")


class DenseConfig(SheetConfig):
    """dense."""

    self_connections: bool = Field(True, description="Whether units are connected to themselves.")


class RandomConfig(DenseConfig):
    """random."""

    density: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="Share of the connections that exist.")


class LocalityConfig(DenseConfig):
    """lm-rnn and shuffled."""

    density: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the connections that exist; without it and radius 0.1."
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
    """autapse."""

    init: Literal["degree", "identity"] = Field("identity", description="Initial recurrent weights.")


class UserConfig(ModelConfig):
    """A user's own function; every further option goes to it."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_default=True)
