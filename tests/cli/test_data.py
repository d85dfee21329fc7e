"""``modcog export`` and ``modcog verify``: exit codes, and one line for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modcog.cli import main
from modcog.data import load

ARGS = ["export", "--tasks", "go,dmcintr", "--trials-per-task", "20", "--split", "a=0.75", "--split", "b=0.25"]


def test_export_then_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x"
    assert main([*ARGS, "--dt", "50", "--seed", "3", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "2 tasks, a: 30, b: 10 trials" in shown.out
    assert "trials/s" in shown.err
    data = load(out)
    assert (data.tasks, data.config.dt, data.config.seed, data.format) == (("go", "dmcintr"), 50, 3, "npy")
    assert main(["verify", str(out)]) == 0
    shown = capsys.readouterr()
    assert "is whole: 9 files" in shown.out
    assert "files/s" in shown.err
    (out / "a" / "00000" / "labels.npy").unlink()
    (out / "more.txt").touch()
    assert main(["verify", str(out), "--no-progress"]) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:2] == [
        "missing: a/00000/labels.npy: the manifest names it, and it is not there",
        "extra: more.txt: the manifest does not name it",
    ]
    assert not shown.err


def test_a_file_of_settings_and_options(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'tasks = ["dms"]\nlayout = "stream"\nsequences = 8\nseq_len = 20\nseed = 1\n[splits]\nall = 1.0\n'
    )
    assert (
        main(["export", "--config", str(tmp_path / "a.toml"), "--seed", "2", "--out", str(tmp_path / "x"), "-j", "2"])
        == 0
    )
    config = load(tmp_path / "x").config
    assert (config.seed, config.seq_len, config.splits) == (2, 20, {"all": 1.0})


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ([*ARGS, "--format", "nyp"], "unknown format 'nyp' (nearest: 'npy'); allowed: hdf5, npy, parquet, zarr"),
        ([*ARGS, "--split", "c"], "--split: got 'c', must be NAME=VALUE"),
        ([*ARGS, "--split", "a=0.1"], "--split: 'a' is given twice"),
        ([*ARGS, "--split", "c=0.5"], "splits: the shares add up to 1.5, must add up to 1"),
        ([*ARGS, "--tasks", "goo"], "unknown task or collection 'goo' (nearest: 'go')"),
        ([*ARGS, "--jobs", "0"], "--jobs: got 0, must be a whole number, at least 1"),
        ([*ARGS, "--fromat", "npy"], "unknown option '--fromat' (nearest: '--format')"),
        (["verify", "/nowhere"], "/nowhere: there is no such folder"),
    ],
)
def test_what_is_wrong_is_one_line(
    args: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--out", str(tmp_path / "x")] if args[0] == "export" else []
    assert main([*args, *more]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"modcog: {line}")
    assert shown.err.count("\n") == 1
    assert not shown.out
    assert not (tmp_path / "x").exists()


def test_other_settings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    assert main([*ARGS, *out, "--no-progress"]) == 0
    assert main([*ARGS, *out, "--sigma", "2"]) == 2
    assert "other settings: sigma is 1.0 there and 2.0 here" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "verify"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Examples:\n" in text
    assert text.count(f"\n    modcog {command} ") >= 2


def test_the_program_itself(tmp_path: Path) -> None:
    """Exit code and streams of a process, as a shell script sees them."""
    program = str(Path(sys.executable).with_name("modcog"))
    done = subprocess.run([program, *ARGS, "--out", str(tmp_path / "x")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "x" / "manifest.json").read_text())["tasks"] == ["go", "dmcintr"]
    (tmp_path / "x" / "README.md").write_text("")
    done = subprocess.run([program, "verify", str(tmp_path / "x")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("truncated: README.md: it has 0 of ")
