"""Export: make the shards of a data set in any number of processes, then what describes it, then its manifest.

A shard is written under a temporary name, brought to the disk, recorded, and only then gets its name, so a shard under
its own name is whole and has a record, at whatever moment a process is killed. Whoever exports again skips it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from modcog.checks import check_count
from modcog.data import card, croissant
from modcog.data.config import ExportConfig
from modcog.data.dataset import DataSet, load
from modcog.data.formats import Format, get_format
from modcog.data.manifest import (
    MANIFEST, PICTURE, UNFINISHED, ArrayEntry, FileEntry, Identity, Manifest, ShardEntry, file_entries, file_entry,
    meanings,
)  # fmt: skip
from modcog.data.plan import Plan
from modcog.errors import ModcogError, one_line
from modcog.files import locked, remove, whole_file, write_text
from modcog.processes import spread
from modcog.progress import ProgressBar
from modcog.tasks.base import Base
from modcog.tasks.names import TASKS, parse
from modcog.tasks.table import BASES
from modcog.version import __version__

_PATIENCE = 600.0  # s, for a worker of a killed export to finish the shard that it is making
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "run the same export again to finish it, with fewer jobs or a smaller shard_mb if it happens again"


def export(
    out: str | Path,
    config: ExportConfig | None = None,
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool | None = False,
    **settings: Any,
) -> DataSet:
    """Write a data set, or finish one that was interrupted.

    The bytes of every file but the picture depend on the settings and the package version alone (and, for formats
    other than ``npy``, on the version of the library that writes them): not on ``jobs``, the machine or an
    interruption.

    Args:
        out: folder of the data set; an unfinished export in it with the same settings is finished.
        config: the settings, all of them; or give them by name:
        jobs: worker processes on this machine.
        dask: address of a dask scheduler whose workers make the shards instead; they must see ``out`` under the
            same path.
        progress: show a bar with rate and time left on standard error; None: if that is a terminal.
        **settings: the fields of ``ExportConfig``: those of ``Battery``, and ``trials_per_task``, ``splits``,
            ``format``, ``layout``, ``padded``, ``sequences``, ``seq_len``, ``seed``, ``shard_mb``.

    Returns:
        DataSet: as ``modcog.data.load(out)`` gives it.

    Raises:
        UnknownNameError: for a setting, task, format or layout that does not exist.
        ModcogError: for a wrong value, a folder that cannot be written, holds something else or is being written by
            another export, a full disk, or an optional package that is not installed.

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
    with _system_errors(job.out):
        if not is_whole(job):
            with job.only_writer():
                if not is_whole(job):
                    _write(job, jobs, dask, progress)
            shutil.rmtree(job.inside, ignore_errors=True)
    return load(out)


