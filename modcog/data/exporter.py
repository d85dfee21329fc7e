"""Export: make the shards of a data set in any number of processes, then what describes it, then its manifest."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modcog.checks import check_count
from modcog.data.columns import meanings
from modcog.data.config import ExportConfig
from modcog.data.formats import get_format
from modcog.data.journal import Journal
from modcog.data.manifest import MANIFEST, ArrayEntry, Identity, Manifest, ShardEntry, file_entries, file_entry
from modcog.data.plan import Plan, Shard
from modcog.data.progress import Progress
from modcog.errors import ModcogError, one_line
from modcog.experiments.workers import spread
from modcog.files import whole_file
from modcog.tasks.base import Base
from modcog.tasks.names import TASKS, parse
from modcog.tasks.table import BASES
from modcog.version import __version__

if TYPE_CHECKING:
    from modcog.data.dataset import DataSet


def export(
    out: str | Path,
    config: ExportConfig | None = None,
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool = False,
    **settings: Any,
) -> DataSet:
    """Write a data set, or finish one that was interrupted.

    The bytes of every file depend on the settings and the package version alone (and, for formats other than
    ``npy``, on the version of the library that writes them): not on ``jobs``, the machine or an interruption.

    Args:
        out: folder of the data set; an unfinished export in it with the same settings is finished.
        config: the settings, all of them; or give them by name:
        jobs: worker processes on this machine.
        dask: address of a dask scheduler whose workers make the shards instead; they must see ``out`` under the
            same path.
        progress: show a bar with rate and time left on standard error.
        **settings: the fields of ``ExportConfig``: those of ``Battery``, and ``trials_per_task``, ``splits``,
            ``format``, ``layout``, ``padded``, ``sequences``, ``seq_len``, ``seed``, ``shard_mb``.

    Returns:
        DataSet: as ``modcog.data.load(out)`` gives it.

    Raises:
        UnknownNameError: for a setting, task, format or layout that does not exist.
        ModcogError: for a wrong value, a folder that cannot be written or holds something else, a full disk, or an
            optional package that is not installed.

    Examples:
        >>> data = export("rings", tasks="yang19", trials_per_task=10)  # doctest: +SKIP
        >>> len(data["train"]), len(data["test"])  # doctest: +SKIP
        (160, 20)
    """
    if config is not None and settings:
        raise ModcogError("export takes either config or single settings, not both")
    config = config or ExportConfig.of(**settings)
    check_count("jobs", jobs)
    job = Job.of(config, Path(out).absolute())
    with _system_errors(job.out), job.journal().opened(job.identity):
        _make(job, _missing(job), jobs, dask, progress)
        _finish(job)
    from modcog.data.dataset import load

    return load(out)


@dataclass(frozen=True)
class Job:
    """What a worker is told.

    Attributes:
        out: folder of the data set.
        identity: the settings, and the versions that the worker must have.
        bases: rows of the user's own base tasks, which the worker may not know.
    """

    out: Path
    identity: Identity
    bases: tuple[Base, ...] = ()

    @classmethod
    def of(cls, config: ExportConfig, out: Path) -> Job:
        """The job of an export."""
        identity = Identity(
            version=__version__, library=get_format(config.format).library(), config=config.model_dump(mode="json")
        )
        known = {parse(task).base for task in TASKS}
        own = {base: None for task in config.tasks if (base := parse(task).base) not in known}
        return cls(out, identity, tuple(BASES[base] for base in own))

    def plan(self) -> Plan:
        """The plan of the data set; compiled once a process."""
        for row in self.bases:
            BASES.setdefault(row.name, row)
        return _plan(self.identity.model_dump_json())

    def journal(self) -> Journal:
        """The journal of the data set."""
        return Journal(self.out, get_format(self.identity.config["format"]).ENDING)


@lru_cache(maxsize=2)
def _plan(identity: str) -> Plan:
    return Plan(Identity.model_validate_json(identity).config_checked())


@dataclass(frozen=True)
class Written:
    """A shard that is written, under a temporary name.

    Attributes:
        name: of the shard.
        part: where it stands.
        entry: its record.
    """

    name: str
    part: Path
    entry: ShardEntry


def make_shard(job: Job, index: int) -> int:
    """Make one shard, to the end. Returns its size in bytes."""
    with job.journal().at_work():
        return finish_shard(job, write_shard(job, index))


def write_shard(job: Job, index: int) -> Written:
    """Write one shard, but leave it to ``finish_shard`` to bring it to the disk and give it its name.

    Raises:
        ModcogError: if this process has other versions than the export.
    """
    fmt = get_format(job.identity.config["format"])
    here = job.identity.model_copy(update={"version": __version__, "library": fmt.library()})
    if difference := here.difference(job.identity):
        raise ModcogError(f"a worker has other versions: {difference}")
    plan, journal = job.plan(), job.journal()
    shard = plan.shards[index]
    data = plan.data(shard)
    name = shard.name + fmt.ENDING
    with journal.shard(shard.name) as part:
        fmt.write(data, part, job.identity.model_dump_json())
        trials = np.bincount(data.columns["task"], minlength=len(plan.battery.tasks))
        arrays = {
            key: ArrayEntry(shape=array.shape, dtype=array.dtype.name)
            for key, array in {**data.arrays, **data.columns}.items()
        }
        entry = ShardEntry(
            path=name, items=shard.stop - shard.start, trials=tuple(trials.tolist()), arrays=arrays,
            files=file_entries(part, name),
        )  # fmt: skip
    return Written(shard.name, part, entry)


def finish_shard(job: Job, written: Written) -> int:
    """Bring a shard to the disk, record it and give it its name. Returns its size in bytes."""
    job.journal().finish(written.name, written.part, written.entry)
    return sum(file.bytes for file in written.entry.files)


def _missing(job: Job) -> list[int]:
    """Indices of the shards that are still to be made."""
    plan, journal = job.plan(), job.journal()
    manifest = Manifest.read(job.out) if (job.out / MANIFEST).exists() else None
    listed = {entry.path: entry for entry in manifest.shards()} if manifest else {}
    found = [journal.finished(shard.name, listed.get(shard.name + journal.ending)) for shard in plan.shards]
    missing = [index for index, entry in enumerate(found) if entry is None]
    if manifest and (missing or not _complete(job.out, manifest)):  # has lost files since: again an unfinished export
        for shard, entry in zip(plan.shards, found, strict=True):
            if entry is not None:
                journal.record(shard.name, entry)
        (job.out / MANIFEST).unlink()
    return missing


def _complete(out: Path, manifest: Manifest) -> bool:
    """Whether the files that describe a finished data set are there in full length."""
    files = [(out / file.path, file.bytes) for file in manifest.files]
    return all(path.is_file() and path.stat().st_size == size for path, size in files)


def _make(job: Job, missing: list[int], jobs: int, dask: str | None, progress: bool) -> None:
    if not missing:
        return
    plan = job.plan()
    n_items = sum(shard.stop - shard.start for shard in plan.shards)
    done = n_items - sum(plan.shards[i].stop - plan.shards[i].start for i in missing)
    unit = "trials" if plan.config.layout == "trials" else "sequences"
    with Progress(job.out.name, unit, n_items, done, shown=progress) as bar:
        if dask:
            made = spread(partial(make_shard, job), missing, dask=dask, again=_AGAIN)
        else:
            written = spread(partial(write_shard, job), missing, jobs, again=_AGAIN, backend=_backend(jobs))
            made = _finished(job, written)
        for place, size in made:
            shard = plan.shards[missing[place]]
            bar.advance(shard.stop - shard.start, size)


_AGAIN = "run the same export again to finish it, with fewer jobs or a smaller shard_mb if it happens again"


def _backend(jobs: int) -> Any:
    if jobs == 1:
        return None
    from modcog.data.forks import quick_backend  # imports joblib

    return quick_backend()


def _finished(job: Job, shards: Iterator[tuple[int, Written]]) -> Iterator[tuple[int, int]]:
    """Finish shards while the next ones are made: the disk takes half as long as a worker."""
    with ThreadPoolExecutor(_DISK) as beside:
        finishing: deque[tuple[int, Future[int]]] = deque()
        for place, written in shards:
            finishing.append((place, beside.submit(finish_shard, job, written)))
            if len(finishing) > _DISK:
                first, size = finishing.popleft()
                yield first, size.result()
        yield from ((place, size.result()) for place, size in finishing)


_DISK = 3
"""Shards that are brought to the disk at the same time: records and folders of one wait while data of another goes."""


def _finish(job: Job) -> None:
    """Write what describes the data set, the manifest last, and remove the journal."""
    plan, journal, path = job.plan(), job.journal(), job.out / MANIFEST
    if not path.exists():
        journal.clean()  # a dask worker may have been killed on the way
        manifest = _manifest(job, plan, journal)
        files = tuple(_describe(job.out, manifest, plan))
        with whole_file(path) as part:
            signed = manifest.model_copy(update={"files": files}).signed()
            part.write_text(signed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    journal.close()


def _manifest(job: Job, plan: Plan, journal: Journal) -> Manifest:
    tables = plan.battery.tables
    splits: dict[str, list[ShardEntry]] = {}
    for shard in plan.shards:
        splits.setdefault(shard.split, []).append(journal.finished(shard.name) or _lost(journal, shard))
    names = next(iter(splits.values()))[0].arrays
    return Manifest(
        identity=job.identity,
        tasks=plan.battery.tasks,
        periods={spec.name: tuple(timing) for spec, timing in zip(tables.specs, tables.timings, strict=True)},
        dt=tables.settings.dt,
        columns=meanings(names, tables.conditions),
        splits={name: tuple(shards) for name, shards in splits.items()},
        files=(),
    )


def _lost(journal: Journal, shard: Shard) -> ShardEntry:
    raise ModcogError(f"{journal.place(shard.name)} has disappeared during the export; run the same export again")


def _describe(out: Path, manifest: Manifest, plan: Plan) -> Iterable[Any]:
    """Write croissant.json, the picture and the data card; yields their entries."""
    from modcog.data import card, croissant, picture

    contents = {
        "croissant.json": croissant.croissant(manifest),
        "trials.svg": picture.picture(plan.battery, manifest.config.seed),
        "README.md": card.card(manifest),
    }
    for name, text in contents.items():
        with whole_file(out / name) as part:
            part.write_text(text, encoding="utf-8")
        yield file_entry(out / name, name)


@contextmanager
def _system_errors(out: Path) -> Iterator[None]:
    """Turn what the operating system says into one line that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno is None and not error.strerror:
            reason = one_line(error)
        else:
            reason = os.strerror(error.errno) if error.errno else str(error.strerror)
        again = "; free some space and run the same export again to finish it" if error.errno in _FULL else ""
        raise ModcogError(f"out: cannot write to {out}: {reason}{again}") from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
