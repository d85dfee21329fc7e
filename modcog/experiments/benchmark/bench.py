"""Benchmark a network: train it or take it as it is, score it, and write the report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from modcog.battery import Battery
from modcog.checks import check_count, check_jobs
from modcog.errors import ModcogError, printable, shown
from modcog.evaluation import Level, levels
from modcog.evaluation.ceilings import rough_levels
from modcog.evaluation.ceilings import stored as stored_levels
from modcog.experiments.benchmark.measure import assemble
from modcog.experiments.benchmark.page import html, markdown, several
from modcog.experiments.benchmark.report import Report
from modcog.experiments.sweeps import Grid, sweep
from modcog.experiments.sweeps.grid import arm_name, collection_name
from modcog.experiments.sweeps.records import DONE, finished_record, score_network, score_run
from modcog.experiments.sweeps.results import Record
from modcog.files import write_text
from modcog.training.config import PLACEMENT, TrainConfig
from modcog.training.metrics import read_metrics
from modcog.training.run import Run, build_model, git_state, read_run, versions
from modcog.user_code import accepted_options, failures_as, is_factory, is_import_path, required_options

OUT = Path("runs/benchmark")

SEEDS, N_TRIALS, SCORE_SEED = 3, 200, 1_000

MOST_SEEDS = 10_000

MOST_NAMES = 10
"""Largest number of tasks that a note names."""


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

    An interrupted run is resumed; a finished one is not trained again, unless its settings have changed.

    Args:
        arch: ``package.module:function`` of your own (see ``modcog.models.build``), or a reference architecture.
        seeds: number of networks, from seed 0 on.
        jobs: runs at a time on this machine, one thread each.
        out: folder of the report; the runs are in ``runs`` in it.
        n_trials: trials of each task to score on.
        score_seed: seed of those trials.
        ceiling: compare with chance and ceiling, which take minutes to compute under settings that are not stored.
        dask: address of a dask scheduler whose workers train instead.
        progress: show a bar; None: if standard error is a terminal.
        **settings: of training, as ``TrainConfig`` has them, but ``seed`` and ``out``.

    Returns:
        Report: the content of ``report.json``; ``report.html`` and ``report.md`` are beside it. Seeds that failed are
        in ``report.failed``.

    Raises:
        ModcogError: if a setting is wrong, or all seeds failed.
        UnknownNameError: for a setting that does not exist.
        KeyboardInterrupt: after SIGINT or SIGTERM, when the running trainings have saved a checkpoint.
    """
    seeds, jobs = check_seeds(seeds), check_jobs(jobs)
    if "seed" in settings:
        raise ModcogError(f"seed: got {shown(settings['seed'])}, but a benchmark trains from the seeds 0 to seeds − 1")
    scoring = {"n_trials": n_trials, "score_seed": score_seed}
    grid = Grid.of({"settings": {**settings, "arch": arch}, "axes": {"seed": list(range(seeds))}, **scoring})
    folder = Path(out) / "runs"
    cells = grid.cells(folder)
    errors: list[str] = []
    for cell in cells:  # before anything is trained, refuse a network that cannot be built from any of the seeds
        try:
            build_model(cell.config, _battery(cell.config))
            break
        except ModcogError as error:
            errors.append(str(error))
    else:
        raise _all_failed(errors)
    notes = []
    known = [str(cell.config.seed) for cell in cells if finished_record(cell) is not None]
    if known and is_import_path(arch):
        earlier = f"Trained by an earlier call: seed {', '.join(known)}"
        notes.append(f"{earlier}. Remove {folder} if the network's code has changed since.")
    done = sweep(grid, folder, jobs=jobs, dask=dask, progress=progress)
    if len(done.failed) == len(cells):
        raise _all_failed(list(done.failed.values()))
    scored = [cell for cell, record in zip(done.cells, done.records, strict=True) if record.get("scores")]
    saved = read_run(scored[0].config.out, trust=True)
    head = {**_origin(saved), "trained": True, **scoring}
    given = {**settings, "seeds": seeds, **scoring, "out": str(out), "ceiling": ceiling}
    head["command"] = _command("run", repr(arch), given)
    records = [
        _with_evaluations(record, cell.config.out) for cell, record in zip(done.cells, done.records, strict=True)
    ]
    notes += _stage(saved.config)
    battery = _battery(saved.config)
    found = _known(partial(levels, jobs=jobs), battery, notes) if ceiling else None
    return _write(assemble(records, battery, found, notes, **head), Path(out))


def check_seeds(seeds: Any) -> int:
    """Return a number of networks.

    Raises:
        ModcogError: if it is no whole number from 1 to ``MOST_SEEDS``.
    """
    if (found := check_count("seeds", seeds)) > MOST_SEEDS:
        raise ModcogError(f"seeds: got {found}, must be at most {MOST_SEEDS}")
    return found


