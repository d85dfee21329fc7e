"""Pictures of trials: what the subject sees and what it must answer, period by period.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from modcog.checks import check_count
from modcog.colours import BLACK, BLUE, GREEN, GREY, VERMILLION
from modcog.errors import ModcogError, unknown
from modcog.files import whole_file
from modcog.tasks.names import TaskSpec, parse, summary
from modcog.trials.arrays import Trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_TRIALS = 64
"""More panels than these cannot be read in one picture."""

_HEIGHTS = (1.0, 5.0, 5.0, 5.6)  # of the cue, the two rings and the answer
_WIDTH, _HEIGHT = 3.6, 4.9  # inches of a trial
_HOLD = -2.0  # where "hold fixation" stands below the directions


def plot_trials(trials: Trials, *, columns: int = 4) -> Figure:
    """Draw each trial: the fixation cue, the two rings, and the right answer, with lines where a period ends.

    In the lowest panel a filled cell is the right action at a step. Where the interval extension has moved the answer,
    a circle marks where it would have been, and an arrow leads from there.

    Args:
        trials: n ≥ 1 trials of any tasks; take a few of a sample with ``trials[:4]``.
        columns: trials side by side in a row of panels.

    Returns:
        A matplotlib figure; ``save`` or its own ``savefig`` writes it.

    Raises:
        ModcogError: if there is no trial, or there are more than 64, or no columns.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not 1 <= len(trials) <= MOST_TRIALS:
        raise ModcogError(f"trials: got {len(trials)}, must be from 1 to {MOST_TRIALS} for a picture")
    columns = min(check_count("columns", columns), len(trials))
    rows = -(-len(trials) // columns)
    figure = Figure(figsize=(0.5 + _WIDTH * columns, _HEIGHT * rows), layout="constrained")
    FigureCanvasAgg(figure)
    ring = dim_ring(trials)
    top = max(1.0, float(trials.packed_observations[:, 1 : 1 + 2 * ring].max()))
    cells = figure.subfigures(rows, columns, squeeze=False).flat
    for place, (cell, caption) in enumerate(zip(cells, _captions(trials), strict=False)):
        _draw_trial(cell, trials[place], caption, ring, top)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure whole or not at all; the ending of ``path`` says as what: .png, .svg, .pdf and others.

    Raises:
        UnknownNameError: for an ending that matplotlib does not write.
    """
    path = Path(path)
    kind, allowed = path.suffix.lower().removeprefix("."), figure.canvas.get_supported_filetypes()
    if kind not in allowed:
        raise unknown("kind of picture", kind or path.name, allowed)
    with whole_file(path) as part:
        figure.savefig(part, format=kind, dpi=150)


def dim_ring(trials: Trials) -> int:
    """Directions on a ring, read from the observations: their channels, less the rule input if it is there."""
    observations, n_tasks = trials.packed_observations, len(trials.tasks)
    channels = observations.shape[1]
    rules = np.eye(n_tasks, dtype=np.float32)[np.repeat(trials.task, trials.lengths)]
    without = channels - 1 - n_tasks
    if without >= 8 and without % 4 == 0 and np.array_equal(observations[:, -n_tasks:], rules):
        return without // 2
    return (channels - 1) // 2


def _captions(trials: Trials) -> list[str]:
    """What each trial's task is, told once for trials in a row; as many lines in each, so that panels stand level."""
    told = [fill(summary(parse(trials.tasks[task])), 56) for task in trials.task]
    lines = max(text.count("\n") for text in told)
    blank = "\n" * lines + " "
    new = np.diff(trials.task, prepend=-1) != 0
    return [text + blank[text.count("\n") :] if first else blank for text, first in zip(told, new, strict=True)]


def _draw_trial(cell: Any, trial: Trials, caption: str, ring: int, top: float) -> None:
    """One trial in one cell of the figure; the time axis is in ms."""
    spec = parse(trial.tasks[trial.task[0]])
    ends = [trial.dt * end for end in (0, *accumulate(trial.period_steps(0).values()))]
    axes = cell.subplots(4, 1, sharex=True, height_ratios=_HEIGHTS)
    observations = trial.packed_observations.T
    parts = (observations[:1], observations[1 : 1 + ring], observations[1 + ring : 1 + 2 * ring])
    for axis, values, colour, most in zip(axes, parts, (BLACK, BLUE, VERMILLION), (1.4, top, top), strict=False):
        axis.imshow(
            values, cmap=_shades(colour), vmin=0, vmax=most, aspect="auto", origin="lower", interpolation="nearest",
            extent=(0, ends[-1], -0.5, len(values) - 0.5),
        )  # fmt: skip
    _draw_answer(axes[3], trial, spec, ring)
    for axis in axes:
        for end in ends[1:-1]:
            axis.axvline(end, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        axis.tick_params(length=2, labelsize=7)
        axis.set_xlim(0, ends[-1])
    _label(cell, axes, trial, caption, ring, ends)


def _draw_answer(axis: Any, trial: Trials, spec: TaskSpec, ring: int) -> None:
    """The right action at each step."""
    from matplotlib.patches import Rectangle

    labels, start = trial.packed_labels, int(trial.decision_start[0])
    rows = np.where(labels == 0, _HOLD, labels - 1)
    for step, row in enumerate(rows.tolist()):
        colour = GREY if row == _HOLD else GREEN
        axis.add_patch(Rectangle((step * trial.dt, row - 0.5), trial.dt, 1, facecolor=colour, linewidth=0))
    axis.axhline(-0.5, color=GREY, linewidth=0.5)
    axis.set_ylim(_HOLD - 0.8, ring - 0.5)
    drawn, now = trial.rows[0], rows[start]
    if spec.interval and now != _HOLD:
        _draw_move(axis, start * trial.dt, len(labels) * trial.dt, ring, spec.interval, drawn, int(now))


def _draw_move(axis: Any, start: float, length: float, ring: int, sign: int, drawn: dict[str, Any], now: int) -> None:
    """Where the answer would be without the interval extension, and an arrow to where it is, round the ring."""
    before, x = drawn["target"], start - 0.02 * length
    arrow = {"arrowstyle": "-|>", "color": BLACK, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    leave, enter = (ring - 0.5, -0.5) if sign > 0 else (-0.5, ring - 0.5)
    passes_edge = (now - before) * sign < 0
    if passes_edge:
        axis.plot([x, x], [before, leave], color=BLACK, linewidth=1)
    if now != before:
        axis.annotate("", (x, now), (x, enter if passes_edge else before), arrowprops=arrow)
    axis.plot(x, before, "o", markersize=5, markerfacecolor="white", markeredgecolor=BLACK, zorder=4)
    note = {"ha": "right", "va": "center", "fontsize": 7.5, "bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}}
    axis.text(x - 0.03 * length, before, f"T = {drawn['interval_ms']:g} ms", **note)


def _label(cell: Any, axes: Any, trial: Trials, caption: str, ring: int, ends: list[float]) -> None:
    """Names of the task, the periods and the axes."""
    from matplotlib.ticker import MaxNLocator

    cell.suptitle(trial.tasks[trial.task[0]], fontsize=11, fontweight="bold")
    axes[0].set_title(caption, fontsize=7.5, pad=14, loc="left")
    for name, first, last in zip(trial.period_steps(0), ends, ends[1:], strict=False):
        if last > first:
            axes[0].text((first + last) / 2, 0.65, name, ha="center", va="bottom", fontsize=7)
    ticks = [ring * quarter // 4 for quarter in range(4)]
    axes[0].set_yticks([])
    for axis in axes[1:3]:
        axis.set_yticks(ticks)
    axes[3].set_yticks([_HOLD, *ticks], ["hold", *map(str, ticks)])
    axes[3].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[3].set_xlabel("time (ms)", fontsize=8)
    names = (("cue", BLACK), ("modality 1", BLUE), ("modality 2", VERMILLION), ("right answer", GREEN))
    for axis, (name, colour) in zip(axes, names, strict=True):
        axis.set_ylabel(name, color=colour, fontsize=8)
    cell.align_ylabels()


def _shades(colour: str) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(colour, ["#FFFFFF", colour])
