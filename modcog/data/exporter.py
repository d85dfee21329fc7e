"""Export: make the shards of a data set in any number of processes, then what describes it, then its manifest.

A shard is written under a temporary name, recorded with its hash, and only then gets its name. Whoever exports again
keeps every shard that agrees with its record, so a process may be killed, or the power fail, at any moment.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from modcog.checks import check_count
from modcog.data.card import PICTURE, card, picture
from modcog.data.config import ExportConfig
from modcog.data.croissant import croissant
from modcog.data.dataset import DataSet, load
from modcog.data.formats import get_format
from modcog.data.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    UNFINISHED,
    ArrayEntry,
    ConditionEntry,
    Identity,
    Manifest,
    ShardEntry,
    file_entries,
    first_error,
)
from modcog.data.plan import Plan
from modcog.errors import ModcogError, one_line
from modcog.files import EMPTY, flush, locked, look_below, read_regular, remove, whole_file, write_text
from modcog.processes import spread
from modcog.progress import ProgressBar
from modcog.tasks.base import Base
from modcog.tasks.names import TASKS, parse
from modcog.tasks.table import BASES

_PATIENCE = 600.0  # s, for a worker of a killed export to finish the shard that it is making
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "run the same export again to finish it"
_ADVICE = f"{_AGAIN}, with fewer jobs or a smaller shard_mb if it happens again"


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
        KeyboardInterrupt: at Ctrl-C; it says how many shards are kept.
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
    with _system_errors(job.out), _interrupts(job):
        if not job.is_done():
            with job.only_writer():
                if not job.is_done():
                    _write(job, jobs, dask, progress)
            shutil.rmtree(job.out / UNFINISHED, ignore_errors=True)
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
        return cls(out, Identity.here(config.model_dump(mode="json")), tuple(BASES[base] for base in own))

    def inside(self, name: str | int) -> Path:
        """Return a file that an unfinished export needs: settings, locks, and by number the entry of each shard."""
        return self.out / UNFINISHED / (name if isinstance(name, str) else f"{name:05d}.json")

    def plan(self) -> Plan:
        """Return the plan of the data set; compiled once a process."""
        for row in self.bases:
            BASES.setdefault(row.name, row)
        return _plan(self.identity.model_dump_json())

    def is_done(self) -> bool:
        """Tell whether the folder holds the whole data set, hashes aside.

        Raises:
            ModcogError: if it holds an export with other settings, or something else.
        """
        for path, kind in look_below(self.out).items():  # a link leads elsewhere, and a pipe has no end
            if not isinstance(kind, int) and kind != EMPTY:
                raise ModcogError(f"out: {self.out / path} is {kind}; a data set has regular files only")
        settings, there = self.inside("settings.json"), None
        try:  # before the manifest: an export that finishes now writes that first and then removes these
            there = Identity.model_validate_json(read_regular(settings, LARGEST_MANIFEST))
        except ValidationError:
            raise ModcogError(f"out: {settings} is damaged; remove {self.out} and export again") from None
        except FileNotFoundError:
            pass
        manifest = Manifest.read(self.out) if os.path.lexists(self.out / MANIFEST) else None
        there = manifest.identity if manifest else there
        if there is None and self.out.is_dir() and any(path.name != UNFINISHED for path in self.out.iterdir()):
            raise ModcogError(f"out: {self.out} is not empty and holds no export; give another folder")
        if there and (difference := self.identity.difference(there)):
            raise ModcogError(f"out: {self.out} holds an export with other settings: {difference}")
        return manifest is not None and manifest.lost(self.out) is None and (self.out / PICTURE).exists()

    def finished(self, index: int) -> ShardEntry | None:
        """Return the entry of a shard that is there as it is recorded, hashes and all, or None."""
        shard, ending = self.plan().shards[index], get_format(self.identity.config["format"]).ENDING
        try:
            entry = ShardEntry.model_validate_json(read_regular(self.inside(index), LARGEST_MANIFEST))
            same = (entry.path, entry.items) == (shard.name + ending, shard.n_items)
            return entry if same and file_entries(self.out / entry.path, entry.path) == entry.files else None
        except (OSError, ValidationError, ModcogError):
            return None

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Hold the folder for the block.

        Raises:
            ModcogError: if another export is writing to it.
        """
        with ExitStack() as held:
            while True:
                (self.out / UNFINISHED).mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(locked(self.inside("lock"), _busy(self)))
                    break
                except FileNotFoundError:  # an export that has just finished has removed the folder in between
                    continue
            yield


@lru_cache(maxsize=2)
def _plan(identity: str) -> Plan:
    return Plan(Identity.model_validate_json(identity).config_checked())


def _busy(job: Job) -> str:
    return f"out: another export is writing to {job.out}"


