"""Painting: from drawn trials to observations and labels.

Within a period nothing but the noise changes, so a trial is a handful of *frames*, one for each period, and its
observations are those frames, each repeated for as many steps as the period lasts. Where the rows of the result lie
(trial after trial, or time first) is the caller's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modcog.trials import extensions
from modcog.trials.batch import Drawn
from modcog.trials.compiled import FIXATION, RING1, RING2, Tables

BLANK = 0
"""Index of the frame that is all zeros: padding."""


@dataclass(frozen=True)
class Frames:
    """The distinct noise-free observations of n trials; frame 1 + i · P + p is period p of trial i.

    Attributes:
        values: (1 + n · P, C) float32.
        noise: (1 + n · P,) mask of the channels that are noisy.
    """

    values: NDArray[np.float32]
    noise: NDArray[np.uint8]


def frames(tables: Tables, drawn: Drawn) -> Frames:
    """Paint every period of every trial once, without noise."""
    n, slots, ring = len(drawn.task), tables.n_slots, tables.settings.dim_ring
    values = np.zeros((1 + n * slots, tables.n_channels), np.float32)
    noise = np.zeros(1 + n * slots, np.uint8)
    by_trial = values[1:].reshape(n, slots, tables.n_channels)
    by_trial[:, :, 0] = tables.fixation_cue[drawn.task]
    if tables.settings.rule_input:
        by_trial[np.arange(n), :, 1 + 2 * ring + drawn.task] = 1
    rings = values[:, 1 : 1 + 2 * ring].reshape(len(values), 2, ring)
    for group in drawn.groups:
        task = drawn.task[group.trial]
        for stimulus in group.stimuli:
            frame = 1 + group.trial * slots + tables.show_slot[task, stimulus.which]
            modality = np.asarray(stimulus.modality) - 1
            strength = np.asarray(stimulus.strength)[..., None]
            rings[frame, modality] += strength * _bumps(tables, np.asarray(stimulus.direction))
            shown = np.where(tables.noise_shown[task], RING1 << modality, 0)
            noise[frame] |= (tables.noise[task] | shown).astype(np.uint8)
    return Frames(values, noise)


def _bumps(tables: Tables, direction: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
    """(m, n) bump of each direction: looked up on the grid, computed off it."""
    if direction.dtype.kind == "i":
        return tables.bumps[direction]
    from modcog.trials.compiled import bump

    return bump(direction, tables.settings.dim_ring)


def labels(tables: Tables, drawn: Drawn, frame: NDArray[np.intp]) -> NDArray[np.int64]:
    """The right action at every step.

    Args:
        tables: the battery.
        drawn: n trials.
        frame: (S,) frame of each step, trials one after the other.

    Returns:
        (S,): 0 hold fixation, 1 + k respond in direction k.
    """
    settings, rules = tables.settings, tables.rules
    n, slots = len(drawn.task), tables.n_slots
    decision = 1 + np.arange(n) * slots + tables.decision_slot[drawn.task]
    of_frame = np.zeros(1 + n * slots, np.int64)
    of_frame[decision] = np.where(drawn.respond, rules.label(drawn.target, 0, settings.dim_ring), 0)
    found = of_frame[frame]
    sign = tables.sequence_sign[drawn.task]
    moving = drawn.respond & (sign != 0)
    if moving.any():
        moves = np.zeros(1 + n * slots, np.bool_)
        moves[decision[moving]] = True
        row = np.flatnonzero(moves[frame])
        trial = (frame[row] - 1) // slots
        first = np.flatnonzero(np.diff(trial, prepend=-1))
        step = np.arange(len(row)) - np.repeat(first, np.diff(first, append=len(row)))
        moved = extensions.sequence(sign[trial], step, settings)
        found[row] = rules.label(drawn.target[trial], moved, settings.dim_ring)
    return found


def add_noise(
    tables: Tables,
    mask: NDArray[np.uint8],
    observations: NDArray[np.float32],
    rng: np.random.Generator,
    row: NDArray[np.intp] | None = None,
) -> None:
    """Add Gaussian noise, sd sigma / sqrt(dt), to the noisy channels of ``observations``, in place.

    Args:
        tables: the battery.
        mask: (S,) noise mask of each step, trials one after the other; the noise is drawn in this order, so that it
            is the same whatever the layout.
        observations: (R, C) float32.
        rng: source of the noise.
        row: (S,) row of ``observations`` that holds each step; None: its own.
    """
    settings = tables.settings
    if settings.sigma == 0:
        return
    sd = np.float32(settings.sigma / np.sqrt(settings.dt))
    for value, span in noisy_channels(settings.dim_ring).items():
        step = np.flatnonzero(mask == value)
        if len(step):
            noise = rng.standard_normal((len(step), span.stop - span.start), dtype=np.float32)
            noise *= sd
            observations[step if row is None else row[step], span] += noise


def noisy_channels(dim_ring: int) -> dict[int, slice]:
    """The channels that each value of a noise mask stands for."""
    both = 1 + 2 * dim_ring
    return {
        RING1: slice(1, 1 + dim_ring),
        RING2: slice(1 + dim_ring, both),
        RING1 | RING2: slice(1, both),
        FIXATION | RING1 | RING2: slice(0, both),
    }
