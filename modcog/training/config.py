"""The settings of a training run: one pydantic model, from Python, the command line, TOML or YAML."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from modcog.battery import BatteryConfig
from modcog.errors import ModcogError, shown, unknown
from modcog.tasks.names import resolve
from modcog.validation import read_settings, validated

Whole = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


Precision = Literal["32-true", "64-true", "bf16-mixed", "bf16-true"]

ELSEWHERE = {"threads", "accelerator"}
"""Settings of a run that say where it is computed, and nothing else."""

OWN_OPTIONS = {"architecture", "hidden", "density", "seed", "batch_first", "n_inputs", "n_outputs"}
"""Options of a network that the run's other settings decide."""


class TrainConfig(BaseModel):
    """Everything that decides how a run goes; the same config and seed give the same network on the same machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    tasks: tuple[str, ...] = Field(
        "modcog132",  # type: ignore[arg-type]
        description="Task names, or the name of a collection.",
    )
    battery: dict[str, Any] = Field(
        default_factory=dict,
        description="Other settings of the battery: dt, sigma, rules … rule_input is on unless set.",
    )
    data: Path | None = Field(
        None, description="An exported data set to train on, with its tasks and settings; without: live generation."
    )

    arch: str = Field("lm-rnn", description="Architecture by name, or package.module:function of one's own.")
    hidden: Whole = Field(256, description="Recurrent units.")
    density: Share | None = Field(
        None, description="Share of the possible recurrent connections; without: the architecture's."
    )
    model: dict[str, Any] = Field(
        default_factory=dict, description="Further options of the architecture: init, gain, tau, noise …"
    )

    steps: Whole = Field(20_000, description="Updates of the weights.")
    batch_size: Whole = Field(128, description="Trials (layout trials) or lanes (layout stream) of an update.")
    layout: Literal["trials", "stream"] = Field("trials", description="Single trials, or trials back to back.")
    seq_len: Whole = Field(100, description="Steps of a sequence in the stream layout.")

    optimizer: Literal["adam", "adamw"] = Field("adam", description="How the gradient is used.")
    learning_rate: Positive = Field(1e-3, description="The highest one of the run.")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="Of the learning rate, after the warm-up.")
    warmup: Annotated[int, Field(ge=0)] = Field(200, description="Updates over which the rate rises from 0.")
    weight_decay: NotNegative = Field(0.0, description="As the optimiser understands it.")
    clip: NotNegative = Field(1.0, description="Largest norm of the gradient; 0: no clipping.")
    decision_weight: Positive = Field(5.0, description="Weight of a decision step in the loss; others have 1.")

    eval_every: Whole = Field(500, description="Updates between evaluations, which save a checkpoint too.")
    eval_trials: Whole = Field(20, description="Held-out trials of each task.")
    target_accuracy: Share | None = Field(None, description="Stop when the decision accuracy reaches this share.")
    target: Literal["mean", "all"] = Field("mean", description="The accuracy meant: the tasks' mean, or every task's.")

    seed: Annotated[int, Field(ge=0, le=2**32)] = Field(0, description="Of the network, its trials and its noise.")
    out: Path = Field(Path("runs/run"), description="Folder of the run.")

    accelerator: Literal["auto", "cpu", "cuda", "mps", "gpu"] = Field("auto", description="Kind of device.")
    devices: Whole | Literal["auto"] = Field(1, description="Processes on a node, one for each device, or auto.")
    num_nodes: Whole = Field(1, description="Machines; they must share the folder of the run.")
    precision: Precision = Field("32-true", description="Of the computation, as Lightning Fabric names it.")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads of torch; 0: torch's own choice.")

    @model_validator(mode="before")
    @classmethod
    def _from_data(cls, values: Any) -> Any:
        """Take the settings of a data set where they are not given."""
        if not isinstance(values, dict) or values.get("data") is None:
            return values
        return {**_settings_of(values["data"]), **values}

    @field_validator("tasks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> tuple[str, ...]:
        return resolve(value)

    @model_validator(mode="after")
    def _fit_together(self) -> TrainConfig:
        settings = self.battery_settings()
        for name in OWN_OPTIONS & self.model.keys():
            raise ModcogError(f"model: got {name!r}, which other settings of the run decide")
        if self.data is not None:
            self._fits_data(settings)
        return self

    def _fits_data(self, settings: BatteryConfig) -> None:
        """Refuse settings that are not those of the data set."""
        theirs = _settings_of(self.data)
        for name in ("layout", "seq_len"):
            if name in theirs and theirs[name] != getattr(self, name):
                raise ModcogError(f"{name}: got {getattr(self, name)!r}, the data set has {theirs[name]!r}")
        battery = validated(BatteryConfig, {**theirs["battery"], "tasks": theirs["tasks"]})
        for name in BatteryConfig.model_fields:
            here, there = getattr(settings, name), getattr(battery, name)
            if name != "rule_input" and here != there:
                raise ModcogError(f"{name}: got {shown(here)}, the data set has {shown(there)}")

    def battery_settings(self) -> BatteryConfig:
        """The settings of the battery that is trained on.

        Raises:
            ModcogError: if one of them is wrong.
        """
        if "tasks" in self.battery:
            raise ModcogError("battery: 'tasks' is a setting of the run, beside 'battery'")
        return validated(BatteryConfig, {"rule_input": True, **self.battery, "tasks": self.tasks})

    @cached_property
    def rule_input(self) -> bool:
        """Whether observations end with a one-hot column per task."""
        return self.battery_settings().rule_input

    @classmethod
    def of(cls, preset: str | None = None, file: str | Path | None = None, **values: Any) -> TrainConfig:
        """A config from a preset, a settings file and keyword arguments; the later win.

        Raises:
            UnknownNameError: for a preset or setting that does not exist.
            ModcogError: for a wrong value, or a file that cannot be read.
        """
        from modcog.training.presets import PRESETS

        if preset is not None and preset not in PRESETS:
            raise unknown("preset", preset, PRESETS)
        start = PRESETS[preset] if preset else {}
        return validated(cls, {**start, **(read_settings(file) if file else {}), **values})


def _settings_of(data: Any) -> dict[str, Any]:
    """The settings of a run that a data set decides."""
    from modcog.data.manifest import Manifest

    config = Manifest.read(Path(data)).config
    settings = config.battery_settings().model_dump(exclude={"tasks", "rule_input"}, exclude_defaults=True)
    found = {"tasks": config.tasks, "battery": settings, "layout": config.layout}
    return found if config.seq_len is None else {**found, "seq_len": config.seq_len}
