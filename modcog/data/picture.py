"""The picture of a data set: a few of its trials, as SVG.

It is written by hand: what a plotting library draws changes with its version and fonts, and the bytes of a data set
must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.trials.source import Seed, TrialSource
from modcog.trials.trials import Trials

MOST_TASKS = 4
_CELL, _WIDTH, _GAP, _TOP, _LEFT = 5, 300, 40, 28, 12
_SHADES = 8  # observations are rounded to these, so that rounding errors cannot show
_PICTURE_KEY = 23


def picture(battery: Battery, seed: int) -> str:
    """Up to four tasks, a trial of each: observations in grey, the right response in red, a line at the decision."""
    shown = np.unique(np.linspace(0, len(battery.tasks) - 1, MOST_TASKS).astype(np.int64))
    trials = TrialSource(battery.tables, Seed.of(seed, _PICTURE_KEY)).block(0, shown)
    ring = battery.settings.dim_ring
    height = _TOP + (2 * ring + 1) * _CELL + 3 * _CELL + (ring + 1) * _CELL + 24
    width = _LEFT + len(shown) * (_WIDTH + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<g font-family="sans-serif" font-size="12" fill="#222">',
    ]
    for place in range(len(shown)):
        parts += _trial(trials[place], _LEFT + place * (_WIDTH + _GAP), ring)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _trial(trial: Trials, left: int, ring: int) -> Iterator[str]:
    steps = len(trial.packed_labels)
    middle = _TOP + (2 * ring + 1) * _CELL + 3 * _CELL
    bottom = middle + (ring + 1) * _CELL
    shades = np.clip(np.rint(trial.packed_observations[:, : 1 + 2 * ring].T * _SHADES), 0, _SHADES).astype(int)
    response = np.arange(ring + 1)[:, None] == trial.packed_labels
    decision = left + trial.decision_start[0] * _WIDTH / steps
    yield f'<text x="{left}" y="18">{trial.tasks[trial.task[0]]}</text>'
    yield from _heat(shades, left, _TOP, lambda shade: f'fill="#000" opacity="{shade / _SHADES:g}"')
    yield from _heat(response.astype(int), left, middle, lambda _: 'fill="#c22"')
    for y, rows in ((_TOP, 2 * ring + 1), (middle, ring + 1)):
        yield f'<rect x="{left}" y="{y}" width="{_WIDTH}" height="{rows * _CELL}" fill="none" stroke="#888"/>'
    yield f'<path d="M{decision:.1f} {_TOP}V{bottom}" stroke="#27c" stroke-dasharray="4 3"/>'
    yield f'<text x="{left}" y="{bottom + 16}">{steps} steps of {trial.dt:g} ms</text>'


def _heat(values: NDArray[np.integer], left: int, top: int, paint: Callable[[int], str]) -> Iterator[str]:
    """A rectangle for each run of equal values in a row; nothing for 0."""
    wide = _WIDTH / values.shape[1]
    for row, line in enumerate(values):
        edges = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
        for start, stop in pairwise(edges):
            if line[start]:
                x, w = left + start * wide, (stop - start) * wide
                y = top + row * _CELL
                yield f'<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{_CELL}" {paint(line[start])}/>'
