"""A sweep as data: settings that all runs share, arms to compare, and axes to cross them with."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from modcog.errors import ModcogError, shown
from modcog.training.config import MACHINE_SETTINGS, TrainConfig
from modcog.validation import read_settings, validated

Settings = dict[str, Any]

APART = {"out", "devices", "num_nodes", *MACHINE_SETTINGS}
"""Settings of a run that its name leaves out: they say where it runs."""


class Grid(BaseModel):
    """A sweep. Every arm is run at every combination of the axes' values.

    A name may reach into a setting that is a table: ``model.init``, ``battery.dt``. What an arm says goes before the
    settings, and the axes before both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings = Field(default_factory=dict, description="Settings of a training run that all cells share.")
    arms: tuple[Settings, ...] = Field(
        default=({},), min_length=1, description="What is compared: settings, one table each."
    )
    axes: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict, description="For a setting, the values it takes."
    )
    n_trials: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Trials of each task that a finished cell is scored on."
    )
    score_seed: Annotated[int, Field(ge=0)] = Field(default=1_000, description="Of those trials.")

    @classmethod
    def of(cls, source: str | Path | Mapping[str, Any]) -> Grid:
        """A grid from a TOML, YAML or JSON file, or from a mapping.

        Raises:
            ModcogError: if the file cannot be read, or a value is wrong.
            UnknownNameError: for a setting that does not exist.
        """
        return validated(cls, source if isinstance(source, Mapping) else read_settings(source))

    def cells(self, out: str | Path) -> list[Cell]:
        """The runs, each once, with their folders below ``out``.

        Raises:
            ModcogError: if the settings of one are wrong; it says which.
        """
        found = [self._cell(values, Path(out)) for values in self._combinations()]
        return list({cell.name: cell for cell in found}.values())

    def _combinations(self) -> Iterator[Settings]:
        for arm, *point in itertools.product(self.arms, *self.axes.values()):
            yield _nested({"threads": 1}, self.settings, arm, dict(zip(self.axes, point, strict=True)))

    def _cell(self, values: Settings, out: Path) -> Cell:
        try:
            config = TrainConfig.of(**values)
        except ModcogError as error:
            raise ModcogError(f"cell {shown(values, 200)}: {error}") from None
        label = _label(values.get("tasks"), config)
        name = _name(config, label)
        config = config.model_copy(update={"out": out / name})
        return Cell(name, label, config, self.n_trials, self.score_seed)


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        name: of its folder: what a person looks for, and a hash of all that decides the run.
        tasks: what the tasks are called.
        config: of the run.
        n_trials: trials of each task that it is scored on.
        score_seed: of those trials.
    """

    name: str
    tasks: str
    config: TrainConfig
    n_trials: int
    score_seed: int


def _nested(*sources: Settings) -> Settings:
    """Settings of which the later win, ``{"model.init": x}`` as ``{"model": {"init": x}}``.

    A table takes the place of an earlier one; a name with a dot changes one value in it.
    """
    found: Settings = {}
    for values in sources:
        found |= {name: value for name, value in values.items() if "." not in name}
        for name in values:
            outer, dot, inner = name.partition(".")
            if dot:
                found[outer] = {**found.get(outer, {}), inner: values[name]}
    return found


def _label(tasks: Any, config: TrainConfig) -> str:
    if isinstance(tasks, str):
        return tasks
    if tasks is None:
        return str(TrainConfig.model_fields["tasks"].default)
    rest = config.tasks[2:]
    return "+".join([*config.tasks[:2], *(rest if len(rest) < 2 else [f"{len(rest)}-more"])])


def _name(config: TrainConfig, tasks: str) -> str:
    decides = config.model_dump(mode="json", exclude=APART)
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
    density = "" if config.density is None else f"d{config.density:g}"
    parts = (config.arch.replace(":", "."), f"h{config.hidden}", density, tasks, f"s{config.seed}", digest)
    return "-".join(filter(None, parts))
