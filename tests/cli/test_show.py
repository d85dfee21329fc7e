"""``modcog show``."""

from __future__ import annotations

import re

import pytest
from PIL import Image

import modcog


def test_words_about_a_task_with_both_extensions(run) -> None:
    code, out, err = run("show", "dlygointrseql")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    for part in (
        "dlygointrseql: Remember the stimulus over a delay",
        "go family, base task dlygo, index 83 among the 132; modcog/dlygointrseql-v0",
        "one of 100, 200, … 1200 ms. The answer is moved to the right",
        "by 0.01 · T in whole positions: 1 to 12 positions",
        "the answer keeps moving to the left",
        "1 + (target + floor(0.01 · T) − floor(0.01 · 100 · j)) mod 16",
        "17 in all",
    ):
        assert part in text


def test_the_examples_are_the_trials_of_that_seed(run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal would wrap the labels
    _, out, _ = run("show", "dmsintr", "--seed", "5", "--trials", "4", "--dt", "50")
    trials = modcog.Battery(["dmsintr"], dt=50).sample(4, seed=5)
    labels = re.findall(r"labels of the decision: ([\d ]+)", out)
    assert len(labels) == 4
    for i, line in enumerate(labels):
        decision = trials.labels[i, trials.decision_start[i] : trials.lengths[i]]
        assert line.split() == [str(label) for label in decision]
    drawn = re.findall(r"sample_direction (\d+)", out)
    assert drawn == [str(direction) for direction in trials.conditions["sample_direction"]]


def test_settings_change_the_numbers(run, tmp_path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("dim_ring: 32\nomega: 0.02\ntasks: yang19\n", encoding="utf-8")
    _, out, _ = run("show", "dlygointl", "--config", file, "--dt", "20", "--interval", "300,600")
    text = " ".join(out.split())
    assert "one of 300, 600 ms" in text
    assert "6 to 12 positions, one per 50 ms" in text
    assert "modality 2 33–64" in text
    assert "mod 32" in text
    assert re.search(r"stimulus +500 ms +25 ", out)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture(run, tmp_path, ending) -> None:
    file = tmp_path / f"picture.{ending}"
    code, out, err = run("show", "go", "--trials", "1", "--plot", file)
    assert (code, err) == (0, "")
    assert f"Drawn to {file}" in out
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert file.read_bytes().startswith(starts[ending])
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_several_tasks_in_one_picture(run, tmp_path) -> None:
    alone, both = tmp_path / "alone.png", tmp_path / "both.png"
    run("show", "go", "--trials", "1", "--plot", alone)
    _, out, _ = run("show", "go", "dms", "--trials", "1", "--plot", both)
    assert "go: After" in out
    assert "dms: If" in out
    assert Image.open(both).width > 1.5 * Image.open(alone).width


def test_an_ending_that_is_no_picture(run, tmp_path) -> None:
    code, _, err = run("show", "go", "--plot", tmp_path / "picture.pmg")
    assert code == 2
    assert "unknown kind of picture 'pmg' (nearest: 'png')" in err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_drawn_stops_it_before_a_word(run, tmp_path) -> None:
    code, out, err = run("show", "go", "--trials", "65", "--plot", tmp_path / "picture.png")
    assert (code, out) == (2, "")
    assert "trials: got 65, must be from 1 to 64" in err


def test_a_collection_stands_for_its_tasks(run) -> None:
    code, out, err = run("show", "match", "dms", "--trials", "1")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines() if ": If test" in line or ": If the test" in line] == list(
        modcog.collection("match")
    )


def test_a_terminal_gets_no_wider_text_than_fits(run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run("show", "multidlydmintrseqr", "--rule-input")
    assert max(map(len, out.splitlines())) <= 80
