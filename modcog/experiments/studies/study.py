"""Studies by name, and what they share: a plan, training, a table, a summary over seeds and a figure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from modcog.checks import check_count, check_path, is_list
from modcog.errors import ModcogError, unknown
from modcog.experiments.studies import continual, fewshot
from modcog.experiments.studies.stages import Key, Stage, train_stages
from modcog.experiments.sweeps.results import Record, write_table
from modcog.plot import save
from modcog.tables import Brief
from modcog.training.config import TrainConfig

DECIDED = ("seed", "out", "data", "start", "train_on", "replay", "trainable", "penalty", "strength")
"""Settings of the runs that a study decides itself."""


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        asks: in a few words.
        plan: from folder, settings, seeds and number of trials, and options of its own, to the stages of training.
        table: from stages and results to the table of runs.
        summary: from the table to means over seeds.
        draw: from the table to the figure.
    """

    asks: str
    plan: Callable[..., list[Stage]]
    table: Callable[[Sequence[Stage], Sequence[Mapping[Key, Record]]], pd.DataFrame]
    summary: Callable[[pd.DataFrame], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]


STUDIES: dict[str, Study] = {
    "few-shot": Study(
        "Few updates on combinations that were held out.",
        fewshot.plan,
        fewshot.table,
        fewshot.summary,
        fewshot.draw,
    ),
    "continual": Study(
        "Groups of tasks one after the other: forgetting, and transfer.",
        continual.plan,
        continual.table,
        continual.summary,
        continual.draw,
    ),
}
"""The studies by name."""


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(Brief):
    """The outcome of a study.

    Attributes:
        folder: with ``runs/``, ``table.csv``, ``summary.csv`` and ``figure.png``.
        table: a row for each run and task, or group of tasks.
        summary: means over seeds with 95 % intervals, ``…_low`` and ``…_high``; unbounded with one seed.
    """

    folder: Path
    table: pd.DataFrame
    summary: pd.DataFrame


def plan_study(
    name: str, out: str | Path | None = None, *, seeds: int = 3, n_trials: int = 100, **values: Any
) -> list[Stage]:
    """Return the runs of a study by stages; arguments are those of ``study``.

    Raises:
        UnknownNameError: for a study, option or setting that does not exist.
        ModcogError: for a wrong value, or a setting that the study decides.
    """
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    plan = STUDIES[name].plan
    own = {key: one for key, one in inspect.signature(plan).parameters.items() if one.kind is one.KEYWORD_ONLY}
    allowed = [*own, *(key for key in ("preset", *TrainConfig.model_fields) if key not in DECIDED)]
    for key in values:
        if key in DECIDED and key not in own:
            raise ModcogError(f"{key}: is decided by the study; leave it out")
        if key not in allowed:
            raise unknown("option or setting", key, allowed)
    options = {key: values.pop(key) for key in list(values) if key in own}
    for key, value in options.items():
        if "Sequence" in str(own[key].annotation) and not is_list(value):
            options[key] = [value]
    folder = _folder(name, out) / "runs"
    return plan(folder.absolute(), values, range(check_count("seeds", seeds)), n_trials, **options)


def study(
    name: str,
    out: str | Path | None = None,
    *,
    seeds: int = 3,
    n_trials: int = 100,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool | None = None,
    **values: Any,
) -> Outcome:
    """Train the networks of a study, and write its table, its summary and its figure.

    Args:
        name: ``"few-shot"`` or ``"continual"``.
        out: folder; None: ``runs/NAME``. Runs that are finished there are not repeated.
        seeds: number of networks.
        n_trials: trials of each task to score each run on.
        jobs: runs at a time on this machine.
        dask: address of a dask scheduler whose workers train instead.
        progress: show bars; None: if standard error is a terminal.
        **values: options of the study, the keyword arguments of ``plan`` in its module; and settings of
            ``TrainConfig`` that all runs share.

    Raises:
        UnknownNameError: for a study, option or setting that does not exist.
        ModcogError: for a wrong value, or if a run failed; the others are kept.
    """
    stages, folder = plan_study(name, out, seeds=seeds, n_trials=n_trials, **values), _folder(name, out)
    records = train_stages(stages, folder / "runs", jobs=jobs, dask=dask, progress=progress)
    one = STUDIES[name]
    rows = one.table(stages, records)
    found = Outcome(folder, rows, one.summary(rows))
    write_table(rows, folder / "table.csv")
    write_table(found.summary.reset_index(), folder / "summary.csv")
    save(one.draw(rows), folder / "figure.png")
    return found


def _folder(name: str, out: str | Path | None) -> Path:
    return Path("runs") / name if out is None else check_path("out", out)
