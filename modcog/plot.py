"""Pictures of trials: stimuli and correct answer, period by period."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from modcog.checks import check_count
from modcog.colours import BLACK, BLUE, GREEN, GREY, VERMILLION
from modcog.errors import ModcogError, unknown
from modcog.files import whole_file
from modcog.tasks.names import TaskSpec, parse, summary
from modcog.trials.arrays import Trials

MOST_TRIALS = 64
"""Largest number of trials in a picture; more panels could not be read."""

_HEIGHTS = (1.0, 5.0, 5.0, 5.6)  # of the cue, the two rings and the answer
_WIDTH, _HEIGHT = 3.6, 4.9  # inches of a trial
_HOLD = -2.0  # place of "hold fixation", below the directions


def plot_trials(trials: Trials, *, columns: int = 4) -> Figure:
    """Draw each trial: the fixation cue, the two rings, and the correct answer, with lines where a period ends.

    In the lowest panel a filled cell is the correct action at a step. Where the interval extension has moved the
    answer, a circle marks where it would have been, and an arrow leads from there.

    Args:
        trials: n ≥ 1 trials of any tasks; take a few of a sample with ``trials[:4]``.
        columns: number of trials in a row of panels.

    Returns:
        A matplotlib figure; ``save`` or its own ``savefig`` writes it.

    Raises:
        ModcogError: if there is no trial, or there are more than 64, or no columns.
    """
    if not 1 <= len(trials) <= MOST_TRIALS:
        raise ModcogError(f"trials: got {len(trials)}, must be from 1 to {MOST_TRIALS} for a picture")
    columns = min(check_count("columns", columns), len(trials))
    rows = -(-len(trials) // columns)
    figure = Figure(figsize=(0.5 + _WIDTH * columns, _HEIGHT * rows), layout="constrained")
    top = max(1.0, float(trials.packed_observations[:, 1 : 1 + 2 * trials.dim_ring].max()))
    cells = figure.subfigures(rows, columns, squeeze=False).flat
    for place, (cell, caption) in enumerate(zip(cells, _captions(trials), strict=False)):
        _draw_trial(cell, trials[place], caption, top)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, whole or not at all, in the format of the path's ending: .png, .svg, .pdf and others.

    Raises:
        UnknownNameError: for an ending that matplotlib does not write.
    """
    path = Path(path)
    kind, allowed = path.suffix.lower().removeprefix("."), figure.canvas.get_supported_filetypes()
    if kind not in allowed:
        raise unknown("kind of picture", kind or path.name, allowed)
    with whole_file(path) as part:
        figure.savefig(part, format=kind, dpi=150)


def _captions(trials: Trials) -> list[str]:
    """Return the task's summary for the first of each run of trials of a task; all have equally many lines."""
    texts = [fill(summary(parse(trials.tasks[task])), 56) for task in trials.task]
    lines = max(text.count("\n") for text in texts)
    blank = "\n" * lines + " "
    new = np.diff(trials.task, prepend=-1) != 0
    return [text + blank[text.count("\n") :] if first else blank for text, first in zip(texts, new, strict=True)]


def _draw_trial(cell: Any, trial: Trials, caption: str, top: float) -> None:
    """Draw one trial in one cell of the figure; the time axis is in ms."""
    spec, ring = parse(trial.tasks[trial.task[0]]), trial.dim_ring
    ends = [trial.dt * end for end in (0, *accumulate(trial.period_steps(0).values()))]
    axes = cell.subplots(4, 1, sharex=True, height_ratios=_HEIGHTS)
    observations = trial.packed_observations.T
    parts = (observations[:1], observations[1 : 1 + ring], observations[1 + ring : 1 + 2 * ring])
    for axis, values, colour, most in zip(axes, parts, (BLACK, BLUE, VERMILLION), (1.4, top, top), strict=False):
        axis.imshow(
            values, cmap=LinearSegmentedColormap.from_list(colour, ["#FFFFFF", colour]), vmin=0, vmax=most,
            aspect="auto", origin="lower", interpolation="nearest", extent=(0, ends[-1], -0.5, len(values) - 0.5),
        )  # fmt: skip
    _draw_answer(axes[3], trial, spec)
    for axis in axes:
        for end in ends[1:-1]:
            axis.axvline(end, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        axis.tick_params(length=2, labelsize=7)
        axis.set_xlim(0, ends[-1])
    _label(cell, axes, trial, caption, ends)


def _draw_answer(axis: Any, trial: Trials, spec: TaskSpec) -> None:
    """Draw the correct action at each step."""
    labels, start = trial.packed_labels, int(trial.decision_start[0])
    rows = np.where(labels == 0, _HOLD, labels - 1)
    for step, row in enumerate(rows.tolist()):
        colour = GREY if row == _HOLD else GREEN
        axis.add_patch(Rectangle((step * trial.dt, row - 0.5), trial.dt, 1, facecolor=colour, linewidth=0))
    axis.axhline(-0.5, color=GREY, linewidth=0.5)
    axis.set_ylim(_HOLD - 0.8, trial.dim_ring - 0.5)
    if spec.interval and rows[start] != _HOLD:
        _draw_move(axis, trial, start * trial.dt, spec.interval, int(rows[start]))


def _draw_move(axis: Any, trial: Trials, start: float, sign: int, now: int) -> None:
    """Mark the answer without the interval extension, with an arrow round the ring to the answer ``now``."""
    drawn, length, ring = trial.rows[0], len(trial.packed_labels) * trial.dt, trial.dim_ring
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


def _label(cell: Any, axes: Any, trial: Trials, caption: str, ends: list[float]) -> None:
    """Name the task, the periods and the axes."""
    cell.suptitle(trial.tasks[trial.task[0]], fontsize=11, fontweight="bold")
    axes[0].set_title(caption, fontsize=7.5, pad=14, loc="left")
    for name, first, last in zip(trial.period_steps(0), ends, ends[1:], strict=False):
        if last > first:
            axes[0].text((first + last) / 2, 0.65, name, ha="center", va="bottom", fontsize=7)
    ticks = [trial.dim_ring * quarter // 4 for quarter in range(4)]
    axes[0].set_yticks([])
    for axis in axes[1:3]:
        axis.set_yticks(ticks)
    axes[3].set_yticks([_HOLD, *ticks], ["hold", *map(str, ticks)])
    axes[3].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[3].set_xlabel("time (ms)", fontsize=8)
    names = (("cue", BLACK), ("modality 1", BLUE), ("modality 2", VERMILLION), ("correct answer", GREEN))
    for axis, (name, colour) in zip(axes, names, strict=True):
        axis.set_ylabel(name, color=colour, fontsize=8)
    cell.align_ylabels()
