"""Enter a network into the leaderboard: choose its learning rate, train its seeds, score them, and write the entry."""

from __future__ import annotations

import hashlib
import inspect
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modcog.errors import ModcogError
from modcog.evaluation.measures import MEASURES
from modcog.experiments.benchmark.entries import DIGITS, Code, Entry, EntryRun, Search, TaskScores, mean_scores
from modcog.experiments.benchmark.protocol import RATES, RECIPE, SEARCH_SEED, Protocol
from modcog.experiments.claims.rates import rate_beyond
from modcog.experiments.sweeps import Grid, sweep
from modcog.experiments.sweeps.grid import arm_name
from modcog.experiments.sweeps.results import Record
from modcog.training.config import PLACEMENT, TrainConfig
from modcog.training.run import build_model, versions
from modcog.user_code import import_object, is_import_path

MOST_RATES = 10
"""Largest number of learning rates that a search tries."""

Run = Callable[[Grid], Sequence[Record]]


def enter(
    arch: str,
    protocol: Protocol,
    out: str | Path,
    *,
    name: str | None = None,
    by: str = "",
    address: str | None = None,
    search: bool | None = None,
    seeds: int | None = None,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Entry:
    """Train and score a network as a protocol of the leaderboard asks for, and return its entry.

    An interrupted call is resumed by the next one.

    Args:
        arch: ``package.module:function`` of your own, or a reference architecture.
        protocol: with the tasks, the budget and the scoring.
        out: folder of the runs.
        name: of the network on the leaderboard; None: its architecture, density and units, or its function.
        by: authors of the entry.
        address: of the network's code.
        search: choose the learning rate by runs of their own; False: take that of the settings; None: search unless
            the settings have one.
        seeds: number of networks, at least the protocol's; None: as many.
        jobs: runs at a time on this machine, one thread each.
        dask: address of a dask scheduler whose workers train instead.
        progress: show a bar; None: if standard error is a terminal.
        **settings: of training, as ``TrainConfig`` has them, in place of those of ``RECIPE``.

    Raises:
        ModcogError: if a setting is not allowed, or a run fails.
    """
    seeds = protocol.seeds if seeds is None else seeds
    shared = training_settings(arch, protocol, settings)
    config = TrainConfig.of(**shared)
    protocol.check(config)
    build_model(config, protocol.battery)  # refuses a network of your own that cannot be trained, or sees later steps
    code_hash = hash_of_code(arch)  # which may fail, so before the training
    if seeds < protocol.seeds:
        raise ModcogError(f"seeds: got {seeds}, protocol {protocol.name} has at least {protocol.seeds}")

    def run(grid: Grid) -> Sequence[Record]:
        return sweep(grid, out, jobs=jobs, dask=dask, progress=progress).records

    searched = _search(shared, run) if (searches(settings) if search is None else search) else None
    if searched:
        shared["learning_rate"] = _best(searched)
    scoring = {"n_trials": protocol.n_trials, "score_seed": protocol.score_seed}
    grid = Grid.of({"settings": shared, "axes": {"seed": list(range(seeds))}, **scoring})
    records = run(grid)
    for record in records:
        if not record.get("scores"):
            raise ModcogError(f"{record['cell']['name']}: {record['error'] or record['status']}")
    runs = tuple(map(_entry_run, records))
    network = records[0]["network"]
    config = config.model_copy(update={"learning_rate": shared.get("learning_rate", config.learning_rate)})
    usual = arch if is_import_path(arch) else arm_name(arch, config.density, config.hidden, config.model)
    return Entry(
        protocol=protocol.name,
        protocol_digest=protocol.digest,
        name=name or usual,
        by=by,
        date=datetime.now(timezone.utc).date().isoformat(),
        code=Code(address=address, file_sha256=code_hash, versions=_versions(), cpu=_processor()),
        settings={**config.model_dump(mode="json", exclude={*PLACEMENT, "seed"}), "tasks": protocol.tasks},
        search=searched,
        parameters=int(network["parameters"]),
        synapses=None if network.get("synapses") is None else int(network["synapses"]),
        means=mean_scores(runs),
        runs=runs,
    )


def training_settings(arch: str, protocol: Protocol, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an entry's runs: those given in place of the recipe's, and those of the protocol."""
    return {**RECIPE, **settings, **protocol.settings, "arch": arch}


def searches(settings: Mapping[str, Any]) -> bool:
    """Return True if, unless it is said otherwise, a learning rate is searched for: none is given."""
    return "learning_rate" not in settings


def hash_of_code(arch: str) -> str | None:
    """Return the SHA-256 of the file that a network of your own is made by; None for a reference architecture.

    Raises:
        ModcogError: if it cannot be imported, or was not read from a file.
    """
    if not is_import_path(arch):
        return None
    try:
        file = inspect.getsourcefile(inspect.unwrap(import_object(arch)))
        return hashlib.sha256(Path(file or "").read_bytes()).hexdigest()
    except (TypeError, OSError):
        raise ModcogError(f"{arch}: has no source file, which an entry must name by its hash") from None


def _search(shared: dict[str, Any], run: Run) -> Search:
    """Try learning rates by whole runs until the best of them is neither the lowest nor the highest."""
    steps = TrainConfig.of(**shared).steps
    settings = {**shared, "seed": SEARCH_SEED, "eval_every": steps}
    scores: dict[float, float] = {}
    rates = list(RATES)
    while rates:
        # Scored on trials of another seed than those that the entry is scored on.
        grid = {"settings": settings, "axes": {"learning_rate": rates}, "n_trials": 50, "score_seed": SEARCH_SEED}
        for rate, record in zip(rates, run(Grid.of(grid)), strict=True):
            found = [one["decision_accuracy"] for one in record.get("scores", {}).values()]
            scores[rate] = float(np.mean(found)) if found else 0.0
        if not any(scores.values()):
            raise ModcogError(f"the network failed with every learning rate: {', '.join(f'{r:g}' for r in scores)}")
        beyond = rate_beyond(scores)
        rates = [beyond] if beyond is not None and len(scores) < MOST_RATES else []
    return Search(
        seed=SEARCH_SEED,
        scores={f"{rate:g}": round(scores[rate], DIGITS) for rate in sorted(scores)},
    )


def _best(search: Search) -> float:
    return float(max(search.scores, key=search.scores.__getitem__))


def _entry_run(record: Record) -> EntryRun:
    """Return what an entry has of one network."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, DIGITS)

    return EntryRun(
        seed=record["cell"]["config"]["seed"],
        scores={
            task: TaskScores(*(rounded(score[MEASURES[kind].column]) for kind in TaskScores._fields))  # type: ignore[arg-type]
            for task, score in record["scores"].items()
        },
        curve=tuple((point["trials"], round(point["decision_accuracy"], DIGITS)) for point in record["curve"]),
        seconds=round(record["progress"]["seconds"], 1),
    )


def _versions() -> dict[str, str]:
    return {name: version for name, version in versions().items() if name != "platform"} | {"platform": sys.platform}


def _processor() -> str:
    """Return the name of the device that networks are trained on here."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
