"""Check an entry of the leaderboard: its form, its protocol, and that its numbers can be those of such networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from modcog.errors import ModcogError
from modcog.evaluation import Level, levels
from modcog.experiments.benchmark.enter import hash_of_code
from modcog.experiments.benchmark.entries import DIGITS, Entry, EntryRun, TaskScores, mean_scores, read_entry
from modcog.experiments.benchmark.protocol import Protocol, find_protocol
from modcog.experiments.sweeps import Grid, sweep
from modcog.models import measure
from modcog.training.config import TrainConfig
from modcog.training.run import build_model
from modcog.user_code import check_trust, is_import_path

ERRORS = 5.0
"""Standard errors by which the mean of a network's scores may be above that of the ceilings."""

LEAST_GAP = 0.03
"""Difference of decision accuracies that a network may have when it is trained again on another machine, and that there
may be between the end of its learning curve, on few trials, and its score."""


def check_entry(path: str | Path, *, rerun: bool = False, trust: bool = False) -> Entry:
    """Read an entry, and refuse it if it cannot be what a protocol of this version of the package leads to.

    It must be of the protocol's digest, have settings that the protocol allows, the seeds 0, 1, 2 …, every task, means
    that follow from the scores of its tasks, and scores that are possible: those that are counts of trials are whole
    ones, a trial that is correct has a correct last step, nothing is above the ideal observer by more than chance.

    Args:
        path: file of the entry.
        rerun: train its first seed again, and compare.
        trust: allow it to name a network as MODULE:NAME, which is imported to count its parameters and to train it.

    Raises:
        ModcogError: naming the file, and everything that is wrong with it.
    """
    entry = read_entry(path)
    protocol = find_protocol(entry.protocol)
    if entry.protocol_digest != protocol.digest:
        raise ModcogError(
            f"{path}: protocol_digest is {entry.protocol_digest}, that of {protocol.name} in this version is "
            f"{protocol.digest}; results of other protocols cannot stand beside each other"
        )
    own = is_import_path(arch := str(entry.settings.get("arch")))
    if rerun:
        check_trust(path, arch, trust)
    if problems := list(_problems(entry, protocol, build=trust or not own)):
        raise ModcogError(f"{path}: {'; '.join(problems)}")
    if rerun:
        _rerun(entry, protocol, Path(path))
    return entry


def _problems(entry: Entry, protocol: Protocol, build: bool) -> Iterator[str]:
    """Yield everything that is wrong with an entry; its network is built and measured only if ``build``."""
    try:
        config = TrainConfig.of(**entry.settings)
        protocol.check(config)
    except ModcogError as error:
        yield f"settings: {error}"
        return
    seeds = [run.seed for run in entry.runs]
    if seeds != list(range(len(seeds))) or len(seeds) < protocol.seeds:
        yield f"seeds: got {', '.join(map(str, seeds))}, must be 0, 1, 2 … and at least {protocol.seeds} of them"
    battery = protocol.battery
    for run in entry.runs:
        if run.scores.keys() != set(battery.tasks):
            yield f"seed {run.seed}: its tasks are not those of {protocol.tasks}"
            return
    means = mean_scores(entry.runs)
    for kind in TaskScores._fields:
        stated, found = getattr(entry.means, kind), getattr(means, kind)
        if (stated is None) != (found is None) or (found is not None and abs(stated - found) > 2 * 10**-DIGITS):
            yield f"means: {kind} is {stated}, the scores of the tasks have {found}"
    known = levels(battery)
    for run in entry.runs:
        yield from _impossible(run, protocol, known)
    if entry.search and entry.search.seed in seeds:
        yield f"search: its seed {entry.search.seed} is one of the networks"
    if build:
        if (found_hash := hash_of_code(config.arch)) != entry.code.file_sha256:
            yield f"code: the file of {config.arch} has the hash {found_hash}, the entry {entry.code.file_sha256}"
        parameters = measure(build_model(config, battery)).parameters
        if parameters != entry.parameters:
            yield f"parameters: got {entry.parameters:,}, the network has {parameters:,}"


def _impossible(run: EntryRun, protocol: Protocol, known: dict[str, Level]) -> Iterator[str]:
    """Yield the scores of a network that no network can have."""
    n, rounding = protocol.n_trials, 10.0**-DIGITS

    for task, one in run.scores.items():
        where = f"seed {run.seed}, {task}"
        for kind in ("trial", "last_step", "directional"):  # means of 0 and 1 over the trials
            if abs(round(getattr(one, kind) * n) - getattr(one, kind) * n) > 2 * n * rounding:
                yield f"{where}: {kind} {getattr(one, kind)} is no share of {n} trials"
        for lower, upper in (("trial", "decision"), ("trial", "last_step"), ("last_step", "directional")):
            if getattr(one, lower) > getattr(one, upper) + rounding:
                yield f"{where}: {lower} {getattr(one, lower)} is above {upper} {getattr(one, upper)}"
    mean = float(np.mean([one.decision for one in run.scores.values()]))
    ceilings = np.array([known[task].decision_ceiling for task in run.scores])
    error = float(np.sqrt((ceilings * (1 - ceilings) / n).sum() + sum(known[task].error ** 2 for task in run.scores)))
    if mean > ceilings.mean() + ERRORS * error / len(ceilings) + rounding:
        yield f"seed {run.seed}: mean decision accuracy {mean:.3f} is above the ideal observer's {ceilings.mean():.3f}"
    trials = [point[0] for point in run.curve]
    if len(trials) < 2 or trials != sorted(set(trials)) or trials[-1] != protocol.trials:
        yield f"seed {run.seed}: its learning curve does not lead to {protocol.trials:,} trials"
    elif abs(run.curve[-1][1] - mean) > LEAST_GAP:
        yield f"seed {run.seed}: its learning curve ends at {run.curve[-1][1]}, its score is {mean:.3f}"


def _rerun(entry: Entry, protocol: Protocol, path: Path) -> None:
    """Train the first seed of an entry again, and refuse the entry if it scores otherwise.

    In a folder of its own: a run is known by its settings, and the code of the network may have changed since. On
    another machine a network rounds otherwise, and training makes another network of it, as if of another seed. So the
    difference may be that of two seeds.
    """
    stated = [float(np.mean([one.decision for one in run.scores.values()])) for run in entry.runs]
    grid = Grid.of(
        {"settings": entry.settings, "axes": {"seed": [entry.runs[0].seed]}, "n_trials": protocol.n_trials,
         "score_seed": protocol.score_seed}
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        (record,) = sweep(grid, folder).records
    if not record.get("scores"):
        raise ModcogError(f"{path}: trained again, it failed: {record['error'] or record['status']}")
    found = float(np.mean([score["decision_accuracy"] for score in record["scores"].values()]))
    allowed = max(LEAST_GAP, 4 * float(np.std(stated, ddof=1)))
    if abs(found - stated[0]) > allowed:
        raise ModcogError(
            f"{path}: seed {entry.runs[0].seed} has mean decision accuracy {stated[0]:.3f}, trained again it has "
            f"{found:.3f}; they may differ by {allowed:.3f}"
        )
