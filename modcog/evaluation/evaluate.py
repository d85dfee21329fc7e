"""Scoring any network: a function on arrays, or a torch module; its faults are reported in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import check_count, is_list
from modcog.errors import ModcogError, shown
from modcog.evaluation.measures import TOLERANCE, check_tolerance
from modcog.evaluation.scores import Scores, join
from modcog.evaluation.scoring import numbers, score
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, concatenate
from modcog.trials.source import per_task
from modcog.user_code import PASS, failures_as, is_batch_first

Predict = Callable[[NDArray[np.float32]], Any]

CHUNK = 256
"""Trials that are predicted at once, at most."""

NOTICEABLE = 1e-4
"""Mean change of an output that rounding does not explain, as a share of the output's range."""


def evaluate(
    predict: Predict | Any,
    battery: Battery,
    n_trials: int = 200,
    seed: int | None = 0,
    tasks: Sequence[str] | None = None,
    tolerance: float = TOLERANCE,
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
        tolerance: degrees within which a response counts for the directional accuracy.

    Returns:
        Scores: per trial; ``.decision_accuracy``, ``.per_task()``, ``.table()`` and ``.by()`` sum them up.

    Raises:
        ModcogError: if the network fails, if its output has a wrong shape or is not finite, naming the shape expected,
            or if its output for one trial depends on the other trials, as it does if batch and time are swapped.
        UnknownNameError: if one of ``tasks`` is not in the battery.
    """
    if not isinstance(battery, Battery):
        raise ModcogError(f"battery: got {type(battery).__name__}, must be a modcog.Battery")
    if tasks is not None and not is_list(tasks):
        raise ModcogError(f"tasks: got {shown(tasks)}, must be a list of the battery's tasks")
    index = range(len(battery.tasks)) if tasks is None else [battery.index(task) for task in tasks]
    n, tolerance = check_count("n_trials", n_trials), check_tolerance(tolerance)
    if not len(index):
        raise ModcogError("tasks: got an empty list, must name at least one task of the battery")
    call = as_predict(predict, battery.n_actions)
    parts = in_chunks(per_task(battery.tables, Seed.of(seed, Purpose.EVALUATION), index, n))
    return replace(_score_all(call, parts, battery.n_actions, tolerance, check=True), battery=battery)


def trials_to_score(battery: Battery, n_trials: int, seed: int) -> Trials:
    """Draw the trials on which ``evaluate`` scores a network, all at once, in the same order."""
    blocks = per_task(battery.tables, Seed.of(seed, Purpose.EVALUATION), range(len(battery.tasks)), n_trials)
    return concatenate(list(blocks))


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


def _score_all(
    call: Predict, parts: Iterable[Trials], n_actions: int, tolerance: float = TOLERANCE, check: bool = False
) -> Scores:
    found: list[Scores] = []
    largest: tuple[Trials, Any] | None = None
    for trials in (piece for part in parts for piece in _uneven(part)):
        n, steps, channels = trials.observations.shape
        with failures_as(
            f"predict: failed on observations of shape (n, T, C) = {(n, steps, channels)}, of which it must make "
            f"logits of shape {(n, steps, n_actions)} or actions of shape {(n, steps)}"
        ):
            output = call(trials.observations)
        found.append(score(output, trials, n_actions, tolerance))
        if largest is None or n > len(largest[0]):
            largest = trials, output
    if check and largest is not None:  # only now, so that no call comes between those that count
        check_independence(call, *largest)
    return join(found)


def _uneven(trials: Trials) -> Iterator[Trials]:
    """Yield the trials in pieces that have not as many trials as steps, so that swapped axes show in the shape."""
    n, steps = trials.mask.shape
    if n == steps and n > 1:
        yield from _uneven(trials[: n // 2])
        yield from _uneven(trials[n // 2 :])
    else:
        yield trials


def as_predict(network: Any, n_actions: int) -> Predict:
    """Return a function on arrays from a function or a torch module.

    Raises:
        ModcogError: if it is neither.
    """
    if isinstance(network, type):
        raise ModcogError(f"predict: got the class {network.__name__}, must be a network made from it, or a function")
    if not (hasattr(network, "state_dict") and hasattr(network, "parameters")):
        if not callable(network):
            raise ModcogError(f"predict: got {type(network).__name__}, must be a function or a torch module")
        return network
    import torch

    batch_first = is_batch_first(network)
    order = "(n, T, C)" if batch_first else "time-first (T, n, C), having no true batch_first,"
    tensors = itertools.chain(network.parameters(), network.buffers())
    weight = next((one for one in tensors if one.is_floating_point()), torch.empty(0))

    def predict(observations: NDArray[np.float32]) -> Any:
        x = torch.from_numpy(observations).to(weight.device, weight.dtype)
        x = x if batch_first else x.transpose(0, 1)
        sides = tuple(x.shape[:2])
        wanted = (
            f"predict: of observations of shape {order} = {tuple(x.shape)} the module must make logits of shape "
            f"{(*sides, n_actions)} or actions of shape {sides}, but"
        )
        in_training = [part for part in network.modules() if part.training]
        network.eval()
        try:
            with torch.no_grad(), failures_as(f"{wanted} failed"):
                output = network(x)
        finally:
            for part in in_training:
                part.training = True
        logits = output[0] if isinstance(output, tuple) and output else output
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor | np.ndarray) else None
        if shape not in {(*sides, n_actions), sides}:
            raise ModcogError(f"{wanted} gave {f'a {type(logits).__name__}' if shape is None else f'shape {shape}'}")
        return logits if batch_first else logits.swapaxes(0, 1)

    return predict


def check_independence(call: Predict, trials: Trials, output: Any, name: str = "predict") -> None:
    """Refuse a network whose output for a trial depends on the other trials of the batch.

    It may take trials for steps. Every other trial is reversed in time, and the output for the rest must stay the same.
    A network whose output changes from call to call, because it has noise of its own, cannot be checked and passes.

    ``output`` is the network's on these trials; a single trial is not checked. The error calls the network ``name``.

    Raises:
        ModcogError: naming the order of axes expected.
    """
    if len(trials) < 2:
        return
    given = trials[:].observations  # painted afresh: the network may have written into what it got
    changed = given.copy()
    changed[::2] = given[::2, ::-1]

    def at_rest(values: Any) -> NDArray[np.float64]:
        rest = numbers(values)[1::2, : trials.mask.shape[1]]
        return rest[trials.mask[1::2]].astype(np.float64)

    def alike(other: Any) -> bool:
        after = at_rest(other)
        return before.shape == after.shape and bool(np.abs(before - after).mean() <= NOTICEABLE * np.ptp(before))

    before = at_rest(output)
    try:
        depends = not alike(call(changed)) and alike(call(given))
    except PASS:
        raise
    except BaseException:  # a network may well refuse a trial that runs backwards
        return
    if depends:
        n, steps, _ = given.shape
        raise ModcogError(
            f"{name}: the output for a trial depends on the trials beside it, as if batch and time were swapped; "
            f"observations of shape (n, T, C) = {given.shape} are {n} independent trials of {steps} steps (a torch "
            f"module gets (T, n, C), unless it has an attribute batch_first = True)"
        )
