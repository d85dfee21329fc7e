"""Pictures show what the trials and the scores hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.image import imread

import modcog
from modcog.colours import GREEN, GREY
from modcog.plot import by_condition, plot_trials, save
from modcog.seeds import Purpose, Seed
from modcog.trials.source import TrialSource

TASKS = ["go", "dlygointl", "ctxdm1", "dmsintrseql"]


def panels(figure):
    """The four panels of each trial."""
    axes = figure.axes
    return [axes[start : start + 4] for start in range(0, len(axes), 4)]


@pytest.fixture(scope="module")
def trials() -> modcog.Trials:
    return modcog.Battery(TASKS, dt=50, rule_input=True).sample(per_task=2, seed=3)


@pytest.fixture(scope="module")
def figure(trials):
    return plot_trials(trials, columns=3)


def test_heat_maps_are_the_observations(trials, figure) -> None:
    assert len(panels(figure)) == len(trials)
    for i, (cue, ring1, ring2, _) in enumerate(panels(figure)):
        seen = trials.observations[i, : trials.lengths[i]].T
        for axis, span in ((cue, slice(0, 1)), (ring1, slice(1, 17)), (ring2, slice(17, 33))):
            (image,) = axis.images
            np.testing.assert_array_equal(image.get_array(), seen[span])
            assert image.get_extent()[:2] == [0, trials.lengths[i] * 50]
            assert image.origin == "lower"


def test_cells_of_the_answer_are_the_labels(trials, figure) -> None:
    for i, (*_, answer) in enumerate(panels(figure)):
        cells = sorted(answer.patches, key=lambda cell: cell.get_x())
        labels = trials.labels[i, : trials.lengths[i]]
        assert [cell.get_x() for cell in cells] == [50 * step for step in range(len(labels))]
        for cell, label in zip(cells, labels, strict=True):
            middle = cell.get_y() + cell.get_height() / 2
            assert middle == (label - 1 if label else min(answer.get_yticks()))
            assert to_hex(cell.get_facecolor()).upper() == (GREEN if label else GREY)


def test_lines_stand_where_periods_end(trials, figure) -> None:
    for i, axes in enumerate(panels(figure)):
        ends = np.cumsum(list(trials.period_steps(i).values()))[:-1] * 50
        for axis in axes:
            upright = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"]
            np.testing.assert_allclose(upright, ends)
        names = [text.get_text() for text in axes[0].texts]
        assert names == list(trials.period_steps(i))


def test_titles_and_captions(figure) -> None:
    titles = [cell.get_suptitle() for cell in figure.subfigs][: 2 * len(TASKS)]
    assert titles == [f"{task}, trial {number}" for task in TASKS for number in range(2)]
    captions = [axes[0].get_title(loc="left") for axes in panels(figure)]
    assert captions[0].startswith("After the stimulus, respond in its direction.")
    assert not captions[1].strip()  # said once for trials of a task in a row
    assert len({caption.count("\n") for caption in captions}) == 1  # so that panels stand level


def test_a_number_only_tells_trials_of_a_task_apart() -> None:
    cells = plot_trials(modcog.Battery(["go", "dms"]).sample(per_task=1, seed=0)).subfigs
    assert [cell.get_suptitle() for cell in cells] == ["go", "dms"]


def test_the_answer_has_directions_on_the_left_and_labels_on_the_right(trials, figure) -> None:
    for *_, answer in panels(figure):
        (right,) = answer.child_axes
        assert right.get_ylabel() == "label = 1 + direction"
        left, labels = ([text.get_text() for text in axis.get_yticklabels()] for axis in (answer, right))
        assert left == ["hold", "0", "4", "8", "12"]
        assert labels == ["0", "1", "5", "9", "13"]
        np.testing.assert_array_equal(right.get_yticks(), answer.get_yticks())


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("dmsintr", {}), ("dlygointr", {"interval": (100,)}),
        ("dms", {"timing": {"fixation": 20, "sample": 40}, "dt": 20}),
        ("ctxdlydm1", {"timing": {"stim1": 100, "delay": 100, "stim2": 100, "fixation": 3000}}),
    ],
)  # fmt: skip
def test_names_of_periods_do_not_run_together(task, settings) -> None:
    drawn = plot_trials(modcog.Battery([task], **settings).sample(3, seed=0))
    FigureCanvasAgg(drawn).draw()
    for cue, *_ in panels(drawn):
        boxes = [name.get_window_extent() for name in cue.texts]
        assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
        frame, title = cue.get_window_extent(), cue._left_title.get_window_extent()
        for box in boxes:
            assert frame.x0 - 2 < box.x0 < box.x1 < frame.x1 + 2
            assert not box.overlaps(title)


@pytest.mark.parametrize(
    ("task", "direction", "ms", "arrow", "tail"),
    [
        ("dlygointr", 3, 400, (3, 7), None),
        ("dlygointl", 9, 500, (9, 4), None),
        ("dlygointr", 13, 700, (-0.5, 4), (13, 15.5)),  # over the top, in from below
        ("dlygointl", 2, 700, (15.5, 11), (2, -0.5)),
    ],
)
def test_the_arrow_goes_the_way_the_answer_moved(task, direction, ms, arrow, tail) -> None:
    source = TrialSource(modcog.Battery([task]).tables, Seed.of(0, Purpose.SAMPLE))
    *_, answer = plot_trials(source.one(0, {"direction": direction, "duration_delay": ms})).axes
    (drawn,) = [text for text in answer.texts if hasattr(text, "arrow_patch") and text.arrow_patch]
    assert (drawn.xyann[1], drawn.xy[1]) == arrow
    solid = [tuple(line.get_ydata()) for line in answer.lines if line.get_linestyle() == "-"]
    assert (tail in solid) == (tail is not None)
    (circle,) = [line for line in answer.lines if line.get_marker() == "o"]
    assert list(circle.get_ydata()) == [direction]
    assert f"T = {ms} ms" in [text.get_text() for text in answer.texts]


def test_numbers_out_of_range() -> None:
    trials = modcog.Battery(["go"]).sample(65, seed=0)
    for some in (trials, trials[:0]):
        with pytest.raises(modcog.ModcogError, match="must be from 1 to 64 for a picture"):
            plot_trials(some)
    with pytest.raises(modcog.ModcogError, match="columns: got 0"):
        plot_trials(trials[:1], columns=0)


def test_a_saved_picture_can_be_read_and_is_not_blank(trials, tmp_path) -> None:
    save(plot_trials(trials[:1]), tmp_path / "new" / "p.png")
    pixels = imread(tmp_path / "new" / "p.png")[..., :3].reshape(-1, 3)
    height, width = imread(tmp_path / "new" / "p.png").shape[:2]
    assert min(height, width) > 400
    colours = {tuple(colour) for colour in np.round(pixels * 255).astype(int)}
    assert tuple(int(GREEN[i : i + 2], 16) for i in (1, 3, 5)) in colours
    with pytest.raises(modcog.UnknownNameError, match="nearest: 'png'"):
        save(plot_trials(trials[:1]), tmp_path / "p.pgn")


def test_no_window_system_is_touched() -> None:
    code = """
