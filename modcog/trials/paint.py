"""Painting: from drawn trials to observations and labels.

Within a period nothing but the noise changes, so a trial is a handful of *frames*, one for each period, and its
observations are those frames, each repeated for as many steps as the period lasts. Where the rows of the result lie
(trial after trial, or time first) is the caller's choice, and so is what makes them: NumPy, or torch on a device.

What is known of a trial or a frame is laid out on the host, in NumPy: it is little. What there is of every step is made
by the backend ``on``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.trials import extend
from modcog.trials.backends import NUMPY, NumpyBackend
from modcog.trials.draw import Drawn
from modcog.trials.tables import FIXATION, RING1, RING2, Tables, bump


def frame_of_steps(drawn: Drawn, on: NumpyBackend = NUMPY) -> Any:
    """Return the frame of each step, (S,), trials one after the other."""
    steps = drawn.durations.steps
    return on.spread(steps.ravel(), np.arange(steps.size))[0]


def frames(tables: Tables, drawn: Drawn, on: NumpyBackend = NUMPY) -> tuple[Any, NDArray[np.uint8]]:
    """Paint every period of every trial once, without noise.

    Returns:
        (n · P, C) frames: row i · P + p is period p of trial i; and, on the host, the mask of the channels that are
        noisy in each.
    """
    ring, (task,) = tables.settings.dim_ring, on.put(drawn.task)
    values = on.take(on.keep(tables.blank_trial), task).reshape(-1, tables.n_channels)
    noise = tables.noise_shown_in.take(drawn.task, axis=0).ravel()
    rings = on.columns(values, slice(1, 1 + 2 * ring), 2)
    for group in drawn.groups:
        of_group = drawn.task[group.trial]
        at_ring_shown = tables.noise_at_stimulus[of_group]
        marks_noise = at_ring_shown.any()
        for stimulus in group.stimuli:
            frame = group.trial * tables.n_slots + tables.show_slot[of_group, stimulus.which]
            modality = np.asarray(stimulus.modality) - 1
            direction, strength = np.asarray(stimulus.direction), stimulus.strength
            if marks_noise:
                noise[frame] |= np.where(at_ring_shown, RING1 << modality, 0).astype(np.uint8)
            if direction.dtype.kind == "i":
                frame, modality, direction = on.put(frame, modality, direction)
                bumps = on.take(on.keep(tables.bumps), direction)
            else:  # off the grid; on the host, since not every exponential ends in the same bit
                frame, modality = on.put(frame, modality)
                (bumps,) = on.put(bump(direction, ring).astype(np.float32))
            if not isinstance(strength, float) or strength != 1:
                bumps *= on.put(np.asarray(strength, np.float32))[0][..., None]
            bumps += rings[frame, modality]  # two bumps may share a ring
            rings[frame, modality] = bumps
    return values, noise


def observations(tables: Tables, drawn: Drawn, frame: Any, rng: Any, lanes: int = 1, on: NumpyBackend = NUMPY) -> Any:
    """Return the observation at every step, with noise of sd sigma / sqrt(dt) in the noisy channels.

    Args:
        tables: the battery.
        drawn: n trials.
        frame: (S,) frame of each step, trials one after the other.
        rng: source of the noise, which is drawn in this order, so that it is the same whatever the layout.
        lanes: parts of equal length that the steps fall into; the result has the first step of every lane, then the
            second of every lane, and so on.
        on: the backend, which ``frame`` and ``rng`` are of.

    Returns:
        (S, C) float32.
    """
    settings, both = tables.settings, 1 + 2 * tables.settings.dim_ring
    values, noisy = frames(tables, drawn, on)
    found = on.take(values, frame.reshape(lanes, -1).T.ravel())
    if settings.sigma == 0:
        return found
    sd = float(settings.sigma / np.sqrt(settings.dt))
    channels = {
        RING1: slice(1, 1 + settings.dim_ring),
        RING2: slice(1 + settings.dim_ring, both),
        RING1 | RING2: slice(1, both),
        FIXATION | RING1 | RING2: slice(0, both),
    }
    steps = drawn.durations.steps.ravel()
    start = steps.cumsum() - steps  # row of each frame's first step in the result
    if lanes > 1:  # a frame is of one lane, so each of its steps is ``lanes`` rows below the one before
        lane, step = np.divmod(start, len(frame) // lanes)
        start = step * lanes + lane
    for value, span in channels.items():
        loud = np.flatnonzero(noisy == value)
        if len(loud):
            row, source = _ranges(on, start[loud], steps[loud], lanes, loud)
            noise = on.normal(rng, (len(row), span.stop - span.start))
            noise *= sd
            noise += on.columns(values, span)[source]  # near at hand, unlike the rows of ``found``
            on.columns(found, span)[row] = noise
    return found


def _ranges(on: NumpyBackend, start: NDArray[Any], count: NDArray[Any], step: int, *more: NDArray[Any]) -> Any:
    """Return start[i], start[i] + step … of each i, count[i] numbers, all in one (S,); and ``more``, spread alike."""
    before = count.cumsum() - count
    found, *spread = on.spread(count, start - step * before, *more)
    found += step * on.arange(len(found))
    return found, *spread


def labels(tables: Tables, drawn: Drawn, frame: Any, on: NumpyBackend = NUMPY) -> Any:
    """Return the right action at every step, (S,) int64: 0 hold fixation, 1 + k respond in direction k.

    ``frame``, (S,), is the frame of each step, trials one after the other; ``on`` is its backend.
    """
    n, slots, steps = len(drawn.task), tables.n_slots, drawn.durations.steps.ravel()
    decision = np.arange(n) * slots + tables.decision_slot[drawn.task]
    target = extend.first_target(tables, drawn)
    of_frame = np.zeros(n * slots, np.int64)
    first = extend.labels(tables, drawn.task, target, np.zeros(n, np.int64))
    of_frame[decision] = np.where(drawn.respond, first, 0)
    found = on.take(on.put(of_frame)[0], frame)
    moving = np.flatnonzero(drawn.respond & (tables.sequence_sign[drawn.task] != 0))
    if len(moving):  # only these have labels that change within a frame
        length = steps[decision[moving]]
        start = (np.cumsum(steps) - steps)[decision[moving]]
        step, begin, task, asked = _ranges(on, start, length, 1, start, drawn.task[moving], target[moving])
        found[step] = extend.labels(tables, task, asked, step - begin, int(length.max()), on)
    return found
