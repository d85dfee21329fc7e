"""Streams that are closed, full, or know few characters."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modcog.cli import main

MODCOG = [sys.executable, "-m", "modcog"]


def shell(redirection: str, *words: str, **variables: str) -> tuple[int, bytes, bytes]:
    """Run the program in a shell, with some of its streams redirected."""
    command = ["sh", "-c", f'"$@" {redirection}', "sh", *MODCOG, *words]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **variables})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder, with a small data set and a network."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_net.py").write_text("def predict(x):\n    return x[..., :17]\n", encoding="utf-8")
    assert main(["export", "--tasks", "go", "--trials-per-task", "20", "--out", "set", "--no-progress"]) == 0
    return tmp_path


COMMANDS = [
    "--help",
    "list --json",
    "show go --plot go.png",
    "export --tasks go --trials-per-task 20 --out new --jobs 2",
    "verify set",
    "evaluate own_net:predict --tasks go --n-trials 5",
]
"""Calls that write to standard output, some of them with a bar on standard error."""


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("redirection", [">&-", ">&- <&- 2>&-"])
def test_a_closed_stream_is_no_error(folder, redirection, words) -> None:
    code, _, err = shell(redirection, *words.split())
    assert code == 0
    assert "\nmodcog" not in f"\n{err.decode()}"


def test_a_file_is_not_written_to_in_place_of_a_closed_stream(tmp_path) -> None:
    out = tmp_path / "trials.npz"
    assert shell(">&- 2>&-", "sample", "go", "-n", "1", "--out", str(out))[0] == 0
    assert out.read_bytes().startswith(b"PK")


def test_an_error_without_a_place_for_it() -> None:
    assert shell("2>&-", "lst") == (2, b"", b"")


needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")


@needs_full
@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_disk_below_the_output_is_said_once(folder, words) -> None:
    code, _, err = shell("> /dev/full", *words.split())
    assert code == 2
    assert err.decode().splitlines()[-1] == "modcog: No space left on device: standard output"
    assert err.count(b"modcog:") == 1


@needs_full
@pytest.mark.parametrize(
    ("words", "code"), [("export --tasks go --trials-per-task 20 --out new", 0), ("verify set", 0), ("lst", 2)]
)
def test_messages_that_cannot_be_written_stop_no_work(folder, words, code) -> None:
    assert shell("2> /dev/full", *words.split())[0] == code
    assert shell("> /dev/full 2>&1", "lst")[0] == 2


@pytest.mark.parametrize(
    "words",
    ["show go --plot trial.png", "show go --plot trial.svg", "show go --plot trial.pdf", "sample go --out trials.npz"],
)
def test_a_full_disk_below_a_file_is_said_with_its_path(tmp_path, words) -> None:
    resource = pytest.importorskip("resource")
    done = subprocess.run(
        [*MODCOG, *words.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )
    path = words.split()[-1]
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"modcog: File too large: {path}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["--help", "list", "show modcog132 --trials 1", "verify --help", "ceiling modcog132"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-16"])
def test_characters_that_a_pipe_lacks_are_replaced(monkeypatch, encoding, words) -> None:
    """As on Windows, where a pipe knows 256 characters; leftward tasks have a minus sign."""
    pipes = {}
    for name in (encoding, "utf-8"):
        pipes[name] = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipes[name], encoding=name))
        assert main(words.split()) == 0
    text, whole = (pipes[name].getvalue().decode(name) for name in (encoding, "utf-8"))
    assert "?" not in text.replace("?", "", whole.count("?"))
    assert text.count("\n") == whole.count("\n")
    if encoding == "ascii" and "show" in words:
        assert "1 + (target - floor(0.01" in text
        assert "1 + (target − floor(0.01" in whole


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "cp1252:strict"},
        {"TERM": "dumb", "COLUMNS": "0", "NO_COLOR": "1"},
        {"COLUMNS": "1", "HOME": "/dev/null/home", "TMPDIR": "/dev/null/tmp"},
    ],
    ids=str,
)
def test_any_terminal_will_do(folder, variables) -> None:
    for words in ("show dlygointlseql --trials 1", "export --tasks go --trials-per-task 20 --out new"):
        code, out, err = shell("", *words.split(), **variables)
        assert code == 0, err
        assert out
        assert b"modcog:" not in err


def test_errors_too() -> None:
    code, _, err = shell("", "show", "gö−", PYTHONIOENCODING="ascii")
    assert code == 2
    assert err.startswith(b"modcog: unknown task or collection 'g?-'")


def test_names_and_messages_cannot_steer_the_terminal(run, tmp_path) -> None:
    folder = tmp_path / "\x1b[2Jset\u202e"
    assert main(["export", "--tasks", "go", "--trials-per-task", "20", "--out", str(folder), "--progress"]) == 0
    (folder / "\x1b]0;x\x07").write_text("")
    code, out, err = run("verify", folder, "--progress")
    assert code == 1
    assert "\\x1b[2Jset\\u202e" in out
    assert "\\x1b]0;x\\x07" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)
    assert "\x1b" not in run("verify", f"{folder}\x1b[2J")[2]


@pytest.mark.parametrize("words", ["list --json", "show modcog132", "--help", "ceiling modcog132 --json"])
def test_a_reader_that_leaves_is_told_nothing(words) -> None:
    process = subprocess.Popen([*MODCOG, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1


EXPORT = "export --tasks modcog132 --trials-per-task 3000 --out new --no-progress --shard-mb 1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sample modcog132 --per-task 500", ""),
        (EXPORT, r"; (\d+) of (\d+) shards are kept in .*new; run the same export again to finish it"),
        (f"{EXPORT} --jobs 2", r"; (\d+) of (\d+) shards are kept in .*new; run the same export again to finish it"),
        ("ceiling modcog82 --sigma 0.9 --jobs 2", ""),
        ("evaluate own_net:predict --n-trials 5000 --no-ceiling", ""),
    ],
)
def test_ctrl_c_ends_in_one_line_that_says_what_is_kept(folder, words, said) -> None:
    """It reaches every process of the command, as from a terminal."""
    process = subprocess.Popen(
        [*MODCOG, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(2)
    while "export" in words and not list((folder / "new").rglob("*.npy")):
        time.sleep(0.05)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    found = re.fullmatch(f"modcog: stopped{said}\n", err)
    assert found, err
    if "export" in words:
        kept, shards = map(int, found.groups())
        assert 0 < kept < shards
