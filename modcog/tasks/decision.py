"""The decision family: two directions, respond towards the one whose attended strength is larger."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.tasks.base import Draw, Outcome, Stimulus
from modcog.tasks.condition import Condition, Joint

if TYPE_CHECKING:
    from modcog.settings import Settings

TIE = 1e-9
"""Strengths that differ by no more than this are equal."""

Floats = NDArray[np.floating]

_SHOWN = "strength of stimulus {} in modality {}; 0 where that modality is not shown"
_DIRECTIONS = tuple(Condition(f"direction{i}", "direction", f"where stimulus {i} stands") for i in (1, 2))
_STRENGTHS = tuple(
    Condition(f"strength{i}_mod{modality}", "strength", _SHOWN.format(i, modality))
    for modality in (1, 2)
    for i in (1, 2)
)
STRENGTHS = tuple(condition.name for condition in _STRENGTHS)
_DERIVED = (
    Condition("coherence", "strength", "attended strength of the stronger stimulus minus the weaker's", derived=True),
    Condition("evidence", "strength", "attended strength of stimulus 1 minus that of stimulus 2", derived=True),
)


@lru_cache(maxsize=8)
def _pairs(n: int) -> NDArray[np.int64]:
    """Return every pair of different directions, (n · (n − 1), 2)."""
    first, step = np.indices((n, n - 1)).reshape(2, -1)
    return np.stack([first, (first + 1 + step) % n], axis=1)


def untied_strengths(settings: Settings, params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return every row of strengths that a task can show, without ties, (k, 4).

    Drawing one of them uniformly is the same as drawing each modality's strengths by themselves and drawing the trial
    again when the compared sums tie: a tie has no right answer.

    Raises:
        ModcogError: if the settings leave no row without a tie.
    """
    rows = all_strengths(settings, params)
    untied = rows[np.abs(_evidence(rows.T, np.array(params["weights"]))) > TIE]
    if not len(untied):
        field = "strengths" if params["sequential"] else "coherences"
        raise ModcogError(f"{field}: {getattr(settings, field)} leave no trial whose compared strengths differ")
    return untied


def all_strengths(settings: Settings, params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return every row of strengths that a task can show, ties included, (k, 4)."""
    if params["sequential"]:
        pairs = list(permutations(settings.strengths, 2))
    else:
        pairs = [((1 + c * sign) / 2, (1 - c * sign) / 2) for c in settings.coherences for sign in (1, -1)]
    each = [pairs if shown else [(0.0, 0.0)] for shown in params["shown"]]
    return np.array([a + b for a, b in product(*each)], dtype=np.float64)


_DIRECTION_PAIR = Joint(_DIRECTIONS, lambda settings, params: _pairs(settings.dim_ring))
CONDITIONS = (_DIRECTION_PAIR, Joint(_STRENGTHS, untied_strengths), *_DERIVED)
PUBLISHED_CONDITIONS = (
    _DIRECTION_PAIR,
    Joint(_STRENGTHS, all_strengths),
    Condition("coin", "count", "the stimulus that is called right in a tie, 1 or 2", values=(1, 2)),
    *_DERIVED,
)


def draw(t: Draw) -> Outcome:
    """Return the trials: the direction with the larger attended strength is the target.

    Raises:
        ModcogError: if conditions that are given tie.
    """
    evidence = derive_evidence(t)
    if t.given and np.any(np.abs(evidence) <= TIE):
        raise ModcogError("strengths: the compared strengths tie, so the trial has no right answer")
    return outcome(t, evidence > 0)


def derive_evidence(t: Draw) -> Floats:
    """Fill in what follows from the strengths, and return the evidence for direction 1, (n,)."""
    evidence = _evidence(np.stack([t[name] for name in STRENGTHS]), t.param("weights").T)
    t.derive("coherence", np.abs(evidence))
    t.derive("evidence", evidence)
    return evidence


def outcome(t: Draw, first: NDArray[np.bool_]) -> Outcome:
    """Return the trials that the conditions make; ``first``, (n,): direction 1 is the target."""
    one, two = t["direction1"], t["direction2"]
    places = ((0, 1, one), (1, 1, two), (0, 2, one), (1, 2, two))
    stimuli = [Stimulus(*place, t[name]) for place, name in zip(places, STRENGTHS, strict=True)]
    return Outcome(np.where(first, one, two), stimuli)


def _evidence(strength: Floats, weights: NDArray[Any]) -> Floats:
    """Return the attended strength of direction 1 minus that of direction 2, (n,), of strengths (4, n)."""
    return weights[0] * (strength[0] - strength[1]) + weights[1] * (strength[2] - strength[3])
