"""Verification: every file of a data set against its manifest, by size and hash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from modcog.checks import check_count, check_path
from modcog.data.card import PICTURE
from modcog.data.dataset import Shard
from modcog.data.formats import get_format
from modcog.data.manifest import MANIFEST, DamagedManifestError, FileEntry, Manifest, Problem, file_entry, find_fault
from modcog.errors import ModcogError
from modcog.files import look_below
from modcog.progress import ProgressBar


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
            extra or unreadable, and for every shard whose contents are not as the manifest says.

    Raises:
        ModcogError: if the folder does not exist or is no whole data set, jobs is not a whole number ≥ 1, or the
            package that reads its format is not installed.
    """
    folder = check_path("path", path).absolute()
    jobs = (os.cpu_count() or 1) if jobs is None else check_count("jobs", jobs)
    try:
        manifest = Manifest.read(folder)
    except DamagedManifestError as error:
        return Verification(folder, (Problem(MANIFEST, "damaged", str(error)),), 1, 0)
    get_format(manifest.stored.format)
    expected = {file.path: file for file in manifest.all_files()}
    there = look_below(folder)
    problems = [fault for file in expected.values() if (fault := find_fault(file, there))]
    for name in there.keys() - {*expected, MANIFEST}:
        if name != PICTURE:
            kind = "" if isinstance(there[name], int) else f": {there[name]}"
            problems.append(Problem(name, "extra", f"the manifest does not name it{kind}"))
        elif not isinstance(there[name], int):
            problems.append(Problem(name, "unreadable", f"it is {there[name]}, must be a regular file"))
    # A file of another size is read only if it can be another's, so that one without end is not.
    sizes = {file.bytes for file in expected.values()}
    whole = [file for file in expected.values() if there.get(file.path) in sizes]
    found = {problem.path: problem for problem in problems} | {
        problem.path: problem for problem in _compare(folder, whole, jobs, progress)
    }
    for shard in manifest.shards():  # what has the right hash can still be the wrong thing, if both were made up
        if not any(file.path in found for file in shard.files):
            try:
                Shard(folder, manifest, shard).check()
            except ModcogError as error:
                found[shard.path] = Problem(shard.path, "damaged", str(error))
    total = sum(file.bytes for file in expected.values()) + (folder / MANIFEST).stat().st_size
    return Verification(folder, tuple(found[name] for name in sorted(found)), 1 + len(expected), total)


def _compare(folder: Path, files: list[FileEntry], jobs: int, progress: bool | None) -> Iterator[Problem]:
    owner = {file.sha256: file.path for file in files}
    with ThreadPoolExecutor(jobs) as pool, ProgressBar(folder.name, "files", len(files), show=progress) as bar:
        for file, found in zip(files, pool.map(lambda file: _read(folder, file), files), strict=True):
            bar.advance(bytes=file.bytes)
            if isinstance(found, str):
                yield Problem(file.path, "unreadable", found)
            elif found.sha256 in owner and found.sha256 != file.sha256:
                yield Problem(file.path, "swapped", f"its content is that of {owner[found.sha256]}")
            elif found.sha256 != file.sha256 and found.bytes == file.bytes:
                yield Problem(file.path, "damaged", "its content is not what was exported: the hash differs")


def _read(folder: Path, file: FileEntry) -> FileEntry | str:
    try:
        return file_entry(folder / file.path, file.path)
    except OSError as error:
        return str(error.strerror)
