"""The decision family: two directions, respond towards the one whose attended strength is larger."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modcog.errors import ModcogError
from modcog.tasks.draw import Draw, Outcome, Stimulus

if TYPE_CHECKING:
    from modcog.settings import BatterySettings

LARGEST = 1e6
"""Bound of a strength: far beyond use, and far within what float32 holds."""

DIRECTIONS = ("direction1", "direction2")

STRENGTHS = ("strength1_mod1", "strength2_mod1", "strength1_mod2", "strength2_mod2")
"""Conditions: the strength of direction 1 and 2 in modality 1 and 2; 0 in a modality that is not shown."""


TIE = 1e-9
"""Strengths that differ by no more than this are equal."""

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]


def draw(t: Draw) -> Outcome:
    """Draw two different directions and one row of strengths; the stronger direction is the target.

    Raises:
        ModcogError: if conditions that are given tie, contradict each other or are out of range.
    """
    direction1, direction2, strength = conditions(t)
    advantage = advantage_of_first(t, strength)
    if t.given and np.any(np.abs(advantage) <= TIE):
        raise ModcogError("strengths: the compared strengths tie, so the trial has no right answer")
    return outcome(direction1, direction2, strength, advantage > 0)


def conditions(t: Draw) -> tuple[Ints, Ints, Floats]:
    """Draw direction 1 and 2, (n,), and the strengths, (4, n) in the order of ``STRENGTHS``.

    Raises:
        ModcogError: if conditions that are given contradict each other or are out of range.
    """
    n = t.dim_ring
    direction1 = t.rng.integers(0, n, t.n)
    direction2 = (direction1 + t.rng.integers(1, n, t.n)) % n
    rows = t.alternative()
    if t.partly_given(DIRECTIONS):  # what is left to draw must go with what is not
        first, step = np.indices((n, n - 1)).reshape(2, -1)
        pairs = np.stack([first, (first + 1 + step) % n], axis=1)
        direction1, direction2 = np.array([t.agreeing(i, DIRECTIONS, pairs) for i in range(t.n)]).T
    if t.partly_given(STRENGTHS):
        rows = np.array([t.agreeing(i, STRENGTHS, t.alternatives_of(i)) for i in range(t.n)])
    direction1 = t.integers_from("direction1", direction1, 0, n)
    direction2 = t.integers_from("direction2", direction2, 0, n)
    if t.given and np.any(direction1 == direction2):
        raise ModcogError("direction2: must differ from direction1")
    return direction1, direction2, np.stack([_strength(t, name, rows[:, i]) for i, name in enumerate(STRENGTHS)])


def _strength(t: Draw, name: str, drawn: Floats) -> Floats:
    column = t.condition(name, drawn)
    if name in t.given and not np.all((column >= 0) & (column <= LARGEST)):
        raise ModcogError(f"{name}: got {column.tolist()}, must be from 0 to {LARGEST:g}")
    return column


def outcome(direction1: Ints, direction2: Ints, strength: Floats, first: NDArray[np.bool_]) -> Outcome:
    """The trials that these conditions make; ``first``, (n,): whether direction 1 is the target."""
    places = ((0, 1, direction1), (1, 1, direction2), (0, 2, direction1), (1, 2, direction2))
    stimuli = [Stimulus(*place, s) for place, s in zip(places, strength, strict=True)]
    return Outcome(np.where(first, direction1, direction2), stimuli)


def strength_rows(settings: BatterySettings, params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Every row of ``STRENGTHS`` that a task can show, without ties, (k, 4).

    Drawing one of them uniformly is the same as drawing each modality's strengths on its own and drawing the trial
    again when the compared sums tie: a tie has no right answer.

    Raises:
        ModcogError: if the settings leave no row without a tie.
    """
    rows = all_strength_rows(settings, params)
    untied = rows[np.abs(_advantage(rows.T, np.array(params["weights"]))) > TIE]
    if not len(untied):
        field = "strengths" if params["sequential"] else "coherences"
        raise ModcogError(f"{field}: {getattr(settings, field)} leave no trial whose compared strengths differ")
    return untied


def all_strength_rows(settings: BatterySettings, params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Every row of ``STRENGTHS`` that a task can show, ties among them, (k, 4)."""
    if params["sequential"]:
        pairs = list(permutations(settings.strengths, 2))
    else:
        pairs = [((1 + c * sign) / 2, (1 - c * sign) / 2) for c in settings.coherences for sign in (1, -1)]
    each = [pairs if shown else [(0.0, 0.0)] for shown in params["shown"]]
    return np.array([a + b for a, b in product(*each)], dtype=np.float64)


def advantage_of_first(t: Draw, strength: Floats) -> Floats:
    """Attended strength of direction 1 minus that of direction 2, (n,); ``strength`` is (4, n)."""
    return _advantage(strength, t.param("weights").T)


def _advantage(strength: Floats, weights: NDArray[Any]) -> Floats:
    return weights[0] * (strength[0] - strength[1]) + weights[1] * (strength[2] - strength[3])
