"""The settings of a training run: one pydantic model for Python, the command line, TOML and YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from modcog.battery import BatteryConfig
from modcog.checks import check_path, is_list
from modcog.errors import ModcogError, shown, unknown
from modcog.settings import Positive
from modcog.tables import Brief
from modcog.tasks.names import resolve
from modcog.tasks.rule_input import RulePlaces, bases_of, rule_places
from modcog.training.record import RUN, Record
from modcog.user_code import check_trust
from modcog.validation import plain, read_record, read_settings, validated

Whole = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
Size = Annotated[int, Field(ge=1, le=1_000_000)]
Devices = Annotated[int, Field(ge=1, le=1024)]
Updates = Annotated[int, Field(ge=0, le=1_000_000_000_000)]
Part = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]

MACHINE_SETTINGS = {"threads", "accelerator"}
"""Settings that choose the hardware of a run and do not decide what it computes."""

PLACEMENT = {"out", "devices", "num_nodes", *MACHINE_SETTINGS}
"""Settings that say where a run is computed and stored, and that are no part of its name in a sweep."""

ADDED: dict[str, Any] = {
    "clip_absent": False, "eval_early": False, "train_on": None, "start": None, "trainable": "all", "replay": 0.0,
    "penalty": "none", "strength": 1.0,
}  # fmt: skip
"""Settings that came later: at these values they are no part of a name, so that runs made before are found."""

NETWORK = ("arch", "hidden", "density", "model")
"""Settings that a run shares with the one that it starts from."""

MOST_STAGES = 64
"""Largest number of runs that start one from the other."""

RESERVED_OPTIONS = {"architecture", "hidden", "density", "seed", "batch_first", "n_inputs", "n_outputs"}
"""Options of a network that other settings of the run decide."""


AUTHORS: dict[str, Any] = {
    "tasks": "modcog82",
    "arch": "lm-rnn",
    "hidden": 256,
    "model": {"activation": "relu", "init": "diagonal", "gain": 0.5, "torus": False},
    "layout": "stream",
    "batch_size": 4,
    "seq_len": 100,
    "steps": 40_000,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup": 0,
    "clip": 1.0,
    "clip_absent": True,  # the mask is applied to the weights after each update, so the gradient is the full one
    "decision_weight": 1.0,
    "eval_every": 1_000,
    "eval_early": True,
}
"""Recipe of the first author's notebook of 2021, but for the density; the times of evaluation are ours."""


