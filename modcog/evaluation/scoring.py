"""Scoring: from a network's output on trials to the values of every measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import as_array
from modcog.errors import ModcogError
from modcog.evaluation.measures import TOLERANCE, check_tolerance, values_of
from modcog.evaluation.scores import Scores
from modcog.trials.arrays import Trials


def score(output: Any, trials: Trials, n_actions: int | None = None, tolerance: float = TOLERANCE) -> Scores:
    """Score a network's output on trials.

    Args:
        output: (n, T, A) logits, or (n, T) actions; T at least the longest trial's length. Anything that
            ``np.asarray`` takes.
        trials: the n trials it was made for.
        n_actions: A, to check that it is right; None: any.
        tolerance: degrees within which a response counts as directionally accurate.

    Raises:
        ModcogError: if the shape does not fit the trials, or a value is not finite or not an action.
    """
    values, steps = values_of(_actions(output, trials, n_actions), trials, check_tolerance(tolerance))
    return Scores(trials.tasks, trials.task, values, steps, dict(trials.conditions), tolerance)


def _actions(output: Any, trials: Trials, n_actions: int | None) -> NDArray[np.int64]:
    """Return the action at each step, (n, T) for T the length of the longest trial."""
    n, length = trials.mask.shape
    wanted = f"must be logits of shape ({n}, {length}, {n_actions or 'A'}) or actions of shape ({n}, {length})"
    values = numbers(output, wanted)
    logits = values.ndim == 3
    fits = values.ndim in (2, 3) and values.shape[0] == n and values.shape[1] >= length
    if not fits or (logits and (values.shape[2] < 2 or values.shape[2] != (n_actions or values.shape[2]))):
        raise ModcogError(
            f"output: got shape {values.shape}, {wanted}; the last axis of logits has an entry for each action"
        )
    values = values[:, :length]
    if values.dtype.kind == "f" and not np.isfinite(values[trials.mask]).all():
        bad = "NaN" if np.isnan(values[trials.mask]).any() else "infinite values"
        raise ModcogError(f"output: holds {bad} at steps of trials; {wanted}, all finite")
    if logits:
        return values.argmax(axis=-1)
    taken = values[trials.mask]
    if (taken != np.floor(taken)).any():
        raise ModcogError(f"output: actions must be whole numbers; {wanted}")
    if n_actions is not None and taken.size and not 0 <= taken.min() <= taken.max() < n_actions:
        given = f"actions from {taken.min():g} to {taken.max():g}"
        raise ModcogError(f"output: holds {given}, must be from 0 to {n_actions - 1}")
    return np.where(trials.mask, values, 0).astype(np.int64)


def numbers(output: Any, wanted: str = "must be an array of numbers") -> NDArray[Any]:
    """Return an output as an array of whole numbers, truth values or floats, of the same shape.

    It may be anything that ``np.asarray`` takes, or a tensor on any device. ``wanted`` ends the error's sentence.

    Raises:
        ModcogError: if it is no array of real numbers.
    """
    try:
        if hasattr(output, "detach"):  # a torch tensor, which may need a gradient or be on a GPU
            output = output.detach().cpu()
            output = output.float() if output.is_floating_point() and output.element_size() < 4 else output
        values = as_array(output, 3)
        if values.dtype.kind in "biuf":
            return values
        if values.dtype.kind == "V" and values.dtype.names is None:  # 16-bit floats of JAX and TensorFlow
            return values.astype(np.float32)
        found = f"an array of {values.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
    except (TypeError, ValueError, RuntimeError):
        found = type(output).__name__
    raise ModcogError(f"output: got {found}, which is no array of real numbers; {wanted}") from None
