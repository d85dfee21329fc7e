"""A sweep as data: settings that all runs share, arms to compare, and axes to cross them with."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from modcog.checks import check_path, is_list
from modcog.errors import ModcogError, shown, unknown
from modcog.tables import Brief
from modcog.tasks.names import COLLECTIONS, collection
from modcog.tasks.table import BASES
from modcog.training.config import TrainConfig, decisive
from modcog.user_code import check_trust
from modcog.validation import read_settings, validated


def _listed(value: Any) -> Any:
    if not is_list(value):
        raise ModcogError("must be a list")
    return value


class Grid(Brief, BaseModel):
    """A sweep: every arm is run at every combination of the values of the axes.

    A name with a dot reaches into a setting that is a table: ``model.init``, ``battery.dt``. An arm overrides the
    shared settings, and an axis overrides both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Any] = Field(default={}, description="Settings of a training run that all cells share.")
    arms: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_listed)] = Field(
        default=({},), min_length=1, description="Settings of each network."
    )
    axes: dict[str, Annotated[list[Any], Field(min_length=1), BeforeValidator(_listed)]] = Field(
        default={}, description="Values to combine."
    )
    n_trials: int = Field(default=200, ge=1, le=1_000_000, description="Trials of each task to score a cell on.")
    score_seed: int = Field(default=1_000, ge=0, description="Seed of the trials to score on.")

    @classmethod
    def of(cls, source: str | Path | Mapping[str, Any], trust: bool = False) -> Grid:
        """Make a grid from a TOML, YAML or JSON file, or from a mapping.

        Args:
            source: path of the file, or the mapping.
            trust: allow a file to name networks of its own as MODULE:NAME.

        Raises:
            ModcogError: if the file cannot be read or is not trusted, or a value is wrong.
            UnknownNameError: for a setting that does not exist.
        """
        if isinstance(source, Mapping):
            return validated(cls, source)
        grid = validated(cls, read_settings(source))
        for values in (grid.settings, *grid.arms, *({"arch": arch} for arch in grid.axes.get("arch", ()))):
            check_trust(source, values.get("arch"), trust)
        return grid

    def cells(self, out: str | Path) -> list[Cell]:
        """Return the runs, each once, with their folders below ``out``.

        Raises:
            ModcogError: if the settings of a run are wrong, naming them.
        """
        found, out = {}, check_path("out", out)
        for arm, *point in itertools.product(self.arms, *self.axes.values()):
            values = _nested({"threads": 1}, self.settings, arm, dict(zip(self.axes, point, strict=True)))
            try:
                for name in values.keys() - {*TrainConfig.model_fields, "preset"}:
                    raise unknown("setting", name, TrainConfig.model_fields)
                config = TrainConfig.of(**values)
            except ModcogError as error:
                raise ModcogError(f"cell {shown(values, 200)}: {error}") from None
            few = config.tasks if len(config.tasks) < 4 else (*config.tasks[:2], f"{len(config.tasks) - 2}-more")
            tasks = collection_name(config.tasks) or "+".join(few)
            deciding = json.dumps(decisive(config.model_dump(mode="json")), sort_keys=True)
            digest = hashlib.sha256(deciding.encode()).hexdigest()[:8]
            density = "" if config.density is None else f"d{config.density:g}"
            network = re.sub(r"[^\w.-]", ".", config.arch)[:80]
            parts = (network, f"h{config.hidden}", density, tasks, f"s{config.seed}", digest)
            name = "-".join(filter(None, parts))
            config = config.model_copy(update={"out": out / name})
            found[name] = Cell(name, tasks, config, self.n_trials, self.score_seed)
        return list(found.values())


@dataclass(frozen=True, repr=False)
class Cell(Brief):
    """One run of a sweep, scored on ``n_trials`` of each task that ``score_seed`` decides.

    Its name is that of its folder: a few settings to recognise it by, and a hash of all that decide the run. ``tasks``
    is the name of the collection, or a few task names.
    """

    name: str
    tasks: str
    config: TrainConfig
    n_trials: int
    score_seed: int


def _nested(*sources: dict[str, Any]) -> dict[str, Any]:
    """Merge settings, the later override; ``{"model.init": x}`` becomes ``{"model": {"init": x}}``.

    A table replaces an earlier one; a name with a dot changes one value in it.
    """
    merged: dict[str, Any] = {}
    for values in sources:
        merged |= {name: value for name, value in values.items() if "." not in name}
        for name in values:
            outer, dot, inner = name.partition(".")
            if dot and not isinstance(merged.get(outer, {}), Mapping):
                raise ModcogError(f"{name}: {outer} is {shown(merged[outer])}, which is no table")
            if dot:
                merged[outer] = {**merged.get(outer, {}), inner: values[name]}
    return merged


def collection_name(tasks: tuple[str, ...]) -> str | None:
    """Return the name of the collection that has just these tasks; None for ``go``, which names a task, too."""
    return next((name for name in COLLECTIONS if name not in BASES and collection(name) == tasks), None)


MASK_OPTIONS = ("radius", "rewired", "self_connections", "in_degree")
"""Options of networks that are part of an arm's name, since they decide the connections."""


def arm_name(arch: str, density: float | None, hidden: int, model: Mapping[str, Any] | None = None) -> str:
    """Return the name of a network without its seed: ``lm-rnn 8 % 256``, ``small-world 8 % 256, rewired 0.1``.

    Args:
        arch: name of the architecture.
        density: share of the connections; None or NaN: set by the architecture.
        hidden: number of units.
        model: further options, of which those of ``MASK_OPTIONS`` are named.
    """
    share = "" if density is None or math.isnan(density) else f" {100 * density:g} %"
    options = "".join(f", {name} {model[name]}" for name in MASK_OPTIONS if name in model) if model else ""
    return f"{arch}{share} {hidden}{options}"
