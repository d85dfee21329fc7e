"""The settings of a training run: one pydantic model, from Python, the command line, TOML or YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from modcog.errors import ModcogError, unknown
from modcog.names import TASKS, resolve
from modcog.spec import BatterySettings, read_settings, validated

Whole = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


class TrainConfig(BaseModel):
    """Everything that decides how a run goes; the same config and seed give the same network on the same machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    tasks: tuple[str, ...] = Field(TASKS, description="Task names, or the name of a collection.")
    battery: dict[str, Any] = Field(
        default_factory=dict,
        description="Other settings of the battery: dt, sigma, rules … rule_input is on unless set.",
    )

    arch: str = Field("lm-rnn", description="Architecture by name, or package.module:function of one's own.")
    hidden: Whole = Field(256, description="Recurrent units.")
    density: Share | None = Field(
        None, description="Share of the possible recurrent connections; None: the architecture's."
    )
    model: dict[str, Any] = Field(default_factory=dict, description="Further options of the architecture.")

    steps: Whole = Field(20_000, description="Updates of the weights.")
    batch_size: Whole = Field(128, description="Trials (layout trials) or lanes (layout stream) of an update.")
    layout: Literal["trials", "stream"] = Field("trials", description="Padded single trials, or trials back to back.")
    seq_len: Whole = Field(100, description="Steps of a sequence in the stream layout.")
    data: Path | None = Field(None, description="An exported data set to train on; None: live generation.")

    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine"] = Field("cosine", description="Of the learning rate, after the warm-up.")
    warmup: Annotated[int, Field(ge=0)] = Field(200, description="Updates over which the rate rises from 0.")
    weight_decay: NotNegative = 0.0
    clip: NotNegative = Field(1.0, description="Largest norm of the gradient; 0: no clipping.")
    decision_weight: Positive = Field(5.0, description="Weight of a decision step in the loss; others have 1.")

    eval_every: Whole = Field(500, description="Updates between evaluations, metrics and checkpoints.")
    eval_trials: Whole = Field(20, description="Held-out trials of each task.")
    target_accuracy: Share | None = Field(None, description="Stop when the decision accuracy reaches this.")
    target: Literal["mean", "all"] = Field("mean", description="The accuracy meant: of the battery, or of every task.")

    seed: Annotated[int, Field(ge=0)] = 0
    out: Path = Field(Path("runs/run"), description="Folder of the run.")

    accelerator: str = Field("auto", description="cpu, cuda, mps or auto.")
    devices: int | str = Field(1, description="Processes on a node, or 'auto'.")
    num_nodes: Whole = 1
    precision: str = Field("32-true", description="As Lightning Fabric names it, e.g. bf16-mixed.")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads of torch; 0: torch's own choice.")

    @field_validator("tasks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> tuple[str, ...]:
        return resolve(value)

    @model_validator(mode="after")
    def _battery(self) -> TrainConfig:
        self.battery_settings()
        if self.data is not None and self.layout == "stream":
            raise ModcogError("layout: 'stream' is for live generation; an exported data set is read by trials")
        return self

    def battery_settings(self) -> BatterySettings:
        """The settings of the battery that is trained on.

        Raises:
            ModcogError: if one of them is wrong.
        """
        if "tasks" in self.battery:
            raise ModcogError("battery: 'tasks' is a setting of the run, beside 'battery'")
        return validated(BatterySettings, {"rule_input": True, **self.battery, "tasks": self.tasks})

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
