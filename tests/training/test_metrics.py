"""The pictures of a run show what its metrics say."""

import errno

import numpy as np
import pytest
from safetensors import SafetensorError

import modcog
from modcog import ModcogError
from modcog.evaluation import levels
from modcog.training import train
from modcog.training.metrics import learning_curve, levels_to_draw, per_task

LEVELS = levels(modcog.Battery(["go", "dms", "goseqr", "dlygointr"]))
TASKS = {"go": 0.9, "dms": 0.7, "goseqr": 0.5, "dlygointr": 0.1}


def record(trials: int, scale: float) -> dict:
    accuracy = {task: value * scale for task, value in TASKS.items()}
    mean = sum(accuracy.values()) / len(accuracy)
    return {"trials": trials, "decision_accuracy": mean, "decision_accuracy_per_task": accuracy}


def test_the_learning_curve_has_a_line_for_the_battery_and_each_extension():
    (axes,) = learning_curve([record(0, 0), record(100, 0.5), record(200, 1)], {}).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines == {
        "all tasks": pytest.approx([0, 0.275, 0.55]),
        "no extension (2)": pytest.approx([0, 0.4, 0.8]),
        "sequence (1)": pytest.approx([0, 0.25, 0.5]),
        "interval (1)": pytest.approx([0, 0.05, 0.1]),
    }
    assert all(list(line.get_xdata()) == [0, 100, 200] for line in axes.lines)


def test_every_task_has_a_bar_of_its_accuracy():
    found = {}
    for axes in per_task(record(200, 1), LEVELS).axes:
        names = [label.get_text() for label in axes.get_yticklabels()]
        found |= dict(zip(names, (bar.get_width() for bar in axes.patches), strict=True))
    assert found == pytest.approx(TASKS)


def test_the_learning_curve_shows_the_mean_chance_and_ceiling():
    figure = learning_curve([record(0, 0), record(200, 1)], LEVELS)
    lines = {line.get_label(): line.get_ydata()[0] for line in figure.axes[0].lines}
    assert lines["all tasks: chance"] == pytest.approx(np.mean([one.decision_chance for one in LEVELS.values()]))
    assert lines["all tasks: ceiling"] == pytest.approx(np.mean([one.decision_ceiling for one in LEVELS.values()]))
    assert {text.get_text() for text in figure.legends[0].get_texts()} > {"all tasks: chance", "all tasks: ceiling"}


def test_every_bar_has_chance_and_ceiling_across_it():
    figure = per_task(record(200, 1), LEVELS)
    for axes in figure.axes:
        names = [label.get_text() for label in axes.get_yticklabels()]
        for lines, name in zip(axes.collections, ("decision_chance", "decision_ceiling"), strict=True):
            for task, place, ((x, low), (_, high)) in zip(names, range(9), lines.get_segments(), strict=False):
                assert (x, low, high) == pytest.approx((getattr(LEVELS[task], name), place - 0.5, place + 0.5))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chance", "ceiling"]


def test_levels_of_other_settings_are_computed_and_may_be_lacking(monkeypatch):
    (level,) = levels_to_draw(modcog.Battery(["dm1"], sigma=3.0)).values()
    assert level.decision_chance < 0.1 < level.decision_ceiling < 0.99

    def unknown(*args: object) -> None:
        raise ModcogError("no ideal observer")

    monkeypatch.setattr("modcog.training.metrics.rough_levels", unknown)
    known = levels_to_draw(modcog.Battery(["go"]))
    assert known == {}
    assert not per_task(record(1, 1), known).legends


def test_a_full_disk_is_named(small, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("modcog.files.os.fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            train(small())
    assert caught.value.filename.endswith("run.json")

    def unable(*args: object) -> None:
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("modcog.training.checkpoint.save_file", unable)
    with pytest.raises(ModcogError, match=r"cannot write .*step-00000000/model.safetensors: .*No space left"):
        train(small(), resume=True)


def test_the_bar_says_when_the_network_was_last_scored(small, monkeypatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("modcog.training.loop.ProgressBar.advance", lambda self, **stats: shown.extend(stats))
    train(small(steps=6, eval_every=4))
    assert [name for name in shown if name != "loss"] == [f"accuracy at {step}" for step in (0, 0, 0, 4, 4, 6)]
