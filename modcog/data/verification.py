"""Verification: every file of a data set against its manifest, by size and hash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from modcog.checks import check_count
from modcog.data.card import PICTURE
from modcog.data.manifest import MANIFEST, DamagedManifestError, FileEntry, Manifest, file_entry, files_in
from modcog.progress import ProgressBar


@dataclass(frozen=True)
class Problem:
    """A file that is not as it was exported."""

    path: str  # relative to the data set
    kind: str  # missing, truncated, damaged, swapped, extra or unreadable
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}"


@dataclass(frozen=True)
class Verification:
    """The findings of ``verify``; true if the data set is whole."""

    path: Path  # of the data set
    problems: tuple[Problem, ...]  # none if it is whole
    n_files: int  # that should be there, the manifest among them
    n_bytes: int  # their size

    @property
    def ok(self) -> bool:
        """Every file is there and as it was exported."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok


def verify(path: str | Path, *, jobs: int | None = None, progress: bool | None = False) -> Verification:
    """Check every file of a data set against the manifest, and that there are no others but the picture.

    Args:
        path: its folder.
        jobs: files read at the same time; None: as many as there are processors.
        progress: show a bar with rate and time left on standard error; None: if that is a terminal.

    Returns:
        Verification: with a ``Problem`` for every file that is missing, truncated, damaged, swapped with another,
            extra or unreadable.

    Raises:
        ModcogError: if the folder does not exist or is no whole data set, or jobs is not a whole number ≥ 1.
    """
    folder = Path(path).absolute()
    jobs = (os.cpu_count() or 1) if jobs is None else check_count("jobs", jobs)
    try:
        manifest = Manifest.read(folder)
    except DamagedManifestError as error:
        return Verification(folder, (Problem(MANIFEST, "damaged", str(error)),), 1, 0)
    expected = {file.path: file for file in manifest.all_files()}
    there = {file.relative_to(folder).as_posix() for file in files_in(folder)}
    missing, extra = expected.keys() - there, there - {*expected, MANIFEST, PICTURE}
    problems = [Problem(name, "missing", "the manifest names it, and it is not there") for name in missing]
    problems += [Problem(name, "extra", "the manifest does not name it") for name in extra]
    problems += _compare(folder, [file for name, file in expected.items() if name in there], jobs, progress)
    total = sum(file.bytes for file in expected.values()) + (folder / MANIFEST).stat().st_size
    return Verification(folder, tuple(sorted(problems, key=lambda problem: problem.path)), 1 + len(expected), total)


def _compare(folder: Path, files: list[FileEntry], jobs: int, progress: bool | None) -> Iterator[Problem]:
    owner = {file.sha256: file.path for file in files}
    with ThreadPoolExecutor(jobs) as pool, ProgressBar(folder.name, "files", len(files), show=progress) as bar:
        for file, found in zip(files, pool.map(lambda file: _read(folder, file), files), strict=True):
            bar.advance(bytes=file.bytes)
            if isinstance(found, str):
                yield Problem(file.path, "unreadable", found)
            elif found.sha256 in owner and found.sha256 != file.sha256:
                yield Problem(file.path, "swapped", f"its content is that of {owner[found.sha256]}")
            elif found.bytes < file.bytes:
                yield Problem(file.path, "truncated", f"it has {found.bytes} of {file.bytes} bytes")
            elif found.sha256 != file.sha256:
                yield Problem(file.path, "damaged", "its content is not what was exported: the hash differs")


def _read(folder: Path, file: FileEntry) -> FileEntry | str:
    try:
        return file_entry(folder / file.path, file.path)
    except OSError as error:
        return str(error.strerror)
