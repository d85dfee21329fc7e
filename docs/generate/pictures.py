"""Pictures of the gallery: drawn trials, small pictures, and animations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from typing import Any

import gymnasium as gym
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

import modcog
from modcog.colours import BLACK, BLUE, GREEN, GREY, VERMILLION
from modcog.envs.registration import environment_id
from modcog.plot import plot_trials

DPI = 110

MOVING: Mapping[str, Mapping[str, Any]] = {
    "dlygointr": {"direction": 2, "modality": 1, "duration_delay": 600},
    "goseqr": {"direction": 2, "modality": 2},
    "dms": {"sample_direction": 4, "match": 1, "modality": 1, "duration_delay": 500},
    "ctxdm1": {"direction1": 3, "direction2": 10, "duration_fixation": 300},
}
"""Tasks that have an animation, and the fixed conditions of its trial."""

_CANDIDATES = 400  # number of trials to choose a clear one from
_TELLING_MS = (400, 500, 600)  # of the interval extension
_FURTHEST = 6  # positions that these move the answer; a larger step passes the end of the ring
_CLEAR = 0.3  # smallest difference of strengths
_BORDER = "#C8C8C8"
_PIXEL = (3, 8)  # of a channel and of a step
_MS_PER_FRAME, _MS_AT_END = 250, 1500


@cache  # small and drawn pictures show the same trials
def telling(task: str, respond: bool = True) -> modcog.Trials:
    """Return the first trial of a seeded sample that shows clearly what its task asks for.

    The compared strengths differ clearly, and the extensions move the answer by some positions without passing the end
    of the ring, where its picture is cut.

    Args:
        task: name of the task.
        respond: the trial asks for a response; False, in the match family only: it asks to hold fixation.
    """
    trials = modcog.Battery([task]).sample(_CANDIDATES, seed=0)
    return next(trials[i] for i in range(len(trials)) if _shows_well(trials, i, respond))


def _shows_well(trials: modcog.Trials, i: int, respond: bool) -> bool:
    row, spec = trials.rows[i], modcog.parse(trials.tasks[0])
    if bool(row["respond"]) != respond:
        return False
    labels = trials[i].packed_labels[trials.decision_start[i] :]
    course = [row["target"], *(labels - 1)] if respond else []
    passes_end = (abs(np.diff(course)) > _FURTHEST).any()
    moved = not spec.interval or row["interval_ms"] in _TELLING_MS
    return bool(moved and not passes_end and abs(row.get("coherence", 1.0)) >= _CLEAR)


def drawn(trials: modcog.Trials) -> bytes:
    """Draw one trial as ``modcog show --plot`` does, as PNG."""
    return _saved(lambda file: plot_trials(trials).savefig(file, format="png", dpi=DPI))


def small(trials: modcog.Trials) -> bytes:
    """Draw one trial without axes and labels, as PNG; see ``stripes``."""
    pixels = np.repeat(np.repeat(stripes(trials), _PIXEL[0], axis=0), _PIXEL[1], axis=1)
    image = Image.fromarray((255 * pixels).astype(np.uint8))
    return _saved(lambda file: image.quantize(64).save(file, format="png", optimize=True))


def stripes(trial: modcog.Trials) -> NDArray[np.float64]:
    """Return one trial as colours (rows, steps, 3): from above cue, rings, answer, and a row for holding fixation."""
    observations, labels, ring = trial.packed_observations.T, trial.packed_labels, trial.dim_ring
    answer = np.zeros((ring, len(labels)))
    answer[labels[labels > 0] - 1, np.flatnonzero(labels)] = 1
    parts = [
        _coloured(observations[:1], BLACK), _coloured(observations[1 : 1 + ring], BLUE),
        _coloured(observations[1 + ring :], VERMILLION), _coloured(answer, GREEN), _coloured(labels[None] == 0, GREY),
    ]  # fmt: skip
    border = np.full((1, len(labels), 3), to_rgb(_BORDER))
    return np.concatenate([row for part in parts for row in (part, border)][:-1])


def _coloured(values: NDArray[Any], colour: str) -> NDArray[np.float64]:
    """Return values from 0 to 1, (rows, steps), as shades of a colour, (rows, steps, 3), with direction 0 below."""
    share = np.clip(np.asarray(values, float)[::-1, :, None], 0, 1)
    return 1 - share * (1 - np.array(to_rgb(colour)))


def moving(task: str) -> bytes:
    """Draw a trial of ``MOVING`` with correct responses, as an animated GIF."""
    frames = [Image.fromarray(frame) for frame in _played(task)]
    durations = [*[_MS_PER_FRAME] * (len(frames) - 1), _MS_AT_END]
    options = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    return _saved(lambda file: frames[0].save(file, format="gif", **options))


def _played(task: str) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of a trial, step by step, with correct actions."""
    env: Any = gym.make(environment_id(task), render_mode="rgb_array", sigma=0.5)
    env.reset(seed=0)
    trial: Any = env.unwrapped
    trial.new_trial(**MOVING[task])
    ended = False
    yield env.render()
    while not ended:
        _, _, terminated, _, info = env.step(int(trial.gt[trial.t_ind]))
        ended = terminated or info["new_trial"]
        yield env.render()
    env.close()


def _saved(save: Any) -> bytes:
    file = BytesIO()
    save(file)
    return file.getvalue()
