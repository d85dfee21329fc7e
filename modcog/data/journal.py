"""The journal of an export: which shards are finished, so that a killed export can go on, and nobody else writes.

A shard is written under a temporary name and flushed; then its record is written; then it gets its name. So a shard
under its own name is whole and has a record, at whatever moment the process is killed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pydantic import ValidationError

from modcog.data.manifest import JOURNAL, MANIFEST, Identity, Manifest, ShardEntry, files_in
from modcog.errors import ModcogError
from modcog.files import flush, locked, whole_file

_PART = ".part"
_WAIT = 60.0  # s, for workers of a killed export to finish the shard they are at
_GONE = 2.0  # s, for its forked workers to notice that it is gone; until then they hold its lock with it


class Journal:
    """The folder of an export under way.

    Args:
        folder: of the data set.
        ending: of shard names.
    """

    def __init__(self, folder: Path, ending: str) -> None:
        self.folder, self.ending = folder, ending
        self.inside = folder / JOURNAL

    @contextmanager
    def opened(self, identity: Identity) -> Iterator[None]:
        """Hold the folder for one export with these settings; what a killed one left half-done is removed.

        Raises:
            ModcogError: if the folder holds something else, or another export is writing to it.
        """
        self._check(identity)
        self.inside.mkdir(parents=True, exist_ok=True)
        with _lock(self.inside / "export.lock", _GONE, self.folder):
            self._check(identity)
            self.clean()
            with whole_file(self._settings) as part:
                part.write_text(identity.model_dump_json(), encoding="utf-8")
            yield

    def _check(self, identity: Identity) -> None:
        """Refuse a folder that holds another export, or something that is none."""
        if (self.folder / MANIFEST).exists():
            there = Manifest.read(self.folder).identity
        elif self._settings.exists():
            there = self._read_settings()
        elif self.folder.is_dir() and any(path.name != JOURNAL for path in self.folder.iterdir()):
            raise ModcogError(f"out: {self.folder} is not empty and holds no export; give another folder")
        else:
            return
        if difference := identity.difference(there):
            raise ModcogError(f"out: {self.folder} holds an export with other settings: {difference}")

    def _read_settings(self) -> Identity:
        try:
            return Identity.model_validate_json(self._settings.read_bytes())
        except ValidationError:
            raise ModcogError(f"out: {self._settings} is damaged; remove {self.folder} and export again") from None

    def clean(self) -> None:
        """Remove what killed workers have left half-done, once those that live have finished their shards.

        Raises:
            ModcogError: if they do not within a minute.
        """
        with _lock(self.inside / "workers.lock", _WAIT, self.folder):
            for path in sorted(self.folder.rglob(f".*{_PART}")):
                remove(path)

    @property
    def _settings(self) -> Path:
        return self.inside / "settings.json"

    def _record(self, name: str) -> Path:
        return self.inside / f"{name.replace('/', '-')}.json"

    def place(self, name: str) -> Path:
        """The path of a shard."""
        return self.folder / (name + self.ending)

    def finished(self, name: str, entry: ShardEntry | None = None) -> ShardEntry | None:
        """The record of a shard that stands in its place, in full length; anything else in its place is removed.

        ``entry`` is what a manifest says of it, instead of its record.
        """
        path = self.place(name)
        if not path.exists():
            return None
        try:
            entry = entry or ShardEntry.model_validate_json(self._record(name).read_bytes())
            there = [path] if path.is_file() else files_in(path)
            sizes = {file.relative_to(self.folder).as_posix(): file.stat().st_size for file in there}
            if sizes == {file.path: file.bytes for file in entry.files}:
                return entry
        except (OSError, ValidationError):
            pass
        remove(path)
        return None

    def at_work(self) -> AbstractContextManager[None]:
        """A context in which no other export cleans up here."""
        return _lock(self.inside / "workers.lock", _WAIT, self.folder, shared=True)

    @contextmanager
    def shard(self, name: str) -> Iterator[Path]:
        """A temporary name to write a shard to; what fails is removed."""
        path = self.place(name)
        part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_PART}")
        with self.at_work():
            path.parent.mkdir(exist_ok=True)
            try:
                yield part
            except BaseException:
                remove(part)
                raise

    def finish(self, name: str, part: Path, entry: ShardEntry) -> None:
        """Bring a written shard to the disk, record it, and give it its name."""
        path = self.place(name)
        try:
            flush_all(part)
            self.record(name, entry)
            part.replace(path)
        except OSError:
            if not path.is_dir():
                raise
            # Somebody else has put the same shard there, as dask may run a task twice: ours is not needed.
        finally:
            remove(part)
        flush(path.parent)

    def record(self, name: str, entry: ShardEntry) -> None:
        """Write a shard's record."""
        with whole_file(self._record(name)) as part:
            part.write_text(entry.model_dump_json(), encoding="utf-8")

    def close(self) -> None:
        """Remove the journal: the data set is whole."""
        shutil.rmtree(self.inside, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def flush_all(path: Path) -> None:
    """Flush a file, or a folder and all in it; many small files at once, since each waits for the disk."""
    if path.is_file():
        return flush(path)
    everything = [*files_in(path), *(Path(where) for where, _, _ in os.walk(path))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(flush, everything))


def _lock(path: Path, wait: float, folder: Path, *, shared: bool = False) -> AbstractContextManager[None]:
    return locked(path, f"out: another export is writing to {folder}", wait, shared=shared)
