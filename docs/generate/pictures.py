"""Pictures of the gallery: drawn trials, small pictures, and animations.

As a script, it draws those of the README again: ``python docs/generate/pictures.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

import modcog
from modcog.colours import BLACK, BLUE, GREEN, GREY, VERMILLION
from modcog.envs.render import Picture
from modcog.plot import plot_trials, save
from modcog.trials.arrays import concatenate

DPI = 110

_SHOWN_EXTENSIONS = {(0, 0), (1, 0), (0, 1)}

MOVING = tuple(
    task for task in modcog.TASKS if (modcog.parse(task).interval, modcog.parse(task).sequence) in _SHOWN_EXTENSIONS
)
"""Tasks that have an animation: every base task, and each extension of it to the right."""

README = ("dlygo", "dlygointrseqr")
"""Tasks whose trials stand in the README, the last one also as an animation."""

_CANDIDATES = 400  # number of trials to choose a clear one from
_TELLING_MS = (400, 500, 600)  # of the interval extension
_FURTHEST = 6  # positions that these move the answer; a larger step passes the end of the ring
_CLEAR = 0.3  # smallest difference of strengths
_BORDER = "#C8C8C8"
_PIXEL = (3, 8)  # of a channel and of a step
_MS_PER_FRAME, _MS_AT_END = 250, 1500
_COLOURS = 32  # of an animation; with more it is larger and looks the same


@cache  # small and drawn pictures show the same trials
def telling(*tasks: str, respond: bool = True) -> modcog.Trials:
    """Return the first trial of each task, in a seeded sample, that shows clearly what the task asks for.

    The compared strengths differ clearly, and the extensions move the answer by some positions without passing the end
    of the ring, where its picture is cut.

    Args:
        tasks: names of the tasks.
        respond: the trial asks for a response; False, in the match family only: it asks to hold fixation.
    """
    trials = modcog.Battery(tasks).sample(per_task=_CANDIDATES, seed=0)
    clear = (np.flatnonzero(trials.task == index) for index in range(len(tasks)))
    return concatenate([trials[next(i for i in some.tolist() if _shows_well(trials, i, respond))] for some in clear])


def _shows_well(trials: modcog.Trials, i: int, respond: bool) -> bool:
    row, spec = trials.rows[i], modcog.parse(trials.tasks[trials.task[i]])
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
    image = _few_colours((255 * pixels).astype(np.uint8))
    return _saved(lambda file: image.save(file, format="png", optimize=True))


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


def moving(trial: modcog.Trials) -> bytes:
    """Draw one trial step by step, with correct responses, as an animated GIF."""
    frames = list(_played(trial))
    palette = _few_colours(np.concatenate(frames[::2]))
    first, *rest = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    durations = [*[_MS_PER_FRAME] * len(rest), _MS_AT_END]
    options = {"save_all": True, "append_images": rest, "duration": durations, "loop": 0}
    return _saved(lambda file: first.save(file, format="gif", **options))


def still(trial: modcog.Trials) -> bytes:
    """Draw the last step of one trial as in ``moving``, as PNG, for readers who want nothing to move."""
    (last,) = _played(trial, slice(-1, None))
    return _saved(lambda file: _few_colours(last).save(file, format="png", optimize=True))


def _few_colours(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return an image with few colours, white among them.

    They are found by an octree: cuts at medians, Pillow's default, make small coloured marks brown.
    """
    image = Image.fromarray(pixels).quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    colours = np.array(image.getpalette()).reshape(-1, 3)
    colours[colours.sum(axis=1).argmax()] = 255  # 254 without this
    image.putpalette(colours.ravel().tolist())
    return image


def _played(trial: modcog.Trials, steps: slice = slice(None)) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of the steps of one trial as the environment draws them, each with its correct response."""
    picture = Picture(trial.dim_ring, trial.tasks[trial.task[0]], "rgb_array", 1)
    periods = [period for period, n in trial.period_steps(0).items() for _ in range(n)]
    for step in range(len(periods))[steps]:
        label = int(trial.packed_labels[step])
        drawn = picture.draw(trial.packed_observations[step], periods[step], step, (label, label))
        assert drawn is not None  # it would be in a window
        yield drawn


def _saved(save: Any) -> bytes:
    file = BytesIO()
    save(file)
    return file.getvalue()


def draw_readme(folder: Path) -> None:
    """Write the pictures of the README."""
    trials = telling(*README)
    save(plot_trials(trials), folder / "tasks.png")
    (folder / f"{README[-1]}.gif").write_bytes(moving(trials[len(README) - 1]))


if __name__ == "__main__":
    draw_readme(Path(__file__).parents[1] / "images")
