"""The pictures of a run show what its metrics say."""

import pytest

from modcog.training.metrics import learning_curve, per_task

TASKS = {"go": 0.9, "dms": 0.7, "goseqr": 0.5, "dlygointr": 0.1}


def record(trials: int, scale: float) -> dict:
    accuracy = {task: value * scale for task, value in TASKS.items()}
    mean = sum(accuracy.values()) / len(accuracy)
    return {"trials": trials, "decision_accuracy": mean, "decision_accuracy_per_task": accuracy}


def test_the_learning_curve_has_a_line_for_the_battery_and_each_extension():
    (axes,) = learning_curve([record(0, 0), record(100, 0.5), record(200, 1)]).axes
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
    for axes in per_task(record(200, 1)).axes:
        names = [label.get_text() for label in axes.get_yticklabels()]
        found |= dict(zip(names, (bar.get_width() for bar in axes.patches), strict=True))
    assert found == pytest.approx(TASKS)
