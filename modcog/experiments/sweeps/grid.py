"""A sweep as data: settings that all runs share, arms to compare, and axes to cross them with."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from modcog.errors import ModcogError, shown
from modcog.tasks.names import COLLECTIONS, collection
from modcog.tasks.table import BASES
from modcog.training.config import MACHINE_SETTINGS, TrainConfig
from modcog.validation import read_settings, validated

Values = dict[str, Any]

PLACEMENT = {"out", "devices", "num_nodes", *MACHINE_SETTINGS}
"""Settings that say where a run is computed and stored, and that are no part of its name."""


class Grid(BaseModel):
    """A sweep: every arm is run at every combination of the values of the axes.

    A name with a dot reaches into a setting that is a table: ``model.init``, ``battery.dt``. An arm overrides the
    shared settings, and an axis overrides both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Values = Field(default_factory=dict, description="Settings of a training run that all cells share.")
    arms: tuple[Values, ...] = Field(default=({},), min_length=1, description="Settings of each thing to compare.")
    axes: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict, description="Settings to vary, each with a list of values."
    )
    n_trials: Annotated[int, Field(ge=1)] = Field(
        default=200, description="Trials of each task to score a finished cell on."
    )
    score_seed: Annotated[int, Field(ge=0)] = Field(default=1_000, description="Seed of the trials to score on.")

    @classmethod
    def of(cls, source: str | Path | Mapping[str, Any]) -> Grid:
        """Make a grid from a TOML, YAML or JSON file, or from a mapping.

        Raises:
            ModcogError: if the file cannot be read, or a value is wrong.
            UnknownNameError: for a setting that does not exist.
        """
        return validated(cls, source if isinstance(source, Mapping) else read_settings(source))

    def cells(self, out: str | Path) -> list[Cell]:
        """Return the runs, each once, with their folders below ``out``.

        Raises:
            ModcogError: if the settings of a run are wrong, naming them.
        """
        found = [self._cell(values, Path(out)) for values in self._combinations()]
        return list({cell.name: cell for cell in found}.values())

    def _combinations(self) -> Iterator[Values]:
        for arm, *point in itertools.product(self.arms, *self.axes.values()):
            yield _nested({"threads": 1}, self.settings, arm, dict(zip(self.axes, point, strict=True)))

    def _cell(self, values: Values, out: Path) -> Cell:
        try:
            config = TrainConfig.of(**values)
        except ModcogError as error:
            raise ModcogError(f"cell {shown(values, 200)}: {error}") from None
        more = len(config.tasks) - 2
        few = [*config.tasks[:2], *(config.tasks[2:] if more < 2 else [f"{more}-more"])]
        tasks = collection_name(config.tasks) or "+".join(few)
        name = _cell_name(config, tasks)
        return Cell(name, tasks, config.model_copy(update={"out": out / name}), self.n_trials, self.score_seed)


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        name: of its folder: a few settings to recognise it by, and a hash of all that decide the run.
        tasks: name of the collection, or a few task names.
        config: of the run.
        n_trials: trials of each task that it is scored on.
        score_seed: seed of those trials.
    """

    name: str
    tasks: str
    config: TrainConfig
    n_trials: int
    score_seed: int


def _nested(*sources: Values) -> Values:
    """Merge settings, the later override; ``{"model.init": x}`` becomes ``{"model": {"init": x}}``.

    A table replaces an earlier one; a name with a dot changes one value in it.
    """
    merged: Values = {}
    for values in sources:
        merged |= {name: value for name, value in values.items() if "." not in name}
        for name in values:
            outer, dot, inner = name.partition(".")
            if dot:
                merged[outer] = {**merged.get(outer, {}), inner: values[name]}
    return merged


def collection_name(tasks: tuple[str, ...]) -> str | None:
    """Return the name of the collection that has just these tasks; None for ``go``, which names a task, too."""
    names = (name for name in COLLECTIONS if name not in BASES and collection(name) == tasks)
    return next(names, None)


def arm_name(arch: str, density: float | None, hidden: int) -> str:
    """Return the name of a network without its seed, such as ``lm-rnn 8 % 256``."""
    share = "" if density is None or math.isnan(density) else f" {100 * density:g} %"
    return f"{arch}{share} {hidden}"


def _cell_name(config: TrainConfig, tasks: str) -> str:
    decisive = config.model_dump(mode="json", exclude=PLACEMENT)
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:8]
    density = "" if config.density is None else f"d{config.density:g}"
    parts = (config.arch.replace(":", "."), f"h{config.hidden}", density, tasks, f"s{config.seed}", digest)
    return "-".join(filter(None, parts))
