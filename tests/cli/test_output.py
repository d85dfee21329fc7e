"""Streams that are closed, full, or know few characters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODCOG = [sys.executable, "-m", "modcog"]


def shell(redirection: str, *words: str, **variables: str) -> tuple[int, bytes, bytes]:
    """Run the program in a shell, with some of its streams redirected."""
    command = ["sh", "-c", f'"$@" {redirection}', "sh", *MODCOG, *words]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **variables})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("redirection", [">&-", "<&-", ">&- <&- 2>&-"])
def test_a_closed_stream_is_no_error(redirection) -> None:
    code, _, err = shell(redirection, "list")
    assert (code, err) == (0, b"")


def test_a_file_is_not_written_to_in_place_of_a_closed_stream(tmp_path) -> None:
    out = tmp_path / "trials.npz"
    assert shell(">&- 2>&-", "sample", "go", "-n", "1", "--out", str(out))[0] == 0
    assert out.read_bytes().startswith(b"PK")


def test_an_error_without_a_place_for_it() -> None:
    assert shell("2>&-", "lst") == (2, b"", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [["list"], ["--help"], ["list", "--json"]])
def test_a_full_disk_is_said_once(words) -> None:
    assert shell("> /dev/full", *words) == (2, b"", b"modcog: No space left on device: standard output\n")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_characters_that_a_pipe_lacks_are_replaced(encoding) -> None:
    words = ("show", "dlygointlseql", "--trials", "1")
    code, out, err = shell("", *words, PYTHONIOENCODING=encoding)
    assert (code, err) == (0, b"")
    text = out.decode(encoding)
    assert "1 + (target - floor(0.01" in text
    whole = shell("", *words, PYTHONIOENCODING="utf-8")[1].decode()
    assert "1 + (target − floor(0.01" in whole
    assert "?" not in text.replace("?", "", whole.count("?"))


def test_errors_too() -> None:
    code, _, err = shell("", "show", "gö−", PYTHONIOENCODING="ascii")
    assert code == 2
    assert err.startswith(b"modcog: unknown task or collection 'g?-'")
