"""Export: make the shards of a data set in any number of processes, then what describes it, then its manifest."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modcog import __version__
from modcog.data.columns import meaning
from modcog.data.config import ExportConfig
from modcog.data.formats import get_format, missing_extra
from modcog.data.journal import Journal, flush_all
from modcog.data.manifest import MANIFEST, ArrayEntry, Identity, Manifest, ShardEntry, file_entries, file_entry
from modcog.data.plan import Plan, Shard
from modcog.data.progress import Progress
from modcog.errors import ModcogError
from modcog.files import whole_file
from modcog.names import TASKS, parse
from modcog.trials.source import check_count
from modcog.trials.table import BASES, Base

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

    Example:
        >>> data = export("rings", tasks="yang19", trials_per_task=10)  # doctest: +SKIP
        >>> len(data["train"]), len(data["test"])  # doctest: +SKIP
        (160, 20)
    """
    if config is not None and settings:
        raise ModcogError("export takes either config or single settings, not both")
    config = config or ExportConfig.of(**settings)
    check_count("jobs", jobs)
    job = Job.of(config, Path(out).absolute())
    with _one_line(job.out), job.journal().opened(job.identity):
        _make(job, _missing(job), jobs, dask, progress)
        _finish(job)
    from modcog.data.dataset import load

    return load(out)


DASK_WAIT = "10s"
"""How long to wait for a scheduler to answer."""


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


def make_shard(job: Job, index: int) -> int:
    """Make one shard; runs in a worker. Returns its size in bytes.

    Raises:
        ModcogError: if the worker has other versions than the export.
    """
    fmt = get_format(job.identity.config["format"])
    here = job.identity.model_copy(update={"version": __version__, "library": fmt.library()})
    if difference := here.difference(job.identity):
        raise ModcogError(f"a worker has other versions: {difference}")
    plan, journal = job.plan(), job.journal()
    shard = plan.shards[index]
    data = plan.data(shard)
    name = shard.name + fmt.ENDING
    with journal.shard(shard.name) as part, ThreadPoolExecutor(1) as beside:
        fmt.write(data, part, job.identity.model_dump_json())
        flushed = beside.submit(flush_all, part)  # the disk is slow, and so are the hashes
        trials = np.bincount(data.columns["task"], minlength=len(plan.battery.tasks))
        arrays = {
            key: ArrayEntry(shape=array.shape, dtype=array.dtype.name)
            for key, array in {**data.arrays, **data.columns}.items()
        }
        entry = ShardEntry(
            path=name, items=shard.stop - shard.start, trials=tuple(trials.tolist()), arrays=arrays,
            files=file_entries(part, name),
        )  # fmt: skip
        flushed.result()
        journal.finish(shard.name, part, entry)
    return sum(file.bytes for file in entry.files)


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
        for index, size in _dask(job, missing, dask) if dask else _local(job, missing, jobs):
            bar.advance(plan.shards[index].stop - plan.shards[index].start, size)


def _numbered(job: Job, index: int, parent: int | None = None) -> tuple[int, int]:
    if parent is not None:
        _end_with(parent)
    return index, make_shard(job, index)


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """End this worker process soon after its parent has ended, however that came; loky itself lets it live on."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _local(job: Job, missing: list[int], jobs: int) -> Iterator[tuple[int, int]]:
    """Make shards in processes of this machine, one thread each; yields index and size as they get ready."""
    jobs = min(jobs, len(missing))
    if jobs == 1:  # joblib would do it in this process too, which must not watch itself
        yield from (_numbered(job, index) for index in missing)
        return
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
            parallel = Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
            yield from parallel(delayed(_numbered)(job, index, os.getpid()) for index in missing)
    except TerminatedWorkerError:
        raise ModcogError(
            "a worker process was killed, perhaps for lack of memory; run the same export again to finish it, "
            "with fewer jobs or a smaller shard_mb if it happens again"
        ) from None


def _dask(job: Job, missing: list[int], address: str) -> Iterator[tuple[int, int]]:
    """Make shards on the workers of a dask cluster; what a lost worker was at is made by another."""
    try:
        from distributed import CancelledError, Client, KilledWorker, as_completed
        from distributed.comm.core import CommClosedError
    except ImportError as error:
        raise missing_extra("dask", error, "dask") from None
    try:
        client = Client(address, timeout=DASK_WAIT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ModcogError(f"dask: cannot reach a scheduler at {address!r}: {' '.join(str(error).split())}") from None
    with client:
        futures = client.map(_numbered, [job] * len(missing), missing, pure=False, retries=3)
        try:
            for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
                yield future.result()
                future.release()
        except (KilledWorker, CancelledError, CommClosedError) as error:
            raise ModcogError(
                f"dask: the cluster at {address!r} has lost the export ({type(error).__name__}); run the same export "
                "again to finish it"
            ) from None


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
        columns={name: meaning(name) for name in names},
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
def _one_line(out: Path) -> Iterator[None]:
    """Turn what the operating system says into one line that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno is None and not error.strerror:
            reason = " ".join(str(error).split())
        else:
            reason = os.strerror(error.errno) if error.errno else str(error.strerror)
        again = "; free some space and run the same export again to finish it" if error.errno in _FULL else ""
        raise ModcogError(f"out: cannot write to {out}: {reason}{again}") from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
