"""Pictures: trials, period by period, and scores against a condition of the trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from modcog.checks import check_count
from modcog.colours import BLACK, BLUE, GREEN, GREY, PALETTE, STYLE, VERMILLION
from modcog.errors import ModcogError, unknown
from modcog.files import whole_file
from modcog.tasks.names import parse, summary
from modcog.trials.arrays import Trials

MOST_TRIALS = 64
"""Largest number of trials in a picture; more panels could not be read."""

_HEIGHTS = (1.0, 5.0, 5.0, 5.6)  # of the cue, the two rings and the answer
_WIDTH, _HEIGHT = 4.1, 5.2  # inches of a trial, so that its text can be read where a phone shows it whole
_HOLD = -2.0  # place of "hold fixation", below the directions
_TEXT, _SMALL = 9.0, 8.5  # points
_LINE, _GAP = 11, 5  # points from one line of period names to the next, and between two names in a line
_ACROSS = 215  # points of the time axis, or a little less than the layout leaves it


def plot_trials(trials: Trials, *, columns: int = 2) -> Figure:
    """Draw each trial: the fixation cue, the two rings, and the correct answer, with lines where a period ends.

    Direction 0 is the lowest of every ring. In the lowest panel a filled cell is the correct action at a step: its
    direction stands on the left, its label on the right. Where the interval extension has moved the answer, a circle
    marks where it would have been, and an arrow leads from there. Trials of the same task are numbered from 0. ``save``
    writes the figure.

    Args:
        trials: n ≥ 1 trials of any tasks; take a few of a sample with ``trials[:4]``.
        columns: number of trials in a row of panels.

    Raises:
        ModcogError: if there is no trial, or there are more than 64, or no columns.
    """
    if not 1 <= len(trials) <= MOST_TRIALS:
        raise ModcogError(f"trials: got {len(trials)}, must be from 1 to {MOST_TRIALS} for a picture")
    columns = min(check_count("columns", columns), len(trials))
    rows = -(-len(trials) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
    top = max(1.0, float(trials.packed_observations[:, 1 : 1 + 2 * trials.dim_ring].max()))
    texts = [fill(summary(parse(trials.tasks[task])), 50) for task in trials.task]
    names = [_period_names(trials[i]) for i in range(len(trials))]
    # Captions of equally many lines, and as much room for the names of periods: panels stand level.
    lines = max(line for some in names for *_, line in some)
    blank = "\n" * max(text.count("\n") for text in texts) + " "
    cells, number, total = figure.subfigures(rows, columns, squeeze=False).flat, Counter[int](), Counter(trials.task)
    for i, (cell, text) in enumerate(zip(cells, texts, strict=False)):
        task = trials.task[i]
        caption = blank if i and task == trials.task[i - 1] else text + blank[text.count("\n") :]
        _draw_trial(cell, trials[i], names[i], top)
        cell.get_axes()[0].set_title(caption, fontsize=_TEXT, pad=16 + _LINE * lines, loc="left")
        title = trials.tasks[task] + (f", trial {number[task]}" if total[task] > 1 else "")
        cell.suptitle(title, fontsize=12, fontweight="bold")
        number[task] += 1
    return figure


def by_condition(
    scores: Any,
    condition: str,
    *,
    task: str | Sequence[str] | None = None,
    kind: str = "decision",
    bins: int | Sequence[float] | None = None,
    levels: bool = True,
    fit: bool = False,
) -> Figure:
    """Draw a measure of scores against a condition of the trials, with 95 % intervals.

    Args:
        scores: from ``modcog.evaluate``.
        condition: a column of ``trials.conditions``.
        task: the tasks that count; None: all that have the condition.
        kind: a measure, or another condition such as ``"reaction_time_ms"``, as in ``Scores.by``.
        bins: edges of bins or their number, as in ``Scores.by``.
        levels: of a measure, draw the ideal observer's curve too, and the levels of the strategies below it as lines.
        fit: draw the psychometric function of the last step too, which needs psignifit.

    Raises:
        UnknownNameError: if there is no such condition, task or measure.
        ModcogError: if levels are to be drawn of a task that has no ideal observer.
    """
    table = scores.by(condition, task=task, kind=kind, bins=bins)
    measure = scores.measure(kind)
    label, unit = measure.label, measure.unit
    x, scale = np.asarray(table[condition]), 100 if unit == "%" else 1
    value, low, high = (scale * np.asarray(table[name]) for name in ("value", "low", "high"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6))
        axis = figure.subplots()
        axis.errorbar(
            x, value, [value - low, high - value], color=BLUE, marker="o", markersize=4, capsize=2, label="network",
            linestyle="" if fit else "-", zorder=3,
        )  # fmt: skip
        if fit:
            curve = scores.psychometric(condition, task)
            fine = np.linspace(0, np.abs(x).max(), 200)
            note = f"fit: threshold {curve.threshold:.2g}, slope {curve.slope:.2g}"
            axis.plot(fine, 100 * curve(fine), color=BLUE, linewidth=1, label=note)
        if levels and kind not in scores.conditions:
            ideal = scores.ideal().by(condition, task=task, kind=kind, bins=bins)
            axis.plot(ideal[condition], scale * ideal["value"], color=BLACK, linewidth=1, label="ideal observer")
            for (name, level), colour in zip(_below(scores, condition, task, kind).items(), PALETTE[1:], strict=False):
                axis.axhline(scale * level, color=colour, linewidth=1, linestyle=(0, (4, 2)), label=name)
        axis.set_xlabel(condition.replace("_ms", " (ms)").replace("_", " "))
        axis.set_ylabel(f"{label} ({unit})" if unit else label)
        if unit == "%":
            axis.set_ylim(-3, 103)
        figure.legend(loc="outside right upper")
    return figure


def _below(scores: Any, condition: str, task: str | Sequence[str] | None, kind: str) -> dict[str, float]:
    """Return the levels below the ideal observer's, means over the tasks drawn, by the strategies that have them."""
    known = scores.levels()
    names = [task] if isinstance(task, str) else list(task or scores.tasks_with(condition))
    strategies: dict[float, list[str]] = {}
    for strategy in next(iter(known.values())).values:
        values, ideal = ([known[name].values[one][kind] for name in names] for one in (strategy, "ideal"))
        if all(value is not None for value in values) and not np.allclose(values, ideal, atol=1e-3):
            strategies.setdefault(round(float(np.mean(values)), 4), []).append(strategy)
    return {", ".join(names): level for level, names in strategies.items()}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, whole or not at all, in the format of the path's ending: .png, .svg, .pdf and others.

    Raises:
        UnknownNameError: for an ending that matplotlib does not write.
    """
    path = Path(path)
    kind, allowed = path.suffix.lower().removeprefix("."), figure.canvas.get_supported_filetypes()
    if kind not in allowed:
        raise unknown("kind of picture", kind or path.name, allowed)
    picture = BytesIO()  # in memory, since a full disk makes the writer of a PDF fail in ways of its own
    figure.savefig(picture, format=kind, dpi=150)
    with whole_file(path) as part:
        part.write_bytes(picture.getvalue())


def _draw_trial(cell: Any, trial: Trials, names: list[tuple[str, float, int]], top: float) -> None:
    """Draw one trial in one cell of the figure; the time axis is in ms, for ``names`` see ``_period_names``."""
    periods, ring, observations = trial.period_steps(0), trial.dim_ring, trial.packed_observations.T
    ends = [trial.dt * end for end in (0, *accumulate(periods.values()))]
    ticks = [ring * quarter // 4 for quarter in range(4)]
    axes = cell.subplots(4, 1, sharex=True, height_ratios=_HEIGHTS)
    inputs = (
        ("cue", BLACK, 1.4, (), observations[:1]),
        ("modality 1", BLUE, top, ticks, observations[1 : 1 + ring]),
        ("modality 2", VERMILLION, top, ticks, observations[1 + ring : 1 + 2 * ring]),
    )
    for axis, (name, colour, most, places, values) in zip(axes, inputs, strict=False):
        axis.imshow(
            values, cmap=LinearSegmentedColormap.from_list(colour, ["#FFFFFF", colour]), vmin=0, vmax=most,
            aspect="auto", origin="lower", interpolation="nearest", extent=(0, ends[-1], -0.5, len(values) - 0.5),
        )  # fmt: skip
        axis.set_yticks(places)
        axis.set_ylabel(name, color=colour, fontsize=_TEXT)
    _draw_answer(axes[3], trial)
    axes[3].set_yticks([_HOLD, *ticks], ["hold", *map(str, ticks)])
    axes[3].set_ylabel("correct answer", color=GREEN, fontsize=_TEXT)
    labels = axes[3].secondary_yaxis("right")
    labels.set_yticks([_HOLD, *ticks], ["0", *(str(1 + direction) for direction in ticks)])
    labels.set_ylabel("label = 1 + direction", fontsize=8)
    labels.tick_params(length=2, labelsize=_SMALL)
    axes[3].set_xlabel("time (ms)", fontsize=_TEXT)
    axes[3].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for axis in axes:
        for end in ends[1:-1]:
            axis.axvline(end, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        axis.tick_params(length=2, labelsize=_SMALL)
        axis.set_xlim(0, ends[-1])
    for name, middle, line in names:
        above = {"xytext": (0, 3 + _LINE * line), "textcoords": "offset points"}
        axes[0].annotate(name, (middle * ends[-1], 0.5), ha="center", va="bottom", fontsize=_SMALL, **above)
    cell.align_ylabels()


def _period_names(trial: Trials) -> list[tuple[str, float, int]]:
    """Return name, place and line of each period that takes time.

    The place is the middle of the name as a share of the time axis: over the period, but not beyond the axis. A name
    that would run into an earlier one is a line higher; the lowest line is 0.
    """
    periods, found, taken = trial.period_steps(0), list[tuple[str, float, int]](), list[float]()
    ends = np.cumsum([0, *periods.values()]) / trial.lengths[0]
    for name, first, last in zip(periods, ends, ends[1:], strict=False):
        if last > first:
            half = _half_width(name) / _ACROSS
            middle = max(min((first + last) / 2, 1 - half), half)
            line = next((i for i, end in enumerate(taken) if middle - half > end + _GAP / _ACROSS), len(taken))
            taken[line : line + 1] = [middle + half]
            found.append((name, middle, line))
    return found


@cache
def _half_width(name: str) -> float:
    """Return half the width of the name of a period, in points."""
    return float(TextPath((0, 0), name, size=_SMALL).get_extents().width) / 2


def _draw_answer(axis: Any, trial: Trials) -> None:
    """Draw the correct action at each step, and how the interval extension moved the answer round the ring."""
    labels, dt, ring, drawn = trial.packed_labels, trial.dt, trial.dim_ring, trial.rows[0]
    colours = np.where(labels == 0, GREY, GREEN).tolist()
    bottoms = np.where(labels == 0, _HOLD, labels - 1) - 0.5
    axis.bar(dt * np.arange(len(labels)), 1, dt, bottoms, align="edge", color=colours, linewidth=0)
    axis.axhline(-0.5, color=GREY, linewidth=0.5)
    axis.set_ylim(_HOLD - 0.8, ring - 0.5)
    start, sign = int(trial.decision_start[0]), parse(trial.tasks[trial.task[0]]).interval
    if not sign or labels[start] == 0:
        return
    before, now, x = drawn["target"], int(labels[start]) - 1, dt * (start - 0.02 * len(labels))
    arrow = {"arrowstyle": "-|>", "color": BLACK, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    leave, enter = (ring - 0.5, -0.5) if sign > 0 else (-0.5, ring - 0.5)
    passes_edge = (now - before) * sign < 0
    if passes_edge:
        axis.plot([x, x], [before, leave], color=BLACK, linewidth=1)
    if now != before:
        axis.annotate("", (x, now), (x, enter if passes_edge else before), arrowprops=arrow)
    axis.plot(x, before, "o", markersize=5, markerfacecolor="white", markeredgecolor=BLACK, zorder=4, clip_on=False)
    note = {"ha": "right", "va": "center", "fontsize": _SMALL, "bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}}
    inside = np.clip(before, 0.1 * ring, 0.9 * ring - 1)  # the text would hide the frame
    axis.text(x - 0.03 * dt * len(labels), inside, f"T = {drawn['interval_ms']:g} ms", **note)
