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
from modcog.colours import BLUE, VERMILLION
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials
from modcog.trials.source import TrialSource

_CELL, _WIDTH, _GAP, _TOP, _LEFT = 5, 300, 40, 28, 90
_RESPONSE, _CUE = VERMILLION, BLUE
_SHADES = 8  # observations are rounded to these, so that rounding errors cannot show


def picture(battery: Battery, seed: int) -> str:
    """A trial of a few tasks: observations in grey, the right response in vermillion, a line at the decision."""
    shown = _few(battery)
    trials = TrialSource(battery.tables, Seed.of(seed, Purpose.PICTURE)).block(0, shown)
    ring = battery.settings.dim_ring
    height = _panels(ring)["response"][1] + 24
    width = _LEFT + len(shown) * (_WIDTH + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<g font-family="sans-serif" font-size="12" fill="#222">',
        *_names(ring),
    ]
    for place in range(len(shown)):
        parts += _trial(trials[place], _LEFT + place * (_WIDTH + _GAP), ring)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _few(battery: Battery) -> NDArray[np.int64]:
    """The first task of each family, and the last task: with all 132, one that has both extensions."""
    first = {spec.family: index for index, spec in reversed(list(enumerate(battery.tables.specs)))}
    return np.unique([*first.values(), len(battery.tasks) - 1])


def _panels(ring: int) -> dict[str, tuple[int, int]]:
    """Top and bottom of each panel, by its name."""
    found, top = {}, _TOP
    for name, rows in (("fixation", 1), ("modality 1", ring), ("modality 2", ring), ("response", ring + 1)):
        found[name] = (top, top + rows * _CELL)
        top += (rows + 2) * _CELL
    return found


def _names(ring: int) -> Iterator[str]:
    for name, (top, bottom) in _panels(ring).items():
        yield f'<text x="{_LEFT - 8}" y="{(top + bottom) / 2 + 4:g}" text-anchor="end">{name}</text>'


def _trial(trial: Trials, left: int, ring: int) -> Iterator[str]:
    steps = len(trial.packed_labels)
    shades = np.clip(np.rint(trial.packed_observations[:, : 1 + 2 * ring].T * _SHADES), 0, _SHADES).astype(int)
    response = (np.arange(ring + 1)[:, None] == trial.packed_labels).astype(int)
    panels, every = _panels(ring), -(-steps // _WIDTH)  # more steps than units of width would only swell the file
    parts = (shades[:1], shades[1 : 1 + ring], shades[1 + ring :], response)
    values = {name: part[:, ::every] for name, part in zip(panels, parts, strict=True)}
    yield f'<text x="{left}" y="18">{trial.tasks[trial.task[0]]}</text>'
    for name, (top, bottom) in panels.items():
        yield from _heat(values[name], left, top, _answer if name == "response" else _grey)
        size = f'width="{_WIDTH}" height="{bottom - top}"'
        yield f'<rect x="{left}" y="{top}" {size} fill="none" stroke="#888"/>'
    cue, bottom = left + trial.decision_start[0] * _WIDTH / steps, panels["response"][1]
    yield f'<path d="M{cue:.1f} {_TOP}V{bottom}" stroke="{_CUE}" stroke-width="1.5" stroke-dasharray="4 3"/>'
    yield f'<text x="{left}" y="{bottom + 16}">{steps} steps of {trial.dt:g} ms</text>'


def _grey(shade: int) -> str:
    return f'fill="#000" opacity="{shade / _SHADES:g}"'


def _answer(_: int) -> str:
    return f'fill="{_RESPONSE}"'


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
