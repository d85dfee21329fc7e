"""Painting: from drawn trials to observations and labels.

Within a period nothing but the noise changes, so a trial is a handful of *frames*, one for each period, and its
observations are those frames, each repeated for as many steps as the period lasts. Where the rows of the result lie
(trial after trial, or time first) is the caller's choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.trials import extend
from modcog.trials.arrays import ranges
from modcog.trials.draw import Drawn
from modcog.trials.tables import FIXATION, RING1, RING2, Tables, bump


def frame_of_steps(drawn: Drawn) -> NDArray[np.intp]:
    """Return the frame of each step, (S,), trials one after the other."""
    steps = drawn.durations.steps
    return np.repeat(np.arange(steps.size), steps.ravel())


def frames(tables: Tables, drawn: Drawn) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Paint every period of every trial once, without noise.

    Returns:
        (n · P, C) frames: row i · P + p is period p of trial i; and the mask of the channels that are noisy in each.
    """
    n, slots, ring = len(drawn.task), tables.n_slots, tables.settings.dim_ring
    values = tables.blank_trial.take(drawn.task, axis=0).reshape(n * slots, tables.n_channels)
    noise = tables.noise_shown_in.take(drawn.task, axis=0).ravel()
    rings = _rows(values, slice(1, 1 + 2 * ring), 2)
    for group in drawn.groups:
        task = drawn.task[group.trial]
        at_ring_shown = tables.noise_at_stimulus[task]
        for stimulus in group.stimuli:
            frame = group.trial * slots + tables.show_slot[task, stimulus.which]
            modality = np.asarray(stimulus.modality) - 1
            direction, strength = np.asarray(stimulus.direction), stimulus.strength
            if direction.dtype.kind == "i":
                bumps = tables.bumps.take(direction, axis=0)
            else:  # off the grid
                bumps = bump(direction, ring).astype(np.float32)
            if not isinstance(strength, float) or strength != 1:
                bumps *= np.asarray(strength, np.float32)[..., None]
            bumps += rings[frame, modality].view(np.float32).reshape(bumps.shape)  # two bumps may share a ring
            rings[frame, modality] = _items(bumps)
            if at_ring_shown.any():
                noise[frame] |= np.where(at_ring_shown, RING1 << modality, 0).astype(np.uint8)
    return values, noise


def observations(
    tables: Tables,
    drawn: Drawn,
    frame: NDArray[np.intp],
    rng: np.random.Generator,
    lanes: int = 1,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the observation at every step, with noise of sd sigma / sqrt(dt) in the noisy channels.

    Args:
        tables: the battery.
        drawn: n trials.
        frame: (S,) frame of each step, trials one after the other.
        rng: source of the noise, which is drawn in this order, so that it is the same whatever the layout.
        lanes: parts of equal length that the steps fall into; the result has the first step of every lane, then the
            second of every lane, and so on.
        out: (S, C) array to write to; None: a new one.

    Returns:
        (S, C) float32.
    """
    settings, both = tables.settings, 1 + 2 * tables.settings.dim_ring
    values, noisy = frames(tables, drawn)
    found = values.take(frame.reshape(lanes, -1).T.ravel(), 0, out, "clip")  # "raise" would copy to out
    if settings.sigma == 0:
        return found
    sd = np.float32(settings.sigma / np.sqrt(settings.dt))
    mask = noisy.take(frame)
    channels = {
        RING1: slice(1, 1 + settings.dim_ring),
        RING2: slice(1 + settings.dim_ring, both),
        RING1 | RING2: slice(1, both),
        FIXATION | RING1 | RING2: slice(0, both),
    }
    for value, span in channels.items():
        step = np.flatnonzero(mask == value)
        if len(step):
            noise = rng.standard_normal((len(step), span.stop - span.start), dtype=np.float32)
            noise *= sd
            quiet = _rows(values, span)[frame[step]]  # near at hand, unlike the rows of ``found``
            noise += quiet.view(np.float32).reshape(noise.shape)
            lane, at = np.divmod(step, len(mask) // lanes)
            _rows(found, span)[at * lanes + lane] = _items(noise)
    return found


def _rows(array: NDArray[np.float32], span: slice, parts: int = 1) -> NDArray[np.void]:
    """View the columns ``span`` of a contiguous (R, C) array as (R,) or (R, parts) opaque items.

    Indexing copies an item at once instead of number by number: the same result in a third of the time.
    """
    size = 4 * (span.stop - span.start) // parts
    items: NDArray[np.void] = np.ndarray(
        (len(array), parts), f"V{size}", array, 4 * span.start, (array.strides[0], size)
    )
    return items if parts > 1 else items[:, 0]


def _items(rows: NDArray[np.float32]) -> NDArray[np.void]:
    """View the rows of a contiguous (R, C) array as (R,) opaque items."""
    return rows.view(f"V{rows.strides[0]}")[:, 0]


def labels(tables: Tables, drawn: Drawn, frame: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the right action at every step, (S,): 0 hold fixation, 1 + k respond in direction k.

    ``frame``, (S,), is the frame of each step, trials one after the other.
    """
    n, slots, steps = len(drawn.task), tables.n_slots, drawn.durations.steps.ravel()
    decision = np.arange(n) * slots + tables.decision_slot[drawn.task]
    target = extend.first_target(tables, drawn)
    of_frame = np.zeros(n * slots, np.int64)
    first = extend.labels(tables, drawn.task, target, np.zeros(n, np.int64))
    of_frame[decision] = np.where(drawn.respond, first, 0)
    found = of_frame.take(frame)
    moving = np.flatnonzero(drawn.respond & (tables.sequence_sign[drawn.task] != 0))
    if len(moving):  # only these have labels that change within a frame
        length = steps[decision[moving]]
        trial = np.repeat(moving, length)
        step = ranges(np.zeros_like(length), length)
        start = (np.cumsum(steps) - steps)[decision[moving]]
        found[ranges(start, length)] = extend.labels(tables, drawn.task[trial], target[trial], step)
    return found