def _write(job: Job, jobs: int, dask: str | None, progress: bool | None) -> None:
    """Make what is missing of a data set."""
    plan, path, ending = job.plan(), job.out / MANIFEST, get_format(job.identity.config["format"]).ENDING
    write_text(job.inside("settings.json"), job.identity.model_dump_json())
    if path.exists():  # it has lost files since, and is an unfinished export again
        listed = {shard.path: shard for shard in Manifest.read(job.out).shards()}
        for index, shard in enumerate(plan.shards):
            if entry := listed.get(shard.name + ending):
                job.inside(index).write_text(entry.model_dump_json(), encoding="utf-8")
        path.unlink()
    entries: dict[int, ShardEntry] = {}
    n_items, unit = sum(shard.n_items for shard in plan.shards), "trials" if plan.seq_len == 0 else "sequences"
    # Beside making shards: the disk takes as long as a processor, and the picture a second.
    with ThreadPoolExecutor(4) as beside, ProgressBar(job.out.name, unit, n_items, show=progress) as bar:
        drawn = beside.submit(picture, plan.battery, plan.config.seed)
        flushed = deque[Future[None]]()
        for index, entry in spread(partial(make_shard, job), range(len(plan.shards)), jobs, dask, _ADVICE):
            entries[index] = entry
            flushed.append(beside.submit(_flush_shard, job.out / entry.path))
            bar.advance(entry.items, bytes=sum(file.bytes for file in entry.files))
            while flushed and (flushed[0].done() or len(entries) == len(plan.shards)):
                flushed.popleft().result()
    for part in list(job.out.rglob(".*.part")):  # of processes that were killed
        remove(part)
    manifest = _manifest(job, plan, entries)
    with whole_file(job.out / PICTURE) as part:
        part.write_bytes(drawn.result())
    texts = {"croissant.json": croissant(manifest), "README.md": card(manifest)}
    for name, text in texts.items():
        write_text(job.out / name, text)
    files = tuple(file for name in texts for file in file_entries(job.out / name, name))
    write_text(path, manifest.signed(files).model_dump_json(indent=1) + "\n")


def _flush_shard(path: Path) -> None:
    """Bring a shard to the disk, or remove it: after a refusal, the system may take a second attempt for a success."""
    try:
        for inner in (path, *path.rglob("*"), path.parent):
            flush(inner)
    except OSError:
        remove(path)
        raise


def _manifest(job: Job, plan: Plan, entries: dict[int, ShardEntry]) -> Manifest:
    made = [(shard.split, entries[index]) for index, shard in enumerate(plan.shards)]
    tables, parts = plan.battery.tables, ConditionEntry.model_fields
    try:
        return Manifest(
            identity=job.identity,
            tasks=tables.tasks,
            periods=dict(zip(tables.tasks, tables.periods, strict=True)),
            dt=tables.settings.dt,
            conditions=tuple(ConditionEntry(**{part: getattr(c, part) for part in parts}) for c in tables.conditions),
            columns=plan.meanings(entries[0].arrays),
            splits={name: tuple(entry for split, entry in made if split == name) for name in plan.config.splits},
            files=(),
        )
    except ValidationError as error:  # records of an earlier attempt that were changed since
        damaged = f"{job.out / UNFINISHED} is damaged: {first_error(error)}"
        raise ModcogError(f"out: {damaged}; remove {job.out} and export again") from None


def make_shard(job: Job, index: int) -> tuple[int, ShardEntry]:
    """Make one shard, unless it is there; return its index and entry.

    Raises:
        ModcogError: if this process has other versions than the export.
    """
    if difference := Identity.here(job.identity.config).difference(job.identity):
        raise ModcogError(f"a worker has other versions: {difference}")
    # A worker of a killed export may still be making the shard, and dask may run a task twice.
    with locked(job.inside(f"{index:05d}.lock"), _busy(job), _PATIENCE):
        return index, job.finished(index) or _write_shard(job, index)


def _write_shard(job: Job, index: int) -> ShardEntry:
    plan, fmt = job.plan(), get_format(job.identity.config["format"])
    shard, data = plan.shards[index], plan.data(plan.shards[index])
    name = shard.name + fmt.ENDING
    with whole_file(job.out / name, flushed=False) as part:
        fmt.write(data, part, job.identity.model_dump_json())
        trials = np.bincount(data.columns["task"], minlength=len(plan.battery.tasks))
        entry = ShardEntry(
            path=name,
            items=shard.n_items,
            trials=tuple(trials.tolist()),
            arrays={key: ArrayEntry.of(array) for key, array in data.all.items()},
            files=file_entries(part, name),
        )
        job.inside(index).write_text(entry.model_dump_json(), encoding="utf-8")
    return entry


@contextmanager
def _interrupts(job: Job) -> Iterator[None]:
    """Say at Ctrl-C what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        shards, ending = job.plan().shards, get_format(job.identity.config["format"]).ENDING
        there = sum((job.out / f"{shard.name}{ending}").exists() for shard in shards)
        raise KeyboardInterrupt(f"{there} of {len(shards)} shards are kept in {job.out}; {_AGAIN}") from None


@contextmanager
def _system_errors(out: Path) -> Iterator[None]:
    """Turn errors of the operating system into one line that names the folder."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error.strerror or one_line(error)
        again = f"; free some space and {_AGAIN}" if error.errno in _FULL else ""
        raise ModcogError(f"out: cannot write to {out}: {reason}{again}") from None