@dataclass(frozen=True)
class Job:
    """An export as its workers receive it.

    Attributes:
        out: folder of the data set.
        identity: the settings, and the versions that a worker must have.
        bases: rows of the user's own base tasks, which a worker may not know.
    """

    out: Path
    identity: Identity
    bases: tuple[Base, ...] = ()

    @classmethod
    def of(cls, config: ExportConfig, out: Path) -> Job:
        """Return the job of an export."""
        known = {parse(task).base for task in TASKS}
        own = dict.fromkeys(base for task in config.tasks if (base := parse(task).base) not in known)
        return cls(out, _identity(config.model_dump(mode="json")), tuple(BASES[base] for base in own))

    @property
    def inside(self) -> Path:
        """Folder of what an unfinished export needs: settings, locks and the records of its shards."""
        return self.out / UNFINISHED

    @property
    def format(self) -> Format:
        """Format of the shards."""
        return get_format(self.identity.config["format"])

    def plan(self) -> Plan:
        """Return the plan of the data set; compiled once a process."""
        for row in self.bases:
            BASES.setdefault(row.name, row)
        return _plan(self.identity.model_dump_json())

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Hold the folder for the block.

        Raises:
            ModcogError: if another export is writing to it.
        """
        busy = f"out: another export is writing to {self.out}"
        with ExitStack() as held:
            while True:
                self.inside.mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(locked(self.inside / "lock", busy))
                    break
                except FileNotFoundError:  # an export that has just finished has removed the folder in between
                    continue
            yield


def _identity(config: dict[str, Any]) -> Identity:
    """Return what decides the bytes when this process writes."""
    return Identity(version=__version__, library=get_format(config["format"]).library(), config=config)


@lru_cache(maxsize=2)
def _plan(identity: str) -> Plan:
    return Plan(Identity.model_validate_json(identity).config_checked())


def is_whole(job: Job) -> bool:
    """Tell whether the folder holds the whole data set, hashes aside.

    Raises:
        ModcogError: if it holds an export with other settings, or something else.
    """
    settings, manifest = job.inside / "settings.json", None
    if (job.out / MANIFEST).exists():
        manifest = Manifest.read(job.out)
        there = manifest.identity
    elif settings.exists():
        try:
            there = Identity.model_validate_json(settings.read_bytes())
        except ValidationError:
            raise ModcogError(f"out: {settings} is damaged; remove {job.out} and export again") from None
    elif job.out.is_dir() and any(path.name != UNFINISHED for path in job.out.iterdir()):
        raise ModcogError(f"out: {job.out} is not empty and holds no export; give another folder")
    else:
        return False
    if difference := job.identity.difference(there):
        raise ModcogError(f"out: {job.out} holds an export with other settings: {difference}")
    return manifest is not None and _at_full_length(job.out, manifest.all_files()) and (job.out / PICTURE).exists()


def _at_full_length(out: Path, files: Iterable[FileEntry]) -> bool:
    """Tell whether all files are there with the bytes they should have."""
    sizes = [(out / file.path, file.bytes) for file in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in sizes)


def _write(job: Job, jobs: int, dask: str | None, progress: bool | None) -> None:
    """Make what is missing of a data set."""
    plan, path = job.plan(), job.out / MANIFEST
    write_text(job.inside / "settings.json", job.identity.model_dump_json())
    if path.exists():  # it has lost files since, and is an unfinished export again
        listed = {shard.path: shard for shard in Manifest.read(job.out).shards()}
        for index, shard in enumerate(plan.shards):
            _record(job, index).write_text(listed[shard.name + job.format.ENDING].model_dump_json(), encoding="utf-8")
        path.unlink()
    entries = {index: entry for index in range(len(plan.shards)) if (entry := finished(job, index))}
    n_items = [shard.stop - shard.start for shard in plan.shards]
    missing, done = [i for i in range(len(n_items)) if i not in entries], sum(n_items[i] for i in entries)
    unit = "trials" if plan.config.layout == "trials" else "sequences"
    with ProgressBar(job.out.name, unit, sum(n_items), done, progress) as bar:
        for index, entry in spread(partial(make_shard, job), missing, jobs, dask, _AGAIN):
            entries[index] = entry
            bar.advance(n_items[index], bytes=sum(file.bytes for file in entry.files))
    for part in list(job.out.rglob(".*.part")):  # of processes that were killed
        remove(part)
    splits: dict[str, tuple[ShardEntry, ...]] = {}
    for index, shard in enumerate(plan.shards):
        splits[shard.split] = (*splits.get(shard.split, ()), entries[index])
    tables = plan.battery.tables
    manifest = Manifest(
        identity=job.identity,
        tasks=plan.battery.tasks,
        periods={spec.name: tuple(timing) for spec, timing in zip(tables.specs, tables.timings, strict=True)},
        dt=tables.settings.dt,
        conditions=tuple(
            {name: getattr(c, name) for name in ("name", "kind", "meaning", "derived", "off_grid")}
            for c in tables.conditions
        ),
        columns=meanings(entries[0].arrays, tables.conditions),
        splits=splits,
        files=(),
    )
    with whole_file(job.out / PICTURE) as part:
        part.write_bytes(card.picture(plan.battery, plan.config.seed))
    texts = {"croissant.json": croissant.croissant(manifest), "README.md": card.card(manifest)}
    for name, text in texts.items():
        write_text(job.out / name, text)
    files = tuple(file_entry(job.out / name, name) for name in texts)
    write_text(path, manifest.signed(files).model_dump_json(indent=1) + "\n")


def _record(job: Job, index: int) -> Path:
    return job.inside / f"{index:05d}.json"


def finished(job: Job, index: int) -> ShardEntry | None:
    """Return the record of a shard that is there in full length, or None."""
    try:
        entry = ShardEntry.model_validate_json(_record(job, index).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return entry if _at_full_length(job.out, entry.files) else None


def make_shard(job: Job, index: int) -> tuple[int, ShardEntry]:
    """Make one shard, unless it is there; return its index and record.

    Raises:
        ModcogError: if this process has other versions than the export.
    """
    if difference := _identity(job.identity.config).difference(job.identity):
        raise ModcogError(f"a worker has other versions: {difference}")
    # Workers of a killed export live on until their shard is done, and dask may run a task twice.
    busy = f"out: another export is writing to {job.out}"
    with locked(job.inside / f"{index:05d}.lock", busy, _PATIENCE):
        return index, finished(job, index) or _write_shard(job, index)


def _write_shard(job: Job, index: int) -> ShardEntry:
    plan, fmt = job.plan(), job.format
    shard = plan.shards[index]
    data = plan.data(shard)
    name = shard.name + fmt.ENDING
    with whole_file(job.out / name) as part:
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
        _record(job, index).write_text(entry.model_dump_json(), encoding="utf-8")
    return entry


@contextmanager
def _system_errors(out: Path) -> Iterator[None]:
    """Turn errors of the operating system into one line that names the folder."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error.strerror or one_line(error)
        again = "; free some space and run the same export again to finish it" if error.errno in _FULL else ""
        raise ModcogError(f"out: cannot write to {out}: {reason}{again}") from None
