"""Benchmark a network: train it or take it as it is, score it, and write the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.errors import ModcogError
from modcog.evaluation import levels
from modcog.experiments.benchmark import command, networks, references
from modcog.experiments.benchmark.assemble import Origin, assemble
from modcog.experiments.benchmark.measured import Record
from modcog.experiments.benchmark.page import html, markdown
from modcog.experiments.benchmark.report import Report
from modcog.experiments.claims.tables import arm_name
from modcog.experiments.sweeps import Cell, Grid, Sweep, sweep
from modcog.experiments.sweeps.cell import finished_record
from modcog.experiments.sweeps.grid import PLACEMENT
from modcog.files import whole_file
from modcog.tasks.names import resolve
from modcog.training.config import TrainConfig
from modcog.training.run import build_model, git_state, read_run, versions
from modcog.user_code import is_place

HTML, JSON, MARKDOWN = "report.html", "report.json", "report.md"
"""What is written."""

OUT = Path("runs/benchmark")

RUNS = "runs"
"""Folder of the runs, beside the report."""

SEEDS, N_TRIALS, SCORE_SEED = 3, 200, 1_000


def run(
    arch: str,
    *,
    seeds: int = SEEDS,
    jobs: int = 1,
    out: str | Path = OUT,
    n_trials: int = N_TRIALS,
    score_seed: int = SCORE_SEED,
    ceiling: bool = True,
    dask: str | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Report:
    """Train a network with the reference trainer from several seeds, score it, and write the report.

    A run that was stopped goes on where it was; a finished one is not trained again, unless its settings are others.

    Args:
        arch: ``package.module:function`` of one's own (see ``modcog.models.build``), or a reference architecture.
        seeds: how many, from 0 on.
        jobs: runs at a time on this machine, one thread each.
        out: folder of the report; the runs are in ``runs`` in it.
        n_trials: of each task, to score on.
        score_seed: of those trials.
        ceiling: compare with chance and ceiling, which take minutes to compute under settings that are not stored.
        dask: address of a dask scheduler whose workers train instead.
        progress: show a bar; None: if standard error is a terminal.
        **settings: of training, as ``TrainConfig`` has them, but ``seed`` and ``out``.

    Returns:
        Report: what ``report.json`` holds; ``report.html`` and ``report.md`` are beside it. Seeds that failed are in
        ``report.failed``.

    Raises:
        ModcogError: if a setting is wrong, or all seeds failed.
        UnknownNameError: for a setting that does not exist.
        KeyboardInterrupt: after SIGINT or SIGTERM, when what was being trained has saved a checkpoint.
    """
    _check_seeds(seeds)
    if "seed" in settings:
        raise ModcogError(f"seed: got {settings['seed']!r}, but a benchmark trains from the seeds 0 to seeds − 1")
    if "tasks" in settings:
        settings["tasks"] = command.called(resolve(settings["tasks"]))
    scoring = {"n_trials": n_trials, "score_seed": score_seed}
    grid = Grid.of({"settings": {**settings, "arch": arch}, "axes": {"seed": list(range(seeds))}, **scoring})
    cells = grid.cells(Path(out) / RUNS)
    _check_made(cells)
    notes = _earlier(arch, cells)
    done = sweep(grid, Path(out) / RUNS, jobs=jobs, dask=dask, progress=progress)
    _check(done)
    options = command.changed(
        seeds=(seeds, SEEDS),
        n_trials=(n_trials, N_TRIALS),
        score_seed=(score_seed, SCORE_SEED),
        out=(Path(out), OUT),
        ceiling=(ceiling, True),
    )
    origin = _origin(done, command.of_run(arch, {**settings, **options}))
    return _write(origin, done.records, ceiling, jobs, Path(out), notes)


def _check_seeds(seeds: int) -> None:
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise ModcogError(f"seeds: got {seeds!r}, must be a whole number, at least 1")


def _check_made(cells: Sequence[Cell]) -> None:
    """Refuse a network that cannot be made from any of the seeds, before anything is trained."""
    errors = []
    for cell in cells:
        try:
            build_model(cell.config, Battery.from_config(cell.config.battery_settings()))
            return
        except ModcogError as error:
            errors.append(str(error))
    raise _all_failed(errors)


def _check(done: Sweep) -> None:
    """Refuse a sweep that has nothing to report."""
    if len(done.failed) == len(done.cells):
        raise _all_failed(list(done.failed.values()))


def _all_failed(errors: Sequence[str]) -> ModcogError:
    kinds = list(dict.fromkeys(errors))
    more = f"; {len(kinds) - 1} other errors" if len(kinds) > 1 else ""
    return ModcogError(f"{f'all {len(errors)} seeds' if len(errors) > 1 else 'the network'} failed: {kinds[0]}{more}")


def _earlier(arch: str, cells: Sequence[Cell]) -> list[str]:
    """A sentence if some of the seeds of one's own network were trained by an earlier call."""
    seeds = [str(cell.config.seed) for cell in cells if finished_record(cell) is not None]
    if not is_place(arch) or not seeds:
        return []
    folder = cells[0].config.out.parent
    return [
        f"Trained by an earlier call: seed {', '.join(seeds)}. Remove {folder} if the network's code has changed since."
    ]


