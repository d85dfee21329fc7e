"""Random command lines, streams that fail, and closed ones: they do their work or say why not, on one line."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from attempts import bounded, check_line, examples
from hypothesis import given
from hypothesis import strategies as st
from program import said, streams
from strategies import COLLECTION, TASK

from modcog.cli import COMMANDS, load, main
from modcog.errors import ModcogError

LIGHT = ("list", "show", "sample", "play", "verify", "evaluate", "ceiling", "export")
"""Commands that train nothing."""

FILES = {
    "good.toml": b"dt = 50\n[timing]\nfixation = 300\n",
    "bad.toml": b"dt = [",
    "odd.json": b'{"dt": null, "tasks": [[]], "timing": {"a": {}}}',
    "grid.yaml": b"settings: {tasks: go, hidden: 2}\naxes: {seed: [0, x]}\n",
    "bytes.yaml": b"\xff\xfe\x00dt",
    "net.py": b"def predict(x):\n    return x[..., 0] * 0\ndef broken(x):\n    raise ValueError('\\x1b[31m\\n\\x00')\nnumber = 3\n",  # noqa: E501
}

WORDS = st.one_of(
    TASK,
    COLLECTION,
    st.sampled_from(
        [
            "",
            " ",
            "-1",
            "0",
            "1",
            "2",
            "3",
            "1.5",
            "1e400",
            "nan",
            "inf",
            "-inf",
            "true",
            "9" * 30,
            "--",
            "-",
            "x",
            "\x1b[31m",
            "\udcff",
            "[bold]",
            "a\nb",
            "�",
            "é",
            "go,dms",
            ",",
            "go,,dms",
            "=",
            "a=",
            "=1",
            "delay=uniform:1",
            "delay=uniform:x,y",
            "delay=300",
            "delay=constant:300",
            "delay=300,nan",
            "fixation=0",
            "train=0.5",
            "train=1",
            "uniform:1,2",
            ":",
            "a:b",
            "net:predict",
            "net:broken",
            "net:number",
            "net:nothing",
            "os:getcwd",
            "nowhere",
            "/dev/null",
            "/",
            ".",
            "..",
            "a/b",
            "out",
            "out.npz",
            "out.png",
            "/proc/x.npz",
            "modcog/go-v0",
            "modcog/",
            "npy",
            "zarr",
            "corrected",
            "published",
            "stream",
            "trials",
            *FILES,
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5),
)

GLOBAL = ["--help", "--version", "--nonsense", "-h", "--import", "--import=net", "--import=nowhere", "-v"]


def names(command: str) -> list[str]:
    """Return the options of a command, which a later one gets here by itself."""
    options = [param for param in load(command).params if isinstance(param, click.Option)]
    return [name for option in options for name in (*option.opts, *option.secondary_opts)]


@st.composite
def lines(draw: st.DrawFn, commands: tuple[str, ...]) -> list[str]:
    """Draw the words of a command line."""
    command = draw(st.sampled_from(commands))
    words = (
        [*draw(st.lists(st.sampled_from(GLOBAL), max_size=1)), command] if draw(st.integers(0, 9)) == 9 else [command]
    )
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            words.append(draw(WORDS))
        else:
            name = draw(st.sampled_from([*names(command), "--nonsense"]))
            words += draw(st.sampled_from([[name], [name, draw(WORDS)], [f"{name}={draw(WORDS)}"]]))
    return words


def check_run(words: list[str], encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run the program and check how it ends."""
    before = {name: os.environ.get(name) for name in ("MODCOG_IMPORT", "PYTHONPATH")}
    with streams(encoding) as (out, err), bounded():
        try:
            code = main(words)
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        found, errors = said(out), said(err)
    assert code in (0, 1, 2), (code, words)
    assert "Traceback" not in errors and "unexpected;" not in errors, errors
    own = [line for line in errors.splitlines() if line.startswith("modcog: ")]
    if code == 2:
        assert len(own) == 1 and errors.splitlines()[-1] == own[0], (words, errors)
    if encoding == "utf-8":
        for line in own:
            check_line(line)
    if code == 0 and "--json" in words and "--help" not in words and "-h" not in words and "--version" not in words:
        json.loads(found)
    return code, found, errors


@pytest.fixture(autouse=True)
def files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES.items():
        (here / name).write_bytes(content)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("MODCOG_DEBUG", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)  # play in a terminal
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # which its player leaves at once


@examples(150)
@given(lines(("list", "show", "sample", "verify", "play")), st.sampled_from(["utf-8", "utf-8", "cp1252"]))
def test_any_command_line_ends_well(words: list[str], encoding: str) -> None:
    if words[0] in ("show", "sample") and not {"-n", "--per-task", "--trials"} & set(words):
        words = [*words, *({"sample": ["-n", "3"], "show": ["--trials", "1"]}[words[0]])]
    check_run(words, encoding)


