"""The settings of an exported data set: those of the battery, and how much of it to write, in which form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from modcog.battery import BatteryConfig
from modcog.data import formats
from modcog.errors import ModcogError, unknown
from modcog.validation import read_settings, validated

LAYOUTS = ("trials", "stream")
DEFAULTS = {"trials": {"trials_per_task": 1000}, "stream": {"seq_len": 350, "sequences": 1024}}
"""What a layout asks for, and how much of it if nothing is said."""

MOST_TRIALS = 10**9
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Whole = Annotated[int, Field(ge=1, le=MOST_TRIALS)]


class ExportConfig(BatteryConfig):
    """Everything that decides the bytes of a data set; every field can stand in a TOML or YAML file.

    ``rule_input`` adds no channel to what is stored: it says that loading adds the one-hot columns unless told
    otherwise.
    """

    layout: Literal["trials", "stream"] = Field(
        "trials", description="'trials': one by one; 'stream': trials back to back in sequences of seq_len steps."
    )
    trials_per_task: Whole | None = Field(
        None, description="Layout trials: trials of each task in all splits together; 1000 if not given."
    )
    padded: bool = Field(
        False, description="Layout trials: pad every trial to the longest that can occur, instead of packing them."
    )
    sequences: Whole | None = Field(
        None, description="Layout stream: sequences, all splits together; 1024 if not given."
    )
    seq_len: Whole | None = Field(None, description="Layout stream: steps of a sequence; 350 if not given.")
    splits: Mapping[str, float] = Field(
        {"train": 0.8, "val": 0.1, "test": 0.1}, description="Name and share of each split; the shares add up to 1."
    )
    format: str = Field("npy", description=f"One of {', '.join(formats.FORMATS)}.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Of all random numbers.")
    shard_mb: Annotated[float, Field(gt=0, le=80)] = Field(
        48.0, description="Size that a shard aims at, in MB of observations; a worker needs a few times that memory."
    )

    @model_validator(mode="before")
    @classmethod
    def _amounts(cls, values: Any) -> Any:
        """Fill in how much the layout asks for, and refuse what belongs to the other one."""
        layout = values.get("layout", "trials")
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        for other in set(LAYOUTS) - {layout}:
            for name in DEFAULTS[other]:
                if values.get(name) is not None:
                    asked = " and ".join(DEFAULTS[layout])
                    raise ModcogError(f"{name}: got {values[name]!r}, but layout {layout!r} takes {asked} instead")
        if layout == "stream" and values.get("padded"):
            raise ModcogError("padded: is for layout 'trials'; in layout 'stream' nothing is padded")
        given = {name: value for name, value in values.items() if value is not None or name not in DEFAULTS[layout]}
        return {**DEFAULTS[layout], **given}

    @field_validator("format", mode="before")
    @classmethod
    def _format(cls, value: Any) -> Any:
        if value not in formats.FORMATS:
            raise unknown("format", value, formats.FORMATS)
        return value

    @field_validator("seed", mode="before")
    @classmethod
    def _seed(cls, value: Any) -> Any:
        if isinstance(value, bool | str):
            raise ModcogError("must be a whole number, at least 0")
        return value

    @field_validator("splits", mode="before")
    @classmethod
    def _splits(cls, value: Any) -> dict[str, float]:
        if not isinstance(value, Mapping) or not value:
            raise ModcogError("must map the name of each split to its share")
        for name, share in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ModcogError(f"{name!r} is no name for a split; use letters, digits, - and _")
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
                raise ModcogError(f"{name}: got {share!r}, must be a share, greater than 0 and at most 1")
        total = sum(value.values())
        if abs(total - 1) > 1e-9:
            raise ModcogError(f"the shares add up to {total:g}, must add up to 1")
        return {name: float(share) for name, share in value.items()}

    @model_validator(mode="after")
    def _no_empty_split(self) -> ExportConfig:
        for name, count in self.counts().items():
            if not count:
                raise ModcogError(f"splits: {name} would be empty: its share of {self._amount()} rounds to nothing")
        return self

    def counts(self) -> dict[str, int]:
        """Trials of each task (layout trials), or sequences (layout stream), in each split; they add up."""
        found, share, before = {}, 0.0, 0
        for name, part in self.splits.items():
            share += part
            upto = round(share * self._amount())
            found[name], before = upto - before, upto
        return found

    def items(self) -> dict[str, int]:
        """Items of each split: trials or, in layout stream, sequences."""
        each = len(self.tasks) if self.layout == "trials" else 1
        return {name: count * each for name, count in self.counts().items()}

    def battery_settings(self) -> BatteryConfig:
        """The settings of the battery whose trials are stored, without the rule input."""
        values = {name: getattr(self, name) for name in BatteryConfig.model_fields}
        return validated(BatteryConfig, {**values, "rule_input": False})

    def _amount(self) -> int:
        amount = self.trials_per_task if self.layout == "trials" else self.sequences
        assert amount is not None  # filled in by _amounts
        return amount

    @classmethod
    def of(cls, file: str | Path | None = None, **values: Any) -> ExportConfig:
        """A config from a settings file and keyword arguments; the arguments win.

        Raises:
            UnknownNameError: for a setting, task, format or layout that does not exist.
            ModcogError: for a wrong value, or a file that cannot be read.
        """
        return validated(cls, {**(read_settings(file) if file else {}), **values})