def _all_failed(errors: Sequence[str]) -> ModcogError:
    kinds = list(dict.fromkeys(errors))
    more = f" (and {len(kinds) - 1} more)" if len(kinds) > 1 else ""
    return ModcogError(f"{f'all {len(errors)} seeds' if len(errors) > 1 else 'the network'} failed: {kinds[0]}{more}")


def _battery(config: TrainConfig) -> Battery:
    return Battery.from_config(config.battery_settings())


def _known(find: Callable[[Battery], dict[str, Level]], battery: Battery, notes: list[str]) -> dict[str, Level] | None:
    """Return the levels of a battery; None, and a note on the reason, if a task has no ideal observer."""
    try:
        return find(battery)
    except ModcogError as error:
        notes.append(f"Chance and ceiling are unknown: {error}.")
        return None


def _with_evaluations(record: Record, folder: Path) -> Record:
    """Return the record of a run whose curve has the accuracy of each task, as far as its folder has it."""
    return {**record, "curve": read_metrics(folder) or record["curve"]} if record.get("scores") else record


def _stage(config: TrainConfig) -> list[str]:
    """Return what a reader should know of a run that was trained on some of its tasks, or started from another."""
    notes = []
    if config.train_on:
        which = f": {', '.join(config.train_on)}" if len(config.train_on) <= MOST_NAMES else ""
        notes.append(f"Trained on {len(config.train_on)} of the {len(config.tasks)} tasks alone{which}.")
    if config.start:
        notes.append(f"Started from the weights of the run in {config.start['out']}, where its curves begin.")
    return notes


def _origin(run: Run) -> dict[str, Any]:
    """Name, settings, versions and state of the repository of a run, as a report has them."""
    config, record = run.config, run.record
    settings = config.model_dump(mode="json", exclude={*PLACEMENT, "seed"}) | {"data": record["config"].get("data")}
    return {
        "name": config.arch if is_import_path(config.arch) else arm_name(config.arch, config.density, config.hidden),
        "settings": {**settings, "tasks": collection_name(config.tasks) or settings["tasks"]},
        "versions": record["versions"],
        "git": record["git"],
    }


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
    trust: bool = False,
    **options: Any,
) -> Report:
    """Score a trained network, and write the report.

    Args:
        network: a torch module or a function, as ``modcog.evaluate`` takes them; a function that makes one, from
            nothing or from some of n_inputs, n_outputs, hidden, seed and ``options``; or the folder of a run of the
            trainer.
        battery: to score it on; a run has its own.
        name: of the network in the report; default: its own.
        seeds: number of networks to make, from seed 0 on, by a function that takes a seed.
        jobs: processes that compute chance and ceiling.
        out: folder of the report.
        n_trials: trials of each task to score on.
        score_seed: seed of those trials.
        ceiling: as for ``run``.
        trust: allow the folder of a run to name its network as MODULE:NAME, as ``modcog.load_model`` does.
        **options: for the function that makes the network.

    Returns:
        Report: as ``run`` returns it.

    Raises:
        ModcogError: if the network cannot be made or scored, naming what was expected.
    """
    seeds, jobs = check_seeds(seeds), check_jobs(jobs)
    scoring = {"n_trials": n_trials, "score_seed": score_seed}
    given: dict[str, Any] = {"seeds": seeds, **scoring, "out": str(out), "ceiling": ceiling, **options}
    given |= {"trust": True} if trust else {}
    notes: list[str] = []
    if isinstance(network, str | Path):
        if battery is not None:
            raise ModcogError("battery: got one, but a run is scored on its own")
        records, battery, notes, head = _score_run(Path(network), n_trials, score_seed, trust)
        call = repr(str(network))
    elif isinstance(battery, Battery):
        head = {"name": str(getattr(network, "__name__", type(network).__name__)), "settings": {}}
        head |= {"versions": versions(), "git": git_state()}
        records = score_object(network, name or head["name"], battery, n_trials, score_seed, seeds, options)
        tasks = {"tasks": collection_name(battery.tasks) or list(battery.tasks)}
        config = {**tasks, **battery.config.model_dump(exclude_defaults=True, exclude={"tasks"})}
        call = f"{name or head['name']}, modcog.Battery(**{config!r})"
    else:
        raise ModcogError(f"battery: got {type(battery).__name__}, must be a modcog.Battery")
    head |= {"name": name or head["name"], "trained": False, "command": _command("score", call, given), **scoring}
    known = _known(partial(levels, jobs=jobs), battery, notes) if ceiling else None
    return _write(assemble(records, battery, known, notes, **head), Path(out))


