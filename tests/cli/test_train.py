"""``modcog train``: settings from options, files and presets, and how a run ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import modcog

SMALL = [
    "--tasks", "go,dm1", "--hidden", "16", "--steps", "6", "--batch-size", "8", "--eval-every", "3",
    "--eval-trials", "2", "--threads", "1",
]  # fmt: skip


def test_a_run_from_the_command_line_and_its_continuation(run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = tmp_path / "run.yaml"
    settings.write_text("hidden: 99\nmodel:\n  tau: 150.0\n")
    code, said, _ = run(
        "train", *SMALL, "--config", str(settings), "--battery", "dt=50", "--no-report", "--out", str(out)
    )
    assert code == 0
    assert said.startswith("finished after 6 steps, 48 trials")
    assert str(out) in said
    model = modcog.load_model(out)
    assert (model.config.hidden, model.alpha) == (16, pytest.approx(50 / 150))
    assert model.battery.settings.dt == 50

    code, said, _ = run("train", "--resume", "--steps", "9", "--no-report", "--out", str(out))
    assert code == 0
    assert said.startswith("finished after 9 steps, 72 trials")
    assert json.loads((out / "run.json").read_text())["config"]["tasks"] == ["go", "dm1"]


def test_a_preset_is_where_settings_start(run, tmp_path: Path) -> None:
    out = tmp_path / "quick"
    assert (
        run("train", "--preset", "quick", "--steps", "1", "--eval-trials", "2", "--no-report", "--out", out).code == 0
    )
    config = json.loads((out / "run.json").read_text())["config"]
    assert (config["arch"], config["steps"], len(config["tasks"])) == ("autapse", 1, 20)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--hiden", "3"], "unknown option '--hiden' (nearest: '--hidden')"),
        (["--steps", "0"], "steps: got 0"),
        (["--arch", "lm-rn"], "unknown architecture 'lm-rn' (nearest: 'lm-rnn')"),
        (["--preset", "quik"], "unknown preset 'quik' (nearest: 'quick')"),
        (["--model", "gian=2"], "unknown option of lm-rnn 'gian' (nearest: 'gain')"),
        (["--battery", "dt=-1"], "dt: got -1"),
        (["--tasks", "dmss"], "(nearest: 'dms')"),
        (["--schedule", "linear"], "schedule"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, tmp_path: Path, words: list[str], says: str) -> None:
    code, said, error = run("train", *words, "--out", str(tmp_path / "run"))
    assert (code, said) == (2, "")
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_help_explains_every_setting_and_shows_examples(run) -> None:
    from modcog.training import TrainConfig

    code, said, _ = run("train", "--help")
    assert code == 0
    assert "\n    modcog train --preset quick --out runs/quick\n" in said
    for name in TrainConfig.model_fields:
        assert f"--{name.replace('_', '-')} " in said


def test_a_preset_and_a_long_run_say_beforehand_how_long_they_take(run, tmp_path, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("modcog.training.train", stop)
    said = {
        "--preset quick": r"about \d+ s on one core, less if it reaches its target",
        "--preset lm132": r"about \d+ min",
        "--steps 100000": r"about [\d.]+ (min|h)",
    }
    for words, time in said.items():
        code, _, err = run("train", *words.split(), "--out", tmp_path)
        assert code == 130
        assert re.match(f"Training takes {time}", err), err
    assert run("train", "--steps", "10", "--tasks", "go", "--out", tmp_path)[2] == "modcog: stopped\n"
    own = run("train", "--arch", "torch.nn:RNN", "--steps", 100_000, "--out", tmp_path)[2]
    assert re.match(r"Training takes about [\d.]+ (min|h) on one core if it is as fast as a dense network\.", own), own
