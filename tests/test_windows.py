"""Commands under rules of Windows, as far as another system can play them."""

from __future__ import annotations

import errno
import io
import os
import pathlib
import shutil
import signal
import sys
import traceback
from pathlib import Path

import pytest

from modcog.cli import main
from modcog.files import write_text

OPEN_FILES = Path("/proc/self/fd")
pytestmark = pytest.mark.skipif(not OPEN_FILES.exists(), reason="needs a list of the files that are open")


def is_open(path: object) -> bool:
    """Tell whether this process has the file, or one below the folder, open or mapped to memory."""
    whole = os.path.realpath(str(path))
    held = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    for handle in os.listdir(OPEN_FILES):
        try:
            held.append(os.readlink(OPEN_FILES / handle))
        except OSError:  # closed since
            continue
    return any(file == whole or file.startswith(f"{whole}/") for file in held)


def by_a_library() -> bool:
    """Tell whether filelock or tempfile asks, which do otherwise on Windows."""
    return any(library in frame.filename for frame in traceback.extract_stack() for library in ("filelock", "tempfile"))


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Refuse what Windows refuses, take away what it lacks, and end lines as it does; in a fresh working folder."""
    import fcntl

    real_open, real_io, real_fsync = os.open, io.open, os.fsync

    def guarded(name: str) -> None:
        real = getattr(os, name)

        def call(*paths: object, **options: object) -> object:
            for path in paths:
                if options.get("dir_fd") is None and is_open(path) and not by_a_library():
                    raise PermissionError(errno.EACCES, f"{name} of a file that is open", str(path))
            if name == "replace" and os.path.isdir(str(paths[1])):
                raise PermissionError(errno.EACCES, "replace of a folder", str(paths[1]))
            return real(*paths, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("replace", "unlink", "remove"):
        guarded(name)

    def open_no_folder(path: object, *more: int, **options: object) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "a folder", str(path))
        return real_open(path, *more, **options)

    def open_text(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **more):
        assert "b" in mode or encoding, f"{file}: an encoding of this system's own"
        newline = "\r\n" if newline is None and "r" not in mode and "b" not in mode else newline
        return real_io(file, mode, buffering, encoding, errors, newline, **more)

    def flush_no_reader(handle: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "opened for reading")
        real_fsync(handle)

    monkeypatch.setattr(os, "open", open_no_folder)
    monkeypatch.setattr(io, "open", open_text)  # as pathlib calls it
    if sys.version_info < (3, 11):  # pathlib keeps functions of its own
        for name, call in (("open", open_text), ("replace", os.replace), ("unlink", os.unlink)):
            monkeypatch.setattr(pathlib._NormalAccessor, name, staticmethod(call))
    monkeypatch.setattr(os, "fsync", flush_no_reader)
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    monkeypatch.delattr(os, "sched_getaffinity")
    for name in ("SIGKILL", "SIGALRM", "SIGUSR1", "pthread_sigmask"):
        monkeypatch.delattr(signal, name)
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_rules_are_those_of_windows(windows: Path) -> None:
    file = windows / "a"
    file.write_text("x\n", encoding="utf-8")
    assert file.read_bytes() == b"x\r\n"
    write_text(file, "x\n")
    assert file.read_bytes() == b"x\n"
    with file.open(encoding="utf-8"), pytest.raises(PermissionError):
        (windows / "b").replace(file)


no_zarr = pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr needs Python 3.11")


@pytest.mark.parametrize("form", ["npy", "hdf5", pytest.param("zarr", marks=no_zarr), "parquet"])
def test_a_data_set_has_the_same_bytes(windows: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["export", "--tasks", "dlygointl,dms", "--trials-per-task", "20", "--format", form, "--progress", "--out"]
    for _ in range(2):  # once more over the finished one
        assert main([*words, "here"]) == 0
    assert main(["verify", "here"]) == 0
    monkeypatch.undo()
    assert main([*words, str(windows / "elsewhere")]) == 0
    here, elsewhere = (
        {path.relative_to(windows / name): path.read_bytes() for path in (windows / name).rglob("*") if path.is_file()}
        for name in ("here", "elsewhere")
    )
    assert here == elsewhere


@pytest.mark.parametrize("words", ["sample go -n 3", "show dlygointl --plot a.png", "list", "ceiling modcog132"])
def test_a_command_can_be_repeated(windows: Path, words: str) -> None:
    for _ in range(2):
        assert main(words.split()) == 0


def test_a_run_can_be_repeated_resumed_and_scored(windows: Path) -> None:
    pytest.importorskip("torch")
    train = ["train", "--tasks", "go", "--arch", "gru", "--hidden", "8", "--batch-size", "4", "--eval-trials", "2"]
    assert main([*train, "--steps", "2", "--out", "run"]) == 0
    assert main(["train", "--resume", "--steps", "4", "--out", "run"]) == 0
    assert main(["evaluate", "run", "--n-trials", "2"]) == 0
    settings = "settings: {steps: 2, tasks: [go], hidden: 8, eval_trials: 2}\narms: [{arch: gru}]\naxes: {seed: [0]}\n"
    (windows / "grid.yaml").write_text(settings, encoding="utf-8")
    for _ in range(2):
        assert main(["sweep", "grid.yaml", "--jobs", "2", "--out", "sweep"]) == 0
    assert b"\r" not in (windows / "sweep" / "results.csv").read_bytes()
