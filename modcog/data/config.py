"""The settings of an exported data set: those of the battery, and how much of it to write, in which form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from modcog.battery import BatteryConfig
from modcog.data import formats
from modcog.errors import ModcogError, shown, unknown
from modcog.files import is_reserved
from modcog.validation import read_settings, validated

AMOUNTS = {"trials": {"trials_per_task": 1000}, "stream": {"sequences": 1024, "seq_len": 350}}
"""The settings that only one layout has, with their defaults."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Whole = Annotated[int, Field(ge=1, le=10**9)]


class ExportConfig(BatteryConfig):
    """Everything that decides the bytes of a data set; every field can stand in a TOML or YAML file.

    ``rule_input`` adds no channel to what is stored, but is the default for loading.
    """

    layout: Literal["trials", "stream"] = Field(
        "trials", description="'trials': one by one; 'stream': trials back to back in sequences of seq_len steps."
    )
    trials_per_task: Whole | None = Field(
        None, description="Layout trials: trials of each task in all splits together; default: 1000."
    )
    padded: bool = Field(
        False, description="Layout trials: pad every trial to the longest that can occur, instead of packing them."
    )
    sequences: Whole | None = Field(None, description="Layout stream: sequences in all splits together; default: 1024.")
    seq_len: Whole | None = Field(None, description="Layout stream: steps of a sequence; default: 350.")
    splits: Mapping[str, float] = Field(
        {"train": 0.8, "val": 0.1, "test": 0.1}, description="Name and share of each split; the shares add up to 1."
    )
    format: str = Field("npy", description=f"File format: {', '.join(formats.FORMATS)}.")
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="Seed of all random numbers.")
    shard_mb: Annotated[float, Field(gt=0, le=80)] = Field(
        48.0, description="Target size of a shard, in MB of observations; a worker needs a few times that memory."
    )

    @model_validator(mode="before")
    @classmethod
    def _amounts(cls, values: Any) -> Any:
        """Fill in the amounts of the layout, and refuse those of the other one."""
        layout = values.get("layout", "trials")
        if not isinstance(layout, str) or layout not in AMOUNTS:
            raise unknown("layout", layout, AMOUNTS)
        own, takes = AMOUNTS[layout], " and ".join(AMOUNTS[layout])
        for name in (name for names in AMOUNTS.values() for name in names if name not in own):
            if values.get(name) is not None:
                raise ModcogError(f"{name}: got {shown(values[name])}, but layout {layout!r} takes {takes} instead")
        if layout == "stream" and values.get("padded"):
            raise ModcogError("padded: is for layout 'trials'; in layout 'stream' nothing is padded")
        return {**own, **{name: value for name, value in values.items() if value is not None or name not in own}}

    @field_validator("format", mode="before")
    @classmethod
    def _format(cls, value: Any) -> Any:
        if value not in formats.FORMATS:
            raise unknown("format", value, formats.FORMATS)
        return value

    @field_validator("splits", mode="before")
    @classmethod
    def _splits(cls, value: Any) -> dict[str, float]:
        if not isinstance(value, Mapping) or not value:
            raise ModcogError("must map the name of each split to its share")
        for name, share in value.items():
            # It is the name of a folder.
            if not isinstance(name, str) or not _NAME.fullmatch(name) or is_reserved(name):
                raise ModcogError(f"{shown(name)} is no name for a split; use letters, digits, - and _")
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
                raise ModcogError(f"{name}: got {shown(share)}, must be a share, greater than 0 and at most 1")
        # Some file systems ignore case, and Hugging Face knows no -.
        if len({name.lower().replace("-", "_") for name in value}) < len(value):
            raise ModcogError("the names of splits must differ in more than case, - and _")
        if abs(sum(value.values()) - 1) > 1e-9:
            raise ModcogError(f"the shares add up to {sum(value.values()):g}, must add up to 1")
        return {name: float(share) for name, share in value.items()}

    @model_validator(mode="after")
    def _no_empty_split(self) -> ExportConfig:
        for name, count in self.counts().items():
            if not count:
                raise ModcogError(f"splits: {name} would be empty: its share of {self._total} rounds to nothing")
        return self

    @property
    def _total(self) -> int:
        return self.trials_per_task or self.sequences or 0

    def counts(self) -> dict[str, int]:
        """Return the trials of each task (layout trials), or the sequences (layout stream), of each split."""
        ends = [round(share * self._total) for share in accumulate(self.splits.values(), initial=0.0)]
        return {name: stop - start for name, (start, stop) in zip(self.splits, pairwise(ends), strict=True)}

    def items(self) -> dict[str, int]:
        """Return the items of each split: trials or, in layout stream, sequences."""
        each = len(self.tasks) if self.layout == "trials" else 1
        return {name: count * each for name, count in self.counts().items()}

    def battery_settings(self) -> BatteryConfig:
        """Return the config of the battery whose trials are stored, without the rule input."""
        values = {name: getattr(self, name) for name in BatteryConfig.model_fields}
        return BatteryConfig.model_construct(**{**values, "rule_input": False})

    @classmethod
    def of(cls, file: str | Path | None = None, **values: Any) -> ExportConfig:
        """Return a config from a settings file and keyword arguments, which override the file.

        Raises:
            UnknownNameError: for a setting, task, format or layout that does not exist.
            ModcogError: for a wrong value, or a file that cannot be read.
        """
        return validated(cls, {**(read_settings(file) if file else {}), **values})
