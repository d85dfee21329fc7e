"""Closed forms of the ideal observer's accuracy, for an observer who is told the two directions.

Written from the definition of the tasks, without the package. Let g_a be the bump at direction a, v = sigma² / dt the
variance of a channel in one step, k the steps that a stimulus is visible.

Every hypothesis h has a mirror image h' of the same prior whose right answer is the other one, and there is one linear
statistic z of the observations such that log p(x | h) / p(x | h') is a positive multiple of z for every h whose answer
is the first direction. So "z > 0" is the optimal rule, and the accuracy is the mean over h of
Φ(½ · |mean of h − mean of h'| · √(k / v)).

- one modality, both directions at once, strengths ½(1 ± c): h' swaps the strengths; distance c · |g_a − g_b|.
- the same in both modalities, sum compared: h' swaps the directions and the modalities, (c1, c2) → (−c2, −c1);
  distance ½(c1 + c2) · |g_a − g_b| · √2.
- one modality, one after the other, strengths s1 ≠ s2: h' swaps the strengths; distance |s1 − s2| · √(|g_a|² + |g_b|²).

A distractor modality says nothing about the answer once the directions are known. A tie, kept under the published
rules, is right half of the time. Summed strengths shown one after the other have no such mirror, so no closed form.
"""

from itertools import product

import numpy as np
from scipy.stats import norm

STEPS = 5
"""A stimulus is visible for 500 ms, at 100 ms a step."""


def bump(direction: int, n: int) -> np.ndarray:
    distance = np.abs(np.arange(n) - direction)
    angle = np.minimum(distance, n - distance) * 2 * np.pi / n
    return 0.8 * np.exp(-0.5 * (angle / (np.pi / 8)) ** 2)


def accuracy(base: str, *, n=16, sigma=1.0, coherences=(0.08, 0.16, 0.32, 0.64), strengths=(0.3, 0.6, 1.0), ties=False):
    """Decision accuracy of an observer who knows the directions, averaged over pairs of directions; dt is 100."""
    if base == "multidlydm":
        raise ValueError("no closed form")
    pairs = [(bump(0, n), bump(b, n)) for b in range(1, n)]  # the ring is the same all around
    signed = [sign * c for c in coherences for sign in (1, -1)]
    if base == "multidm":
        both = [round(c1 + c2, 12) for c1, c2 in product(signed, signed)]
        sums = [c for c in both if c or ties]
        apart = np.array([[abs(c) / np.sqrt(2) * np.linalg.norm(a - b) for c in sums] for a, b in pairs])
    elif "dlydm" in base:
        steps = [abs(s - t) for s, t in product(strengths, strengths) if s != t]
        apart = np.array([[s * np.hypot(np.linalg.norm(a), np.linalg.norm(b)) for s in steps] for a, b in pairs])
    else:
        apart = np.array([[c * np.linalg.norm(a - b) for c in coherences] for a, b in pairs])
    return float(norm.cdf(0.5 * apart * np.sqrt(STEPS) / (sigma / 10)).mean())
