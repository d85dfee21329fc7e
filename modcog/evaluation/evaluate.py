"""Scoring any network: a function on arrays, or a torch module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from modcog.battery import Battery
from modcog.checks import check_count
from modcog.errors import ModcogError
from modcog.evaluation.network import Predict, as_predict, check_independence, output_of
from modcog.evaluation.scores import Scores, score
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, concatenate
from modcog.trials.source import per_task

CHUNK = 256
"""Trials that are predicted at once, at most."""


def evaluate(
    predict: Predict | Any,
    battery: Battery,
    n_trials: int = 200,
    seed: int | None = 0,
    tasks: Sequence[str] | None = None,
) -> Scores:
    """Score a network on ``n_trials`` trials of every task of a battery.

    Args:
        predict: maps observations (n, T, C) float32 to logits (n, T, A) or actions (n, T), as anything that
            ``np.asarray`` takes; trials of fewer than T steps are padded with zeros at their end, and the output there
            does not count. Every call brings new trials. Or a ``torch.nn.Module``, which is called time-first,
            (T, n, C) to (T, n, A), unless its ``batch_first`` is true, or, if it has none itself, that of one of its
            parts; the input gets its parameters' device and type, and if it returns a tuple, the first item counts.
        battery: with the rule input if the network is to know the task.
        n_trials: number of trials of each task.
        seed: of the trials; None: from the operating system.
        tasks: score these of the battery's tasks only, which keep their place in the rule input.

    Returns:
        Scores: per trial; ``.decision_accuracy``, ``.per_task()`` and ``.table()`` sum them up.

    Raises:
        ModcogError: if the network fails, if its output has a wrong shape or is not finite, naming the shape expected,
            or if its output for one trial depends on the other trials, as it does if batch and time are swapped.
        UnknownNameError: if one of ``tasks`` is not in the battery.
    """
    if not isinstance(battery, Battery):
        raise ModcogError(f"battery: got {type(battery).__name__}, must be a modcog.Battery")
    index = range(len(battery.tasks)) if tasks is None else [battery.index(task) for task in tasks]
    n = check_count("n_trials", n_trials)
    if not len(index):
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    call = as_predict(predict, battery.n_actions)
    parts = in_chunks(per_task(battery.tables, Seed.of(seed, Purpose.EVALUATION), index, n))
    return _score_all(call, parts, battery.n_actions, check=True)


def in_chunks(blocks: Iterable[Trials]) -> Iterator[Trials]:
    """Join blocks of trials up to ``CHUNK``: a few large calls of a network cost less than many small ones."""
    waiting: list[Trials] = []
    for block in blocks:
        if waiting and sum(map(len, waiting)) + len(block) > CHUNK:
            yield concatenate(waiting)
            waiting = []
        waiting.append(block)
    yield concatenate(waiting)


def evaluate_on(predict: Predict | Any, trials: Trials, n_actions: int) -> Scores:
    """Score a network on given trials; unlike ``evaluate``, do not check that its output for each is independent."""
    parts = (trials[i : i + CHUNK] for i in range(0, len(trials), CHUNK))
    return _score_all(as_predict(predict, n_actions), parts, n_actions)


def _score_all(call: Predict, parts: Iterable[Trials], n_actions: int, check: bool = False) -> Scores:
    found: list[Scores] = []
    largest: tuple[Trials, Any] | None = None
    for trials in (piece for part in parts for piece in _uneven(part)):
        output = output_of(call, trials, n_actions)
        found.append(score(output, trials, n_actions))
        if largest is None or len(trials) > len(largest[0]):
            largest = trials, output
    if check and largest is not None:  # only now, so that no call comes between those that count
        check_independence(call, *largest)
    values = {kind: np.concatenate([part.values[kind] for part in found]) for kind in found[0].values}
    return Scores(found[0].tasks, np.concatenate([part.task for part in found]), values)


def _uneven(trials: Trials) -> Iterator[Trials]:
    """Yield the trials in pieces that have not as many trials as steps, so that swapped axes show in the shape."""
    n, steps = trials.mask.shape
    if n == steps and n > 1:
        yield from _uneven(trials[: n // 2])
        yield from _uneven(trials[n // 2 :])
    else:
        yield trials