PRESETS: dict[str, dict[str, Any]] = {
    # a first try: 256 units reach 60 % on 20 tasks in well under a minute
    "quick": {
        "tasks": "yang19",
        "arch": "autapse",
        "learning_rate": 3e-3,
        "warmup": 50,
        "steps": 600,
        "eval_every": 50,
        "target_accuracy": 0.6,
    },
    # self-connections alone solve the 20 tasks
    "autapse20": {
        "tasks": "yang19",
        "arch": "autapse",
        "learning_rate": 3e-3,
        "steps": 6_000,
        "eval_every": 500,
        "eval_trials": 200,
    },
    # units on a sheet, each connected with a tenth of the others, on all 132 tasks
    "lm132": {
        "tasks": "modcog132",
        "arch": "lm-rnn",
        "density": 0.1,
        "model": {"init": "identity"},
        "learning_rate": 4e-3,
        "warmup": 500,
        "steps": 60_000,
        "eval_every": 2_000,
    },
    # the networks and the updates of Yang et al. (2019), by their code, but for its loss (squared error), batches of
    # one task each, and its clipping
    "yang2019": {
        "tasks": "yang19",
        "battery": {"dt": 20},
        "arch": "dense",
        "model": {"tau": 100, "noise": 0.05 * math.sqrt(10), "init": "orthogonal"},
        "batch_size": 64,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0,
        "steps": 40_000,
        "eval_every": 1_000,
    },
    # the authors' own recipe: units on an open sheet, connected where their distance is below d
    **{f"authors-d{d}": {**AUTHORS, "model": {**AUTHORS["model"], "radius": d - 0.1}} for d in (2, 3, 4)},
}
"""Named settings of runs; settings that are not named keep their defaults."""


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run, as JSON has them, that decide its weights; of the runs that it starts from, too."""
    kept = {name: value for name, value in settings.items() if name not in PLACEMENT}
    kept = {name: value for name, value in kept.items() if (name, value) not in ADDED.items()}
    return {**kept, "start": decisive(kept["start"])} if kept.get("start") else kept


def _settings_of_run(value: Any) -> Any:
    """Return the settings of the run in a folder, and settings as they are."""
    if value is not None and not isinstance(value, Mapping):
        folder = check_path("start", value)
        value = {**read_record(folder / RUN, Record).config, "out": str(folder)}
    earlier, inner = 0, value
    while isinstance(inner, Mapping):
        earlier, inner = earlier + 1, inner.get("start")
    if earlier > MOST_STAGES:
        raise ModcogError(f"got {earlier} runs, one from the other, must be at most {MOST_STAGES}")
    return value


class TrainConfig(Brief, BaseModel):
    """Everything that decides a run; the same config and seed give the same network on the same machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    tasks: Annotated[tuple[str, ...], BeforeValidator(resolve)] = Field(
        "modcog132",  # type: ignore[arg-type]
        description="Task names, or the name of a collection.",
    )
    battery: dict[str, Any] = Field(
        default_factory=dict,
        description="Other settings of the battery: dt, sigma, rules …; rule_input is on by default.",
    )
    data: Path | None = Field(
        None, description="Exported data set to train on, with its tasks and settings; default: live generation."
    )
    train_on: Annotated[tuple[str, ...] | None, BeforeValidator(lambda it: it if it is None else resolve(it))] = Field(
        None, description="Some of the tasks, to train on them alone; all are scored.  [default: all]"
    )
    start: Annotated[
        dict[str, Any] | None,
        BeforeValidator(_settings_of_run),
        WithJsonSchema({"type": "string", "format": "dir"}),
    ] = Field(None, description="Folder of a finished run, to start from its weights; its settings are kept.")
    replay: Part = Field(0.0, description="Share of trials of the tasks that earlier runs were trained on, see start.")

    arch: str = Field("lm-rnn", description="Name of the architecture, or package.module:function of your own.")
    hidden: Size = Field(256, description="Number of recurrent units.")
    density: Share | None = Field(
        None, description="Share of the possible recurrent connections; default: set by the architecture."
    )
    model: dict[str, Any] = Field(
        default_factory=dict, description="Further options of the architecture: init, gain, tau, noise …"
    )

    steps: Whole = Field(20_000, description="Number of weight updates.")
    batch_size: Size = Field(128, description="Trials (layout trials) or lanes (layout stream) per update.")
    layout: Literal["trials", "stream"] = Field("trials", description="Single trials, or trials back to back.")
    seq_len: Size = Field(100, description="Steps of a sequence in the stream layout.")

    optimizer: Literal["adam", "adamw"] = Field("adam", description="Optimizer.")
    learning_rate: Positive = Field(1e-3, description="Peak learning rate.")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="Learning rate after the warm-up.")
    warmup: Updates = Field(200, description="Updates of linear warm-up of the learning rate.")
    weight_decay: NotNegative = Field(0.0, description="Weight decay.")
    clip: NotNegative = Field(1.0, description="Largest norm of the gradient; 0: no clipping.")
    clip_absent: bool = Field(False, description="Gradient of absent connections counted in the norm that is clipped.")
    decision_weight: Positive = Field(5.0, description="Weight of decision steps in the loss; other steps have 1.")
    trainable: Literal["all", "rules"] = Field(
        "all", description="Weights that are trained: all, or those from the rule input alone."
    )
    penalty: Literal["none", "ewc", "si"] = Field(
        "none", description="Penalty on changes of weights that earlier tasks need: ewc (Fisher) or si (path integral)."
    )
    strength: NotNegative = Field(1.0, description="Strength of the penalty.")

    eval_every: Whole = Field(500, description="Updates between evaluations, which also save a checkpoint.")
    eval_early: bool = Field(False, description="Evaluations after updates 1, 2, 4, 8 … below eval_every, too.")
    eval_trials: Size = Field(20, description="Held-out trials per task.")
    target_accuracy: Share | None = Field(None, description="Decision accuracy at which training stops early.")
    target: Literal["mean", "all"] = Field(
        "mean", description="Accuracy compared with target_accuracy: the mean over tasks, or that of every task."
    )

    seed: Annotated[int, Field(ge=0, le=2**32)] = Field(0, description="Seed of the network, its trials and its noise.")
    out: Path = Field(Path("runs/run"), description="Folder of the run.")

    accelerator: Literal["auto", "cpu", "cuda", "mps", "gpu"] = Field("auto", description="Kind of device.")
    devices: Devices | Literal["auto"] = Field(1, description="Processes on a node, one for each device, or auto.")
    num_nodes: Size = Field(1, description="Number of machines; they must share the folder of the run.")
    precision: Literal["32-true", "64-true", "bf16-mixed", "bf16-true"] = Field(
        "32-true", description="Numerical precision, in the terms of Lightning Fabric."
    )
    threads: Annotated[int, Field(ge=0, le=1024)] = Field(0, description="CPU threads; 0: the default of torch.")

    @model_validator(mode="before")
    @classmethod
    def _from_data(cls, values: Any) -> Any:
        """Fill in the settings of the data set where none are given."""
        if not isinstance(values, dict) or values.get("data") is None:
            return values
        return {**_settings_of_data(values["data"]), **values}

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        """Refuse a wrong battery, options that the run decides itself, and settings other than the data set's."""
        if "tasks" in self.battery:
            raise ModcogError("battery: 'tasks' is a setting of the run, beside 'battery'")
        ours = self.battery_settings()
        ours.check_storable()
        # As the record of the run will hold them. Only the settings' own form of a timing has no infinite bound.
        battery = {**self.battery, **({"timing": ours.timing} if "timing" in self.battery else {})}
        for name, values in (("battery", battery), ("model", self.model)):
            object.__setattr__(self, name, _as_in_json(name, values))
        for name in RESERVED_OPTIONS & self.model.keys():
            raise ModcogError(f"model: got {name!r}, which other settings of the run decide")
        if self.data is not None:
            stored = _settings_of_data(self.data)
            theirs = validated(BatteryConfig, {**stored.pop("battery"), "tasks": stored.pop("tasks")})
            pairs = {name: (getattr(ours, name), getattr(theirs, name)) for name in BatteryConfig.model_fields}
            pairs |= {name: (getattr(self, name), value) for name, value in stored.items()}
            for name, (here, there) in pairs.items():
                if name != "rule_input" and here != there:
                    raise ModcogError(f"{name}: got {shown(here)}, the data set has {shown(there)}")
        self._check_stage(ours)
        return self

    def _check_stage(self, ours: BatteryConfig) -> None:
        """Refuse tasks, weights and an earlier run that do not go together."""
        if self.train_on is not None:
            for task in self.train_on:
                if task not in self.tasks:
                    raise ModcogError(f"train_on: {unknown('task of the run', task, self.tasks)}")
            chosen = tuple(task for task in self.tasks if task in self.train_on)
            object.__setattr__(self, "train_on", None if chosen == self.tasks else chosen)  # one spelling for one run
        if self.data is not None and (self.train_on or self.replay):
            raise ModcogError("data: has trials of all its tasks; train_on and replay need live generation")
        if self.trainable == "rules" and not ours.rule_input:
            raise ModcogError("trainable: got 'rules', but the battery has no rule input")
        if self.trainable == "rules" and self.weight_decay:
            raise ModcogError(f"weight_decay: got {self.weight_decay:g}, must be 0 if trainable is 'rules'")
        if self.start is None:
            if self.replay or self.penalty == "ewc":
                name = "replay" if self.replay else "penalty"
                raise ModcogError(f"{name}: got {getattr(self, name)!r}, needs a run to start from")
            return
        earlier = self.earlier[-1]
        data = self.start.get("data")  # as it is: it may have moved, and its trials are not needed any more
        start = {**earlier.model_dump(mode="json"), "data": None if data is None else str(data)}
        object.__setattr__(self, "start", start)
        theirs = earlier.battery_settings()
        pairs = {name: (getattr(self, name), getattr(earlier, name)) for name in NETWORK}
        pairs["rule_input"] = ours.rule_input, theirs.rule_input
        if ours.rule_input is True:
            pairs["tasks"] = self.tasks, earlier.tasks
        for name, (here, there) in pairs.items():
            if here != there:
                raise ModcogError(f"{name}: got {shown(here)}, the run to start from has {shown(there)}")
        if ours.rule_input and bases_of(self.tasks) != bases_of(earlier.tasks):
            raise ModcogError("tasks: their base tasks are others than those of the run to start from")

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of the tasks that the run trains."""
        return self.train_on or self.tasks

    @property
    def all_trained(self) -> tuple[str, ...]:
        """Names of the tasks that the run has trained in the end, those of the runs that it descends from included."""
        return tuple(dict.fromkeys(task for one in (*self.earlier, self) for task in one.trained))

    @cached_property
    def earlier(self) -> tuple[TrainConfig, ...]:
        """The runs that this one descends from, each of which starts from the one before."""
        if self.start is None:
            return ()
        start = validated(TrainConfig, {**self.start, "data": None})
        return (*start.earlier, start)

    @property
    def task_shares(self) -> NDArray[np.float64] | None:
        """Probability of each task in training, (K,); None: all are alike.

        Raises:
            ModcogError: if there is nothing to replay.
        """
        if self.train_on is None and not self.replay:
            return None
        before = {task for run in self.earlier for task in run.trained}
        old, new = (np.isin(self.tasks, list(names)) for names in (before, self.trained))
        if self.replay and not old.any():
            raise ModcogError("replay: none of the tasks was trained by the run to start from")
        return (1 - self.replay) * new / new.sum() + self.replay * old / max(old.sum(), 1)

    def battery_settings(self) -> BatteryConfig:
        """Return tasks, rule input and settings of the battery to train on."""
        return validated(BatteryConfig, {"rule_input": True, **self.battery, "tasks": self.tasks})

    @cached_property
    def rule_places(self) -> RulePlaces:
        """The channels of the rule input that are 1 in each task's trials; of width 0: there is none."""
        return rule_places(self.tasks, self.battery_settings().rule_input)

    @classmethod
    def of(
        cls, preset: str | None = None, file: str | Path | None = None, *, trust: bool = False, **values: Any
    ) -> TrainConfig:
        """Make a config from a preset, a settings file and keyword arguments, in ascending order of priority.

        Args:
            preset: a name in ``PRESETS``.
            file: a TOML, YAML or JSON file.
            trust: allow the file to name a network of its own as MODULE:NAME.
            **values: settings.

        Raises:
            UnknownNameError: for a preset or setting that does not exist.
            ModcogError: for a wrong value, or a file that cannot be read, or is not trusted.
        """
        if preset is not None and (not isinstance(preset, str) or preset not in PRESETS):
            raise unknown("preset", preset, PRESETS)
        start, stored = PRESETS[preset] if preset else {}, read_settings(file) if file else {}
        if "arch" not in values:
            check_trust(file, stored.get("arch"), trust)
        return validated(cls, {**start, **stored, **values})


def _as_in_json(name: str, value: Any, levels: int = 4) -> Any:
    """Return a setting as JSON gives it back: Python's own numbers, and lists, down to the values of a timing.

    Raises:
        ModcogError: for what JSON does not have, naming the setting.
    """
    if levels and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _as_in_json(f"{name}.{key}", item, levels - 1) for key, item in value.items()}
    if levels and is_list(value):
        return [_as_in_json(name, item, levels - 1) for item in value]
    value = plain(value)
    value = float(value) if isinstance(value, Fraction) else value
    if (isinstance(value, float) and not math.isfinite(value)) or not isinstance(value, str | int | float | None):
        raise ModcogError(f"{name}: got {shown(value)}, which the record of a run cannot hold")
    return value


def _settings_of_data(data: Any) -> dict[str, Any]:
    """Return the settings of a run that a data set decides."""
    from modcog.data.manifest import Manifest

    config = Manifest.read(check_path("data", data)).config
    settings = config.battery_settings().settings.model_dump(exclude_defaults=True)
    return {"battery": settings, **config.model_dump(include={"tasks", "layout", "seq_len"}, exclude_none=True)}