def _score_run(
    folder: Path, n_trials: int, score_seed: int, trust: bool
) -> tuple[list[Record], Battery, list[str], dict[str, Any]]:
    """Score a run; return its record, its battery, notes for the reader, and what ``_origin`` tells."""
    run = read_run(folder, trust)
    cell = {"name": str(folder), "config": {"seed": run.config.seed}}
    record = {"status": run.status, "error": None, "cell": cell, **score_run(folder, n_trials, score_seed, trust)}
    notes, step = _stage(run.config), record["progress"]["step"]
    if run.status not in DONE:
        done = f"{step:,} of {several(run.config.steps, 'update')}"
        notes.append(f"The run is not finished (status: {run.status}); this is its newest checkpoint, after {done}.")
    return [_with_evaluations(record, folder)], _battery(run.config), notes, _origin(run)


def report_training(folder: Path, command: str) -> Report:
    """Score a run that this process has trained, and write its report into its folder.

    Args:
        folder: folder of the run.
        command: command or call in Python that repeats the run.

    Raises:
        ModcogError: if the run has no checkpoint, or its network cannot be scored.
    """
    # On new trials, even though the run was just evaluated: its record has means only, from which no interval follows;
    # these held-out trials have decided when to stop, so that a run which reached its target looks better on them; and
    # on the trials of ``score`` the page has the same numbers as a later benchmark of this run.
    records, battery, notes, head = _score_run(folder, N_TRIALS, SCORE_SEED, trust=True)
    # Exact levels of other settings than the stored ones would take minutes; those of the run's pictures are there.
    known = _known(rough_levels, battery, notes)
    if known and battery.settings.model_dump_json() not in stored_levels():
        again = ["modcog", "benchmark", str(folder), *(["--trust"] if is_import_path(head["settings"]["arch"]) else [])]
        notes.append(
            f"Chance and ceiling are rough, within about 1 %. For closer ones, in minutes: {shlex.join(again)}"
        )
    scoring = {"n_trials": N_TRIALS, "score_seed": SCORE_SEED}
    head |= {"trained": True, "command": printable(command), **scoring}
    return _write(assemble(records, battery, known, notes, **head), folder)


def score_object(
    network: Any, name: str, battery: Battery, n_trials: int, score_seed: int, seeds: int, options: Mapping[str, Any]
) -> list[Record]:
    """Return the record of a network, or one for each seed if ``network`` is a function that makes one from a seed.

    Such a function (or class) requires nothing but some of n_inputs, n_outputs, hidden, seed and ``options``, and keeps
    its own default of ``hidden`` unless ``options`` hold another. Any other ``network`` is a torch module or a function
    from observations to logits or actions.

    Raises:
        ModcogError: if it cannot be made or scored.
    """
    records: list[Record] = []
    for label, seed, one in _networks(network, name, battery, seeds, options):
        try:
            scored = score_network(one, battery, n_trials, score_seed)
        except ModcogError as error:
            raise ModcogError(f"{label}: {error}") from error
        records.append({"status": "scored", "error": None, "cell": {"name": label, "config": {"seed": seed}}, **scored})
    return records


def _networks(
    network: Any, name: str, battery: Battery, seeds: int, options: Mapping[str, Any]
) -> Iterator[tuple[str, int | None, Any]]:
    hidden = {"hidden": TrainConfig.model_fields["hidden"].default}
    offered = {**hidden, **options, "n_inputs": battery.n_channels, "n_outputs": battery.n_actions, "seed": 0}
    if not is_factory(network, offered):
        yield name, None, network
        return
    if "hidden" not in {*options, *required_options(network)}:
        del offered["hidden"]
    accepted = accepted_options(network, offered)
    for seed in range(seeds) if "seed" in accepted else [None]:
        given = accepted if seed is None else {**accepted, "seed": seed}
        with failures_as(f"{name}: called with {', '.join(given) or 'nothing'}, it failed"):
            made = network(**given)
        yield name if seed is None else f"{name}, seed {seed}", seed, made


def _command(function: str, arguments: str, options: Mapping[str, Any]) -> str:
    """Return the command line of ``modcog``, or the call in Python where another program is running."""
    program, words = Path(sys.argv[0]), sys.argv[1:]
    if program.stem == "modcog" or program.parts[-2:] == ("modcog", "__main__.py"):
        return printable(shlex.join(["modcog", *words]))
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"modcog.experiments.benchmark.{function}({arguments}{given})"


def _write(report: Report, out: Path) -> Report:
    texts = {"html": html(report), "md": markdown(report), "json": report.model_dump_json(indent=2) + "\n"}
    for ending, text in texts.items():
        write_text(out / f"report.{ending}", text)
    return report