def _origin(done: Sweep, again: str) -> Origin:
    """What a sweep over seeds is about."""
    cell = next(cell for cell, record in zip(done.cells, done.records, strict=True) if record.get("scores"))
    config, ran = cell.config, read_run(cell.config.out).record
    return Origin(
        name=_name(config),
        trained=True,
        command=again,
        battery=config.battery_settings(),
        settings=_settings(config),
        n_trials=cell.n_trials,
        score_seed=cell.score_seed,
        versions=ran["versions"],
        git=ran["git"],
    )


def _name(config: TrainConfig) -> str:
    return config.arch if is_place(config.arch) else arm_name(config.arch, config.density, config.hidden)


def _settings(config: TrainConfig) -> dict[str, Any]:
    """The settings of training that a report shows."""
    found = config.model_dump(mode="json", exclude={*PLACEMENT, "seed"})
    return {**found, "tasks": command.called(config.tasks)}


def score(
    network: Any,
    battery: Battery | None = None,
    *,
    name: str | None = None,
    seeds: int = 1,
    jobs: int = 1,
    out: str | Path = OUT,
    n_trials: int = N_TRIALS,
    score_seed: int = SCORE_SEED,
    ceiling: bool = True,
    **options: Any,
) -> Report:
    """Score a network that is trained already, and write the report.

    Args:
        network: what ``modcog.evaluate`` takes, a torch module or a function; a function that makes one, from nothing
            or from some of n_inputs, n_outputs, hidden, seed and ``options``; or the folder of a run of the trainer.
        battery: to score it on; a run has its own.
        name: what to call it; without: its own name. ``MODULE:NAME`` is taken to say where it is.
        seeds: how many networks to make, from seed 0 on, if it is a function that takes a seed.
        jobs: processes to compute chance and ceiling with.
        out: folder of the report.
        n_trials: of each task, to score on.
        score_seed: of those trials.
        ceiling: compare with chance and ceiling, which take minutes to compute under settings that are not stored.
        **options: for the function that makes the network.

    Returns:
        Report: as ``run`` gives it.

    Raises:
        ModcogError: if the network cannot be made or scored, naming what was expected.
    """
    _check_seeds(seeds)
    changes = command.changed(
        n_trials=(n_trials, N_TRIALS),
        score_seed=(score_seed, SCORE_SEED),
        out=(Path(out), OUT),
        ceiling=(ceiling, True),
    )
    if isinstance(network, str | Path):
        if battery is not None:
            raise ModcogError("battery: got one, but a run is scored on its own")
        origin, record = _of_run(Path(network), name, command.of_folder(str(network), changes), n_trials, score_seed)
        return _write(origin, [record], ceiling, jobs, Path(out))
    if not isinstance(battery, Battery):
        raise ModcogError(f"battery: got {type(battery).__name__}, must be a modcog.Battery")
    name = name or str(getattr(network, "__name__", type(network).__name__))
    records = networks.of_object(network, name, battery, n_trials, score_seed, seeds, options)
    again = command.of_object(name, battery.config, {**command.changed(seeds=(seeds, 1)), **changes}, options)
    origin = Origin(
        name=name,
        trained=False,
        command=again,
        battery=battery.config,
        settings={},
        n_trials=n_trials,
        score_seed=score_seed,
        versions=versions(),
        git=git_state(),
    )
    return _write(origin, records, ceiling, jobs, Path(out))


def _of_run(folder: Path, name: str | None, again: str, n_trials: int, score_seed: int) -> tuple[Origin, Record]:
    """What a run of the trainer is about, and its record."""
    ran, record = networks.of_run(folder, n_trials, score_seed)
    origin = Origin(
        name=name or _name(ran.config),
        trained=False,
        command=again,
        battery=ran.config.battery_settings(),
        settings=_settings(ran.config),
        n_trials=n_trials,
        score_seed=score_seed,
        versions=ran.record["versions"],
        git=ran.record["git"],
    )
    return origin, record


def _write(
    origin: Origin, records: Sequence[Record], ceiling: bool, jobs: int, out: Path, notes: Sequence[str] = ()
) -> Report:
    """Put the report together and write it."""
    known = None
    if ceiling:
        try:
            known = levels(Battery.from_config(origin.battery), jobs=jobs)
        except ModcogError as error:
            notes = [*notes, f"Chance and ceiling are not known: {error}."]
    report = assemble(origin, records, known, references.stored(), notes)
    for name, text in (
        (HTML, html(report)),
        (MARKDOWN, markdown(report)),
        (JSON, report.model_dump_json(indent=2) + "\n"),
    ):
        with whole_file(out / name) as part:
            part.write_text(text, encoding="utf-8")
    return report
