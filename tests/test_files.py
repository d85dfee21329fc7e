"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modcog.errors import ModcogError
from modcog.files import flush, locked, whole_file, whole_folder, write_json


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.txt"
    with whole_file(target) as part:
        part.write_text("all of it")
        assert not target.exists()
        assert part.parent == target.parent, "a rename across file systems would not be at once"
    assert target.read_text() == "all of it"
    assert os.listdir(target.parent) == ["a.txt"]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with whole_file(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write() -> None:
        with whole_file(target) as part:
            part.write_text("ha")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    """What is noticed on writing or flushing names no file, and the temporary one says nothing to anybody."""

    def write() -> None:
        with whole_file(tmp_path / "a.txt") as part:
            part.write_text("ha")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as caught:
        write()
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), whole_file(target):
        pass
    assert target.read_text() == "old"


def test_a_folder_appears_at_once_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for content in ("first", "second"):
        with whole_folder(target) as part:
            (part / content).write_text(content)
            (part / "inner").mkdir()
            (part / "inner" / "deep").write_text(content)
            assert not (target / content).exists()
        assert sorted(os.listdir(target)) == sorted([content, "inner"])
        assert (target / "inner" / "deep").read_text() == content
    assert os.listdir(tmp_path) == ["run"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with whole_folder(target) as part:
        (part / "a").write_text("old")

    def write() -> None:
        with whole_folder(target) as part:
            (part / "a").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert (target / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["run"]


def test_what_another_attempt_left_behind_is_not_in_the_way(tmp_path: Path) -> None:
    target = tmp_path / "run"
    stale = tmp_path / f".run.{os.getpid()}.part"
    stale.mkdir()
    (stale / "rubbish").write_text("")
    with whole_folder(target) as part:
        (part / "a").write_text("")
    assert os.listdir(target) == ["a"]


def test_json_is_readable_by_people_and_keeps_other_scripts(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    value = {"β": [1, 2.5, None, True], "path": Path("x/y")}
    write_json(target, value)
    assert json.loads(target.read_text(encoding="utf-8")) == {**value, "path": "x/y"}
    assert "β" in target.read_text(encoding="utf-8")
    assert target.read_text(encoding="utf-8").endswith("}\n")


def test_a_text_may_hold_what_utf8_does_not(tmp_path: Path) -> None:
    """The name of a file may have any bytes."""
    write_json(tmp_path / "x.json", {"out": "r\udcffé"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"out": "r\udcffé"}


def test_numbers_that_json_has_not_become_null(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_json(target, {"mean": float("nan"), "ends": (-float("inf"), 1.5), "deep": [{"x": float("inf")}]})
    assert json.loads(target.read_text()) == {"mean": None, "ends": [None, 1.5], "deep": [{"x": None}]}
    assert "NaN" not in target.read_text()


def test_a_lock_is_held_by_one_and_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"from pathlib import Path; from modcog.files import locked\nwith locked(Path({str(path)!r}), ''): input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as other:
        deadline = time.monotonic() + 60
        while _free(path):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(ModcogError, match=r"^taken$"), locked(path, "taken", 0.1):
            pass
        other.kill()
    with locked(path, "taken", 5):
        assert not _free(path)


def _free(path: Path) -> bool:
    try:
        with locked(path, "taken"):
            return True
    except ModcogError:
        return False


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, "")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path / "lock", ""), locked(tmp_path / "lock", ""):
        pass


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_json(target, 1)
    with pytest.raises(TypeError, match=r"^keys must be"):
        write_json(target, {(1, 2): 3})
    assert target.read_text() == "1\n"
    assert os.listdir(tmp_path) == ["a.json"]


def test_flush_takes_files_folders_and_read_only_ones(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    file.chmod(stat.S_IRUSR)
    flush(file)
    flush(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "none")


def test_flush_takes_what_windows_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens no folder, and flushes no file that was opened for reading only."""
    import fcntl

    real_open, real_fsync, flushed = os.open, os.fsync, []

    def refuse_folders(path: Path, *more: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(path, *more)

    def refuse_readers(handle: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real_fsync(handle)
        flushed.append(handle)

    monkeypatch.setattr(os, "open", refuse_folders)
    monkeypatch.setattr(os, "fsync", refuse_readers)
    with whole_folder(tmp_path / "run") as part:
        (part / "a").write_text("x")
        (part / "b").write_text("x")
        (part / "b").chmod(stat.S_IRUSR)
    assert sorted(os.listdir(tmp_path / "run")) == ["a", "b"]
    assert flushed
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "")))
    with pytest.raises(OSError, match="28"):
        flush(tmp_path / "run" / "a")


def test_a_block_may_make_a_folder_which_replaces_only_a_folder(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(IsADirectoryError), whole_file(tmp_path / "kept") as part:
        part.write_text("x")
    with whole_file(tmp_path / "kept") as part:
        part.mkdir()
        (part / "new").touch()
    assert os.listdir(tmp_path / "kept") == ["new"]