import sys, modcog
from modcog.plot import plot_trials
plot_trials(modcog.Battery(["go"]).sample(1, seed=0))
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- scores against a condition ---


@pytest.fixture(scope="module")
def scored():
    """A player who takes the strongest channel at the end of the stimulus; T is 500 ms to it."""

    def predict(x):
        seen = np.cumsum(x[..., 1:17] * (x[..., :1] != 0), axis=1)
        return np.where(x[..., 0] == 0, 1 + seen.argmax(axis=-1), 0)

    return modcog.evaluate(predict, modcog.Battery(["dm1", "dlygointr"]), 150)


def labels_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_scores_by_condition_show_the_network_the_ideal_observer_and_the_strategies_below_it(scored):
    figure = by_condition(scored, "coherence")
    assert labels_of(figure) == ["ideal observer", "blind, no-memory", "no-comparison", "network"]
    line = next(line for line in figure.axes[0].lines if line.get_label() == "no-comparison")
    assert set(line.get_ydata()) == {50}
    table = scored.by("coherence")
    points = figure.axes[0].containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), 100 * table["value"])
    assert labels_of(by_condition(scored, "interval_ms")) == [
        "ideal observer", "blind, no-memory", "no-clock", "network",
    ]  # fmt: skip
    assert labels_of(by_condition(scored, "interval_ms", levels=False)) == ["network"]


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("last_step", "last-step accuracy (%)"), ("angular_error", "angular error (°)"),
        ("unanswered", "unanswered (%)"), ("duration_stimulus", "duration stimulus"), ("interval_ms", "interval (ms)"),
    ],
)  # fmt: skip
def test_the_axis_says_what_is_drawn_and_in_which_unit(scored, kind, label):
    figure = by_condition(scored, "target", kind=kind, bins=2, levels=kind in scored.conditions)
    assert figure.axes[0].get_ylabel() == label
    assert labels_of(figure) == ["network"]  # a condition has no levels
    if kind == "duration_stimulus":
        points = figure.axes[0].containers[0].lines[0]
        np.testing.assert_array_equal(points.get_ydata(), [500, 500])  # in ms, not in percent


def test_a_psychometric_function_is_drawn_through_the_last_step(scored):
    pytest.importorskip("psignifit")
    figure = by_condition(scored, "coherence", kind="last_step", levels=False, fit=True)
    curve = scored.psychometric("coherence")
    fit = next(line for line in figure.axes[0].lines if line.get_label().startswith("fit"))
    np.testing.assert_allclose(fit.get_ydata(), 100 * curve(fit.get_xdata()))