@examples(30)
@given(lines(("evaluate", "export", "ceiling")), st.sampled_from(["utf-8", "cp1252"]))
def test_any_command_that_draws_many_trials_ends_well(words: list[str], encoding: str) -> None:
    least = {
        "evaluate": ["--n-trials", "2", "--no-ceiling", "--tasks", "go,dms"],
        "export": [
            "--tasks",
            "go",
            "--no-progress",
            *(() if "--layout" in str(words) else ["--trials-per-task", "20"]),
        ],
        "ceiling": ["--n-trials", "2", "go"],
    }
    kept = [
        word
        for word in words[1:]
        if not word.startswith(("modcog", "match", "decision", "yang", "interval", "sequence"))
    ]
    check_run([words[0], *kept, *least[words[0]]] if words[0] in least else words, encoding)


def started(*_: Any, **__: Any) -> None:
    """Stand for what would take long."""
    raise ModcogError("started")


@examples(60)
@given(lines(("train", "sweep", "benchmark", "validate", "analyse", "study")))
def test_any_wrong_command_that_trains_is_refused_before(words: list[str]) -> None:
    """Training itself is replaced, so that a valid command ends where it would start."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.loop._Loop.run", "experiments.sweeps.runner.run_cell"):
            patch.setattr(f"modcog.{place}", started)
        patch.setattr("modcog.experiments.benchmark.bench.sweep", started)
        patch.setattr("modcog.experiments.claims.validation.sweep", started)
        patch.setattr("modcog.experiments.studies.stages.sweep", started)
        patch.setattr("modcog.experiments.benchmark.bench.score_network", started)
        check_run(words)


@examples(40)
@given(
    st.sampled_from([["list"], ["list", "--json"], ["show", "go"], ["sample", "go", "-n", "2"], ["--help"], ["--version"],  # noqa: E501
                     ["verify", "."], ["ceiling"], ["train", "--help"]]),
    st.sampled_from([errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF]),
)  # fmt: skip
def test_a_stream_that_fails_is_named_or_left(words: list[str], number: int) -> None:
    with streams(failure=number) as (_, err):
        try:
            code = main(words)
        except SystemExit as error:  # click's own way out of a pipe whose reader has left
            code = int(error.code or 0)
        errors = said(err)
    assert "Traceback" not in errors and "unexpected" not in errors, errors
    assert code in (0, 1, 2)
    assert len(errors.splitlines()) <= 2
    assert code or number in (errno.EPIPE, errno.EBADF) or words[0] in ("verify", "sample", "list", "--help"), (
        code,
        errors,
    )


@pytest.mark.parametrize(
    ("words", "closing", "code"),
    [
        ("list", ">&-", 0),
        ("sample go -n 2", "2>&-", 0),
        ("export --tasks go --trials-per-task 10 --out closed", "<&- >&- 2>&-", 0),
        ("verify nowhere", "2>&-", 2),
        ("nonsense", ">&-", 2),
    ],
)
def test_closed_streams_change_no_exit_code(words: str, closing: str, code: int) -> None:
    script = f'"{sys.executable}" -m modcog {words} {closing}'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr and "Error" not in done.stderr and "Exception" not in done.stderr, done.stderr


READS = [
    # runs
    ["evaluate", "PATH"],
    ["benchmark", "PATH"],
    ["train", "--resume", "--out", "PATH"],
    # settings
    ["sample", "go", "--config", "PATH"],
    ["train", "--config", "PATH"],
    ["sweep", "PATH"],
    # data and tables
    ["verify", "PATH"],
    ["train", "--data", "PATH"],
    ["validate", "C1", "--tables", "PATH"],
    # what is written
    ["sample", "go", "-n", "2", "--out", "PATH"],
    ["export", "--tasks", "go", "--out", "PATH"],
    ["show", "go", "--plot", "PATH"],
]
"""Three commands for each kind of thing that a path can lead to."""

PATHS = ["pipe.json", "folder", "pipe.png", "pipe.npz", "pipe", "folder.png", "folder.npz", "file", "loop.toml", "loop",
         "folder.yaml", "/dev/full", "/dev/zero", "file/below", "x" * 300, "a\nb", "\udcff", "", "~"]  # fmt: skip

NEW = ("pipe.npz", "pipe.png", "a\nb", "\udcff", "~")
"""Paths that a command may create or replace."""


LONG = float(os.environ.get("MODCOG_FUZZ_MINUTES", 1)) > 1


@pytest.mark.parametrize("n", range(len(PATHS)), ids=[ascii(path[:20]) for path in PATHS])
def test_a_path_to_anything_is_refused_in_one_line(here: Path, n: int) -> None:
    """In a minute, each path is tried with one command of each kind."""
    path = PATHS[n]
    for name in ("pipe", "pipe.json", "pipe.npz", "pipe.png"):
        os.mkfifo(name)
    for name in ("loop", "loop.toml"):
        os.symlink(name, name)
    for name in ("folder", "folder.yaml", "folder.npz", "folder.png"):
        (here / name).mkdir()
    (here / "file").write_bytes(b"\x93NUMPY")
    for words in READS if LONG else READS[n % 3 :: 3]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("modcog.training.loop._Loop.run", started)
            code, _, errors = check_run([path if word == "PATH" else word for word in words])
        if path not in NEW and not (words[0] == "export" and path.startswith("folder")):
            assert code in (1, 2) and errors, (words, code, errors)


def test_commands_are_all_tried() -> None:
    takes_nothing = "doctor"
    assert {*LIGHT, "train", "sweep", "benchmark", "validate", "analyse", "study", takes_nothing} == set(COMMANDS)
