"""Verification: every file of a data set against its manifest, by size and hash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from modcog.data.manifest import MANIFEST, FileEntry, Manifest, file_entry, files_in
from modcog.data.plan import Plan
from modcog.errors import ModcogError


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file.

    Attributes:
        path: of the file, relative to the data set.
        kind: ``missing``, ``truncated``, ``damaged``, ``swapped``, ``extra`` or ``unreadable``.
        detail: one sentence.
    """

    path: str
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}"


@dataclass(frozen=True)
class Report:
    """What ``verify`` found.

    Attributes:
        path: the data set.
        problems: none if it is whole.
        n_files: files the manifest names, itself among them.
        n_bytes: their size.
    """

    path: Path
    problems: tuple[Problem, ...]
    n_files: int
    n_bytes: int

    @property
    def ok(self) -> bool:
        """Whether every file is there and is what it should be."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok


def verify(path: str | Path, *, jobs: int | None = None) -> Report:
    """Check every file of a data set, and that it has no others.

    Args:
        path: its folder.
        jobs: files read at the same time; None: as many as there are processors.

    Returns:
        Report: with a ``Problem`` for every file that is missing, truncated, damaged, swapped with another, extra or
            unreadable.

    Raises:
        ModcogError: if the folder does not exist or is no data set at all.
    """
    folder = Path(path).absolute()
    if not (folder / MANIFEST).is_file():
        Manifest.read(folder)  # says why not
    try:
        manifest = Manifest.read(folder)
        contradiction = _contradiction(manifest)
    except ModcogError as error:
        return Report(folder, (Problem(MANIFEST, "damaged", str(error)),), 1, 0)
    if contradiction:
        return Report(folder, (Problem(MANIFEST, "damaged", contradiction),), 1, 0)
    expected = {file.path: file for file in manifest.all_files()}
    there = {file.relative_to(folder).as_posix() for file in files_in(folder)}
    missing, extra = expected.keys() - there, there - {*expected, MANIFEST}
    problems = [Problem(name, "missing", "the manifest names it, and it is not there") for name in missing]
    problems += [Problem(name, "extra", "the manifest does not name it") for name in extra]
    problems += _compare(folder, [file for name, file in expected.items() if name in there], jobs)
    total = sum(file.bytes for file in expected.values()) + (folder / MANIFEST).stat().st_size
    return Report(folder, tuple(sorted(problems, key=lambda problem: problem.path)), 1 + len(expected), total)


def _contradiction(manifest: Manifest) -> str:
    """Where the manifest's shards are not those that its settings ask for."""
    plan = Plan(manifest.config)
    planned = [(shard.split, shard.stop - shard.start) for shard in plan.shards]
    listed = [(split, shard.items) for split, shards in manifest.splits.items() for shard in shards]
    if planned != listed:
        return "its shards are not those that its settings ask for"
    if manifest.tasks != plan.battery.tasks:
        return "its tasks are not those that its settings ask for"
    return ""


def _compare(folder: Path, files: list[FileEntry], jobs: int | None) -> Iterator[Problem]:
    owner = {file.sha256: file.path for file in files}
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for file, found in zip(files, pool.map(lambda file: _read(folder, file), files), strict=True):
            if isinstance(found, str):
                yield Problem(file.path, "unreadable", found)
            elif found.sha256 != file.sha256:
                yield _difference(file, found, owner.get(found.sha256))


def _read(folder: Path, file: FileEntry) -> FileEntry | str:
    try:
        return file_entry(folder / file.path, file.path)
    except OSError as error:
        return str(error.strerror)


def _difference(file: FileEntry, found: FileEntry, owner: str | None) -> Problem:
    if owner is not None:
        return Problem(file.path, "swapped", f"its content is that of {owner}")
    if found.bytes < file.bytes:
        return Problem(file.path, "truncated", f"it has {found.bytes} of {file.bytes} bytes")
    return Problem(file.path, "damaged", "its content is not what was exported: the hash differs")
