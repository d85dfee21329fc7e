"""``modcog play``."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("modcog.play.window.sys.platform", "linux")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n\nq"))


QUICK = ("--trials", "2", "--speed", "1000", "--seed", "1")


@pytest.mark.parametrize("task", ["dms", "modcog/dms-v0", "dms-v0"])
def test_accuracy_beside_chance_and_ceiling(run, task) -> None:
    code, out, err = run("play", task, *QUICK)
    assert (code, err) == (0, "")
    assert out.splitlines()[-3].endswith("of 1 trial right")
    assert out.splitlines()[-1] == "chance 50.0%, ideal observer 100.0%"


def test_nothing_finished(run, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, out, _ = run("play", "go", *QUICK)
    assert (code, out.splitlines()[-1]) == (0, "no trial was finished")


def test_without_noise_nothing_is_noisy(run, monkeypatch) -> None:
    def rows(*words: str) -> set[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n\nq"))
        _, out, _ = run("play", "dm1", *QUICK, *words)
        return {line for line in out.split("stimulus")[1].split("\n\n")[0].splitlines() if line.startswith("cue")}

    assert len(rows()) > 1
    assert len(rows("--no-noise")) == 1
    assert rows("--no-noise") == rows("--sigma", "0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["go", "dms"], "play: got 2 tasks, must be one"),
        (["yang19"], "play: got 20 tasks, must be one"),
        (["dmss"], "unknown task or collection 'dmss' (nearest: 'dms')"),
        (["go", "--speed", "0"], "speed: got 0.0, must be a number, larger than 0"),
        (["go", "--trials", "0"], "--trials: got 0, must be a whole number, at least 1"),
        (["go", "--seed", "-1"], "seed: got -1"),
        (["dm1", "--no-noise", "--sigma", "2"], "--no-noise: sigma is 2; give one of the two"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(run, words, said) -> None:
    code, out, err = run("play", *words)
    assert (code, out) == (2, "")
    assert said in err


def test_a_window_without_pygame_says_what_to_do_before_anything_starts(run, monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("modcog.extras.find_spec", lambda name: None if name == "pygame" else name)
    code, out, err = run("play", "go")
    assert (code, out) == (2, "")
    assert "--terminal plays without one" in err
    assert err.endswith('needs the package pygame: pip install "modcog-battery[play]"\n')
    assert run("play", "go", "--terminal", *QUICK)[0] == 0


def test_a_display_that_does_not_work_leaves_the_terminal(run, monkeypatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", "nowhere:99")
    code, out, err = run("play", "dms", *QUICK)
    assert code == 0
    assert err.startswith("no window can be opened: ")
    assert err.endswith("; playing in the terminal\n")
    assert "trial 1, sample" in out


def test_in_a_terminal_each_step_replaces_the_one_before(tmp_path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "modcog", "play", "dlygo", "--terminal", *QUICK]
    game = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    script = [("goes on", b"\n"), ("hold fixation", b"\x1b[C"), ("direction 0", b"\x1bOD"), ("direction 15", b"s"),
              ("hold fixation", b" "), ("goes on", b"\r"), ("Your answer", b"q")]  # fmt: skip
    said, told = "", ""
    while True:
        try:
            new = os.read(ours, 65536).decode()
        except OSError:  # the end, on Linux
            break
        if not new:
            break
        said, told = said + new, told + new
        if script and script[0][0] in told:
            told = ""
            os.write(ours, script.pop(0)[1])
    os.close(ours)
    assert (game.wait(), script) == (0, []), said
    assert "\x1b[1A" in said.split("stimulus")[1]  # back to the line above
    assert "0 of 1 trial right" in said
    assert re.search(r"Wrong\. The answer: direction \d+; yours: hold fixation", said)


def test_other_settings_without_a_stored_ceiling(run) -> None:
    assert run("play", "go", *QUICK, "--rules", "published", "--dt", "50")[1].splitlines()[-1].startswith("chance ")
