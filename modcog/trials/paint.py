"""Painting: from drawn trials to observations and labels.

Within a period nothing but the noise changes, so a trial is a handful of *frames*, one for each period, and its
observations are those frames, each repeated for as many steps as the period lasts. Where the rows of the result lie
(trial after trial, or time first) is the caller's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modcog.trials import extend
from modcog.trials.draw import Drawn
from modcog.trials.tables import FIXATION, RING1, RING2, Tables, bump


@dataclass(frozen=True)
class Frames:
    """The distinct noise-free observations of n trials; frame i · P + p is period p of trial i.

    Attributes:
        values: (n · P, C) float32.
        noise: (n · P,) mask of the channels that are noisy.
    """

    values: NDArray[np.float32]
    noise: NDArray[np.uint8]


def frame_of_steps(drawn: Drawn) -> NDArray[np.intp]:
    """Return the frame of each step, (S,), trials one after the other."""
    steps = drawn.durations.steps
    return np.repeat(np.arange(steps.size), steps.ravel())


def frames(tables: Tables, drawn: Drawn) -> Frames:
    """Paint every period of every trial once, without noise."""
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
            bumps = _bumps(tables, np.asarray(stimulus.direction), stimulus.strength)
            bumps += rings[frame, modality].view(np.float32).reshape(bumps.shape)  # two bumps may share a ring
            rings[frame, modality] = _items(bumps)
            if at_ring_shown.any():
                noise[frame] |= np.where(at_ring_shown, RING1 << modality, 0).astype(np.uint8)
    return Frames(values, noise)


def _bumps(tables: Tables, direction: NDArray[Any], strength: ArrayLike) -> NDArray[np.float32]:
    """Return the bump of each direction, (m, n): looked up on the grid, computed off it."""
    if direction.dtype.kind == "i":
        bumps = tables.bumps.take(direction, axis=0)
    else:
        bumps = bump(direction, tables.settings.dim_ring).astype(np.float32)
    if not isinstance(strength, float) or strength != 1:
        bumps *= np.asarray(strength, np.float32)[..., None]
    return bumps


def observations(
    tables: Tables,
    drawn: Drawn,
    frame: NDArray[np.intp],
    rng: np.random.Generator,
    lanes: int = 1,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the observation at every step.

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
    painted = frames(tables, drawn)
    found = painted.values.take(frame.reshape(lanes, -1).T.ravel(), 0, out, "clip")  # "raise" would copy to out
    add_noise(tables, painted, frame, found, rng, lanes)
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
    """Return the right action at every step.

    Args:
        tables: the battery.
        drawn: n trials.
        frame: (S,) frame of each step, trials one after the other.

    Returns:
        (S,): 0 hold fixation, 1 + k respond in direction k.
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
        step = np.arange(len(trial)) - np.repeat(np.cumsum(length) - length, length)
        start = (np.cumsum(steps) - steps)[decision[moving]]
        found[np.repeat(start, length) + step] = extend.labels(tables, drawn.task[trial], target[trial], step)
    return found


def add_noise(
    tables: Tables,
    painted: Frames,
    frame: NDArray[np.intp],
    values: NDArray[np.float32],
    rng: np.random.Generator,
    lanes: int,
) -> None:
    """Add Gaussian noise, sd sigma / sqrt(dt), to the noisy channels of ``values``, in place.

    Args:
        tables: the battery.
        painted: the frames that ``values`` are made of.
        frame: (S,) frame of each step, trials one after the other.
        values: (S, C) float32, arranged by ``lanes``.
        rng: source of the noise.
        lanes: see ``observations``.
    """
    settings = tables.settings
    if settings.sigma == 0:
        return
    sd = np.float32(settings.sigma / np.sqrt(settings.dt))
    mask = painted.noise.take(frame)
    for value, span in noisy_channels(settings.dim_ring).items():
        step = np.flatnonzero(mask == value)
        if len(step):
            noise = rng.standard_normal((len(step), span.stop - span.start), dtype=np.float32)
            noise *= sd
            quiet = _rows(painted.values, span)[frame[step]]  # near at hand, unlike the rows of ``values``
            noise += quiet.view(np.float32).reshape(noise.shape)
            lane, at = np.divmod(step, len(mask) // lanes)
            _rows(values, span)[at * lanes + lane] = _items(noise)


def noisy_channels(dim_ring: int) -> dict[int, slice]:
    """Return the channels that each value of a noise mask stands for."""
    both = 1 + 2 * dim_ring
    return {
        RING1: slice(1, 1 + dim_ring),
        RING2: slice(1 + dim_ring, both),
        RING1 | RING2: slice(1, both),
        FIXATION | RING1 | RING2: slice(0, both),
    }
